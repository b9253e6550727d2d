"""Metadata as a pickle and as JSON: both say the same, and only what can be stored gets in."""

import json
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from photseries.errors import InvalidError, UnreadableFileError
from photseries.hdf5.metadata import from_json, from_pickle, plain, to_json, to_pickle
from tests.hdf5.support import LIMITS

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)
documents = st.dictionaries(text, values, max_size=5)


@given(documents)
def test_all_readers_return_equal_metadata(document):
    kept = plain(document, LIMITS.depth)
    assert repr(kept) == repr(document)
    pickled = to_pickle(kept)
    assert repr(pickle.loads(pickled)) == repr(document)
    assert repr(from_pickle(pickled, LIMITS)) == repr(document)
    assert repr(json.loads(to_json(kept))) == repr(document)
    assert repr(from_json(to_json(kept).encode(), LIMITS)) == repr(document)


def test_the_bytes_depend_on_the_values_alone():
    shared = "".join(["a", "b"])
    assert to_pickle({"x": shared, "y": shared}) == to_pickle({"x": "ab", "y": "".join(["a", "b"])})


def test_values_are_converted_to_plain_types():
    kept = plain({"a": np.float32(0.5), "b": (1, np.int8(2)), "c": math.nan, "d": [math.inf], "e": np.str_("x")}, 32)
    assert kept == {"a": 0.5, "b": [1, 2], "c": None, "d": [None], "e": "x"}
    assert [type(kept[name]) for name in "abe"] == [float, list, str]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an integer": ({"altdata": {"x": 2**63}}, "beyond 64 bits"),
    "NUL": ({"altdata": ["a\0"]}, "NUL"),
    "NUL in a key": ({"altdata": {"a\0": 1}}, "NUL"),
    "a surrogate": ({"altdata": "\ud800"}, "surrogate"),
    "an object": ({"altdata": [object()]}, "a object, which cannot be stored"),
    "bytes": ({"altdata": b"x"}, "a bytes"),
    "a number as key": ({"altdata": {1: 2}}, "keys must be texts"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_unstorable_values_are_named(case):
    document, phrase = REFUSED[case]
    with pytest.raises(InvalidError, match=phrase) as caught:
        plain({"ra": 1.0, **document}, LIMITS.depth)
    assert list(caught.value.fields) == ["altdata"]


def test_all_problems_are_reported_together():
    with pytest.raises(InvalidError) as caught:
        plain({"a": object(), "b": 1, "c": 2**70}, LIMITS.depth)
    assert list(caught.value.fields) == ["a", "c"]


def test_nesting_beyond_the_limit_is_refused():
    value: Any = 1
    for _ in range(LIMITS.depth - 1):
        value = [value]
    assert plain({"altdata": value}, LIMITS.depth) == {"altdata": value}
    with pytest.raises(InvalidError, match="too deeply"):
        plain({"altdata": [value]}, LIMITS.depth)


@pytest.mark.parametrize("data", [b"[1]", b'"x"', b"{", b"\xff", b"[" * 50_000, 5])
def test_metadata_that_is_not_a_json_object_is_refused(data):
    with pytest.raises(UnreadableFileError, match="metadata of the HDF5 file"):
        from_json(data, LIMITS)


@pytest.mark.parametrize("value", [[1], "text", {1: 2}, {"a": b"\xff"}, {"a": {2: 3}}])
def test_pickles_that_are_no_metadata(value):
    with pytest.raises(UnreadableFileError, match="metadata of the HDF5 file"):
        from_pickle(pickle.dumps(value, 0), LIMITS)


def test_bytes_are_text():
    assert from_pickle(pickle.dumps({b"a": b"x\xc3\xa9", "b": (1,)}, 2), LIMITS) == {"a": "xé", "b": [1]}
