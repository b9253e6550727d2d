"""A table of measurements: required columns, their accepted names, and reasons for refusal.

A table is a pandas frame, stored unchanged: rows in any order, further columns with their dtypes.
This module never changes a table; statistics are computed from a :class:`~photseries.lightcurve.curve.LightCurve`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.errors import InvalidError
from photseries.text import is_unicode

__all__ = [
    "BRIGHTNESS",
    "FLUX",
    "FLUXERR",
    "MAG",
    "MAGERR",
    "SENTINEL_MAG",
    "TIME",
    "TableLimits",
    "error_column",
    "first_present",
    "is_default",
    "is_numeric",
    "is_text",
    "nanoseconds",
    "require_storable",
    "required_column",
    "validate",
]

#: Accepted spellings: the first one present is used.
TIME = ("mjd", "mjds")
FLUX = ("flux", "fluxes")
MAG = ("mag", "mags", "magnitudes")
BRIGHTNESS = FLUX + MAG
FLUXERR = "fluxerr"
MAGERR = "magerr"

#: A magnitude of at least this size means "not measured" (99.999, -99, 100) and counts as absent.
SENTINEL_MAG = 40.0

_MAX_LABEL_LENGTH = 80
_Problem = tuple[str, str]


class TableLimits(Protocol):
    """The limits of a table."""

    @property
    def rows(self) -> int:
        """Maximum number of rows."""

    @property
    def columns(self) -> int:
        """Maximum number of columns."""

    @property
    def column_name(self) -> int:
        """Maximum length of a column name [bytes of UTF-8]."""

    @property
    def table(self) -> int:
        """Largest table [bytes]; a text column counts as stored: rows times its longest text."""


def validate(frame: pd.DataFrame, limits: TableLimits, brightness: tuple[str, ...] = BRIGHTNESS) -> None:
    """Check that a table can be a photometric series.

    Parameters
    ----------
    frame : DataFrame
        The table, with the dtypes it came with.
    limits : TableLimits
        Its maximum size.
    brightness : tuple of str
        The spellings of the column that is its brightness.

    Raises
    ------
    InvalidError
        With all problems at once: the message joins them, ``fields`` has them under ``data`` and ``data.<column>``.
    """
    problems = _storage_problems(frame, limits)
    if not frame.empty and len(frame.columns) <= limits.columns:
        problems += _size_problems(frame, limits)
        problems += _missing_columns(frame, brightness)
        if frame.columns.is_unique and frame.columns.nlevels == 1:
            problems += _role_problems(frame, brightness)
    if problems:
        raise _invalid(problems)


def require_storable(frame: pd.DataFrame, limits: TableLimits) -> None:
    """Check that a stored file can contain a table, whether or not it is a photometric series.

    Parameters
    ----------
    frame : DataFrame
    limits : TableLimits

    Raises
    ------
    InvalidError
        With all problems at once, as :func:`validate` reports them.
    """
    problems = _storage_problems(frame, limits)
    if problems:
        raise _invalid(problems)


def nanoseconds(times: pd.Series) -> npt.NDArray[np.generic]:
    """Return datetimes or durations in nanoseconds: pandas before 3.0 reads every unit as nanoseconds.

    Raises
    ------
    ValueError
        When a time does not fit; the message continues the name of the column.
    """
    try:
        return np.asarray(times.dt.as_unit("ns"))
    except (pd.errors.OutOfBoundsDatetime, pd.errors.OutOfBoundsTimedelta):
        raise ValueError("contains times outside 1677-2262, the range of 64-bit nanosecond timestamps") from None


def first_present(frame: pd.DataFrame, spellings: tuple[str, ...]) -> str | None:
    """Return the first spelling that is a column of the frame, or None."""
    return next((name for name in spellings if name in frame.columns), None)


def required_column(frame: pd.DataFrame, spellings: tuple[str, ...]) -> str:
    """Return the first spelling that is a column of the frame.

    Raises
    ------
    InvalidError
        When there is none.
    """
    name = first_present(frame, spellings)
    if name is None:
        raise InvalidError.of_field("data", _missing(spellings))
    return name


def error_column(frame: pd.DataFrame, brightness: str | None) -> str | None:
    """Return the error column: the one in the unit of the brightness column if present, else the other."""
    return first_present(frame, (FLUXERR, MAGERR) if brightness in FLUX else (MAGERR, FLUXERR))


def is_numeric(column: pd.Series) -> bool:
    """Return whether a column holds integers or floats (booleans are not numbers here)."""
    return isinstance(column.dtype, np.dtype) and column.dtype.kind in "iuf"


def is_text(column: pd.Series | pd.Index) -> bool:
    """Return whether a column or an index is stored as text, in pandas' text dtype or as objects."""
    return isinstance(column.dtype, pd.StringDtype) or column.dtype == np.dtype(object)


def is_default(index: pd.Index) -> bool:
    """Return whether an index is 0..n-1 without a name."""
    return isinstance(index, pd.RangeIndex) and index.name is None and index.start == 0 and index.step == 1


def _storage_problems(frame: pd.DataFrame, limits: TableLimits) -> list[_Problem]:
    if frame.empty:
        return [("data", "Must supply a non-empty DataFrame. A table has at least one row and one column.")]
    problems = [*_shape_problems(frame, limits)]
    if index_problem := _index_problem(frame.index):
        problems.append(("data", f"The index {index_problem}. Use reset_index(), or reset_index(drop=True)."))
    if len(frame.columns) <= limits.columns:
        problems += _name_problems(frame.columns, limits)
        problems += _content_problems(frame)
    return problems


def _shape_problems(frame: pd.DataFrame, limits: TableLimits) -> Iterator[_Problem]:
    if len(frame) > limits.rows:
        yield "data", f"The table has {len(frame):,} rows; the limit is {limits.rows:,} rows (limits.rows)."
    if len(frame.columns) > limits.columns:
        yield "data", f"The table has {len(frame.columns):,} columns; the limit is {limits.columns:,} (limits.columns)."


def _size_problems(frame: pd.DataFrame, limits: TableLimits) -> Iterator[_Problem]:
    numbers = len(frame) * sum(dtype.itemsize for dtype in frame.dtypes if _is_number(dtype))
    size = numbers + sum(_size(column) for _, column in _other_columns(frame)) + _size(frame.index)
    if size > limits.table:
        yield "data", f"The table takes {size} bytes; the limit is {limits.table} bytes (limits.table)."


def _size(column: pd.Series | pd.Index) -> int:
    if not is_text(column):
        return int(column.to_numpy().nbytes)
    longest = max((len(cell.encode("utf-8", "surrogatepass")) for cell in column if isinstance(cell, str)), default=0)
    return len(column) * max(longest, 1)


def _index_problem(index: pd.Index) -> str | None:
    if is_default(index):
        return None
    if isinstance(index, pd.MultiIndex):
        return f"has {index.nlevels} levels; one is possible"
    name = index.name
    if name is not None and not (isinstance(name, str) and name and "\0" not in name and is_unicode(name)):
        return "has a name that is not valid text"
    labels = pd.Series(index, dtype=index.dtype)  # to_series fails at an unpaired surrogate
    if not is_text(index):
        plain = isinstance(index.dtype, np.dtype) and index.dtype.kind in "iufM"
        return _content_problem(labels) if plain else f"is of type {index.dtype}; use numbers, text or datetimes"
    if labels.isna().any():
        return "contains null among its texts"
    # Every pandas before 3.1 reads the text "nan" of an index as null.
    return "contains the text 'nan'" if (labels == "nan").any() else _content_problem(labels)


def _name_problems(columns: pd.Index, limits: TableLimits) -> Iterator[_Problem]:
    for name in () if columns.is_unique else columns[columns.duplicated()].unique():
        yield _field(name), f'The column name "{_label(name)}" occurs more than once.'
    for name in columns:
        if not isinstance(name, str):
            yield _field(name), f"The column name {_label(name)} is not text."
        elif problem := _name_problem(name, limits.column_name):
            yield _field(name), f'The column name "{_label(name)}" {problem}.'


def _name_problem(name: str, longest: int) -> str | None:
    if not name:
        return "is empty"
    if "\0" in name:
        return "contains a NUL character"
    if not is_unicode(name):
        return "is not valid Unicode"
    size = len(name.encode())
    return None if size <= longest else f"has {size} bytes; the limit is {longest} bytes (limits.column_name)"


def _other_columns(frame: pd.DataFrame) -> Iterator[tuple[object, pd.Series]]:
    """Yield the columns that are not numbers; to make a Series of every column takes longer than these checks."""
    for place, (name, dtype) in enumerate(zip(frame.columns, frame.dtypes, strict=True)):
        if not _is_number(dtype):
            yield name, frame.iloc[:, place]


def _content_problems(frame: pd.DataFrame) -> Iterator[_Problem]:
    for name, column in _other_columns(frame):
        if problem := _content_problem(column):
            yield _field(name), f'The column "{_label(name)}" {problem}.'


def _content_problem(column: pd.Series) -> str | None:
    dtype = column.dtype
    if is_text(column):
        return _text_problem(column)
    if isinstance(dtype, np.dtype) and dtype.kind in "mM":
        try:
            nanoseconds(column)
        except ValueError as error:
            return str(error)
    elif not _is_number(dtype):
        return f"is of type {dtype}; use bool, integers, floats, text, or datetimes without time zone"
    return None


def _is_number(dtype: object) -> bool:
    """Return whether a dtype is one of the numbers, booleans included, that a stored file can contain."""
    return isinstance(dtype, np.dtype) and dtype.kind in "biuf" and dtype.itemsize <= np.dtype(np.float64).itemsize


def _text_problem(column: pd.Series) -> str | None:
    cells = column[column.notna()].tolist()
    other_types = {kind.__name__ for kind in set(map(type, cells)) if not issubclass(kind, str)}
    if other_types:
        return f"contains {', '.join(sorted(other_types))} where only text and null are possible"
    joined = "".join(cells)
    if "\0" in joined:
        return "contains a NUL character in a text"
    return None if is_unicode(joined) else "has a text that is not valid Unicode"


def _missing_columns(frame: pd.DataFrame, brightness: tuple[str, ...]) -> Iterator[_Problem]:
    for spellings in (TIME, brightness):
        if first_present(frame, spellings) is None:
            yield "data", _missing(spellings)


def _missing(spellings: tuple[str, ...]) -> str:
    names = ", ".join(f'"{name}"' for name in spellings)
    return f"Input to photometric series must contain one of the columns {names}."


def _role_problems(frame: pd.DataFrame, spellings: tuple[str, ...]) -> Iterator[_Problem]:
    time, brightness = first_present(frame, TIME), first_present(frame, spellings)
    for name in (time, brightness, error_column(frame, brightness)):
        if name is None:
            continue
        column = frame[name]
        if not is_numeric(column):
            first = f" Row 1 has {column.iloc[0]!r:.40}." if is_text(column) else ""
            yield _field(name), f'The column "{name}" is of type {column.dtype}; it must contain numbers.{first}'
        elif name in (time, brightness):
            values = column.to_numpy()
            if not np.isfinite(values).any():
                yield _field(name), f'The column "{name}" has no finite value.'
            elif name in MAG and not (np.abs(values) < SENTINEL_MAG).any():
                why = f"magnitudes of {SENTINEL_MAG:g} or more, or -{SENTINEL_MAG:g} or less, count as absent"
                yield _field(name), f'The column "{name}" has no measured value: {why}.'


def _field(name: object) -> str:
    return f"data.{_label(name)}"


def _label(name: object) -> str:
    """Return an untrusted name for a message: valid Unicode, of limited length."""
    text = str(name).encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= _MAX_LABEL_LENGTH else f"{text[:_MAX_LABEL_LENGTH]}..."


def _invalid(problems: Iterable[_Problem]) -> InvalidError:
    fields: dict[str, list[str]] = {}
    for field, message in problems:
        fields.setdefault(field, []).append(message)
    return InvalidError.of_fields(fields)
