"""The outline of an HDF5 file: everything except the rows of its table, which can then be sent as a stream.

HDF5 is not a streaming format. However, the chunks of an uncompressed dataset of fixed size are contiguous in the file,
at offsets that libhdf5 fixes when it creates the dataset (the *implicit* index). Therefore a file is made with a hole
in place of the chunks, which takes no disk space, and the bytes before and after the hole are kept.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from h5py import h5a, h5d, h5f, h5fd, h5p, h5s, h5t

__all__ = ["FileFrame", "outline"]

#: Maximum size of a chunk of more than one row [bytes].
CHUNK: Final = 2**19

_NOTHING: Final[Mapping[str, bytes]] = {}


class FileFrame(NamedTuple):
    """The bytes of the file before and after the rows, with the zeros that fill the last chunk."""

    head: bytes
    tail: bytes


def outline(
    name: str, dtype: np.dtype[np.void], rows: int, attributes: Mapping[str, str], texts: Mapping[str, bytes] = _NOTHING
) -> FileFrame:
    """Make the outline of a file with one table.

    Parameters
    ----------
    name : str
        Of the table.
    dtype : numpy.dtype
        The type of a row: numbers, and byte strings in UTF-8.
    rows : int
    attributes : mapping of str to str
        Of the table.
    texts : mapping of str to bytes
        Other datasets of the file, each a UTF-8 text.

    Returns
    -------
    FileFrame
        For HDF5 1.10 and later, deterministic; the rows go between its parts in their memory layout.
    """
    chunk = -(-rows // max(1, -(-rows // (CHUNK // dtype.itemsize or 1)))) or 1
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_V110, h5f.LIBVER_V110)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    creation = h5p.create(h5p.FILE_CREATE)
    creation.set_obj_track_times(False)
    with tempfile.TemporaryFile() as content:
        access.set_fileobj_driver(h5fd.fileobj_driver, content)
        # The name is unique, because libhdf5 treats two open files of one name as the same file.
        file = h5f.create(secrets.token_hex(16).encode(), h5f.ACC_TRUNC, creation, access)
        timeless = h5p.create(h5p.DATASET_CREATE)
        timeless.set_obj_track_times(False)
        plan = timeless.copy()
        plan.set_chunk((chunk,))
        plan.set_alloc_time(h5d.ALLOC_TIME_EARLY)
        plan.set_fill_time(h5d.FILL_TIME_NEVER)
        # HDF5 refuses a chunk larger than a fixed-size dataset, so a table without rows is extensible.
        space = h5s.create_simple((rows,), None if rows else (h5s.UNLIMITED,))
        table = h5d.create(file, name.encode(), _row_type(dtype), space, plan)
        for key, text in attributes.items():
            value = np.array(text.encode())
            kind = _text_type(value.dtype)
            h5a.create(table, key.encode(), kind, h5s.create(h5s.SCALAR)).write(value, kind)
        for key, content_of in texts.items():
            value = np.array(content_of)
            kind = _text_type(value.dtype)
            dataset = h5d.create(file, key.encode(), kind, h5s.create(h5s.SCALAR), timeless)
            dataset.write(h5s.ALL, h5s.ALL, value, kind)
        start = table.get_chunk_info(0).byte_offset if rows else 0
        file.close()
        content.seek(0)
        head = content.read(start)
        content.seek(start + rows * dtype.itemsize)
        return FileFrame(head, content.read())


def _row_type(dtype: np.dtype[np.void]) -> h5t.TypeID:
    row = h5t.create(h5t.COMPOUND, dtype.itemsize)
    for name, (kind, offset, *_) in (dtype.fields or {}).items():
        row.insert(name.encode(), offset, _text_type(kind) if kind.kind == "S" else h5t.py_create(kind))
    return row


def _text_type(dtype: np.dtype[np.generic]) -> h5t.TypeID:
    text = h5t.C_S1.copy()
    text.set_size(dtype.itemsize)
    text.set_cset(h5t.CSET_UTF8)
    text.set_strpad(h5t.STR_NULLPAD)
    return text
