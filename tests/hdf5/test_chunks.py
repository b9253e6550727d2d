"""Filters undone by hand: what libhdf5, bzip2 and blosc wrote comes back, and nothing inflates beyond its place."""

import bz2
import contextlib
import zlib

import blosc
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photseries.errors import UnreadableFileError
from photseries.hdf5.chunks import Filter, Span, assemble, check_filters, check_spans

DTYPE = np.dtype([("index", "<i8"), ("x", "<f8", (3,)), ("t", "S5")])
ROWS, CHUNK = 25, 10
DEFLATE, SHUFFLE, FLETCHER32 = Filter(1, (5,)), Filter(2, (DTYPE.itemsize,)), Filter(3, ())
BZIP2, BLOSC = Filter(307, (9,)), Filter(32001, (2, 2, DTYPE.itemsize, 0, 5, 1, 0))


def records(rows=ROWS):
    generator = np.random.default_rng(1)
    table = np.zeros(rows, DTYPE)
    table["index"] = np.arange(rows)
    table["x"] = generator.normal(size=(rows, 3))
    table["t"] = [b"ab", b"", b"\xff\x00c"] * (rows // 3) + [b"z"] * (rows % 3)
    return table


def shuffled(data, width):
    count = len(data) // width
    return np.frombuffer(data, np.uint8, count * width).reshape(count, width).T.tobytes() + data[count * width :]


def by_the_definition(data):
    """Fletcher-32 word by word."""
    data += b"\0" * (len(data) % 2)
    low = high = 0
    for place in range(0, len(data), 2):
        low = (low + (data[place] << 8) + data[place + 1]) % 65535
        high = (high + low) % 65535
    return low.to_bytes(2, "little") + high.to_bytes(2, "little")


APPLY = {
    1: lambda data: zlib.compress(data, 5),
    2: lambda data: shuffled(data, DTYPE.itemsize),
    3: lambda data: data + by_the_definition(data),
    307: bz2.compress,
    32001: lambda data: blosc.compress(data, typesize=8),
}


def stored(table, filters, skipped=()):
    """Lay the chunks of a table out as a file would, the last one full of rows that are not of the table."""
    image, spans = b"head", []
    for row in range(0, len(table), CHUNK):
        chunk = np.concatenate([table[row : row + CHUNK], records(CHUNK)])[:CHUNK].tobytes()
        for step in filters:
            if step.code not in skipped:
                chunk = APPLY[step.code](chunk)
        mask = sum(1 << place for place, step in enumerate(filters) if step.code in skipped)
        spans.append(Span(row, len(image), len(chunk), mask))
        image += chunk
    return memoryview(image), spans


def read(image, spans, filters, rows=ROWS):
    check_filters(filters)
    check_spans(spans, range(0, rows, CHUNK), len(image))
    return assemble(image, spans, filters, DTYPE, rows, CHUNK)


PIPELINES = [
    [],
    [DEFLATE],
    [SHUFFLE, DEFLATE],
    [SHUFFLE, DEFLATE, FLETCHER32],
    [FLETCHER32, DEFLATE],
    [SHUFFLE, BZIP2],
    [BLOSC],
    [FLETCHER32],
    [DEFLATE, BZIP2, FLETCHER32],
]


@pytest.mark.parametrize("filters", PIPELINES, ids=lambda filters: "-".join(str(step.code) for step in filters))
def test_chunked_rows_survive_the_round_trip(filters):
    table = records()
    image, spans = stored(table, filters)
    assert read(image, spans[::-1], filters).tobytes() == table.tobytes()


def test_a_filter_can_be_skipped_for_a_chunk():
    table = records()
    image, spans = stored(table, [SHUFFLE, DEFLATE], skipped={1})
    assert read(image, spans, [SHUFFLE, DEFLATE]).tobytes() == table.tobytes()


@given(st.binary(max_size=300))
@settings(max_examples=100)
def test_the_checksum_is_fletchers(data):
    dtype = np.dtype("u1")
    image = memoryview(data + by_the_definition(data))
    span = [Span(0, 0, len(image))]
    assert assemble(image, span, [FLETCHER32], dtype, len(data), len(data)).tobytes() == data
    halves = image[-4:-2].tobytes()[::-1] + image[-2:].tobytes()[::-1]
    assert assemble(memoryview(data + halves), span, [FLETCHER32], dtype, len(data), len(data)).tobytes() == data


@pytest.mark.parametrize("codes", [(1, 1), (1, 2, 3, 307), (4,), (32026,), (0,)])
def test_other_pipelines_are_refused(codes):
    with pytest.raises(UnreadableFileError, match="filter"):
        check_filters([Filter(code, ()) for code in codes])


BAD_SPANS = {
    "missing": [Span(0, 0, 10), Span(20, 20, 10)],
    "twice": [Span(0, 0, 10), Span(0, 10, 10), Span(20, 20, 10)],
    "shared": [Span(0, 0, 10), Span(10, 5, 10), Span(20, 20, 10)],
    "beyond the end": [Span(0, 0, 10), Span(10, 10, 10), Span(20, 95, 10)],
    "negative": [Span(0, 0, 10), Span(10, -5, 3), Span(20, 20, 10)],
    "not of the grid": [Span(0, 0, 10), Span(11, 10, 10), Span(20, 20, 10)],
}


@pytest.mark.parametrize("case", BAD_SPANS)
def test_bad_places_are_refused(case):
    with pytest.raises(UnreadableFileError, match="chunks"):
        check_spans(BAD_SPANS[case], range(0, 25, 10), 100)


@pytest.mark.parametrize("pack", [APPLY[1], APPLY[307], APPLY[32001]], ids=["deflate", "bzip2", "blosc"])
@pytest.mark.parametrize("change", ["too long", "a bomb", "too short", "truncated", "garbage", "empty"])
def test_a_chunk_has_exactly_its_size(pack, change):
    needed = CHUNK * DTYPE.itemsize
    content = {"too long": needed + 1, "a bomb": 500 * needed, "too short": needed - 1}.get(change, needed)
    data = pack(b"x" * content)
    data = {"truncated": data[:-3], "garbage": b"\xff" * 30, "empty": b""}.get(change, data)
    code = {APPLY[1]: 1, APPLY[307]: 307, APPLY[32001]: 32001}[pack]
    with pytest.raises(UnreadableFileError, match="chunk of its table"):
        assemble(memoryview(data), [Span(0, 0, len(data))], [Filter(code, ())], DTYPE, CHUNK, CHUNK)


@pytest.mark.parametrize("filters", PIPELINES[1:])
def test_damaged_chunks_are_refused_or_unchanged(filters):
    image, spans = stored(records(), filters)
    for place in range(4, len(image), 29):
        damaged = bytearray(image)
        damaged[place] ^= 0x55
        with contextlib.suppress(UnreadableFileError):
            assert len(read(memoryview(damaged), spans, filters)) == ROWS
