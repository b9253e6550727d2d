r"""The content hash of a table, which is equal for equal content in any file format.

It does not depend on the container, the byte order, the memory layout, the index, or on whether text is held as objects
or in pandas' own dtype; it does depend on the names and dtypes of the columns, their order, the order of the rows, and
every bit of a value but the payload of a NaN (so -0.0 is not 0.0).

The SHA-256 is taken over these bytes, where u64 is an unsigned and i64 a signed 64-bit little-endian integer::

    u64 number of columns, u64 number of rows
    for each column, in order:
        u64 length of the name in bytes,  the name as UTF-8
        u64 length of the dtype in bytes, the dtype as ASCII
        the values

The dtype is numpy's name of the little-endian type (``<f8``, ``<i4``, ``|b1``, ``<M8[ns]`` ...), or ``text``. The
values of a numpy dtype are its little-endian bytes, row after row: datetimes and durations as i64 in the dtype's unit,
with NaT as -2**63; every NaN as the quiet positive one without payload (``7ff8000000000000`` in f8). The values of
``text`` are one i64 a row, the length of the cell in bytes or -1 for null, and then all cells as UTF-8 without
separators.

A change of this layout changes every hash: existing rows would need new hashes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.lightcurve.table import is_text

__all__ = ["content_hash", "content_hash_of"]


def content_hash(frame: pd.DataFrame) -> str:
    """Hash the content of a table.

    Parameters
    ----------
    frame : DataFrame
        A table that :func:`~photseries.lightcurve.table.validate` accepts.

    Returns
    -------
    str
        SHA-256 in hexadecimal, of the bytes that the module's docstring lays out.
    """
    columns = ((str(name), column if is_text(column) else column.to_numpy()) for name, column in frame.items())
    return _hash(columns, len(frame.columns), len(frame))


def content_hash_of(columns: Mapping[str, npt.NDArray[np.generic]]) -> str:
    """Hash a table without text, which is given as its columns; see :func:`content_hash`."""
    return _hash(columns.items(), len(columns), len(next(iter(columns.values()))))


def _hash(columns: Iterable[tuple[str, npt.NDArray[np.generic] | pd.Series]], number: int, rows: int) -> str:
    digest = hashlib.sha256(_integers(number, rows))
    for name, column in columns:
        dtype, values = _encode_numbers(column) if isinstance(column, np.ndarray) else _encode_texts(column)
        for text in (name, dtype):
            encoded = text.encode()
            digest.update(_integers(len(encoded)))
            digest.update(encoded)
        for part in values:
            digest.update(part)
    return digest.hexdigest()


def _encode_numbers(values: npt.NDArray[np.generic]) -> tuple[str, list[bytes | memoryview]]:
    if values.dtype.kind == "f" and (absent := np.isnan(values)).any():
        values = np.where(absent, values.dtype.type(np.nan), values)
    values = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return values.dtype.str, [values.view(np.uint8).data]


def _encode_texts(column: pd.Series) -> tuple[str, list[bytes | memoryview]]:
    cells = [cell.encode() if isinstance(cell, str) else None for cell in column]
    lengths = np.array([-1 if cell is None else len(cell) for cell in cells], dtype="<i8")
    return "text", [lengths.tobytes(), b"".join(cell for cell in cells if cell is not None)]


def _integers(*values: int) -> bytes:
    return b"".join([value.to_bytes(8, "little") for value in values])
