"""The machine that reads pickles: everything plain, nothing else, and nothing ever runs."""

import collections
import datetime
import io
import os
import pickle
import pickletools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photseries.errors import UnreadableFileError
from photseries.hdf5 import plain_pickle
from photseries.hdf5.plain_pickle import FOREIGN
from photseries.server.settings import LimitSettings

LIMITS = LimitSettings()
PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(max_size=20),
)
keys = st.one_of(st.text(), st.integers(-(2**63), 2**63), st.booleans(), st.none())
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4) | st.tuples(inner, inner),
    max_leaves=20,
)


def interpret(data, **options):
    return plain_pickle.interpret(data, LIMITS, **options)


def same(left, right):
    return type(left) is type(right) and repr(left) == repr(right)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(value=trees)
@settings(max_examples=60)
def test_plain_values_survive_the_round_trip(protocol, value):
    assert same(interpret(pickle.dumps(value, protocol)), value)


@given(value=trees)
@settings(max_examples=30)
def test_pickles_without_memo_are_read(value):
    buffer = io.BytesIO()
    pickler = pickle.Pickler(buffer, 2)
    pickler.fast = True
    pickler.dump(value)
    assert same(interpret(buffer.getvalue()), value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nan_and_its_shared_objects(protocol):
    shared = ["x", float("nan")]
    found = interpret(pickle.dumps({"a": shared, "b": shared}, protocol))
    assert found["a"] is not found["b"]
    assert repr(found) == repr({"a": shared, "b": shared})


NUMPY_SCALARS = [
    *(np.dtype(code).type(3) for code in ("i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")),
    *(np.bool_(True), np.bool_(False), np.str_("aé☃"), np.str_(""), np.bytes_(b"ab\xff"), np.float64("-inf")),
    *(np.float64(359.98820404356), np.float32(0.1), np.int64(-(2**63)), np.uint64(2**64 - 1)),
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", NUMPY_SCALARS, ids=repr)
def test_numpy_scalars_become_plain(protocol, value):
    for module in (b"numpy._core.multiarray", b"numpy.core.multiarray"):
        data = pickle.dumps({"x": value, "y": [value, value]}, protocol)
        if protocol < 4:  # later ones carry the length of the name
            data = data.replace(b"numpy._core.multiarray", module)
        found = interpret(data)
        assert same(found, {"x": value.item(), "y": [value.item(), value.item()]})


def test_a_big_endian_scalar():
    data = pickle.dumps(np.float64(1.5), 0).replace(b"V<\n", b"V>\n")
    assert interpret(data) == np.frombuffer(np.float64(1.5).tobytes(), ">f8")[0]


class Runs:
    """Makes a folder when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (os.mkdir, (str(self.marker),))


def hidden(runner):
    yield runner
    yield {"ra": 1.0, "altdata": {"x": [1, (2, runner)]}}
    yield {runner.marker.name: runner}


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("skip_foreign", [False, True])
def test_pickles_execute_nothing(protocol, skip_foreign, tmp_path):
    marker = tmp_path / "marker"
    for value in hidden(Runs(marker)):
        data = pickle.dumps(value, protocol)
        if skip_foreign:
            interpret(data, skip_foreign=True)
        else:
            with pytest.raises(UnreadableFileError, match=r"\w+\.mkdir"):
                interpret(data)
        assert not marker.exists()
        pickle.loads(data)  # the attack itself works
        assert marker.exists()
        marker.rmdir()


FOREIGN_VALUES = [
    datetime.datetime(2020, 1, 1),
    datetime.UTC,
    {1, 2},
    frozenset([1]),
    1j,
    bytearray(b"x"),
    collections.OrderedDict(a=1),
    np.array([1, 2, 3]),
    np.datetime64("2020-01-01"),
    np.complex128(1j),
    np.void(b"x"),
    pd.Timestamp("2020"),
    pd.offsets.Day(2),
    pd.DataFrame({"a": [1]}),
    os.system,
    int,
]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("value", FOREIGN_VALUES, ids=lambda value: type(value).__name__)
def test_other_objects_are_refused_by_name(protocol, value):
    with pytest.raises(UnreadableFileError, match=r"it contains .*only plain values and numpy scalars"):
        interpret(pickle.dumps({"x": value}, protocol))


class Keyword:
    """Is pickled with keyword arguments, and with a state."""

    def __new__(cls, *, x):
        return super().__new__(cls)

    def __init__(self, *, x):
        self.x = x

    def __getnewargs_ex__(self):
        return (), {"x": self.x}


SKIPPED = [pd.offsets.Day(2), datetime.UTC, pd.Timestamp("2020"), collections.UserDict(a=1)]


@pytest.mark.parametrize(
    ("value", "protocol"),
    [
        *((value, protocol) for value in SKIPPED for protocol in PROTOCOLS),
        *((Keyword(x=1), one) for one in (2, 3, 4, 5)),
    ],
    ids=lambda one: type(one).__name__,
)
def test_other_objects_can_be_skipped(value, protocol):
    found = interpret(pickle.dumps({"freq": value, "name": "x"}, protocol), skip_foreign=True)
    assert found["freq"] is FOREIGN
    assert found["name"] == "x"


def billion_laughs(levels):
    value: Any = "ha"
    for _ in range(levels):
        value = [value] * 10
    return value


def nested(levels):
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def cycle():
    value = []
    value.append(value)
    return value


def test_pickles_beyond_a_limit_are_refused():
    assert interpret(pickle.dumps(nested(32), 2)) == nested(32)
    with pytest.raises(UnreadableFileError, match="nested deeper than 32"):
        interpret(pickle.dumps(nested(33), 2))
    with pytest.raises(UnreadableFileError, match="nested deeper"):
        interpret(pickle.dumps(cycle(), 2))
    with pytest.raises(UnreadableFileError, match="more than 100,000 values"):
        interpret(pickle.dumps(billion_laughs(9), 2))
    with pytest.raises(UnreadableFileError, match="characters of text"):
        interpret(pickle.dumps(["x" * 50_000] * 50, 2))
    assert interpret(pickle.dumps(2**64 - 1, 2)) == 2**64 - 1
    for protocol in (0, 2):
        with pytest.raises(UnreadableFileError, match="integer of more than 64 bits"):
            interpret(pickle.dumps(2**64, protocol))
    with pytest.raises(UnreadableFileError):
        interpret(b"L" + b"9" * 5000 + b"L\n.")
    with pytest.raises(UnreadableFileError, match="more than 100 opcodes"):
        plain_pickle.interpret(b"N0" * 100 + b"N.", LimitSettings(opcodes=100))


@pytest.mark.parametrize(
    ("limit", "at_most", "too_much"),
    [
        ({"values": 10}, [0] * 9, [0] * 10),
        ({"values": 9}, dict.fromkeys(range(4)), dict.fromkeys(range(5))),
        ({"text": 10}, "x" * 10, "x" * 11),
        ({"text": 10}, [b"x" * 4, "x" * 6], [b"x" * 5, "x" * 6]),
        ({"depth": 2}, {"a": {"b": 1}}, {"a": {"b": {}}}),
        ({"depth": 2}, ((1,),), (((),),)),
    ],
)
def test_limits_are_exact(limit, at_most, too_much):
    limits = LimitSettings(**limit)
    assert plain_pickle.interpret(pickle.dumps(at_most), limits) == at_most
    with pytest.raises(UnreadableFileError):
        plain_pickle.interpret(pickle.dumps(too_much), limits)


def test_the_limit_of_opcodes_is_exact():
    assert plain_pickle.interpret(b"N0" * 49 + b"N.", LimitSettings(opcodes=100)) is None
    with pytest.raises(UnreadableFileError):
        plain_pickle.interpret(b"N0" * 49 + b"N.", LimitSettings(opcodes=99))


@pytest.mark.parametrize("data", [pickle.dumps(np.dtype("f8")), pickle.dumps([np.dtype("f8")]), b"cnumpy\ndtype\n."])
def test_types_are_no_values(data):
    with pytest.raises(UnreadableFileError, match="a numpy type or function"):
        interpret(data)


def test_objects_made_of_known_types_are_refused():
    with pytest.raises(UnreadableFileError, match="made by the opcode NEWOBJ"):
        interpret(b"cnumpy\ndtype\n)\x81.")


def test_tuples_as_keys_are_refused():
    """A tuple of shared tuples takes exponentially long to hash."""
    with pytest.raises(UnreadableFileError, match="keys are not plain scalars"):
        interpret(pickle.dumps({(1, 2): 3}, 2))


BROKEN = [
    b"",
    b".",
    b"N",
    b"0.",
    b"t.",
    b"(.",
    b"]a.",
    b"Na.",
    b"h\x05.",
    b"(lp0\n",
    b"I1",
    b"Nb.",
    b"\xff.",
    b"R.",
    b"NNR.",
    b"}(NNNu.",
    b"(NNNd.",
    b"}Na.",
    b"](NNu.",
    b"]Nb.",
    b"N(Ne.",
]


@pytest.mark.parametrize("data", BROKEN)
def test_damaged_pickles_are_refused(data):
    with pytest.raises(UnreadableFileError):
        interpret(data)


GOOD = pickle.dumps({"a": [1, 2.5, (None, True)], "b": np.float64(2), "c": "text", "d": np.str_("x")}, 0)


def test_numpy_texts_become_plain():
    little = pickle.dumps(np.str_("x"), 0)
    big = little.replace(b"V<\n", b"V>\n").replace(rb"x\u0000\u0000\u0000", rb"\u0000\u0000\u0000x")
    assert interpret(little) == interpret(big) == "x"
    beyond_unicode = little.replace(rb"x\u0000\u0000\u0000", b"x\\u0000\\u0000\xa0")
    with pytest.raises(UnreadableFileError):
        interpret(beyond_unicode)


@pytest.mark.filterwarnings("ignore:invalid escape sequence:DeprecationWarning")  # of pickletools
@given(st.data())
@settings(max_examples=300)
def test_damaged_bytes_give_plain_values_or_a_refusal(data):
    mutated = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 4))):
        mutated[data.draw(st.integers(0, len(mutated) - 1))] = data.draw(st.integers(0, 255))
    check_harmless(bytes(mutated))


ALPHABET = b"".join(opcode.code.encode("latin-1") for opcode in pickletools.opcodes) + b"\n0123\x00\x01xnumpy dtype"


@given(st.lists(st.sampled_from(ALPHABET), max_size=60).map(bytes))
@settings(max_examples=500)
def test_any_opcodes_give_plain_values_or_a_refusal(data):
    check_harmless(data + b".")


def check_harmless(data):
    try:
        found = interpret(data)
    except UnreadableFileError:
        return
    plain_only(found)


def plain_only(value):
    assert type(value) in (type(None), bool, int, float, str, bytes, list, tuple, dict)
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list | tuple):
        for item in value:
            plain_only(item)
