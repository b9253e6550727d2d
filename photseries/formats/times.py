"""Times as files have them, brought to MJD."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.formats.moments import UNIX_EPOCH, mjd_of_datetimes, mjd_of_moments, mjd_of_texts
from photseries.formats.reading import invalid
from photseries.lightcurve.epochs import likely_format
from photseries.lightcurve.table import TIME

__all__ = ["TIME_FORMATS", "TimeFormat", "format_of_name", "require_mjd", "with_mjd"]

_JD_EPOCH: Final = 2_400_000.5  # MJD 0 as JD [d]


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
    "unix": TimeFormat("seconds since 1970-01-01 UTC", UNIX_EPOCH, 1 / 86_400, {"time_scale": "utc"}),
    "iso": TimeFormat("dates and times as text, UTC unless they say otherwise", fields={"time_scale": "utc"}),
}

#: An earlier MJD is not that of photometry [d]: it is before 1804.
_EARLIEST: Final = -20_000.0

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
        return frame.assign(**{name: mjd_of_moments(times)}), {"time_scale": "utc"}
    if isinstance(times.dtype, np.dtype) and times.dtype.kind == "M":
        return frame.assign(**{name: mjd_of_datetimes(times)}), {}
    if given is not None and given not in TIME_FORMATS:
        raise invalid(f"There is no time format {given!r:.40}; there are {', '.join(TIME_FORMATS)}.")
    known = given or format_of_name(column)
    if known is None:
        raise invalid(f"In which format is the column {column!r}? Name it (time_format): {', '.join(TIME_FORMATS)}.")
    how = TIME_FORMATS[known]
    fields = dict(how.fields or {})
    if known == "iso":
        return frame.assign(**{name: mjd_of_texts(times, column)}), fields
    if not (isinstance(times.dtype, np.dtype) and times.dtype.kind in "iuf"):
        raise invalid(f"The column {column!r} holds no numbers, but times as {known} are numbers.")
    if known == "mjd":
        return frame, fields
    return frame.assign(**{name: times.to_numpy(np.float64) * how.scale + how.offset}), fields


def format_of_name(column: str) -> str | None:
    """Return the format of times that the name of their column tells, or None."""
    name = column.lower()
    if name in TIME:
        return "mjd"
    return {"bjd_tdb": "bjd", "date": "iso", "datetime": "iso"}.get(name, name if name in TIME_FORMATS else None)


def require_mjd(mjd: npt.NDArray[Any], given: str | None) -> None:
    """Refuse times that cannot be MJD: the formats differ by so much that the median alone tells them apart.

    Parameters
    ----------
    mjd : ndarray, shape (n,)
    given : str or None
        The format that the caller named.

    Raises
    ------
    InvalidError
    """
    finite = mjd[np.isfinite(mjd)]
    if finite.size == 0:
        raise invalid("No time is finite.")
    middle = float(np.median(finite))
    looks_like = likely_format(middle)
    if middle >= _EARLIEST and looks_like is None:
        return
    known = next((name for name, (low, high) in _LOOKS.items() if low <= middle <= high), None)
    if known is not None and known != given:
        looks_like = f"They look like {known} (time_format={known})."
    raise invalid(f"The times, around {middle:.6g} as MJD, cannot be right. {looks_like or ''}".rstrip())
