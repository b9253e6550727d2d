"""A table that grows: new rows under those that are there."""

from __future__ import annotations

import pandas as pd

from photseries.errors import InvalidError

__all__ = ["appended"]


def appended(frame: pd.DataFrame, more: pd.DataFrame, *, drop_repeats: bool) -> pd.DataFrame:
    """Put new rows under the rows of a table.

    Parameters
    ----------
    frame, more : DataFrame
        Of the same columns and dtypes; the new ones may come in another order. Integers that are posted as JSON fit
        a column of floats or of shorter integers when no digit is lost.
    drop_repeats : bool
        Whether new rows that are there already, equal in every column, are left out instead of refused.

    Returns
    -------
    DataFrame

    Raises
    ------
    InvalidError
        Naming the columns that do not fit, or the rows that repeat.
    """
    _require_columns(frame, more)
    fitted = _fitted(frame, more[list(frame.columns)])
    repeats = pd.concat([frame, fitted], ignore_index=True).duplicated().to_numpy()[len(frame) :]
    if repeats.any() and not drop_repeats:
        count = int(repeats.sum())
        message = f"{count} of the {len(more)} new rows are there already. Leave them out, or say repeats=drop."
        raise InvalidError(message, fields={"data": [message]})
    return pd.concat([frame, fitted[~repeats]], ignore_index=isinstance(frame.index, pd.RangeIndex))


def _require_columns(frame: pd.DataFrame, more: pd.DataFrame) -> None:
    missing = [name for name in frame.columns if name not in more.columns]
    unknown = [name for name in more.columns if name not in frame.columns]
    problems = {
        **{f"data.{name}": [f"The column {name!r:.80} is missing."] for name in missing},
        **{f"data.{name}": [f"The series has no column {name!r:.80}."] for name in unknown},
    }
    if problems:
        raise InvalidError(" ".join(text for texts in problems.values() for text in texts), fields=problems)


def _fitted(frame: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    """Give the new rows the dtypes of the table."""
    fitted, problems = {}, {}
    for name, column in frame.items():
        given = more[name]
        if given.dtype == column.dtype:
            fitted[name] = given
            continue
        try:
            cast = given.astype(column.dtype)
            lossless = bool((cast.astype(given.dtype) == given)[given.notna()].all()) and cast.isna().equals(
                given.isna()
            )
        except (TypeError, ValueError, OverflowError):
            lossless = False
        if lossless:
            fitted[name] = cast
        else:
            problems[f"data.{name}"] = [
                f"The column {name!r:.80} is {column.dtype}, and the new rows are {given.dtype}."
            ]
    if problems:
        raise InvalidError(" ".join(text for texts in problems.values() for text in texts), fields=problems)
    return pd.DataFrame(fitted, index=more.index)
