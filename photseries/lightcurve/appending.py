"""Append rows to a table."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import ExtensionDtype

from photseries.errors import InvalidError
from photseries.lightcurve.table import is_text

__all__ = ["append_rows"]


def append_rows(frame: pd.DataFrame, new_rows: pd.DataFrame, *, drop_repeats: bool, from_json: bool) -> pd.DataFrame:
    """Append new rows to a table.

    Parameters
    ----------
    frame, new_rows : DataFrame
        With the same columns and dtypes; the columns may be in another order. Integers fit a column of floats or of
        shorter integers when no digit is lost.
    drop_repeats : bool
        Whether new rows that exist already, equal in every column, are left out instead of refused. New rows that
        repeat each other all stay.
    from_json : bool
        Whether the new rows were JSON, which has neither widths nor datetimes: its numbers are rounded to the floats
        of their column, and its ISO 8601 texts fit a column of datetimes.

    Returns
    -------
    DataFrame

    Raises
    ------
    InvalidError
        Naming the columns that do not fit, or the repeated rows.
    """
    _require_columns(frame, new_rows)
    fitted = _fitted(frame, new_rows[list(frame.columns)], from_json)
    numbers = _numbered(pd.concat([frame, fitted], ignore_index=True))
    repeats = np.isin(numbers[len(frame) :], numbers[: len(frame)])
    if repeats.any() and not drop_repeats:
        count = int(repeats.sum())
        raise InvalidError.of_field(
            "data", f"{count} of the {len(new_rows)} new rows exist already. Leave them out, or use repeats=drop."
        )
    return pd.concat([frame, fitted[~repeats]], ignore_index=isinstance(frame.index, pd.RangeIndex))


def _numbered(frame: pd.DataFrame) -> npt.NDArray[np.int64]:
    """Return a number for each row: equal rows have equal numbers, and missing values are equal."""
    numbers = np.zeros(len(frame), np.int64)
    for name in frame.columns:
        codes, kinds = pd.factorize(frame[name])
        numbers, _ = pd.factorize(numbers * (len(kinds) + 1) + codes)
    return numbers


def _require_columns(frame: pd.DataFrame, new_rows: pd.DataFrame) -> None:
    missing = [name for name in frame.columns if name not in new_rows.columns]
    unknown = [name for name in new_rows.columns if name not in frame.columns]
    problems = {
        **{f"data.{name}": f"The column {name!r:.80} is missing." for name in missing},
        **{f"data.{name}": f"The series has no column {name!r:.80}." for name in unknown},
    }
    if problems:
        raise InvalidError.of_fields(problems)


def _fitted(frame: pd.DataFrame, new_rows: pd.DataFrame, from_json: bool) -> pd.DataFrame:
    """Cast the new rows to the dtypes of the table."""
    fitted, problems = {}, {}
    for name, column in frame.items():
        values = new_rows[name]
        try:
            fitted[name] = values if values.dtype == column.dtype else _cast(values, column.dtype, from_json)
        except (TypeError, ValueError, OverflowError):
            kind = "text" if is_text(values) else values.dtype
            problems[f"data.{name}"] = (
                f"The column {name!r:.80} is {column.dtype}, and the new rows, {kind}, do not fit it without loss."
            )
    if problems:
        raise InvalidError.of_fields(problems)
    return pd.DataFrame(fitted, index=new_rows.index)


def _cast(values: pd.Series, dtype: np.dtype[np.generic] | ExtensionDtype, from_json: bool) -> pd.Series:
    """Cast values to another dtype; raise ValueError or TypeError where a value would be lost."""
    if from_json and dtype.kind == "M":
        if not values.dropna().astype(str).str.match(r"\d{4}-\d\d-\d\d").all():
            raise ValueError("texts that are not dates, which pandas may read as the present moment")
        return pd.to_datetime(values, format="ISO8601").astype(dtype)
    if {dtype.kind, values.dtype.kind} & {"m", "M"}:
        raise TypeError("numbers, which pandas would read as nanoseconds")
    with np.errstate(over="ignore", invalid="ignore"):
        cast = values.astype(dtype)
    back = cast.astype(values.dtype)
    is_rounded = from_json and dtype.kind == values.dtype.kind == "f"
    same = np.isfinite(back) if is_rounded else back == values
    if not same[values.notna()].all() or not cast.isna().equals(values.isna()):
        raise ValueError("other values")
    return cast
