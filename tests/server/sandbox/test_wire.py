"""Answers of workers: tables come through as they are, and a hostile answer is no more than an error."""

import contextlib
import io
import json
import struct

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photseries.hdf5 import frames, plain_hdf5
from photseries.hdf5.raw import RawColumn, RawTable
from photseries.server.sandbox import bulk_wire, wire
from tests.hdf5.support import LIMITS, recipe_write, some_frame


def table():
    frame = some_frame().set_index(pd.Index(["a", "b", "c", "d"], name="é"))
    return plain_hdf5.read(recipe_write(frame, {"x": float("nan"), "é": [1, {"\ud800": None}]}), LIMITS)


def sent(answer):
    return b"".join(bytes(buffer) for buffer in wire.pack(answer))


def received(data, limits=LIMITS):
    stream = io.BytesIO(data)

    def read(size):
        chunk = stream.read(size)
        if len(chunk) < size:
            raise EOFError
        return bytearray(chunk)

    return wire.receive(read, limits)


def bulk_answer(rows, columns, fields=None, error=None):
    header = {"rows": rows, "columns": columns, "fields": fields or {}, "error": error}
    return wire.pack_header(header) + struct.pack("<2q", 2**62, -(2**62)) + bytes(64)


@pytest.mark.parametrize(
    "answer",
    [
        bulk_answer([10**11], [{"name": "t", "kind": "text", "sizes": [8 * 10**11, 0]}]),
        bulk_answer([2], [{"name": "t", "kind": "text", "sizes": [16, 0]}]),
        bulk_answer([10**30], []),
        bulk_answer([10**9], [{"name": "x", "kind": "<f8", "sizes": [8 * 10**9]}]),
        bulk_answer([2], [{"name": "x", "kind": "<f8", "sizes": [8]}]),
        bulk_answer([2], [{"name": "x", "kind": "object", "sizes": [16]}]),
        bulk_answer([2], [{"name": "x", "kind": "<f8", "sizes": [16]}] * 2),
        bulk_answer([-1], [{"name": "x", "kind": "<f8", "sizes": [16]}]),
        bulk_answer([2], [{"name": "x", "kind": "<f8", "sizes": [16]}], {"filter": []}),
        wire.pack_header({"series": -1}),
    ],
    ids=lambda answer: answer[8:60].decode(),
)
def test_a_hostile_slab_is_refused_before_memory_is_allocated(answer):
    stream = io.BytesIO(answer)

    def read(size):
        assert size <= LIMITS.table + wire.MAX_HEADER_SIZE
        return bytearray(stream.read(size))

    with pytest.raises(ValueError, match="not an answer"):
        bulk_wire.receive(read, LIMITS.table)


def test_table_survives_the_wire():
    original = table()
    found = received(sent(wire.WorkerResponse(original, None, ("seccomp",))))
    assert found.missing == ("seccomp",)
    assert found.error is None
    assert frames.build(found.table).equals(frames.build(original))
    assert repr(found.table.metadata) == repr(original.metadata)
    assert found.table.key == original.key
    assert found.table.index.name == "é"
    assert [column.null for column in found.table.columns] == [column.null for column in original.columns]


def test_refusal_survives_the_wire():
    found = received(sent(wire.WorkerResponse(None, "too odd: é", ())))
    assert (found.table, found.error, found.missing) == (None, "too odd: é", ())


def test_a_long_refusal_is_cut():
    assert len(received(sent(wire.WorkerResponse(None, "x" * 10**6, ()))).error) == wire.MAX_TEXT_LENGTH


def test_every_truncation_is_an_early_end():
    data = sent(wire.WorkerResponse(table(), None, ()))
    for size in range(len(data)):
        with pytest.raises(EOFError):
            received(data[:size])


def header(**changes):
    column = {"name": "x", "values": "<f8", "null": None, "encoding": "utf-8"}
    about = {"key": "/x", "rows": 2, "columns": [column], "indexed": False, "metadata": {}}
    column.update({name: value for name, value in changes.items() if name in column})
    about.update({name: value for name, value in changes.items() if name in about})
    whole = {"missing": [], "error": None, "table": about}
    whole.update({name: value for name, value in changes.items() if name in whole})
    encoded = json.dumps(whole).encode()
    return len(encoded).to_bytes(8, "little") + encoded + bytes(64)


HOSTILE = {
    "a huge header": (2**40).to_bytes(8, "little"),
    "no JSON": (5).to_bytes(8, "little") + b"hello",
    "no UTF-8": (1).to_bytes(8, "little") + b"\xff",
    "nested": (10_000).to_bytes(8, "little") + b"[" * 10_000,
    "no object": (2).to_bytes(8, "little") + b"[]",
    "no table": header(table=None),
    "layers": header(missing=[5]),
    "many layers": header(missing=["x"] * 100),
    "no rows": header(rows=0),
    "negative rows": header(rows=-1),
    "many rows": header(rows=LIMITS.rows + 1),
    "a float of rows": header(rows=2.0),
    "no columns": header(columns=[]),
    "only an index": header(indexed=True),
    "columns that are none": header(columns=[1]),
    "many columns": header(columns=[{"name": "x", "values": "<f8"}] * (LIMITS.columns + 1)),
    "objects": header(values="|O"),
    "a structure": header(values="<f8,<f8"),
    "a wide text": header(values="|S999999999"),
    "another byte order": header(values=">f8"),
    "void": header(values="|V8"),
    "odd time": header(values="<M8[25s]"),
    "a name that is none": header(name=5),
    "an encoding": header(encoding="idna"),
    "a null that is none": header(null=5),
    "metadata that are none": header(metadata=[]),
}


def test_the_header_of_these_tests_is_valid():
    assert received(header()).table.columns[0].values.tolist() == [0, 0]


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_answers_are_errors(case):
    with pytest.raises(ValueError, match=r".") as caught:
        received(HOSTILE[case])
    assert not isinstance(caught.value, AssertionError)


def test_equal_names_are_refused():
    column = RawColumn("x", np.zeros(2))
    with pytest.raises(ValueError, match="not an answer"):
        received(sent(wire.WorkerResponse(RawTable("/x", (column, column), None, {}), None, ())))


def test_booleans_are_zero_and_one():
    column = RawColumn("x", np.array([0, 1, 2, 255], "u1").view(bool))
    found = received(sent(wire.WorkerResponse(RawTable("/x", (column,), None, {}), None, ())))
    assert found.table.columns[0].values.view("u1").tolist() == [0, 1, 1, 1]


@given(st.data())
@settings(max_examples=200)
def test_damaged_answers_are_tables_or_errors(data):
    answer = bytearray(header(name="abc", metadata={"a": [1, "x"]}))
    for _ in range(data.draw(st.integers(1, 4))):
        answer[data.draw(st.integers(0, len(answer) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError, EOFError):
        assert received(bytes(answer)).missing is not None
