"""JSON bodies and columns: strict where strangers write, exact where we do."""

import base64
import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photseries.errors import InvalidError
from photseries.formats import json_columns
from photseries.hdf5 import frames, plain_hdf5
from tests.hdf5.support import LIMITS, TESS, some_frame

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(text, values, max_size=5), st.booleans(), st.sampled_from([None, 1]))
@settings(max_examples=200)
def test_valid_bodies_are_read(document, ascii_only, indent):
    body = json.dumps(document, ensure_ascii=ascii_only, indent=indent).encode()
    assert repr(json_columns.parse(body, LIMITS)) == repr(document)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": "x: 123456789012345678901234567890, y"}',
        b'{"a": [0.1234567890123456789012345, 1e19, 1234567890123456789012.5, 18446744073709551615]}',
        b'{"a": "::", "b:": {":": ":"}, "c": "\\u003a"}',
        b'{"a": "\\\\u003a"}',
    ],
)
def test_unusual_valid_bodies_are_read(body):
    assert json_columns.parse(body, LIMITS) == json.loads(body)


REFUSED_BODIES = {
    "nothing": (b"", "not JSON"),
    "no object": (b"[1]", "must be a JSON object"),
    "NaN": (b'{"a": NaN}', "not JSON"),
    "Infinity": (b'{"a": [-Infinity]}', "not JSON"),
    "a comma": (b'{"a": 1,}', "not JSON"),
    "no UTF-8": (b'{"a": "\xff"}', "not JSON"),
    "half a surrogate pair": (b'{"a": "\\ud800"}', "not JSON"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "not JSON"),
    "very deep": (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not JSON"),
    "a key twice": (b'{"a": 1, "b": 2, "a": 1}', "key 'a' twice"),
    "a key twice within": (b'{"a": [{"x": {}, "x": {"y": 1}}]}', "key 'x' twice"),
    "a key twice beside colons": (b'{"a:": "::", "a:": 1}', "key 'a:' twice"),
    "a key twice beside escapes": (b'{"a": "\\u003A", "b": 1, "b": 2}', "key 'b' twice"),
    "equal once read": (b'{"a": 1, "\\u0061": 2}', "key 'a' twice"),
    "a long integer": (b'{"a": [1, 18446744073709551616]}', "integer 18446744073709551616, which is beyond 64 bits"),
    "a long negative integer": (b'{"a": -9223372036854775809}', "beyond 64 bits"),
    "a very long integer": (b'{"a": ' + b"9" * 300 + b"}", "beyond 64 bits"),
}


@pytest.mark.parametrize("case", REFUSED_BODIES)
def test_invalid_bodies_are_refused(case):
    body, phrase = REFUSED_BODIES[case]
    with pytest.raises(InvalidError, match=phrase):
        json_columns.parse(body, LIMITS)


NOT_FINITE = {
    "NaN": ('"mag": [18.5, NaN, NaN]', "mag", "NaN", 2),
    "the first row": ('"mag": [NaN]', "mag", "NaN", 1),
    "Infinity": ('"mjd": [1, 2], "mag": [1, 2,\n Infinity]', "mag", "Infinity", 3),
    "-Infinity": ('"mag": [ -Infinity, 1]', "mag", "-Infinity", 1),
    "lower case": ('"mag": [null, 1, nan]', "mag", "nan", 3),
    "inf": ('"mag": [null, 1, inf]', "mag", "inf", 3),
    "among texts": (r'"a": ["["], "no\"te" : ["a, \"[b", "c:", null, NaN]', 'no"te', "NaN", 4),
}


@pytest.mark.parametrize("case", NOT_FINITE)
def test_numbers_that_are_not_finite_are_named_by_column_and_row(case):
    columns, name, token, row = NOT_FINITE[case]
    for padding in ("", " " * 30_000):  # short and long bodies are parsed differently
        with pytest.raises(InvalidError) as caught:
            json_columns.parse(f'{{{padding}"data": {{{columns}}}}}'.encode(), LIMITS)
        assert caught.value.message.startswith(f"The column {name!r} has {token} in row {row}, which is not JSON.")
        assert list(caught.value.fields) == [f"data.{name}"]


@pytest.mark.parametrize(
    "body",
    [
        '{"ra": NaN}',
        '{"a": [["x"], NaN]}',
        '{"a": [["x"], [NaN]]}',
        '{"a": [nano]}',
        '{"a": [1,]}',
        "[NaN]",
        "NaN",
        '["a", [NaN]]',
    ],
)
def test_other_bodies_that_are_not_json_are_named_by_their_place(body):
    with pytest.raises(InvalidError, match=r"The body is not JSON: .*\(char \d+\)") as caught:
        json_columns.parse(body.encode(), LIMITS)
    assert caught.value.fields == {}


@given(st.dictionaries(st.sampled_from("ab:"), values, min_size=2, max_size=3), st.data())
def test_a_repeated_key_is_always_found(document, data):
    parts = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in document.items()]
    parts.insert(data.draw(st.integers(0, len(parts))), data.draw(st.sampled_from(parts)))
    with pytest.raises(InvalidError, match="twice"):
        json_columns.parse(("{" + ", ".join(parts) + "}").encode(), LIMITS)


def test_repeated_key_among_many_is_found():
    names = [f'"k{number}":1' for number in range(20_000)]
    with pytest.raises(InvalidError, match="the key 'k19999' twice"):
        json_columns.parse(("{" + ",".join([*names, names[-1]]) + "}").encode(), LIMITS)


@pytest.mark.parametrize("container", ["[]", "{}"])
def test_number_of_lists_and_objects_is_limited(container):
    def body(count):
        return f'{{"a":[{",".join([container] * count)}]}}'.encode()

    assert len(json_columns.parse(body(249_998), LIMITS)["a"]) == 249_998
    with pytest.raises(InvalidError, match="250,001 opening brackets"):
        json_columns.parse(body(249_999), LIMITS)


def test_nesting_beyond_the_limit_is_refused():
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        body = '{"x":' + opening * (LIMITS.depth - 1) + "1" + closing * (LIMITS.depth - 1) + "}"
        assert json_columns.parse(body.encode(), LIMITS)
        body = '{"x":' + opening * LIMITS.depth + "1" + closing * LIMITS.depth + "}"
        with pytest.raises(InvalidError, match=f"nested {LIMITS.depth + 1} deep; at most {LIMITS.depth}"):
            json_columns.parse(body.encode(), LIMITS)


COLUMNS = {
    "int64": ([1, -5, 2**63 - 1], "int64"),
    "a null among integers": ([1, None], "float64"),
    "a float among integers": ([1, 2.5], "float64"),
    "floats": ([1.5, None, 2.5], "float64"),
    "nulls": ([None, None], "float64"),
    "booleans": ([True, False], "bool"),
    "text": (["a", "", "é☃", "nan"], pd.Series(["x"]).dtype),
    "text and null": (["a", None], pd.Series(["x"]).dtype),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_columns_get_their_type(case):
    given_values, dtype = COLUMNS[case]
    frame = json_columns.decode({"c": given_values}, LIMITS)
    assert frame["c"].dtype == dtype
    assert json.loads(json_columns.encode(frame)) == {"c": given_values}


REFUSED_COLUMNS = {
    "mixed": ([1, "x", 2], "contains numbers and text; row 2 is the first with text"),
    "a heading": (["x", 1], "contains numbers and text; row 1 is the first with text"),
    "a number among text": (["x", None, None, None, 1, "y"], "row 5 is the first with numbers"),
    "an object among numbers": ([1, {}], "row 2 is the first with objects"),
    "a boolean among numbers": ([True, 1], "contains numbers and true or false"),
    "a null among booleans": ([True, None], "contains nulls and true or false"),
    "lists": ([[1], [2]], "contains lists"),
    "objects": ([{}], "contains objects"),
    "a text": ("abc", "must be a list"),
    "a number": (5, "must be a list"),
    "an object": ({"0": 1}, "must be a list"),
    "a null": (None, "must be a list"),
    "beyond int64": ([1, 2**63], "beyond 64 bits"),
    "NUL": (["a\0"], "NUL"),
}


@pytest.mark.parametrize("case", REFUSED_COLUMNS)
def test_invalid_columns_are_refused(case):
    given_values, phrase = REFUSED_COLUMNS[case]
    with pytest.raises(InvalidError, match=phrase) as caught:
        json_columns.decode({"mjd": [1.0], "c": given_values}, LIMITS)
    assert list(caught.value.fields) == ["data.c"]


def test_all_problems_are_reported_together():
    columns = {"a": [1, "x"], "b": 5, "c": [1.0], "d": [1.0, 2.0]}
    with pytest.raises(InvalidError, match="differ in length: 'c' 1, 'd' 2") as caught:
        json_columns.decode(columns, LIMITS)
    assert list(caught.value.fields) == ["data.a", "data.b", "data"]


@pytest.mark.parametrize("data", [{}, {"a": []}, {"a": [], "b": []}])
def test_empty_tables_are_refused(data):
    with pytest.raises(InvalidError, match=r"Must supply a non-empty DataFrame\. ") as caught:
        json_columns.decode(data, LIMITS)
    assert list(caught.value.fields) == ["data"]


@pytest.mark.parametrize("data", [[], [1], "x", 5, None])
def test_tables_that_are_not_objects_are_refused(data):
    with pytest.raises(InvalidError, match="must be an object of columns"):
        json_columns.decode(data, LIMITS)


def test_tables_beyond_a_limit_are_refused():
    columns = {"mjd": [1.0, 2.0], "né": [3, 4]}
    exact = {"rows": 2, "columns": 2, "column_name": 3}
    assert json_columns.decode(columns, dataclasses.replace(LIMITS, **exact)).shape == (2, 2)
    for name, limit in exact.items():
        with pytest.raises(InvalidError):
            json_columns.decode(columns, dataclasses.replace(LIMITS, **{name: limit - 1}))


def test_encoded_columns_have_the_documented_values():
    found = json.loads(json_columns.encode(some_frame()))
    assert found["mjd"] == [58000.5, 58001.5, None, 58003.5]
    assert found["flux"] == [1.1, -2.5, None, None]  # float32 with its own fewest digits
    assert found["half"] == [1, 2.5, None, 3]
    assert found["id"] == [1, 2, 3, 2**63 - 1]
    assert found["good"] == [True, False, True, True]
    assert found["note"] == ["nan", "", "é☃", None]
    assert found["when"] == ["2019-01-01T00:00:00.250", None, "2021-02-03T00:00:00.000", "2022-01-01T12:00:00.000"]
    assert found["lasted"] == [1e-9, 2e-9, -3e-9, None]


def test_any_memory_layout_is_encoded():
    matrix = np.arange(12.0).reshape(4, 3)
    frame = pd.DataFrame(matrix, columns=list("abc")).assign(
        d=np.array([1, 2, 3, 4], ">i4"), e=np.array([1.5] * 4, ">f4")
    )
    found = json.loads(json_columns.encode(frame[::-2]))
    assert found == {"a": [9, 3], "b": [10, 4], "c": [11, 5], "d": [4, 2], "e": [1.5, 1.5]}


@given(st.lists(st.floats(width=32), min_size=1))
def test_float32_is_exact(given_values):
    column = np.array(given_values, "f4")
    found = json.loads(json_columns.encode(pd.DataFrame({"c": column})))["c"]
    expected = [float(value) if math.isfinite(value) else None for value in column]
    assert [None if value is None else float(np.float32(value)) for value in found] == expected


def test_the_tess_file():
    frame = frames.build(plain_hdf5.read(TESS.read_bytes(), LIMITS))
    body = b'{"data": ' + json_columns.encode(frame) + b"}"
    found = json_columns.decode(json_columns.parse(body, LIMITS)["data"], LIMITS)
    assert list(found) == list(frame)
    assert found.astype(frame.dtypes).equals(frame.replace([np.inf, -np.inf], np.nan))


_FILE = b"A" * 20_000
_NUMBERS = b"1,2," * 5_000 + b"9" * 23


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"data":"%b","a":1,"a":2}' % _FILE, "key 'a' twice"),
        (b'{"a":1,"data":"%b","a":2}' % (b":" * 20_000), "key 'a' twice"),
        (b'{"data":"%b","data":"%b"}' % (_FILE, _FILE), "key 'data' twice"),
        (b'{"x":"%b","data":"%b","x":1}' % (_FILE, _FILE), "key 'x' twice"),
        (b'{"altdata":{"data":"%b"},"data":"%b","a":1,"a":2}' % (_FILE, b":" * 20_000), "key 'a' twice"),
        (b'{"altdata":[%b],"data":"%b"}' % (_NUMBERS, _NUMBERS), "beyond 64 bits"),
        (b'{"data":"%b","altdata":[%b]}' % (_NUMBERS, _NUMBERS), "beyond 64 bits"),
    ],
    ids=[
        "after a file",
        "around colons",
        "two files",
        "around equal texts",
        "after another's data",
        "before its own copy",
        "after its own copy",
    ],
)
def test_problems_after_a_long_text_are_found(body, found):
    with pytest.raises(InvalidError, match=found):
        json_columns.parse(body, LIMITS)


@pytest.mark.parametrize("last", [b'{"a":1,"a":2}', b'"a:b"', b'{"a:b":1}', b"[" * 40 + b"]" * 40])
def test_problems_after_a_long_column_are_found(last):
    body = b'{"data":{"mjd":[%b1.5,%b]}}' % (b"1.5," * 5_000, last)
    with pytest.raises(InvalidError):
        json_columns.decode(json_columns.parse(body, LIMITS)["data"], LIMITS)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b' {"a": [1], "data" : "%b", "b": {"c": 2}}', {"a": [1], "b": {"c": 2}}),
        (b'{"data":"%b"}', {}),
    ],
)
def test_the_text_of_a_file_becomes_its_bytes(body, expected):
    content = bytes(range(256)) * 100
    found = json_columns.parse(body % base64.b64encode(content), LIMITS)
    assert found == {**expected, "data": content}


@pytest.mark.parametrize(
    "body",
    [
        b'{"altdata": {"data": "%b"}, "data": ""}' % _FILE,
        b'{"altdata": {}, "data": "%b"}' % _FILE,
        b'{"data": "%b\\n"}' % _FILE,
        b'{"data": "%b-"}' % _FILE,
        b'{"data": "%b="}' % _FILE,
    ],
    ids=["of another object", "after another object", "with an escape", "of another alphabet", "with wrong padding"],
)
def test_other_long_texts_stay_texts(body):
    assert json_columns.parse(body, LIMITS) == json.loads(body)


def test_an_error_after_a_file_is_at_its_place_in_the_body():
    body = b'{"data":"%b",,}' % _FILE
    with pytest.raises(InvalidError, match=f"char {body.index(b',,') + 1}"):
        json_columns.parse(body, LIMITS)
