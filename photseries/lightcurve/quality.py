"""Signs that a valid table is not what its uploader meant: some refuse it, the others are warnings.

Rows in the messages count from 1, in the order in which they were sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.lightcurve.metadata import INFERRED, MAGNITUDES
from photseries.lightcurve.photometry import FloatArray
from photseries.lightcurve.sky import separation, unit_vector
from photseries.lightcurve.table import (
    BRIGHTNESS,
    FLUX,
    SENTINEL_MAG,
    TIME,
    error_column,
    first_present,
    is_numeric,
    required_column,
)

__all__ = ["distance_warnings", "filter_problem", "quality_warnings", "time_problem"]

#: The median time decides [d]: below NEAR_ZERO it is accepted with a warning, as sample data begin at 0 or 1; from there
#: to EARLIEST and after LATEST (2150) it is refused; before 1900 there are photographic plates alone.
NEAR_ZERO, EARLIEST, YEAR_1900, LATEST = 100.0, 7_700.0, 15_020.0, 106_400.0
#: What medians above LATEST look like: the least value, the greatest, and the sentence.
LOOKS_LIKE: Final = (
    (2.3e6, 2.6e6, "They look like Julian dates: MJD = JD - 2400000.5."),
    (1e10, np.inf, "They look like milliseconds or shorter units of time."),
)
SHORT_COUNTS: Final = (
    "They look like BTJD of TESS (MJD = BTJD + 56999.5), BKJD of Kepler (MJD = BKJD + 54832.5) or JD - 2450000 "
    "(MJD = value + 49999.5)."
)
SECONDS: Final = "They look like seconds: MJD = seconds / 86400 + MJD of second 0 (40587 for Unix time)."

#: Where magnitudes lie; fluxes that all lie there, close together, are rare.
USUAL_MAGNITUDES: Final = (5.0, 30.0)
FAR: Final = 60.0  # [arcsec]
#: Positions and exposure times of the columns that agree with the given ones.
POSITION_SPREADS, POSITION_ARCSEC, EXPOSURE = 3.0, 1.0, 0.01
SECOND: Final = 1 / 86_400  # [d]
_NAMED: Final = 5


def time_problem(frame: pd.DataFrame) -> tuple[str, str] | None:
    """Return the column of times and why they cannot be MJD, or None.

    Parameters
    ----------
    frame : DataFrame
        A table that :func:`~photseries.lightcurve.table.validate` accepts.
    """
    name = required_column(frame, TIME)
    with np.errstate(all="ignore"):
        middle = _median(_finite(frame[name]))
    if middle is None or middle < NEAR_ZERO or EARLIEST < middle <= LATEST:
        return None
    likely = SHORT_COUNTS
    if middle > LATEST:
        likely = next((text for low, high, text in LOOKS_LIKE if low <= middle < high), SECONDS)
    return name, f"The times in the column {name!r} are not MJD: their median is {middle:,.10g}. {likely}"


def filter_problem(frame: pd.DataFrame) -> tuple[str, str] | None:
    """Return the column of filters and which it has, when there are several; nulls do not count."""
    name = first_present(frame, INFERRED["filter"])
    if name is None or len(counts := frame[name].value_counts()) < 2:
        return None
    named = [f"{str(value)[:30]!r} ({count:,} rows)" for value, count in counts.head(_NAMED).items()]
    if len(counts) > _NAMED:
        named.append(f"and {len(counts) - _NAMED:,} more")
    return name, (
        f"The column for filter must contain the same filter for all rows; {name!r} has {', '.join(named)}. "
        "Upload one series per filter."
    )


def quality_warnings(frame: pd.DataFrame, inferred: Mapping[str, Any], given: Mapping[str, Any]) -> list[str]:
    """Return warnings about a table that may not be what its uploader meant.

    Parameters
    ----------
    frame : DataFrame
        A table that :func:`~photseries.lightcurve.table.validate` accepts.
    inferred : mapping
        Its metadata from :func:`~photseries.lightcurve.metadata.infer`.
    given : mapping
        The valid metadata that take precedence over the inferred ones.

    Returns
    -------
    list of str
        One or two sentences each.
    """
    with np.errstate(all="ignore"):
        return [*_of_times(frame), *_of_brightness(frame), *_of_contradictions(frame, inferred, given)]


def distance_warnings(ra: float, dec: float, source: tuple[float, float] | None) -> list[str]:
    """Return a warning when a series is far from its source.

    Parameters
    ----------
    ra, dec : float
        The position of the series [deg].
    source : pair of float, optional
        The position of its source [deg].
    """
    if source is None:
        return []
    distance = float(separation(np.linalg.norm(unit_vector(*source) - unit_vector(ra, dec))))
    return [f"The position is {distance:,.0f} arcsec from that of the source."] if distance > FAR else []


def _of_times(frame: pd.DataFrame) -> Iterator[str]:
    name = required_column(frame, TIME)
    column = frame[name]
    times = _finite(column)
    if len(times) < len(column):
        yield f"{len(column) - len(times):,} of {len(column):,} rows have no time."
    if not len(times):
        return
    steps = np.diff(times)
    if (steps < 0).any():
        yield "The rows are not in the order of time; statistics are computed as if they were."
        times = np.sort(times)
        steps = np.diff(times)
    repeated = int(np.count_nonzero(steps == 0))
    if repeated:
        yield f"{repeated:,} rows repeat the time of another."
    middle = _median(times)
    if middle is not None:
        yield from _of_epoch(column, times, middle)
        yield from _of_precision(column, steps, middle)


def _of_epoch(column: pd.Series[Any], times: FloatArray, middle: float) -> Iterator[str]:
    low, high = (-np.inf, NEAR_ZERO) if middle < NEAR_ZERO else (EARLIEST, LATEST)
    if middle < NEAR_ZERO:
        yield (
            f"The median of the times is MJD {middle:,.6g}, around the year {1858.9 + middle / 365.25:.0f}: check that "
            "they are MJD, which is JD - 2400000.5."
        )
    elif middle < YEAR_1900:
        yield (
            f"The median of the times is MJD {middle:,.6g}, before 1900: right for photographic plates; where the times "
            "are JD - 2450000, MJD = value + 49999.5."
        )
    if times[0] < low or times[-1] > high:
        values = column.to_numpy()
        outside = np.flatnonzero(np.isfinite(values) & ((values < low) | (values > high)))
        limits = f"above MJD {high:,.0f}" if low == -np.inf else f"outside MJD {low:,.0f} to {high:,.0f}"
        first = f"{values[outside[0]]:,.10g} in row {outside[0] + 1:,}"
        yield f"{len(outside):,} of {len(values):,} times are {limits}, the first is {first}."


def _of_precision(column: pd.Series[Any], steps: FloatArray, middle: float) -> Iterator[str]:
    dtype = column.to_numpy().dtype
    if dtype.kind != "f" or dtype.itemsize >= np.dtype(np.float64).itemsize:
        return
    resolution = float(np.spacing(dtype.type(abs(middle))))
    apart = steps[steps > 0]
    if resolution > SECOND or (apart.size and resolution > np.median(apart) / 10):
        yield (
            f"The times are {dtype.newbyteorder('=')}, which has steps of {resolution / SECOND:,.3g} s at MJD "
            f"{middle:,.0f}; send float64."
        )


def _of_brightness(frame: pd.DataFrame) -> Iterator[str]:
    brightness = required_column(frame, BRIGHTNESS)
    values = frame[brightness].to_numpy()
    finite = values[np.isfinite(values)]
    if len(finite) < len(values):
        yield f"{len(values) - len(finite):,} of {len(values):,} rows have no brightness."
    yield from _of_sentinels(frame)
    yield from _of_errors(frame, brightness)
    if brightness in FLUX and _are_like_magnitudes(finite):
        yield f"The column {brightness!r} is read as flux in uJy, but its values look like magnitudes."


def _of_errors(frame: pd.DataFrame, brightness: str) -> Iterator[str]:
    name = error_column(frame, brightness)
    usable = False
    if name is not None:
        errors = frame[name].to_numpy()
        useless = int(np.count_nonzero(errors <= 0))
        usable = bool(((errors > 0) & (errors < np.inf)).any())
        if useless:
            yield f"{useless:,} of {len(errors):,} errors in the column {name!r} are zero or negative and count as absent."
    if not usable:
        yield "There are no errors; the noise is estimated from the differences of successive fluxes."


def _are_like_magnitudes(flux: npt.NDArray[Any]) -> bool:
    least, greatest = USUAL_MAGNITUDES
    usual = np.count_nonzero((flux > least) & (flux < greatest))
    if flux.size < 2 or usual < 0.97 * flux.size:  # which is faster than the quantiles
        return False
    low, high = np.quantile(flux, (0.01, 0.99))
    return bool(least < low and high < greatest and high - low < least / 5)


def _of_sentinels(frame: pd.DataFrame) -> Iterator[str]:
    for name in frame.columns:
        if name in MAGNITUDES and is_numeric(frame[name]):
            values = frame[name].to_numpy().astype(np.float64)
            count = int((np.isfinite(values) & (np.abs(values) >= SENTINEL_MAG)).sum())
            if count:
                yield (
                    f"{count:,} of {len(values):,} values in the column {name!r} are {SENTINEL_MAG:g} mag or more, or "
                    f"-{SENTINEL_MAG:g} or less; they are stored and count as absent."
                )


def _of_contradictions(frame: pd.DataFrame, inferred: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[str]:
    """Compare the columns with what was given for all rows."""
    for field in ("filter", "ra", "dec", "exp_time"):
        own, stated = inferred.get(field), given.get(field)
        if own is None or stated is None or own == stated:
            continue
        name = required_column(frame, INFERRED[field])
        if field == "filter":
            yield f"The column {name!r} is {own!r}, but filter={stated!r} was given, which is used."
        elif field == "exp_time":
            if abs(own - stated) > EXPOSURE * stated:
                yield f"The column {name!r} has the median {own:g} s, but exp_time={stated:g} was given, which is used."
        else:
            scale = float(np.cos(np.radians(given.get("dec", inferred.get("dec", 0.0))))) if field == "ra" else 1.0
            apart, spread = _apart(frame[name], own, stated, scale)
            if apart > max(POSITION_SPREADS * spread, POSITION_ARCSEC):
                yield (
                    f"The column {name!r} has the median {own:.6f} deg, {apart:,.1f} arcsec from {field}={stated:.6f}, "
                    "which was given and is used."
                )


def _apart(column: pd.Series[Any], median: float, stated: float, scale: float) -> tuple[float, float]:
    """Return how far a coordinate is from a value, and the standard deviation of its column, both in [arcsec]."""
    around = _turned(_finite(column) - median)
    return abs(_turned(median - stated)) * scale * 3600, float(np.std(around)) * scale * 3600


def _turned(degrees: Any) -> Any:
    return (degrees + 180) % 360 - 180


def _finite(column: pd.Series[Any]) -> FloatArray:
    values = column.to_numpy()
    finite = np.isfinite(values)
    return (values if finite.all() else values[finite]).astype(np.float64, copy=False)


def _median(values: FloatArray) -> float | None:
    return float(np.median(values)) if values.size else None
