"""Our own files are read without libhdf5, to the same values; anything else is left to the careful reader."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from photseries.errors import UnreadableFileError
from photseries.hdf5 import own_files, plain_hdf5, stored_file
from tests.hdf5.strategies import tables
from tests.hdf5.support import LIMITS, TESS, recipe_write

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=300)


@pytest.fixture(autouse=True)
def unknown(monkeypatch):
    """Begin without a known kind of file."""
    monkeypatch.setattr(own_files, "_kinds", type(own_files._kinds)())


def careful(blob):
    return plain_hdf5.read(blob, LIMITS, metadata="json")


def taught(blob):
    own_files.learn(blob, careful(blob))


def assert_same(found, expected):
    assert (found.key, found.metadata, found.index) == (expected.key, expected.metadata, expected.index)
    assert len(found.columns) == len(expected.columns)
    for ours, theirs in zip(found.columns, expected.columns, strict=True):
        assert (ours.name, ours.null, ours.encoding) == (theirs.name, theirs.null, theirs.encoding)
        assert ours.values.dtype == theirs.values.dtype
        assert ours.values.tobytes() == theirs.values.tobytes()
        assert ours.values.flags.c_contiguous


def frame(rows):
    numbers = np.random.default_rng(rows).normal(size=rows)
    return pd.DataFrame({"mjd": numbers, "flag": np.arange(rows, dtype=np.int16), "flux": -numbers, "on": numbers > 0})


@settings(max_examples=150)
@given(tables(), texts, texts)
def test_files_of_any_table_are_read_like_the_careful_reader(table, first, second):
    for text in (first, second):
        blob = stored_file.encode(table, {"obj_id": text, "altdata": {text: [1, None]}})
        found, expected = own_files.read(blob, LIMITS), careful(blob)
        if found is not None:
            assert_same(found, expected)
        own_files.learn(blob, expected)
        assert_same(own_files.read(blob, LIMITS), expected)


def test_one_file_teaches_all_of_its_kind():
    """Of any number of rows, in one chunk or in many, with metadata of any length."""
    taught(stored_file.encode(frame(3), {"obj_id": "a"}))
    for rows, name in ((1, ""), (2, "b" * 500), (19_418, "c"), (19_419, "d" * 77), (300_000, "e")):
        blob = stored_file.encode(frame(rows), {"obj_id": name, "ra": 1.5})
        found = own_files.read(memoryview(blob), LIMITS)
        assert found is not None, rows
        assert_same(found, careful(blob))
    assert own_files.read(stored_file.encode(frame(4).astype({"flag": "i4"}), {"obj_id": "a"}), LIMITS) is None
    assert own_files.read(stored_file.encode(frame(4).rename(columns={"flag": "flap"}), {}), LIMITS) is None


@pytest.mark.parametrize(
    "blob",
    [
        TESS.read_bytes(),
        recipe_write(frame(5), {"obj_id": "a"}),
        stored_file.encode(frame(5), {"obj_id": "a"}, compression="deflate"),
        stored_file.encode(frame(5).set_index("flux"), {"obj_id": "a"}),
        stored_file.encode(frame(5).iloc[::-1], {"obj_id": "a"}),
    ],
    ids=["the file of TESS", "of pandas", "compressed", "with an index", "with rows in another order"],
)
def test_foreign_and_unusual_files_are_left_to_the_safe_reader(blob):
    taught(stored_file.encode(frame(5), {"obj_id": "a"}))
    taught(blob) if blob[:2056] != TESS.read_bytes()[:2056] else own_files.learn(blob, plain_hdf5.read(blob, LIMITS))
    assert own_files.read(blob, LIMITS) is None


def test_an_altered_header_is_refused_or_read_as_the_careful_reader_reads_it():
    rows = 7
    blob = stored_file.encode(frame(rows), {"obj_id": "a", "ra": 1.0})
    taught(blob)
    header = len(blob) - rows * 27
    draw, refused = np.random.default_rng(1), 0
    for place in [*range(2100, header, 41), *draw.integers(header, size=400).tolist()]:
        altered = bytearray(blob)
        altered[place] ^= 1 << int(draw.integers(8))
        try:
            found = own_files.read(bytes(altered), LIMITS)
        except UnreadableFileError:
            found = None  # the metadata are no JSON any more
        if found is None:
            refused += 1
            continue
        assert_same(found, careful(bytes(altered)))
    assert refused > 300


def test_a_file_that_ends_early_or_late_is_not_read():
    blob = stored_file.encode(frame(9), {"obj_id": "a"})
    taught(blob)
    for length in (*range(0, len(blob), 97), len(blob) - 1):
        assert own_files.read(blob[:length], LIMITS) is None
    assert own_files.read(blob + b"\0", LIMITS) is None


def test_the_cache_is_bounded(monkeypatch):
    monkeypatch.setattr(own_files, "_MAX_KINDS", 3)
    monkeypatch.setattr(own_files, "_MAX_TABLES", 2)
    for number in range(5):
        taught(stored_file.encode(frame(2).assign(**{f"x{number}": 1.0}), {}))
    assert len(own_files._kinds) == 3
    for dtype in ("i1", "i4", "u2", "u4"):
        taught(stored_file.encode(frame(2).astype({"flag": dtype}), {}))
    assert max(map(len, own_files._kinds.values())) == 2


def test_stored_files_use_the_fast_reader(monkeypatch):
    blobs = [stored_file.encode(frame(rows), {"obj_id": str(rows)}) for rows in (5, 6)]
    stored_file.decode(blobs[0])
    monkeypatch.setattr(plain_hdf5, "read", None)
    found = stored_file.decode(blobs[1])
    pd.testing.assert_frame_equal(found.frame, frame(6))
    assert found.metadata == {"obj_id": "6"}
