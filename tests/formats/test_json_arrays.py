"""Columns straight from JSON: what the exact way would give, or nothing."""

import json

import numpy as np
import orjson
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photseries.errors import InvalidError
from photseries.formats import json_arrays, json_columns
from tests.hdf5.support import LIMITS, TESS

pytest.importorskip("simdjson", reason="there is no wheel of pysimdjson for this Python")

integers = st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5)
floats = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.5, 9e9, 5e-324, 2.0**63])
columns = st.one_of(
    *(st.lists(kind, max_size=6) for kind in (integers, floats, st.none(), integers | floats | st.none())),
    st.lists(st.booleans() | st.none() | st.text(max_size=5) | st.lists(integers, max_size=2), max_size=4),
    st.lists(st.integers(2**63, 2**65) | integers, max_size=3),
)
fields = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | floats | st.text(max_size=9) | st.sampled_from([",null", "null", 9e9, 9_000_000_000]),
        st.lists,
        max_leaves=4,
    ),
    max_size=4,
)


@pytest.fixture(autouse=True)
def of_any_length(monkeypatch):
    monkeypatch.setattr(json_arrays, "_SHORT", 0)


def exactly(body: bytes):
    """Read a body the longer way; an error as its message."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(json_arrays, "_SHORT", 2**62)
        return read(body)


def read(body: bytes):
    try:
        document = json_columns.parse(body, LIMITS)
        return document, json_columns.decode(document["data"], LIMITS)
    except InvalidError as error:
        return str(error)


def same(found, expected):
    if isinstance(expected, str):
        assert found == expected
        return
    (document, frame), (other, table) = found, expected
    pd.testing.assert_frame_equal(frame, table, check_exact=True)
    for name in frame:
        if frame[name].dtype == np.float64:
            assert np.array_equal(np.signbit(frame[name]), np.signbit(table[name]))
    assert {**document, "data": 0} == {**other, "data": 0}


@given(st.dictionaries(st.text(max_size=3), columns, min_size=1, max_size=4), fields, st.booleans(), st.booleans())
@settings(max_examples=300)
def test_fast_parser_gives_the_exact_result_or_none(data, others, dense, ascii_only):
    separators = (",", ":") if dense else (", ", ": ")
    body = json.dumps({**others, "data": data}, separators=separators, ensure_ascii=ascii_only).encode(
        "utf-8", "surrogatepass"
    )
    same(read(body), exactly(body))


def test_fast_parser_reads_a_real_series():
    frame = pd.DataFrame(pd.read_hdf(TESS))
    body = b'{"obj_id": null, "altdata": {"a": [1, {"b": "x"}]}, "data": ' + json_columns.encode(frame) + b"}"
    found = json_arrays.parse(body, LIMITS)
    assert found is not None
    for name, column in found["data"].items():
        assert isinstance(column, np.ndarray), name
    assert found["altdata"] == {"a": [1, {"b": "x"}]}
    assert found["obj_id"] is None
    same(read(body), exactly(body))


DOUBTS = {
    "no data": b'{"a": [1]}',
    "data of another kind": b'{"data": [1]}',
    "not JSON": b'{"data": {"a": [1,]}}',
    "a key twice": b'{"a": 1, "a": 2, "data": {"a": [1]}}',
    "a key with NUL": b'{"data": {"a": [1], "a\\u0000": [2]}}',
    "a column twice": b'{"data": {"a": [1], "a": [2]}}',
    "a key twice within": b'{"altdata": {"a": 1, "a": 2}, "data": {"a": [1]}}',
    "nested columns": b'{"data": {"a": [[1], [2]]}}',
    "an integer beyond int64": b'{"data": {"a": [-1, 9223372036854775808]}}',
    "an integer beyond 64 bits": b'{"data": {"a": [18446744073709551616]}}',
    "a text with a bracket": b'{"obj_id": "[", "data": {"a": [1]}}',
    "too deep": b'{"altdata": ' + b"[" * 40 + b"]" * 40 + b', "data": {"a": [1]}}',
    "a null in a text": b'{"obj_id": ",null", "data": {"a": [-0.0]}}',
    "a null in a name": b'{"data": {",null": [-0.0]}}',
    "a null in a text and its number": b'{"obj_id": "null", "data": {"a": [1.5, 9e9]}}',
    "a null in a key and its number": b'{"altdata": {"null": 1}, "data": {"a": [1.5, 9e9]}}',
    "a null and its number": b'{"data": {"a": [null, 1.5, 9e9]}}',
    "a digit before a null": b'{"data": {"a": [1null, 9e9]}}',
    "a digit after a null": b'{"data": {"a": [null1, 9e9]}}',
    "half a surrogate pair": b'{"a": "\\ud800", "data": {"a": [1]}}',
}


@pytest.mark.parametrize("case", DOUBTS)
def test_fast_parser_declines_ambiguous_bodies(case):
    body = DOUBTS[case]
    assert json_arrays.parse(body, LIMITS) is None
    same(read(body), exactly(body)) if b'"data": {' in body else None


NULLS = {
    "a real minus zero beside a null": b'{"data": {"a": [-0.0, null]}}',
    "a null in a list elsewhere": b'{"altdata": [1, null], "data": {"a": [1]}}',
    "a null elsewhere and a minus zero": b'{"altdata": [1, null], "data": {"a": [-0.0]}}',
    "a null in place of a field": b'{"obj_id": null, "altdata": {"a": null}, "data": {"a": [-0.0]}}',
    "nulls alone": b'{"data": {"a": [null,null], "b": [9000000000, 2]}}',
    "nulls at the end of a part": b'{"data": {"a": [' + b"null, " * 50_000 + b"null]}}",
    "a null among integers": b'{"data": {"a": [9007199254740993, null]}}',
    "a null among texts": b'{"data": {"a": ["x", null]}}',
}


@pytest.mark.parametrize("case", NULLS)
def test_fast_parser_reads_nulls(case):
    body = NULLS[case]
    assert json_arrays.parse(body, LIMITS) is not None
    same(read(body), exactly(body))


def test_without_simdjson_every_body_takes_the_slow_path(monkeypatch):
    body = orjson.dumps({"data": {"a": [1.5, None]}})
    assert json_arrays.parse(body, LIMITS) is not None
    monkeypatch.setattr(json_arrays, "simdjson", None)
    assert json_arrays.parse(body, LIMITS) is None
