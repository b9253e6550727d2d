"""Write one pandas 'table' by h5py's low-level API, with the same objects as pandas and PyTables.

pandas and PyTables take several times as long, mostly for work that does not depend on the table. The tests compare
the files of this module with theirs, object by object.
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import Final, NamedTuple

import numpy as np
from h5py import h5a, h5d, h5f, h5fd, h5g, h5p, h5s, h5t

from photseries.hdf5.frames import Writable
from photseries.hdf5.metadata import to_pickle
from photseries.lightcurve.photometry import Array

__all__ = ["RowField", "WrittenFile", "fields_of", "max_chunk_rows", "rows_of", "write"]

#: Maximum size of a chunk of more than one row [bytes]. libhdf5 caches up to 1 MiB of chunks; it would inflate a larger
#: chunk again for every few rows read.
CHUNK: Final = 2**19

#: pandas 3.0 refuses tables without it, and pandas 3.1 no longer writes it.
PANDAS_VERSION: Final = "0.15.2"

#: pandas' names for the types of an index; every pandas reads a datetime without a unit as nanoseconds.
INDEX_KINDS: Final = {"i": "integer", "u": "integer", "f": "float", "O": "string", "M": "datetime64"}

#: An attribute: text, bytes that PyTables unpickles, a boolean, an integer, or a value of a column's type.
Value = str | bytes | bool | int | np.generic


@dataclass(frozen=True)
class RowField:
    """A field of the rows: the index, or all columns of one type.

    Parameters
    ----------
    name : str
    stored : str
        pandas' name of the type.
    scalar : numpy.dtype
        Of one value in the file.
    values : sequence of numpy.ndarray, shape (n,)
        With times as integers and text encoded.
    labels : sequence of str or None
        Names of the columns; None for the index.
    """

    name: str
    stored: str
    scalar: np.dtype[np.generic]
    values: Sequence[Array]
    labels: Sequence[str] | None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the field in a row."""
        return () if self.labels is None else (len(self.labels),)


class WrittenFile(NamedTuple):
    """A file, and the start and stop of its chunks in row order [bytes]."""

    content: bytes
    chunks: list[tuple[int, int]]


def write(table: Writable, key: str, attributes: Mapping[str, str | bytes], *, deflate: bool) -> WrittenFile:
    """Write a table as the one key of an HDF5 file.

    Parameters
    ----------
    table : Writable
    key : str
    attributes : mapping
        Additional attributes of the key: text, or bytes that PyTables unpickles.
    deflate : bool
        Whether to compress, by shuffle and deflate at level 1.

    Returns
    -------
    WrittenFile
        Deterministic; for HDF5 1.8 and later.
    """
    fields = fields_of(table)
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_EARLIEST, h5f.LIBVER_V18)
    access.set_fclose_degree(h5f.CLOSE_STRONG)  # also closes open objects of the file
    content = BytesIO()
    access.set_fileobj_driver(h5fd.fileobj_driver, content)
    # The name is unique, because libhdf5 treats two open files of one name as the same file.
    file = h5f.create(secrets.token_hex(16).encode(), h5f.ACC_TRUNC, fapl=access)
    try:
        _describe(h5g.open(file, b"/"), {**_node("GROUP", "1.0"), "PYTABLES_FORMAT_VERSION": "2.1"})
        group = h5g.create(file, key.encode())
        _describe(group, {**_group_attributes(table, fields), **attributes})
        chunks = _write_rows(group, fields, deflate=deflate)
    finally:
        file.close()
    return WrittenFile(content.getvalue(), chunks)


def fields_of(table: Writable) -> list[RowField]:
    """Return the fields of the rows of a table, the index first."""
    return [_index(table), *_blocks(table)]


def rows_of(fields: Sequence[RowField]) -> Iterator[tuple[int, Array]]:
    """Yield the first row and the bytes of each chunk, with zeros after the last row."""
    rows, chunk = len(fields[0].values[0]), _chunk_rows(fields)
    dtype = _row_dtype(fields)
    for start in range(0, rows, chunk):
        records = np.zeros(chunk, dtype)
        for field in fields:
            block = records[field.name].reshape(chunk, -1)
            for index, values in enumerate(field.values):
                block[: rows - start, index] = values[start : start + chunk]
        yield start, records.view(np.uint8)


def _row_dtype(fields: Sequence[RowField]) -> np.dtype[np.void]:
    return np.dtype([(field.name, field.scalar, field.shape) for field in fields])


def _chunk_rows(fields: Sequence[RowField]) -> int:
    """Return the number of rows per chunk: few chunks of about equal size, with little padding."""
    rows = len(fields[0].values[0])
    return -(-rows // -(-rows // max_chunk_rows(fields)))


def max_chunk_rows(fields: Sequence[RowField]) -> int:
    """Return the number of rows that fit one chunk."""
    return max(CHUNK // _row_dtype(fields).itemsize, 1)


def _index(table: Writable) -> RowField:
    values = [_storage_type(np.asarray(table.index), table.null)]
    return RowField("index", INDEX_KINDS[table.index.dtype.kind], _scalar(values), values, None)


def _blocks(table: Writable) -> Iterator[RowField]:
    """Put the columns of each type together, types in the order of their first columns.

    All text is one field, as before pandas 3.0. A field for each of many text columns is slow to read, and pandas 3.1
    confuses it with a column named ``values_block_N``.
    """
    types = {name: values.dtype for name, values in table.columns.items()}
    for number, dtype in enumerate(dict.fromkeys(types.values())):
        labels = [name for name in types if types[name] == dtype]
        values = [_storage_type(table.columns[name], table.null) for name in labels]
        scalar = _scalar(values)
        yield RowField(f"values_block_{number}", (scalar if dtype.kind == "O" else dtype).name, scalar, values, labels)


def _storage_type(values: Array, null: str) -> Array:
    if values.dtype.kind in "mM":
        return values.view(np.int64)
    if values.dtype.kind == "O":
        return np.array([(cell if isinstance(cell, str) else null).encode() for cell in values.tolist()])
    return values


def _scalar(values: Sequence[Array]) -> np.dtype[np.generic]:
    return max((column.dtype for column in values), key=lambda dtype: dtype.itemsize).newbyteorder("<")


def _node(kind: str, version: str) -> dict[str, Value]:
    return {"CLASS": kind, "TITLE": "", "VERSION": version}


def _group_attributes(table: Writable, fields: Sequence[RowField]) -> dict[str, Value]:
    index, *blocks = (field.name for field in fields)
    name = table.index.name
    info: dict[int | str, object] = {1: {"names": [None], "type": "Index"}}
    info[index] = {} if name is None else {"index_name": name}
    return {
        **_node("GROUP", "1.0"),
        "pandas_type": "frame_table",
        "pandas_version": PANDAS_VERSION,
        "table_type": "appendable_frame",
        "index_cols": _pickled_axis(0, index),
        "values_cols": to_pickle(blocks),
        "non_index_axes": _pickled_axis(1, list(table.columns)),
        "data_columns": to_pickle([]),
        "nan_rep": table.null,
        "encoding": "UTF-8",
        "errors": "strict",
        "levels": 1,
        "mi_level_nan_rep": False,
        "data_col_nan_rep": False,
        "info": to_pickle(info | {block: {} for block in blocks}),
    }


def _row_attributes(fields: Sequence[RowField]) -> dict[str, Value]:
    attributes: dict[str, Value] = {**_node("TABLE", "2.7"), "NROWS": len(fields[0].values[0])}
    for number, field in enumerate(fields):
        attributes[f"FIELD_{number}_NAME"] = field.name
        attributes[f"FIELD_{number}_FILL"] = field.scalar.type()
    for field in fields:
        if field.labels is not None:
            attributes[f"{field.name}_kind"] = to_pickle(field.labels)
            attributes[f"{field.name}_meta"] = to_pickle(None)
            attributes[f"{field.name}_dtype"] = field.stored
        else:
            attributes[f"{field.name}_kind"] = field.stored
            if field.stored == "string":
                attributes[f"{field.name}_nan_rep"] = ""  # no text means null
    return attributes


def _pickled_axis(axis: int, labels: str | list[str]) -> bytes:
    """Pickle ``[(axis, labels)]``."""
    return b"(l(I%d\n%sta." % (axis, to_pickle(labels).removesuffix(b"."))


def _describe(owner: object, attributes: Mapping[str, Value]) -> None:
    """Write attributes as PyTables does: scalars, and an empty text as a null dataspace."""
    scalar, nothing = h5s.create(h5s.SCALAR), h5s.create(h5s.NULL)
    for name, value in attributes.items():
        array = np.array(value.encode() if isinstance(value, str) else value)
        kind = _type(array.dtype, h5t.CSET_UTF8 if isinstance(value, str) else h5t.CSET_ASCII)
        is_empty = isinstance(value, str) and not value
        attribute = h5a.create(owner, name.encode(), kind, nothing if is_empty else scalar)
        if not is_empty:
            attribute.write(array, kind)


@lru_cache(256)
def _type(dtype: np.dtype[np.generic], charset: int = h5t.CSET_ASCII) -> h5t.TypeID:
    """Translate the type of one value, as PyTables does."""
    if dtype.kind == "b":
        return h5t.STD_B8LE
    if dtype.kind != "S":
        return h5t.py_create(dtype)
    text = h5t.C_S1.copy()
    text.set_size(dtype.itemsize)
    text.set_cset(charset)
    return text


def _write_rows(group: h5g.GroupID, fields: Sequence[RowField], *, deflate: bool) -> list[tuple[int, int]]:
    dtype, rows = _row_dtype(fields), len(fields[0].values[0])
    chunk = _chunk_rows(fields)
    plan = h5p.create(h5p.DATASET_CREATE)
    plan.set_chunk((chunk,))
    plan.set_fill_time(h5d.FILL_TIME_ALLOC)
    plan.set_obj_track_times(False)
    if deflate:
        plan.set_shuffle()
        plan.set_deflate(1)
    space = h5s.create_simple((rows,), (h5s.UNLIMITED,))
    dataset = h5d.create(group, b"table", _row_type(fields, dtype.itemsize), space, plan)
    _describe(dataset, _row_attributes(fields))
    for start, content in rows_of(fields):
        dataset.write_direct_chunk((start,), _deflated(content, dtype.itemsize) if deflate else content)
    stored = [dataset.get_chunk_info(number) for number in range(-(-rows // chunk))]
    in_order = sorted(stored, key=lambda stored_chunk: stored_chunk.chunk_offset)
    return [(stored_chunk.byte_offset, stored_chunk.byte_offset + stored_chunk.size) for stored_chunk in in_order]


def _row_type(fields: Sequence[RowField], size: int) -> h5t.TypeID:
    row = h5t.create(h5t.COMPOUND, size)
    offset = 0
    for field in fields:
        kind = _type(field.scalar)
        kind = h5t.array_create(kind, field.shape) if field.shape else kind
        row.insert(field.name.encode(), offset, kind)
        offset += kind.get_size()
    return row


def _deflated(content: Array, width: int) -> bytes:
    """Shuffle and deflate without h5py's lock, so that other threads can run."""
    return zlib.compress(content.reshape(-1, width).T.tobytes(), 1)
