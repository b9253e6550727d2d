"""Convert datetimes and time texts to MJD."""

from __future__ import annotations

import re
from itertools import chain
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.formats.options import invalid
from photseries.lightcurve.leap_seconds import LEAP_SECOND, LEAP_SECONDS
from photseries.lightcurve.table import is_text

__all__ = ["UNIX_EPOCH", "is_clock", "is_iso", "mjd_of_datetimes", "mjd_of_moments", "mjd_of_texts"]

#: 1970-01-01 as MJD [d].
UNIX_EPOCH: Final = 40_587

#: A month or a year, which would be read as its first day.
_MONTH: Final = r"\d{4}(?:-?\d\d?)?"
_NS_PER_DAY: Final = 86_400 * 10**9
_NS_PER_SECOND: Final = 10**9


def is_iso(cells: pd.Series) -> bool:
    """Return whether all cells are text that begins with a date, such as 2024-01-31 or 2024/01/31."""
    return _all_match(cells, r"\d{4}([-/])\d\d\1\d\d(?:[T ].*)?")


def is_clock(cells: pd.Series) -> bool:
    """Return whether all cells are text with a time of day and no date."""
    return _all_match(cells, r"\d{1,2}:\d\d(?::\d\d(?:\.\d*)?)?")


def _all_match(cells: pd.Series, pattern: str) -> bool:
    texts = (cell for cell in cells if not pd.isna(cell)) if is_text(cells) else iter(())
    first = next(texts, None)
    return all(isinstance(cell, str) and re.fullmatch(pattern, cell.strip()) for cell in chain([first], texts))


def mjd_of_datetimes(times: pd.Series) -> npt.NDArray[np.float64]:
    """Compute the MJD of datetimes without a time zone, in days of 86,400 s; NaN where one is missing."""
    stamps = times.to_numpy()
    days, nanoseconds = _days(stamps)
    return np.where(np.isnat(stamps), np.nan, days + nanoseconds / _NS_PER_DAY)


def mjd_of_moments(times: pd.Series, in_leap_second: npt.NDArray[np.bool_] | bool = False) -> npt.NDArray[np.float64]:
    """Compute the MJD in UTC of datetimes with a time zone.

    Parameters
    ----------
    times : Series of datetimes with a time zone
    in_leap_second : ndarray of bool, shape (n,), optional
        The rows that are one second later than written, as a datetime cannot hold the second 60.

    Returns
    -------
    ndarray of float64, shape (n,)
        MJD in UTC, where a day with a leap second has 86,401 s [d]; NaN where a time is missing.

    Raises
    ------
    ValueError
        When a row of ``in_leap_second`` is not in one.
    """
    stamps = times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    days, nanoseconds = _days(stamps)
    nanoseconds = nanoseconds + in_leap_second * _NS_PER_SECOND
    steps = pd.Series(days).map(LEAP_SECONDS).fillna(0).to_numpy(np.float64)
    length = _NS_PER_DAY + steps * _NS_PER_SECOND
    if np.any(in_leap_second & ((nanoseconds < _NS_PER_DAY) | (nanoseconds >= length))):
        raise ValueError("a second 60 that is not a leap second of UTC")
    return np.where(np.isnat(stamps), np.nan, days + nanoseconds / length)


def mjd_of_texts(times: pd.Series, column: str, scale: object) -> npt.NDArray[np.float64]:
    """Compute the MJD of ISO 8601 dates and times.

    Parameters
    ----------
    times : Series
    column : str
        Its name, for messages.
    scale : str
        The scale of the dates. Only days of UTC can have a leap second.

    Raises
    ------
    InvalidError
        When the column holds anything else.
    """
    if not is_text(times):
        raise invalid(f"The column {column!r} does not contain text, but ISO times are text.")
    times = times.str.strip().str.replace(r"^(\d{4})/(\d\d)/(\d\d)", r"\1-\2-\3", regex=True)
    in_leap_second = times.str.contains(":60", regex=False, na=False).to_numpy(bool) & (scale == "utc")
    if in_leap_second.any():
        times = times.map(lambda text: LEAP_SECOND.sub(":59", text), na_action="ignore")
    try:
        if (months := times[times.str.fullmatch(_MONTH, na=False)]).size:
            raise invalid(
                f"The column {column!r:.60} contains {months.iloc[0]!r}, a month or a year instead of a date."
            )
        moments = pd.to_datetime(times, utc=True, format="ISO8601")
        if scale != "utc":
            return mjd_of_datetimes(moments.dt.tz_localize(None))
        return mjd_of_moments(moments, in_leap_second)
    except (ValueError, TypeError) as error:
        moments = pd.to_datetime(times, utc=True, format="ISO8601", errors="coerce")
        odd = next(iter(times[moments.isna() & times.notna()]), None)
        cause = f"{odd!r:.40}, which is" if odd is not None else "a value that is"
        raise invalid(
            f"The column {column!r} contains {cause} not an ISO date or time such as 2024-01-31T22:30:00: convert it, "
            "or name another column (time_col)."
        ) from error


def _days(stamps: npt.NDArray[np.datetime64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Split datetimes of any unit, thus of any year, into the MJD of their day and the rest [ns]."""
    days = stamps.astype("M8[D]")
    return days.astype(np.int64) + UNIX_EPOCH, (stamps - days).astype("m8[ns]").astype(np.int64)
