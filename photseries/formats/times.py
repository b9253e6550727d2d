"""Convert the times of files to MJD."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.formats.moments import UNIX_EPOCH, is_clock, is_iso, mjd_of_datetimes, mjd_of_moments, mjd_of_texts
from photseries.formats.options import ReadOptions, invalid, normal_name
from photseries.formats.reading import Table
from photseries.formats.time_frames import MJD_ZERO, TimeFrame, as_scale
from photseries.lightcurve.epochs import EARLIEST, LATEST, NEAR_ZERO, YEAR_1900, likely_format
from photseries.lightcurve.table import TIME, is_numeric, is_text
from photseries.surveys import Survey

__all__ = ["TIME_FORMATS", "TimeFormat", "Times", "require_mjd", "time_format", "times_of", "without_odd"]


@dataclass(frozen=True)
class TimeFormat:
    """A time format: MJD = value * scale + offset, and the fields that it implies."""

    sentence: str
    offset: float = 0.0
    scale: float = 1.0
    fields: Mapping[str, str] = field(default_factory=dict)
    time_scale: str | None = None


_BARYCENTRIC: Final = {"time_scale": "tdb", "time_refpos": "barycenter"}
#: HJD is in UTC unless stated otherwise (Eastman et al. 2010, PASP 122, 935).
_HELIOCENTRIC: Final = {"time_scale": "utc", "time_refpos": "heliocenter"}

#: The time formats; ``iso`` is text, all others are linear.
TIME_FORMATS: Final[Mapping[str, TimeFormat]] = {
    "mjd": TimeFormat("JD - 2400000.5"),
    "jd": TimeFormat("Julian date", -MJD_ZERO),
    "rjd": TimeFormat("reduced Julian date: JD - 2400000", 2_400_000 - MJD_ZERO),
    "bjd": TimeFormat("barycentric Julian date in TDB", -MJD_ZERO, fields=_BARYCENTRIC),
    "bmjd": TimeFormat("BJD - 2400000.5", fields=_BARYCENTRIC),
    "hjd": TimeFormat("heliocentric Julian date in UTC", -MJD_ZERO, fields=_HELIOCENTRIC),
    "hmjd": TimeFormat("HJD - 2400000.5", fields=_HELIOCENTRIC),
    "btjd": TimeFormat("TESS: BJD - 2457000", 2_457_000 - MJD_ZERO, fields=_BARYCENTRIC),
    "bkjd": TimeFormat("Kepler: BJD - 2454833", 2_454_833 - MJD_ZERO, fields=_BARYCENTRIC),
    "gaia": TimeFormat("Gaia: BJD in TCB - 2455197.5", 2_455_197.5 - MJD_ZERO, fields=_BARYCENTRIC, time_scale="tcb"),
    "unix": TimeFormat("seconds since 1970-01-01 UTC", UNIX_EPOCH, 1 / 86_400, {"time_scale": "utc"}),
    "galex": TimeFormat("GALEX: seconds since 1980-01-06 UTC", 44_244.0, 1 / 86_400, {"time_scale": "utc"}),
    "iso": TimeFormat("dates and times as text, UTC unless they state a time zone", fields={"time_scale": "utc"}),
}

#: A format with another origin: ``hjd-2450000``.
_COUNTED: Final = re.compile(r"(mjd|hmjd|bmjd|jd|hjd|bjd)-(\d+(?:\.\d+)?)")
#: The format in a name or a unit, such as ``BJD_TDB``, ``HJD (+2450000)``, ``days since BJD 2457000``.
_IN_NAME: Final = re.compile(
    r"(?:^|[^a-z]|obs)(hmjd|bmjd|mjd|hjd|bjd|btjd|bkjd|rjd|jd)"
    r"(?:[-_ ]*[\[(]?(?:tdb|tcb|utc?|tai|tt)(?![a-z])[\])]?)?(?![a-z])"
    r"(?:\s*[\[(]?\s*[-+]?\s*(\d{5,7}(?:\.\d+)?)(?!\d))?"
)
#: The scale in a name, such as ``BJD-UTC``, ``JDUTC``, ``time_tai``; series cannot have the last ones.
_SCALE_IN_NAME: Final = re.compile(
    r"(?:(?<![a-z])|(?<=jd))((?:utc|gmt) ?[-+]\d\d?(?![\d.])|tdb|tcb|tcg|utc?|tai|tt|gps|ut1|local)(?![a-z\d])"
)
#: The reference position in a name, such as ``JD_helio``, ``Barycentric JD``.
_PLACE_IN_NAME: Final = re.compile(r"(?<![a-z])(helio|bary|geo|topo)(?:cent|(?![a-z]))")
#: The part of the exposure in a name, such as ``JD_start``, ``TSTOP``, ``MJD-BEG``; ``DATE-OBS`` and
#: ``MJD-OBS`` are the start (FITS standard 4.0, section 9.5).
_ALIGNMENT_IN_NAME: Final = re.compile(
    r"(?<![a-z])t?(?:(start|beg(?:in)?|(?<=date[-_])obs|(?<=mjd[-_])obs)|end|stop)(?![a-z])"
)

_DATE: Final = len("2024-01-31")
#: The name of a column that may have the time of day.
_HOURS: Final = re.compile(r"(?:obs[_ ]?)?(?:ut|utc|time|hours?|clock)(?:[^a-z].*)?", re.IGNORECASE)
#: The name of a column of positions or durations, which look like times of day: 12:34:56; not of exposure_start.
_NO_CLOCK: Final = re.compile(
    r"(?!.*(?:^|[^a-z])(?:utc?|start|begin|mid|middle|end)(?:[^a-z]|$))"
    r"(?:(?:.*[^a-z])?(?:ra|dec?|decl|ha|lst|exp|exptime)(?:j2000|[^a-z].*)?|(?:right|declin|expos|dura|sider).*)",
    re.IGNORECASE,
)

#: Earliest plausible MJD of photometry [d]: the year 1804.
_EARLIEST: Final = -20_000.0

#: Typical values of other time formats that are mistaken for MJD.
_LOOKS: Final = {"jd": (2_380_000.0, 2_550_000.0), "unix": (1e8, 4e9)}


@dataclass(frozen=True)
class Times:
    """Times as MJD, with their properties.

    Parameters
    ----------
    mjd : ndarray of float64, shape (n,), or None
        [d]; None if the column is already in MJD.
    fields : mapping
        Fields of the series.
    why : str
        The reason for the conversion.
    warnings : tuple of str
    """

    mjd: npt.NDArray[np.float64] | None
    fields: Mapping[str, object]
    why: str
    warnings: tuple[str, ...] = ()


def time_format(name: str) -> TimeFormat:
    """Return a format by name, possibly with an offset.

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
            f"Unknown time format {name!r:.40}. Use one of {', '.join(TIME_FORMATS)}, or one with an offset such as "
            "jd-2450000."
        )
    return TIME_FORMATS[name]


def _format_of_name(column: str) -> str | None:
    """Return the format of times in the name of their column, or in its unit; None if there is none."""
    name = normal_name(column)
    if name in TIME:
        return "mjd"
    if name in ("unix", "iso"):
        return name
    matches = [*_IN_NAME.finditer(name)]
    match = next((one for one in matches if one[2]), matches[0] if matches else None)  # MJD (JD-2400000)
    if match is None:
        return "iso" if name in ("date", "datetime", "date-obs") else None
    counted = f"{match[1]}-{match[2]}"
    return counted if _COUNTED.fullmatch(counted) else match[1]


def times_of(frame: pd.DataFrame, column: str, table: Table, options: ReadOptions, survey: Survey | None) -> Times:
    """Convert the times of a table to MJD.

    Parameters
    ----------
    column : str
        The column of the times.
    table : Table
        The time frame that the file states.
    options : ReadOptions
        The format of the times, where it is not that of the file, or of the name or the type of the column; and the
        scale of dates.

    Raises
    ------
    InvalidError
        When the format is unknown, or the column does not have it.
    """
    time_format, times = options.time_format, _numbers(frame[column])
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        return Times(mjd_of_moments(times), {"time_scale": "utc"}, "datetimes with a time zone")
    if isinstance(times.dtype, np.dtype) and times.dtype.kind == "M":
        if not _clocks(frame) or not times.equals(times.dt.normalize()):
            return Times(mjd_of_datetimes(times), {}, "datetimes")
        times = times.dt.strftime("%Y-%m-%d")  # a workbook may have times of day in a separate column
    if time_format is None and column in table.mjd:
        return Times(None, table.mjd[column], "times of astropy")
    time_survey = survey if survey is not None and survey.time == column else None
    stated = _stated_frame(table, column)
    format_name = time_format or _format(times, column, table, stated, time_survey)
    if format_name == "iso":
        texts, doubts = _with_clock(frame, times, column)
        fields = {
            **TIME_FORMATS[format_name].fields,
            **({} if time_survey is None else time_survey.times),
            **stated.fields,
        }
        mjd = mjd_of_texts(texts, column, options.time_scale or fields["time_scale"])
        converted = Times(stated.converted(mjd), fields, "ISO dates", (*stated.warnings, *doubts))
    else:
        converted = _times_of_numbers(frame[column], times, format_name, table.units.get(column), stated, time_survey)
    if stated.has_known_scale:
        return converted
    known_fields = {name: value for name, value in converted.fields.items() if name != "time_scale"}
    return replace(converted, fields=known_fields)


def _stated_frame(table: Table, column: str) -> TimeFrame:
    """Return the time frame in the header or in the name of the time column."""
    stated = table.frames.get(column) or TimeFrame()
    name = normal_name(column)
    named, part = _SCALE_IN_NAME.search(name), _ALIGNMENT_IN_NAME.search(name)
    alignment = stated.alignment or (("start" if part[1] else "end") if part else None)
    place = _PLACE_IN_NAME.search(name)
    stated = replace(stated, alignment=alignment, refpos=stated.refpos or (f"{place[1]}center" if place else None))
    if stated.scale is not None or stated.warnings:
        return stated
    text = named[1] if named else table.header.get("TIMESYS")
    scale, warnings = as_scale("local time" if text == "local" else text)  # LOCAL of VOTable is an unknown scale
    return replace(stated, scale=scale, warnings=warnings)


def _times_of_numbers(
    column: pd.Series,
    times: pd.Series,
    format_name: str | None,
    unit: object,
    stated: TimeFrame,
    time_survey: Survey | None,
) -> Times:
    """Convert numbers to MJD, by their format or by the header."""
    if format_name is None and stated.origin is None:
        formats = ", ".join(TIME_FORMATS)
        raise invalid(
            f"The format of the times in {column.name!r} is unknown. State it (time_format): {formats}, or one with an "
            "offset such as jd-2450000."
        )
    if not is_numeric(times):
        row, cell = _first_text(times)
        raise invalid(
            f"The column {column.name!r} contains {cell!r:.40} in row {row}, but times as {format_name} are numbers."
        )
    about = {} if time_survey is None else time_survey.times
    if format_name is not None:
        mjd, fields, why = _in_format(column, times, format_name, stated)
        return _warn_if_rounded(times, mjd, {**fields, **about, **stated.fields}, why, stated)
    named = _unit(unit) or ("d" if time_survey is not None and time_survey.time_format else None)
    counted = stated.mjd(times.to_numpy(np.float64), named)
    finite = counted[np.isfinite(counted)]
    if named is None and finite.size and 0 <= np.median(finite) < NEAR_ZERO:
        raise invalid(
            f"The times in {column.name!r} have no unit, and as {stated.unit} since MJD {sum(stated.origin or ()):g} "
            "cannot be right: state their format (time_format), such as mjd."
        )
    return _warn_if_rounded(times, counted, {**about, **stated.fields}, "the header states their origin", stated)


def _in_format(
    column: pd.Series, times: pd.Series, format_name: str, stated: TimeFrame
) -> tuple[npt.NDArray[np.float64] | None, Mapping[str, str], str]:
    """Convert numbers in a format to MJD; None if the column is already in MJD."""
    how = time_format(format_name)
    values = times.to_numpy(np.float64)
    why = f"{format_name} ({how.sentence})"
    if format_name == "mjd":
        is_same = not stated.is_converted and not is_text(column)
        return None if is_same else stated.converted(values), how.fields, why
    mjd = TimeFrame(scale=how.time_scale or stated.scale).converted(values * how.scale + how.offset)
    return mjd, how.fields, why


def _first_text(times: pd.Series) -> tuple[int, object]:
    """Return the first cell that is not a number, and its row number."""
    is_odd = pd.to_numeric(times, errors="coerce").isna() if is_text(times) else times.isna()
    row = int(is_odd.to_numpy().argmax())
    return row + 1, times.iloc[row]


def _numbers(times: pd.Series) -> pd.Series:
    """Convert numeric texts to numbers."""
    if not is_text(times):
        return times
    try:
        return times.astype(np.float64)
    except (ValueError, TypeError):
        return times


def _format(times: pd.Series, column: str, table: Table, stated: TimeFrame, time_survey: Survey | None) -> str | None:
    """Infer the format of times; None to use the time frame of the file."""
    if is_iso(times):
        return "iso"
    # AAVSO states the format of the column DATE in a line #DATE=HJD or #DATE_TYPE=BJD_TDB
    key = table.header.get(column) or table.header.get(f"{column}_TYPE")
    is_certain = column == table.time or time_survey is not None
    named = [None if is_certain else _format_of_name(column)]
    if stated.origin is None:
        texts = (key, table.units.get(column), None if time_survey is None else time_survey.time_format, column)
        named += [_format_in_text(str(text)) for text in texts if text]
    # A numeric date can have any format.
    return next((name for name in named if name is not None and (name != "iso" or not is_numeric(times))), None)


def _format_in_text(text: str) -> str | None:
    return text if text in TIME_FORMATS or _COUNTED.fullmatch(text) else _format_of_name(text)


def _unit(unit: object) -> str | None:
    """Return a unit of time; a text such as ``BJD - 2457000, days`` is in days."""
    text = None if unit is None else str(unit)
    return "d" if text and _format_of_name(text) else text


def _warn_if_rounded(
    times: pd.Series, mjd: npt.NDArray[np.float64] | None, fields: Mapping[str, object], why: str, stated: TimeFrame
) -> Times:
    """Add a warning if the times have only the precision of float32."""
    if times.dtype != np.float32 and times.dtype != np.float16:
        return Times(mjd, fields, why, stated.warnings)
    step = float(np.spacing(np.nanmax(np.abs(times.to_numpy())))) if times.notna().any() else 0.0
    return Times(
        np.asarray(times if mjd is None else mjd, np.float64),
        fields,
        why,
        (*stated.warnings, f"The times are {times.dtype}: their precision is only {step:.2g} of their unit."),
    )


def _clocks(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name, cells in frame.items() if not _NO_CLOCK.fullmatch(str(name)) and is_clock(cells)]


def _with_clock(frame: pd.DataFrame, dates: pd.Series, column: str) -> tuple[pd.Series, tuple[str, ...]]:
    """Add the time of day from a separate column to dates; warn if there is none."""
    if not is_iso(dates) or dates.dropna().str.strip().str.len().max() > _DATE:
        return dates, ()
    clocks = _clocks(frame)
    if len(clocks) == 1:
        hours = frame[clocks[0]].str.strip().str.replace(r"^(\d):", r"0\1:", regex=True)
        return dates.str.strip() + "T" + hours, ()
    like = (str(name) for name in frame.columns if name != column and _HOURS.fullmatch(str(name)))
    other = next(iter([*clocks, *like]), None)
    if other is not None:
        raise invalid(
            f"The dates in {column!r:.60} have no time of day, and {other!r:.60} is not read as one: put both into one "
            "column, such as 2024-01-31T22:30:00."
        )
    return dates, (f"The dates in {column} have no time of day: 0 h is assumed.",)


def without_odd(times: Times, column: pd.Series) -> Times:
    """Treat implausible times as missing if they are 0 or negative in the file and others are plausible.

    Parameters
    ----------
    column : Series
        The column as in the file.

    Raises
    ------
    InvalidError
        When another time is implausible: rows may have two formats.
    """
    mjd = np.asarray(column if times.mjd is None else times.mjd, np.float64)
    finite = mjd[np.isfinite(mjd)]
    if not finite.size or not EARLIEST < np.median(finite) < LATEST:
        return times
    odd = np.isfinite(mjd) & ((mjd < EARLIEST) | (mjd > LATEST))
    if not odd.any():
        return times
    cells = _numbers(column)[odd]
    if times.mjd is None and (cells > 0).any():
        return times  # the service warns about them
    if not is_numeric(cells) or (cells > 0).any():
        row = int(np.flatnonzero(odd)[0])
        raise invalid(
            f"The time of row {row + 1}, {column.iloc[row]!s:.40}, is far from all others: correct or remove it."
        )
    warning = (
        f"{int(odd.sum())} of the times mean 'no time', and became null: {', '.join(map(str, cells.unique()[:5]))}."
    )
    return replace(times, mjd=np.where(odd, np.nan, mjd), warnings=(*times.warnings, warning))


def require_mjd(mjd: npt.NDArray[np.generic], time_format: str | None) -> None:
    """Refuse times that cannot be MJD; the median suffices to distinguish the formats.

    Parameters
    ----------
    mjd : ndarray, shape (n,)
    time_format : str or None
        The format given by the caller.

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
    guess = next((name for name, (low, high) in _LOOKS.items() if low <= middle <= high), None)
    if guess is not None and guess != time_format:
        looks_like = f"They look like {guess} (time_format={guess})."
    elif NEAR_ZERO < (count := middle + MJD_ZERO) < LATEST:
        examples = "jd-2400000, hjd-2400000 or mjd" if count > YEAR_1900 else "jd-2450000, hjd-2450000, btjd or bkjd"
        looks_like = (
            f"The values, around {count:.6g}, count from a later day: state it (time_format), such as {examples}."
        )
    raise invalid(f"The times, around {middle:.6g} as MJD, cannot be right. {looks_like or ''}".rstrip())
