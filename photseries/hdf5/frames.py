"""Make pandas frames from the plain arrays of a file, and prepare frames for writing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from photseries.errors import InvalidError, UnreadableFileError
from photseries.hdf5.limits import Limits
from photseries.hdf5.raw import RawColumn, RawTable, cell_size
from photseries.lightcurve.photometry import Array
from photseries.lightcurve.table import is_text, nanoseconds

__all__ = ["MAX_ATTRIBUTE", "Writable", "build", "writable", "writable_numbers"]

#: Maximum size of an HDF5 attribute without its header, in an object header of 64 kB [bytes].
MAX_ATTRIBUTE: Final = 65_400
#: Size of a number or a time in an index [bytes].
_LABEL: Final = 8


@dataclass(frozen=True)
class Writable:
    """A table that can be stored; equal tables give equal files.

    Parameters
    ----------
    columns : dict of numpy.ndarray, shape (n,)
        In the order of the frame, of native byte order; datetimes and durations in nanoseconds; text, and nothing
        else, has the dtype object, nulls among it.
    index : pandas.Index
        Of the same types, without nulls among text.
    null : str
        A text that no column contains, to represent null.
    """

    columns: dict[str, Array]
    index: pd.Index
    null: str


def build(raw: RawTable) -> pd.DataFrame:
    """Return the frame that ``HDFStore`` would return, with times in nanoseconds, as stored.

    Raises
    ------
    UnreadableFileError
        When a text is not in the encoding that the file names, or a time does not fit nanoseconds.
    """
    data = {column.name: _values(column) for column in raw.columns}
    rows = len(raw.columns[0].values)
    index = pd.RangeIndex(rows) if raw.index is None else pd.Index(_values(raw.index), name=raw.index.name or None)
    return pd.DataFrame(data, index=index)


def _values(column: RawColumn) -> Array:
    if column.values.dtype.kind in "mM":
        try:
            return nanoseconds(pd.Series(column.values))
        except ValueError as error:
            raise UnreadableFileError(f"The column {column.name!r:.80} {error}.") from error
    if column.values.dtype.kind != "S":
        return column.values
    try:
        texts: list[object] = [text.decode(column.encoding) for text in column.values.tolist()]
    except UnicodeDecodeError as error:
        raise UnreadableFileError(
            f"The column {column.name!r:.80} contains text that is not {column.encoding}."
        ) from error
    if column.null is not None:
        texts = [np.nan if text == column.null else text for text in texts]
    values = np.empty(len(texts), object)
    values[:] = texts
    return values


def writable_numbers(columns: Mapping[str, Array], limits: Limits) -> Writable:
    """Convert valid numeric columns, whose index is 0..n-1, to the canonical form; see :func:`writable`."""
    native = {name: values.astype(values.dtype.newbyteorder("="), copy=False) for name, values in columns.items()}
    rows = len(next(iter(native.values())))
    _check_sizes(list(native), rows, sum(values.itemsize for values in native.values()) + _LABEL, limits)
    return Writable(native, pd.RangeIndex(rows), "nan")


def writable(frame: pd.DataFrame, limits: Limits) -> Writable:
    """Convert a frame to the canonical form.

    Parameters
    ----------
    frame : pandas.DataFrame
        A table that :func:`~photseries.lightcurve.table.require_storable` accepts.
    limits : Limits

    Returns
    -------
    Writable

    Raises
    ------
    InvalidError
        When the table, or the names of its columns, take too many bytes.
    """
    index = _index(frame.index)
    arrays = {str(name): _canonical(column) for name, column in frame.items()}
    texts: set[str] = set()
    for values in arrays.values():
        if values.dtype == object:
            texts.update(values[~pd.isna(values)].tolist())
    null = "nan"
    while null in texts:
        null = f"_{null}_"
    cell = _text_size({*texts, null})
    row = sum(cell if values.dtype == object else values.itemsize for values in arrays.values())
    _check_sizes(list(arrays), len(frame), row + (_text_size(index) if is_text(index) else _LABEL), limits)
    return Writable(arrays, index, null)


def _canonical(column: pd.Series) -> Array:
    """Return the values to write."""
    if is_text(column):
        texts: Array = column.to_numpy(dtype=object, na_value=np.nan)
        return texts
    values = column.to_numpy()
    if values.dtype.kind in "mM":
        return nanoseconds(column)
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _index(index: pd.Index) -> pd.Index:
    """Return the index to write; datetimes in nanoseconds, like columns."""
    name = None if index.name is None else str(index.name)
    labels: pd.Index = pd.Index(_canonical(index.to_series()), name=name)
    return labels


def _text_size(texts: Iterable[str]) -> int:
    """Return the memory per value of a column of these texts [bytes]."""
    width = max(len(text.encode()) for text in texts)
    return cell_size(np.dtype(f"S{max(width, 1)}"))


def _check_sizes(names: list[str], rows: int, row: int, limits: Limits) -> None:
    """Refuse a table that libhdf5 or the reader of the file would refuse."""
    _require(
        row <= limits.chunk and rows * row <= limits.table,
        f"The table takes {rows * row:,} bytes in memory, {row:,} a row, where every value of a text column takes as "
        f"much as its longest text; at most {limits.table:,} are accepted.",
    )
    # A pickled list in one attribute, as pandas writes it: V<name>\np<number>\na, where a line feed is \u000a.
    escaped = 5 * sum(name.count(character) for name in names for character in "\\\n\r\x1a")
    listed = sum(len(name.encode("raw-unicode-escape")) + 10 for name in names) + escaped + 100
    _require(
        listed <= MAX_ATTRIBUTE,
        f"The names of the columns take {listed:,} bytes together; an HDF5 file allows {MAX_ATTRIBUTE:,}.",
    )


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InvalidError.of_field("data", message)
