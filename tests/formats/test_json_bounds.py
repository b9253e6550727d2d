"""Hostile JSON is refused before any work on its items; what is read costs no more than its length."""

import dataclasses
import json
import tracemalloc
from types import SimpleNamespace

import orjson
import pytest

from photseries.errors import InvalidError
from photseries.formats import base64_text, json_arrays, json_columns
from tests.hdf5.support import LIMITS

NARROW = dataclasses.replace(LIMITS, keys=1_000, object_keys=600, texts=3_000)
DATA = '"data":{"mjd":[1.5],"flux":[1.0]}'


def keys(count, separator=":"):
    return ",".join(f'"k{number}"{separator}1' for number in range(count))


@pytest.fixture
def parsers(monkeypatch):
    """The parsers that are called, each by its name; the exact one with the length of its text."""
    called: list[str | int] = []

    def loads(body):
        called.append("orjson")
        return original(body)

    original, exact = orjson.loads, json.loads
    monkeypatch.setattr(json_columns, "orjson", SimpleNamespace(loads=loads, JSONDecodeError=orjson.JSONDecodeError))
    monkeypatch.setattr(json_arrays, "parse", lambda *_: called.append("simdjson"))
    monkeypatch.setattr(json, "loads", lambda text, **hooks: (called.append(len(text)), exact(text, **hooks))[1])
    return called


@pytest.mark.parametrize("separator", [":", " :", "\n\t : "])
def test_keys_are_counted_before_the_body_is_parsed(parsers, separator):
    body = f'{{"a":{{{keys(499, separator)}}},"b":{{{keys(499, separator)}}}}}'
    assert len(json_columns.parse(body.encode(), NARROW)) == 2
    parsers.clear()
    body = body.replace('"b"', f'"c"{separator}1,"b"')
    with pytest.raises(InvalidError, match=r"1,001 keys.*at most 1,000"):
        json_columns.parse(body.encode(), NARROW)
    assert parsers == []


def test_keys_are_counted_across_the_parts_of_a_long_body():
    padding = " " * (json_columns._PART - 3)
    assert json_columns._keys(('{"a"' + padding + ":1,").encode() * 3) == 3
    texts = json.dumps({"a": ["12:30:45"] * 50_000}).encode()
    assert json_columns._keys(texts) == 1, "colons in texts are none of keys"


def test_number_of_keys_in_an_object_is_limited():
    assert len(json_columns.parse(f"{{{keys(600)}}}".encode(), NARROW)) == 600
    for body in (f"{{{keys(601)}}}", f'{{"altdata":[{{{keys(601)}}}]}}', f'{{"data":{{{keys(601)}}}}}'):
        with pytest.raises(InvalidError, match=r"601 keys in one object.*at most 600"):
            json_columns.parse(body.encode(), NARROW)


def test_texts_and_values_are_counted_before_the_body_is_parsed(parsers):
    def texts(count):
        return json.dumps({"data": ["ab"] * count}).encode()

    json_columns.parse(texts(2_999), NARROW)
    assert parsers
    parsers.clear()
    with pytest.raises(InvalidError, match=r"3,001 texts.*at most 3,000"):
        json_columns.parse(texts(3_000), NARROW)
    with pytest.raises(InvalidError, match=r"1,001 values.*at most 1,000"):
        json_columns.parse(f'{{"data":[{",".join("1" * 1_002)}]}}'.encode(), dataclasses.replace(LIMITS, table=8_000))
    assert parsers == []


@pytest.mark.parametrize("text", [r"\u003a", r"\\u003a::", r"\\\u003A", "[1,2]", r"\"[", r"]\\\"[", "[", r"\\["])
def test_brackets_and_quotes_in_texts_are_not_counted(text):
    body = f'{{"a":"{text}","{text}":1,"[3,4]":[5,6],"b":["{text}",7]}}'.encode()
    decoded = json.JSONDecoder().decode(f'"{text}"')
    assert json_columns.parse(body, LIMITS) == {"a": decoded, decoded: 1, "[3,4]": [5, 6], "b": [decoded, 7]}
    with pytest.raises(InvalidError, match="twice"):
        json_columns.parse(body[:-1] + f',"{text}":[8,9]}}'.encode(), LIMITS)


def test_the_exact_parser_reads_no_numbers_of_columns(parsers):
    column = "1.5," * 400_000
    body = f'{{"a":1,"a":2,"data":{{"mjd":[{column}1.5]}}}}'.encode()
    with pytest.raises(InvalidError, match="the key 'a' twice"):
        json_columns.parse(body, LIMITS)
    assert [size for size in parsers if isinstance(size, int)] == [len('{"a":1,"a":2,"data":{"mjd":[]}}')]


class CountingObject:
    """An object of simdjson, which finds a key by comparing it with those before it."""

    compared = 0

    def __init__(self, content):
        self._content = content

    def __len__(self):
        return len(self._content)

    def __iter__(self):
        return iter(self._content)

    def __getitem__(self, name):
        CountingObject.compared += 1 + list(self._content).index(name)
        return self._content[name]


@pytest.fixture
def comparisons(monkeypatch):
    """Read a body of this many fields and columns; return the number of comparisons, None if unsupported."""
    monkeypatch.setattr(json_arrays, "simdjson", SimpleNamespace(Object=CountingObject, Array=CountingObject))
    monkeypatch.setattr(json_arrays._ValueReader, "_column", lambda self, value: value)

    def read(fields, columns):
        data = CountingObject({f"c{number}": 1 for number in range(columns)})
        root = CountingObject({"data": data, **{f"k{number}": 1 for number in range(fields)}})
        CountingObject.compared = 0
        try:
            json_arrays._ValueReader(LIMITS).document(root)
        except json_arrays._UnsupportedError:
            return None, CountingObject.compared
        return True, CountingObject.compared

    return read


def test_look_ups_are_bounded_for_each_key(comparisons):
    for fields, columns in ((30, 10), (json_arrays._MAX_KEYS - 1, 10), (30, LIMITS.columns)):
        read, compared = comparisons(fields, columns)
        assert read
        assert compared <= (fields + 1) * json_arrays._MAX_KEYS + columns * LIMITS.columns


def test_excessive_keys_are_not_looked_up(comparisons):
    assert comparisons(10_000, 1) == (None, 0)
    read, compared = comparisons(1, 10_000)
    assert read is None
    assert compared < 10


@pytest.mark.parametrize(
    "altdata", ["[" + "1," * 50_000 + "1]", '{"a":[' + '"b",' * 50_000 + "1]}", f"{{{keys(20_000)}}}"]
)
def test_values_outside_columns_are_parsed_together(monkeypatch, altdata):
    pytest.importorskip("simdjson")
    read = []
    original = json_arrays._ValueReader._python_value
    monkeypatch.setattr(
        json_arrays._ValueReader, "_python_value", lambda self, *given: (read.append(1), original(self, *given))[1]
    )
    body = f'{{"altdata":{altdata},{DATA}}}'.encode()
    assert json_arrays.parse(body, LIMITS) is None
    assert len(read) <= json_arrays._MAX_VALUES + 1
    assert json_columns.parse(body, LIMITS)["altdata"] == json.loads(altdata)


def test_a_column_of_text_is_read_at_once(monkeypatch):
    pytest.importorskip("simdjson")
    monkeypatch.setattr(json_arrays._ValueReader, "_python_value", None)
    names = [f"star {number}" for number in range(5_000)]
    flags = [True, False] * 2_500
    body = json.dumps({"data": {"name": names, "good": flags}}).encode()
    assert json_arrays.parse(body, LIMITS) == {"data": {"name": names, "good": flags}}


def peak(call):
    """Give the most memory that a call holds, as Python and numpy count it [bytes]."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("unit", ["[", '\\"', "[1,", "null,"])
def test_a_long_text_takes_little_memory(unit):
    body = json.dumps({"a": unit * (4_000_000 // len(unit))}).encode()
    limits = dataclasses.replace(LIMITS, texts=10**8)
    assert peak(lambda: json_columns._check(body, limits)) < 3 * len(body)


def test_white_space_in_base64_takes_little_memory():
    text = "aG Vs " * 1_000_000
    assert peak(lambda: base64_text.decode(text)) < 4 * len(text)
