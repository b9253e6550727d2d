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
from photseries.text import is_unicode

__all__ = ["MAX_ATTRIBUTE", "Writable", "build", "writable", "writable_numbers"]

#: Maximum size of an HDF5 attribute without its header, in an object header of 64 kB [bytes].
MAX_ATTRIBUTE: Final = 65_400

_NUMBERS: Final = frozenset(
    np.dtype(code) for code in ("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8")
)


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
            return _nanoseconds(pd.Series(column.values))
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


def writable_numbers(columns: Mapping[str, Array]) -> Writable:
    """Return a storable table of valid numeric columns; its index is 0..n-1."""
    native = {name: values.astype(values.dtype.newbyteorder("="), copy=False) for name, values in columns.items()}
    return Writable(native, pd.RangeIndex(len(next(iter(native.values())))), "nan")


def writable(frame: pd.DataFrame, limits: Limits) -> Writable:
    """Check that a frame can be stored, and convert it to the canonical form.

    Parameters
    ----------
    frame : pandas.DataFrame
    limits : Limits

    Returns
    -------
    Writable

    Raises
    ------
    InvalidError
        With all problems by column in ``fields`` (``data.<column>``), or the limit that is exceeded.
    """
    rows, count = frame.shape
    if not rows or not count:
        raise InvalidError(
            "Must supply a non-empty DataFrame.", fields={"data": ["Must supply a non-empty DataFrame."]}
        )
    _require(rows <= limits.rows, f"The table has {rows:,} rows; at most {limits.rows:,} are accepted.")
    _require(count <= limits.columns, f"The table has {count:,} columns; at most {limits.columns:,} are accepted.")
    _require(frame.columns.is_unique, "Two columns of the table have the same name.")

    index = _index(frame.index)
    problems: dict[str, list[str]] = {}
    arrays: dict[str, Array] = {}
    texts: set[str] = set()
    for name, column in frame.items():
        try:
            _check_name(name, limits)
            arrays[str(name)] = _storable(column, texts)
        except ValueError as error:
            problems.setdefault(f"data.{_format_name(name)}", []).append(f"The column {_format_name(name)} {error}.")
    if problems:
        raise InvalidError(" ".join(text for group in problems.values() for text in group), fields=problems)
    null = "nan"
    while null in texts:
        null = f"_{null}_"
    cell = _text_size({*texts, null})
    row = sum(cell if values.dtype == object else values.itemsize for values in arrays.values())
    _check_sizes(list(arrays), rows, row + (_text_size(index) if _is_text(index.dtype) else 8), limits)
    return Writable(arrays, index, null)


def _check_name(name: object, limits: Limits) -> None:
    if not isinstance(name, str):
        raise ValueError("has a name that is not a text")  # noqa: TRY004  collected by writable
    if "\0" in name or not is_unicode(name) or len(name.encode()) > limits.column_name:
        raise ValueError(f"has a name with a NUL, an unpaired surrogate or more than {limits.column_name} bytes")


def _storable(column: pd.Series, texts: set[str]) -> Array:
    """Return the values to write; add text columns to the record."""
    dtype = column.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "mM":
        return _nanoseconds(column)
    if isinstance(dtype, np.dtype) and dtype.newbyteorder("=") in _NUMBERS:
        return np.asarray(column).astype(dtype.newbyteorder("="), copy=False)
    if _is_text(dtype):
        return _text_values(column, texts)
    if isinstance(dtype, pd.DatetimeTZDtype):
        raise ValueError("has a time zone, which the file cannot keep: give UTC without one")  # noqa: TRY004  as above
    possible = "integers, floats, booleans, text and datetimes can be stored"
    raise ValueError(f'has the type {dtype}; {possible}: convert it first, as by .astype("float64")')


def _nanoseconds(column: pd.Series) -> Array:
    """Convert times to nanoseconds: pandas before 3.0 reads every unit as nanoseconds."""
    try:
        return np.asarray(column.dt.as_unit("ns"))
    except (pd.errors.OutOfBoundsDatetime, pd.errors.OutOfBoundsTimedelta):
        raise ValueError("contains times outside 1677-2262, the range of 64-bit nanosecond timestamps") from None


def _is_text(dtype: object) -> bool:
    return isinstance(dtype, pd.StringDtype) or dtype == np.dtype(object)


def _text_values(column: pd.Series, texts: set[str]) -> Array:
    values: Array = column.to_numpy(dtype=object, na_value=np.nan)
    present = values[~pd.isna(values)].tolist()
    if not set(map(type, present)) <= {str}:
        raise ValueError("mixes text with other types, or contains objects that are neither text nor numbers")
    if "\0" in "".join(present):
        raise ValueError("contains a NUL character, which cannot be stored")
    different = set(present)
    if not all(map(is_unicode, different)):
        raise ValueError("contains an unpaired surrogate, which is not text")
    texts |= different
    return values


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


def _index(index: pd.Index) -> pd.Index:
    """Return the index to write; datetimes in nanoseconds, like columns."""
    name = _index_name(index)
    if isinstance(index, pd.MultiIndex):
        raise _index_problem("has several levels")
    if isinstance(index, pd.DatetimeIndex):
        return _moments_of_index(index, name)
    if isinstance(index.dtype, np.dtype) and index.dtype.kind in "iuf":
        numbers: pd.Index = pd.Index(np.asarray(index).astype(index.dtype.newbyteorder("=")), name=name)
        return numbers
    if set(map(type, index.tolist())) == {str}:
        return _texts_of_index(index, name)
    raise _index_problem(f"is of the type {index.dtype}, or has nulls among its texts")


def _index_name(index: pd.Index) -> str | None:
    name = index.name
    if name is None:
        return None
    if not isinstance(name, str) or not name or "\0" in name or not is_unicode(name):
        raise _index_problem("has a name that is not a text")
    return str(name)


def _moments_of_index(index: pd.DatetimeIndex, name: str | None) -> pd.DatetimeIndex:
    if index.tz is not None:
        raise _index_problem("has a time zone")
    try:
        return pd.DatetimeIndex(np.asarray(index.as_unit("ns")), name=name)
    except pd.errors.OutOfBoundsDatetime:
        raise _index_problem("contains datetimes before 1677 or after 2262") from None


def _texts_of_index(index: pd.Index, name: str | None) -> pd.Index:
    values = index.to_numpy(dtype=object)
    # Every pandas before 3.1 reads the text "nan" of an index as null.
    if any(text == "nan" or "\0" in text or not is_unicode(text) for text in values.tolist()):
        raise _index_problem("contains the text 'nan', a NUL character or an unpaired surrogate")
    texts: pd.Index = pd.Index(values, name=name)
    return texts


def _index_problem(problem: str) -> InvalidError:
    kept = "one level of numbers, text or datetimes is kept, otherwise use df.reset_index()"
    message = f"The index of the table {problem}; {kept}."
    return InvalidError(message, fields={"data": [message]})


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InvalidError(message, fields={"data": [message]})


def _format_name(name: object) -> str:
    return str(name)[:80].encode("utf-8", "replace").decode()
