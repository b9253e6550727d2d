"""Brightness cells that are not measurements: upper limits and missing-value sentinels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.formats.options import column_called, invalid
from photseries.lightcurve.metadata import INFERRED, is_possible
from photseries.lightcurve.table import FLUXERR, MAGERR, SENTINEL_MAG, first_present, is_numeric, is_text

__all__ = [
    "LIMITING_MAG",
    "NUMBER",
    "MeasuredColumn",
    "limit_column",
    "no_values",
    "number_of",
    "separate_limits",
    "without_sentinels",
]

LIMITING_MAG: Final = "limiting_mag"
_ERROR_OF: Final = {"flux": FLUXERR, "mag": MAGERR}

#: Further names of columns with the limiting magnitude of each row, in lower case.
_LIMITS: Final = (
    LIMITING_MAG, "limitmag", "diffmaglim", "limit", "maglim", "mag_lim", "mag_limit", "lim_mag", "limmag",
    "i:diffmaglim", "limiting_magnitude", "magulim", "upper_limit_mag",
)  # fmt: skip
#: Columns that mark upper limits: in lower case, and by their letters alone, as in ``Upper Limit?``.
_FLAGS: Final = ("d:tag", "l_mag", "l_vmag")
_FLAG_LETTERS: Final = (
    "upperlimit", "isupperlimit", "upperlimitflag", "uplim", "upperlim", "uplimit", "isuplim", "islimit", "limitflag",
    "limit", "islim", "limflag", "ul", "ulim", "isul", "ulflag", "nondetection", "isnondetection", "fainterthan",
)  # fmt: skip
#: Columns that mark detections, by their letters: rows without one are upper limits.
_DETECTIONS: Final = ("detected", "detection", "isdetected", "isdetection")
#: Cells of any column of text that mark upper limits, in lower case.
_LIMIT_WORDS: Final = ("ul", "uplim", "upperlim", "upperlimit", "upper_limit", "upper limit", "upper-limit")
_NO_LIMIT: Final = ("", "-", "d", "det", "detected", "detection", "good", "measured", "measurement", "ok")
_NO_DETECTION: Final = ("nondetection", "non_detection", "non detection", "non-detection", "undetected")
_MARKS: Final = frozenset(("<", ">", "<=", ">="))
#: Columns with the sign of a difference image, in lower case.
_POSITIVE: Final = ("isdiffpos", "i:isdiffpos")
_FALSE: Final = ("f", "false", "0", "-1", "n", "no")
_TRUE: Final = ("t", "true", "1", "y", "yes", "x", "upperlim", "upperlimit", "ul", *_MARKS)

#: A number in text.
NUMBER: Final = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eEdD][+-]?\d+)?"
_LIMIT: Final = re.compile(rf"[<>]=?\s*({NUMBER})\s*:?")
_VALUE: Final = re.compile(rf"({NUMBER})\s*:?|[+-]?(?:nan|inf)", re.IGNORECASE)
_NULLS: Final = ("indef", "na", "n/a", "null", "none", "nan", "masked", "nodata")

#: Sentinels for missing magnitudes and fluxes, if they are far from all other values [mag], [any unit].
_MAGNITUDES: Final = (29.999, 30.0, 9.99, 9.999, 9.9999, 0.0, -1.0, -9.9, -9.99, -9.999)
_FLUXES: Final = (-99.0, -999.0, -9999.0, -99999.0, -999999.0, 999.0, 9999.0, 99999.0, 999999.0)
_HUGE: Final = 1e20  # no flux in any unit
_FAR: Final = 5.0  # from all others [mag]
_TOO_FAR: Final = 25.0  # from the median of the others [mag]
_FAR_FLUX: Final = 3.0  # in ranges of the others
#: A magnitude error of at least this size is missing [mag], and so are these values.
_NO_ERROR: Final = 90.0
_NO_ERRORS: Final = (9.99, 9.999, 9.9999)


@dataclass(frozen=True)
class MeasuredColumn:
    """A column of brightness and its errors.

    Parameters
    ----------
    values, errors : ndarray of float, shape (n,)
        NaN for missing measurements; ``errors`` is None without an error column.
    limits : ndarray of float64, shape (n,)
        Upper limits in the unit of the values, NaN elsewhere.
    warnings : tuple of str
    changed : bool
        Whether the values differ from the column.
    """

    values: npt.NDArray[np.number]
    errors: npt.NDArray[np.number] | None
    limits: npt.NDArray[np.float64]
    warnings: tuple[str, ...] = ()
    changed: bool = False


def separate_limits(
    frame: pd.DataFrame,
    role: Literal["mag", "flux"],
    columns: Mapping[str, str],
    *,
    keeps: bool,
    limits_have_no_error: bool = False,
    is_density: bool = False,
) -> MeasuredColumn:
    """Separate measurements from upper limits and sentinels.

    Parameters
    ----------
    role : {"mag", "flux"}
    columns : mapping of str to str
        The columns of the brightnesses and their errors, by role.
    keeps : bool
        Whether rows with a limit are kept; only the warning depends on it.
    limits_have_no_error : bool
        Whether a magnitude without an error is an upper limit.
    is_density : bool
        Whether these are flux densities; counts of 0 with an error of 0 are measured.

    Raises
    ------
    InvalidError
        When a cell is neither a number nor an upper limit.
    """
    column, error = columns[role], columns.get(_ERROR_OF[role])
    if role == "flux":
        _refuse_lower_limits(frame, column)
    values, limits = _numbers(frame[column], column)
    negative = _negative(frame, values, columns.get("flux")) if role == "mag" else np.zeros(len(values), bool)
    errors = None if error is None else _numbers(frame[error], error)[0]
    no_error = np.zeros(len(values), bool) if errors is None else _no_errors(errors, role)
    marked = ~np.isfinite(limits) & np.isfinite(values) & _flagged(frame, column, role)
    if role == "mag" and errors is not None:
        with np.errstate(invalid="ignore"):
            marked |= np.isfinite(values) & (errors < 0)
        if (limit := limit_column(frame)) is not None:
            is_limit = values == frame[limit].to_numpy()
            marked |= is_limit & (np.isnan(errors) | no_error | (errors == 0))
        if limits_have_no_error:
            marked |= np.isfinite(values) & np.isnan(errors)
    negative |= _repeated(values, errors, is_density=is_density)
    none = no_values(_masked(values, negative), role) | negative
    marked &= ~none
    limits = np.where(marked, values, limits)
    has_limit = np.isfinite(limits)
    absent = none | has_limit
    warnings = _limit_warnings(values[none], column, int(has_limit.sum()), role if keeps else "")
    if errors is not None:
        no_error &= ~absent
        if no_error.any():
            warnings += (f"{int(no_error.sum())} of the errors in {error} mean 'no value', and became null.",)
        errors = _masked(errors, absent | no_error)
    changed = any((absent.any(), warnings, *(is_text(frame[name]) for name in (column, error) if name is not None)))
    return MeasuredColumn(_masked(values, absent), errors, limits, warnings, changed)


def without_sentinels(frame: pd.DataFrame, *preferred: str) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Replace values that mean 'not measured' in the columns of positions, exposures and limiting magnitudes by null.

    Parameters
    ----------
    preferred : str
        Names of the column of limiting magnitudes that come before the usual ones, in lower case.

    Returns
    -------
    DataFrame
    tuple of str
        Warnings for the uploader.
    """
    columns = {field: first_present(frame, INFERRED[field]) for field in ("ra", "dec", "exp_time")}
    columns[LIMITING_MAG] = limit_column(frame, *preferred)
    changed: dict[str, npt.NDArray[np.number]] = {}
    warnings: list[str] = []
    for field, name in columns.items():
        if name is None or not is_numeric(frame[name]):
            continue
        values = frame[name].to_numpy()
        none = np.isfinite(values) & ~is_possible(values, field)
        if field == LIMITING_MAG:
            none |= no_values(values, "mag")
        if none.any():
            changed[name] = _masked(values, none)
            warnings += _limit_warnings(values[none], name, 0, "")
    return (frame.assign(**changed) if changed else frame), tuple(warnings)


def _negative(frame: pd.DataFrame, values: npt.NDArray[np.number], flux: str | None) -> npt.NDArray[np.bool_]:
    """Return the rows whose magnitude belongs to a negative flux: ``isdiffpos`` of alerts, negative values of ATLAS."""
    is_negative = np.zeros(len(values), bool)
    if (name := column_called(frame.columns, _POSITIVE)) is not None:
        is_negative |= _flags(frame[name]).isin(_FALSE).to_numpy(bool)
    flux = flux or column_called(frame.columns, ("ujy",))
    if flux is not None and frame[flux].dtype.kind in "fi":
        is_negative |= (frame[flux].to_numpy(np.float64) < 0) & (values < 0)
    return np.asarray(is_negative & np.isfinite(values), bool)


def _repeated(
    values: npt.NDArray[np.number], errors: npt.NDArray[np.number] | None, *, is_density: bool
) -> npt.NDArray[np.bool_] | bool:
    """Return the rows with a sentinel in both columns: a negative number, or 0 beside flux densities with errors."""
    if errors is None:
        return False
    is_sentinel = errors <= 0 if is_density and np.any(errors > 0) else errors < 0
    return np.asarray((values == errors) & is_sentinel, bool)


def limit_column(frame: pd.DataFrame, *preferred: str) -> str | None:
    """Return the column of numbers with a limiting magnitude for each row, or None; names are in lower case."""
    names = (*preferred, *_LIMITS)
    named = ((name, cells) for name, cells in frame.items() if str(name).lower() in names)
    return column_called((name for name, cells in named if cells.dtype.kind in "fi" and not _is_flag(cells)), names)


def _numbers(column: pd.Series, name: str) -> tuple[npt.NDArray[np.number], npt.NDArray[np.float64]]:
    """Read cells as numbers, or as limits such as ``>14.8``."""
    none = np.full(len(column), np.nan)
    if not is_text(column):
        if column.dtype.kind not in "fiu":
            raise invalid(f"The column {name!r} is of type {column.dtype}; it must contain numbers.")
        return column.to_numpy(), none
    values, limits = none.copy(), none.copy()
    for row, cell in enumerate(column.tolist()):
        text = "" if pd.api.types.is_scalar(cell) and pd.isna(cell) else str(cell).strip()
        if match := _VALUE.fullmatch(text):
            values[row] = number_of(match[1] or match[0])
        elif match := _LIMIT.fullmatch(text):
            limits[row] = number_of(match[1])
        elif text.strip("*-.") and text.lower() not in _NULLS:  # Fortran's overflow
            raise invalid(f"The column {name!r} contains {text!r:.40} in row {row + 1}, which is not a number.")
    return values, limits


def number_of(text: str) -> float:
    """Parse a text that matches :data:`NUMBER`, also with the exponent of Fortran, as in ``2.5D1``."""
    return float(text.lower().replace("d", "e"))


def _refuse_lower_limits(frame: pd.DataFrame, column: str) -> None:
    """Refuse fluxes with the sign ``>``, in their cells or in a column ``l_flux``: the source is brighter."""
    for name in filter(None, (column, column_called(frame.columns, (f"l_{column.lower()}",)))):
        lower = _flags(frame[name]).str.startswith(">") if is_text(frame[name]) else np.zeros(1, bool)
        if lower.any():
            row = int(np.argmax(lower)) + 1
            raise invalid(f"The flux of row {row} is a lower limit ('>' in {name!r:.60}). Remove the row.")


def _flagged(frame: pd.DataFrame, column: str, role: str) -> npt.NDArray[np.bool_]:
    """Return the rows that flags mark as limits; not for fluxes, which are measured without a detection, too."""
    named = column_called(frame.columns, (f"l_{column.lower()}", *_FLAGS))
    names = (*_FLAG_LETTERS, *(_DETECTIONS if role == "mag" else ()))
    letters: dict[str, str] = {}
    for name, cells in frame.items():
        if (plain := _letters(name)) in names and _may_be_flag(plain, cells):
            letters.setdefault(plain, str(name))
    named = named or next((letters[name] for name in names if name in letters), None)
    words = (*_LIMIT_WORDS, *(_NO_DETECTION if role == "mag" else ()))
    if named is None:
        texts = {str(name): {*map(_flag, {*cells.tolist()})} for name, cells in frame.items() if is_text(cells)}
        named = _mark_column(texts) or _column_with_word(texts, words)
    if named is None or named == column:
        return np.zeros(len(frame), bool)
    true = _FALSE if _letters(named) in _DETECTIONS else (*_TRUE, *words)
    return np.asarray(_flags(frame[named]).isin(true), bool)


def _flags(column: pd.Series) -> pd.Series:
    """Return flags as text in lower case; missing ones are empty."""
    return column.map(_flag)


def _flag(cell: Any) -> str:
    return "" if pd.isna(cell) else str(cell).strip().lower().removesuffix(".0")


def _letters(name: object) -> str:
    """Return the letters of a name, in lower case."""
    return re.sub("[^a-z]", "", str(name).lower())


def _may_be_flag(letters: str, column: pd.Series) -> bool:
    """Return whether a column may mark limits; it may contain limiting magnitudes instead."""
    if letters == "limit":
        return _is_flag(column)
    return column.dtype.kind != "f" or bool((column.dropna() % 1 == 0).all())


def _is_flag(column: pd.Series) -> bool:
    """Return whether a column contains nothing but yes and no."""
    return set(_flags(pd.Series(column.dropna().unique()))) <= {"", *_TRUE, *_FALSE}


def _column_with_word(texts: Mapping[str, set[str]], words: Iterable[str]) -> str | None:
    """Return the only column of text with a cell that says that its row is a limit."""
    # UL alone may be the initials of an observer.
    matches = [
        name
        for name, cells in texts.items()
        if (limits := cells.intersection(words)) and (limits != {"ul"} or cells <= {"ul", *_NO_LIMIT, *_NO_DETECTION})
    ]
    return matches[0] if len(matches) == 1 else None


def _mark_column(texts: Mapping[str, set[str]]) -> str | None:
    """Return the only column that contains just signs such as ``>``; ``l_Vmag`` belongs to another column."""
    marks = [name for name, cells in texts.items() if cells & _MARKS and cells <= {"", *_MARKS} and name[:2] != "l_"]
    return marks[0] if len(marks) == 1 else None


def no_values(values: npt.NDArray[np.number], role: str) -> Any:
    """Return the rows whose value, in any unit of flux or in mag, means 'not measured'."""
    finite, infinite = np.isfinite(values), np.isinf(values)
    if role == "flux":
        suspects = np.isin(values, _FLUXES) | (finite & (np.abs(values) >= _HUGE))
        other_values = values[finite & ~suspects]
        if not suspects.any() or not other_values.size:
            return infinite
        away = np.maximum(other_values.min() - values, values - other_values.max())
        least = np.maximum(_FAR_FLUX * np.ptp(other_values.astype(np.float64)), np.abs(values) / 2)
        return infinite | (suspects & (away > least))  # 999 among constant fluxes of 1000 is measured
    with np.errstate(invalid="ignore"):
        none = infinite | (finite & (np.abs(values) >= SENTINEL_MAG))
        suspects = finite & ~none & (np.abs(values[:, None] - np.array(_MAGNITUDES)) < 1e-5).any(axis=1)
    other_values = values[finite & ~none & ~suspects]
    if not other_values.size:
        return none
    away = np.maximum(other_values.min() - values, values - other_values.max())
    with np.errstate(invalid="ignore"):
        return none | (suspects & (away > _FAR)) | (finite & (np.abs(values - np.median(other_values)) > _TOO_FAR))


def _no_errors(errors: npt.NDArray[np.number], role: str) -> npt.NDArray[np.bool_]:
    if role == "flux":
        return np.asarray(np.isfinite(errors) & no_values(errors, role))
    sentinels = np.array(_NO_ERRORS, np.result_type(errors.dtype, np.float16))  # rounded as in the column
    with np.errstate(invalid="ignore"):
        return np.asarray(np.isfinite(errors) & ((np.abs(errors) >= _NO_ERROR) | np.isin(errors, sentinels)))


def _masked(values: npt.NDArray[np.number], absent: npt.NDArray[np.bool_]) -> npt.NDArray[np.number]:
    if not absent.any():
        return values
    made = values.astype(values.dtype if values.dtype.kind == "f" else np.float64)
    made[absent] = np.nan
    return made


def _limit_warnings(none: npt.NDArray[np.number], column: str, limits: int, role: str) -> tuple[str, ...]:
    warnings = []
    if none.size:
        shown = ", ".join(f"{value:g}" for value in dict.fromkeys(none.tolist()[:5]))
        warnings.append(f"{none.size} of the values of {column} mean 'not measured', and became null: {shown}.")
    if limits:
        outcomes = {"": "were left out with their rows"}
        became = outcomes.get(role, f"became null, with the limit in {LIMITING_MAG} where it is a magnitude")
        warnings.append(f"{limits} of the values of {column} are upper limits (fainter than), and {became}.")
    return tuple(warnings)
