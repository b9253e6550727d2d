"""Times as files have them, brought to MJD."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.formats.moments import UNIX_EPOCH, is_clock, is_iso, mjd_of_datetimes, mjd_of_moments, mjd_of_texts
from photseries.formats.options import invalid
from photseries.formats.reading import Table
from photseries.formats.time_frames import TimeFrame
from photseries.lightcurve.epochs import likely_format
from photseries.lightcurve.table import TIME, is_text
from photseries.surveys import Survey

__all__ = ["TIME_FORMATS", "TimeFormat", "Times", "format_of_name", "require_mjd", "time_format", "times_of"]

_JD_EPOCH: Final = 2_400_000.5  # MJD 0 as JD [d]


@dataclass(frozen=True)
class TimeFormat:
    """A way to write times: MJD = value * scale + offset, and what else it says of them."""

    sentence: str
    offset: float = 0.0
    scale: float = 1.0
    fields: Mapping[str, str] = field(default_factory=dict)
    time_scale: str | None = None


_BARYCENTRIC: Final = {"time_scale": "tdb", "time_refpos": "barycenter"}
#: HJD is in UTC unless something else is said (Eastman et al. 2010, PASP 122, 935).
_HELIOCENTRIC: Final = {"time_scale": "utc", "time_refpos": "heliocenter"}

#: The formats of times; ``iso`` is read as text, every other one is linear.
TIME_FORMATS: Final[Mapping[str, TimeFormat]] = {
    "mjd": TimeFormat("JD - 2400000.5"),
    "jd": TimeFormat("Julian date", -_JD_EPOCH),
    "rjd": TimeFormat("reduced Julian date: JD - 2400000", 2_400_000 - _JD_EPOCH),
    "bjd": TimeFormat("barycentric Julian date in TDB", -_JD_EPOCH, fields=_BARYCENTRIC),
    "bmjd": TimeFormat("BJD - 2400000.5", fields=_BARYCENTRIC),
    "hjd": TimeFormat("heliocentric Julian date in UTC", -_JD_EPOCH, fields=_HELIOCENTRIC),
    "hmjd": TimeFormat("HJD - 2400000.5", fields=_HELIOCENTRIC),
    "btjd": TimeFormat("TESS: BJD - 2457000", 2_457_000 - _JD_EPOCH, fields=_BARYCENTRIC),
    "bkjd": TimeFormat("Kepler: BJD - 2454833", 2_454_833 - _JD_EPOCH, fields=_BARYCENTRIC),
    "gaia": TimeFormat("Gaia: BJD in TCB - 2455197.5", 2_455_197.5 - _JD_EPOCH, fields=_BARYCENTRIC, time_scale="tcb"),
    "unix": TimeFormat("seconds since 1970-01-01 UTC", UNIX_EPOCH, 1 / 86_400, {"time_scale": "utc"}),
    "iso": TimeFormat("dates and times as text, UTC unless they say otherwise", fields={"time_scale": "utc"}),
}

#: A format that counts from another date: ``hjd-2450000``.
_COUNTED: Final = re.compile(r"(mjd|hmjd|bmjd|jd|hjd|bjd)-(\d+(?:\.\d+)?)")
#: The format that a name or a unit tells, such as ``BJD_TDB``, ``HJD (+2450000)``, ``BJD - 2457000, days``.
_IN_NAME: Final = re.compile(
    r"(?:^|[^a-z]|obs)(hmjd|bmjd|mjd|hjd|bjd|btjd|bkjd|rjd|jd)(?:[_ ]*(tdb|utc|tai|tt))?(?![a-z])"
    r"(?:\s*[\[(]?\s*[-+]\s*(\d{5,7}(?:\.\d+)?)|\s*[\[(]?\s*(\d{5,7}(?:\.\d+)?)\s*\+)?"
)

_DATE: Final = len("2024-01-31")

#: An earlier MJD is not that of photometry [d]: it is before 1804.
_EARLIEST: Final = -20_000.0

#: Values that times of other formats have, where somebody took them for MJD.
_LOOKS: Final = {"jd": (2_380_000.0, 2_550_000.0), "unix": (1e8, 4e9)}


@dataclass(frozen=True)
class Times:
    """Times as MJD, and what is known of them.

    Parameters
    ----------
    mjd : ndarray of float64, shape (n,), or None
        [d]; None where the column is in MJD already.
    fields : mapping
        Fields of the series.
    why : str
        How they were read.
    warnings : tuple of str
    """

    mjd: npt.NDArray[np.float64] | None
    fields: Mapping[str, object]
    why: str
    warnings: tuple[str, ...] = ()


def time_format(name: str) -> TimeFormat:
    """Return a format by its name, also one with an offset.

    Raises
    ------
    InvalidError
        When there is no such format.
    """
    counted = _COUNTED.fullmatch(name)
    if counted is not None:
        base = TIME_FORMATS[counted[1]]
        return TimeFormat(f"{counted[1].upper()} - {counted[2]}", float(counted[2]) + base.offset, fields=base.fields)
    if name not in TIME_FORMATS:
        raise invalid(
            f"There is no time format {name!r:.40}; there are {', '.join(TIME_FORMATS)}, and with an offset such as "
            "jd-2450000."
        )
    return TIME_FORMATS[name]


def format_of_name(column: str) -> str | None:
    """Return the format of times that the name of their column, or its unit, tells; None where it tells none."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", column).lower().replace("j.d.", "jd")
    if name in TIME:
        return "mjd"
    if name in ("unix", "iso"):
        return name
    found = _IN_NAME.search(name)
    if found is None:
        return "iso" if name in ("date", "datetime", "date-obs") else None
    counted = f"{found[1]}-{found[3] or found[4]}"
    return counted if _COUNTED.fullmatch(counted) else found[1]


def times_of(frame: pd.DataFrame, column: str, table: Table, given: str | None, survey: Survey | None) -> Times:
    """Bring the times of a table to MJD.

    Parameters
    ----------
    frame : DataFrame
    column : str
        The column of the times.
    table : Table
        What the file states of them.
    given : str or None
        The format; None where the file, or the name or the type of the column says.
    survey : Survey or None

    Raises
    ------
    InvalidError
        When the format is unknown, or the column holds something else.
    """
    times = _numbers(frame[column])
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        return Times(mjd_of_moments(times), {"time_scale": "utc"}, "datetimes with a time zone")
    if isinstance(times.dtype, np.dtype) and times.dtype.kind == "M":
        return Times(mjd_of_datetimes(times), {}, "datetimes")
    if given is None and column in table.mjd:
        return Times(None, table.mjd[column], "times of astropy")
    usual = survey if survey is not None and survey.time == column else None
    stated = table.frames.get(column) or TimeFrame()
    about = {} if usual is None else usual.times
    known = given or _format(times, column, table, stated, usual)
    if known is None and stated.origin is None:
        raise invalid(
            f"The format of the times in {column!r} is unknown. State it (time_format): {', '.join(TIME_FORMATS)}."
        )
    if known == "iso":
        return Times(
            mjd_of_texts(_with_clock(frame, times), column), {**TIME_FORMATS[known].fields, **about}, "ISO dates"
        )
    if not _are_numbers(times):
        raise invalid(f"The column {column!r} holds no numbers, but times as {known} are numbers.")
    if known is None:
        unit = _unit(table.units.get(column)) or ("d" if usual is not None and usual.time_format else None)
        mjd: npt.NDArray[np.float64] | None = stated.mjd(times.to_numpy(np.float64), unit)
        return _rounded(times, mjd, {**about, **stated.fields}, "the header says what they count from", stated)
    mjd, fields, why = _in_format(frame[column], times, known, stated)
    named = _IN_NAME.search(column.lower())
    scale = {"time_scale": named[2]} if named and named[2] else {}
    return _rounded(times, mjd, {**fields, **about, **scale, **_fields(stated, known)}, why, stated)


def _in_format(
    column: pd.Series, times: pd.Series, known: str, stated: TimeFrame
) -> tuple[npt.NDArray[np.float64] | None, Mapping[str, str], str]:
    """Convert numbers in a format to MJD; None where the column is in MJD already."""
    how = time_format(known)
    values = times.to_numpy(np.float64)
    why = f"{known} ({how.sentence})"
    if known == "mjd":
        is_same = not stated.is_converted and not is_text(column)
        return None if is_same else stated.converted(values), how.fields, why
    mjd = values * how.scale + how.offset
    if how.time_scale is not None:
        mjd = TimeFrame(scale=how.time_scale).converted(mjd)
    return mjd, how.fields, why


def _are_numbers(times: pd.Series) -> bool:
    return isinstance(times.dtype, np.dtype) and times.dtype.kind in "iuf"


def _numbers(times: pd.Series) -> pd.Series:
    """Return times that stand as text but are numbers as numbers."""
    if not is_text(times):
        return times
    try:
        return times.astype(np.float64)
    except (ValueError, TypeError):
        return times


def _format(times: pd.Series, column: str, table: Table, stated: TimeFrame, usual: Survey | None) -> str | None:
    """Return the format of times that nobody named; None where what the file states is to be used."""
    if is_iso(times):
        return "iso"
    is_certain = column == table.time or usual is not None
    by_name = None if is_certain else format_of_name(column)
    if by_name is not None or stated.origin is not None:
        return by_name
    key = table.header.get(column)  # AAVSO names the format of the column DATE in a line #DATE=HJD
    texts = (key, table.units.get(column), None if usual is None else usual.time_format, column)
    return next((found for text in texts if text and (found := _told(str(text)))), None)


def _told(text: str) -> str | None:
    return text if text in TIME_FORMATS or _COUNTED.fullmatch(text) else format_of_name(text)


def _fields(stated: TimeFrame, known: str) -> dict[str, object]:
    skipped = ("time_scale",) if stated.is_converted and known != "mjd" else ()
    return {name: value for name, value in stated.fields.items() if name not in skipped}


def _unit(unit: object) -> str | None:
    """Return a unit of time; a text such as ``BJD - 2457000, days`` is in days."""
    text = None if unit is None else str(unit)
    return "d" if text and format_of_name(text) else text


def _rounded(
    times: pd.Series, mjd: npt.NDArray[np.float64] | None, fields: Mapping[str, object], why: str, stated: TimeFrame
) -> Times:
    """Add a warning where the times were stored with the precision of float32."""
    if times.dtype != np.float32 and times.dtype != np.float16:
        return Times(mjd, fields, why, stated.warnings)
    step = float(np.spacing(np.nanmax(np.abs(times.to_numpy())))) if times.notna().any() else 0.0
    return Times(
        np.asarray(times if mjd is None else mjd, np.float64),
        fields,
        why,
        (*stated.warnings, f"The times are {times.dtype}: their precision is only {step:.2g} of their unit."),
    )


def _with_clock(frame: pd.DataFrame, dates: pd.Series) -> pd.Series:
    """Add the time of day from a column of its own to dates without one."""
    clocks = [frame[name] for name in frame.columns if is_clock(frame[name])]
    if len(clocks) != 1 or not is_iso(dates) or dates.dropna().str.strip().str.len().max() > _DATE:
        return dates
    return dates.str.strip() + "T" + clocks[0].str.strip().map(lambda text: text if text[1:2].isdigit() else f"0{text}")


def require_mjd(mjd: npt.NDArray[np.generic], given: str | None) -> None:
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
