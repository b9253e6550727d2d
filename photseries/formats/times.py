"""Times as files have them, brought to MJD."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.formats.reading import invalid
from photseries.lightcurve.leap_seconds import LEAP_SECOND, LEAP_SECONDS
from photseries.lightcurve.table import TIME, is_text

__all__ = ["TIME_FORMATS", "TimeFormat", "require_mjd", "with_mjd"]

FloatArray = npt.NDArray[np.float64]

_JD_EPOCH: Final = 2_400_000.5  # MJD 0 as JD [d]
_UNIX_EPOCH: Final = 40_587  # 1970-01-01 as MJD [d]
_NS_A_DAY: Final = 86_400 * 10**9


@dataclass(frozen=True)
class TimeFormat:
    """A way to write times: MJD = value * scale + offset, and what else it says of them."""

    sentence: str
    offset: float = 0.0
    scale: float = 1.0
    fields: Mapping[str, str] | None = None


_BARYCENTRIC: Final = {"time_scale": "tdb", "time_refpos": "barycenter"}

#: The formats of times; ``iso`` is read as text, every other one is linear.
TIME_FORMATS: Final[Mapping[str, TimeFormat]] = {
    "mjd": TimeFormat("JD - 2400000.5"),
    "jd": TimeFormat("Julian date", -_JD_EPOCH),
    "bjd": TimeFormat("barycentric Julian date in TDB", -_JD_EPOCH, fields=_BARYCENTRIC),
    "hjd": TimeFormat("heliocentric Julian date", -_JD_EPOCH, fields={"time_refpos": "heliocenter"}),
    "btjd": TimeFormat("TESS: BJD - 2457000", 2_457_000 - _JD_EPOCH, fields=_BARYCENTRIC),
    "bkjd": TimeFormat("Kepler: BJD - 2454833", 2_454_833 - _JD_EPOCH, fields=_BARYCENTRIC),
    "unix": TimeFormat("seconds since 1970-01-01 UTC", _UNIX_EPOCH, 1 / 86_400, {"time_scale": "utc"}),
    "iso": TimeFormat("dates and times as text, UTC unless they say otherwise", fields={"time_scale": "utc"}),
}

#: MJD of photometry: later than photographic plates, and not in the far future [d].
_EARLIEST, _LATEST = -20_000.0, 150_000.0
#: Below this, an MJD is from before 1886 [d].
_SUSPICIOUS: Final = 10_000.0

#: Values that times of other formats have, where somebody took them for MJD.
_LOOKS: Final = {"jd": (2_380_000.0, 2_550_000.0), "unix": (1e8, 4e9)}


def with_mjd(frame: pd.DataFrame, name: str, column: str, given: str | None) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Bring the times of a table to MJD.

    Parameters
    ----------
    frame : DataFrame
    name : str
        The column of the times.
    column : str
        Its name in the file.
    given : str or None
        One of :data:`TIME_FORMATS`; None where the name or the type of the column says.

    Returns
    -------
    DataFrame
    dict
        Fields of the series that the format implies.

    Raises
    ------
    InvalidError
        When the format is unknown, or the column holds something else.
    """
    times = frame[name]
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        return frame.assign(**{name: _of_utc(times)}), {"time_scale": "utc"}
    if isinstance(times.dtype, np.dtype) and times.dtype.kind == "M":
        return frame.assign(**{name: _of_datetimes(times)}), {}
    if given is not None and given not in TIME_FORMATS:
        raise invalid(f"There is no time format {given!r:.40}; there are {', '.join(TIME_FORMATS)}.")
    known = given or _format_of(column)
    if known is None:
        raise invalid(f"In which format is the column {column!r}? Name it (time_format): {', '.join(TIME_FORMATS)}.")
    how = TIME_FORMATS[known]
    fields = dict(how.fields or {})
    if known == "iso":
        return frame.assign(**{name: _of_texts(times, column)}), fields
    if not (isinstance(times.dtype, np.dtype) and times.dtype.kind in "iuf"):
        raise invalid(f"The column {column!r} holds no numbers, but times as {known} are numbers.")
    if known == "mjd":
        return frame, fields
    return frame.assign(**{name: times.to_numpy(np.float64) * how.scale + how.offset}), fields


def _format_of(column: str) -> str | None:
    name = column.lower()
    if name in TIME:
        return "mjd"
    return {"bjd_tdb": "bjd", "date": "iso", "datetime": "iso"}.get(name, name if name in TIME_FORMATS else None)


def _of_texts(times: pd.Series[Any], column: str) -> FloatArray:
    if not is_text(times):
        raise invalid(f"The column {column!r} holds no text, but times as iso are text.")
    in_leap_second = times.str.contains(":60", regex=False, na=False).to_numpy(bool)
    if in_leap_second.any():
        times = times.copy()
        times[in_leap_second] = [LEAP_SECOND.sub(":59", text) for text in times[in_leap_second]]
    try:
        return _of_utc(pd.to_datetime(times, utc=True, format="ISO8601"), in_leap_second)
    except (ValueError, TypeError) as error:
        raise invalid(f"The column {column!r} holds what is no ISO date or time: {error}.") from error


def _of_utc(times: pd.Series[Any], in_leap_second: npt.NDArray[np.bool_] | bool = False) -> FloatArray:
    """Compute MJD in UTC of times with a time zone; those in a leap second come one second too early."""
    stamps = times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy("M8[ns]")
    days, rest = _days(stamps)
    rest = rest + in_leap_second * 10**9
    steps = pd.Series(days).map(LEAP_SECONDS).fillna(0).to_numpy(np.float64)
    length = _NS_A_DAY + steps * 1e9
    if np.any(in_leap_second & ((rest < _NS_A_DAY) | (rest >= length))):
        raise ValueError("a second 60 that is not a leap second of UTC")
    return np.where(np.isnat(stamps), np.nan, days + rest / length)


def _of_datetimes(times: pd.Series[Any]) -> FloatArray:
    stamps = times.to_numpy("M8[ns]")
    days, rest = _days(stamps)
    return np.where(np.isnat(stamps), np.nan, days + rest / _NS_A_DAY)


def _days(stamps: npt.NDArray[np.datetime64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Split moments into the MJD of their day and the rest [ns]."""
    days, rest = np.divmod(stamps.view(np.int64), _NS_A_DAY)
    return days + _UNIX_EPOCH, rest


def require_mjd(mjd: npt.NDArray[Any], given: str | None) -> list[str]:
    """Refuse times that cannot be MJD: the formats differ by so much that the median alone tells them apart.

    Parameters
    ----------
    mjd : ndarray, shape (n,)
    given : str or None
        The format that the caller named, which is believed.

    Returns
    -------
    list of str
        A warning when they may be something else.

    Raises
    ------
    InvalidError
    """
    finite = mjd[np.isfinite(mjd)]
    if finite.size == 0:
        raise invalid("No time is finite.")
    middle = float(np.median(finite))
    if _EARLIEST <= middle <= _LATEST:
        if given is None and 0 < middle < _SUSPICIOUS:
            return [f"The times, around MJD {middle:.1f}, are before 1886: are they BTJD or BKJD (time_format)?"]
        return []
    likely = next((name for name, (low, high) in _LOOKS.items() if low <= middle <= high), None)
    hint = f" They look like {likely} (time_format={likely})." if likely and likely != given else ""
    raise invalid(f"The times, around {middle:.6g} as MJD, cannot be right.{hint}")
