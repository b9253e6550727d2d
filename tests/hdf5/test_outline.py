"""The outline of an HDF5 file with the rows between, as h5py reads it."""

import io

import h5py
import numpy as np
import pytest

from photseries.hdf5.outline import CHUNK, outline

ROW = np.dtype([("name", "S3"), ("number", "<i8"), ("value", "<f8")])
FULL = CHUNK // ROW.itemsize


@pytest.mark.parametrize("rows", [0, 1, 7, FULL - 1, FULL, FULL + 1, 3 * FULL + 5])
def test_outline_around_rows_is_a_valid_file(rows):
    table = np.zeros(rows, ROW)
    table["name"] = "é".encode()
    table["number"] = np.arange(rows)
    table["value"] = np.random.default_rng(1).normal(size=rows)
    head, tail = outline("table", ROW, rows, {"about": "ä"}, {"origin": "ö".encode()})
    content = head + table.tobytes() + tail
    with h5py.File(io.BytesIO(content)) as file:
        found = file["table"]
        assert found[:].tobytes() == table.tobytes()
        assert found.attrs["about"].decode() == "ä"
        assert h5py.check_string_dtype(found.dtype["name"]).encoding == "utf-8"
        assert found.id.get_type().get_member_type(0).get_strpad() == h5py.h5t.STR_NULLPAD, "a text may fill its place"
        assert file["origin"][()].decode() == "ö"
        for dataset in (found, file["origin"]):
            assert not dataset.id.get_create_plist().get_obj_track_times(), "the same rows are the same bytes"
    assert len(content) < table.nbytes + CHUNK // 64 + 1024 + min(rows, 100) * ROW.itemsize
    if rows:
        with pytest.raises(OSError, match="truncated"):
            h5py.File(io.BytesIO(content[:-1]))


def test_row_longer_than_a_chunk_is_written():
    wide = np.dtype([("text", f"S{2 * CHUNK}")])
    table = np.array([(b"a",), (b"b",), (b"c",)], wide)
    head, tail = outline("table", wide, 3, {})
    with h5py.File(io.BytesIO(head + table.tobytes() + tail)) as file:
        assert file["table"].chunks == (1,)
        assert file["table"]["text"].tolist() == [b"a", b"b", b"c"]
