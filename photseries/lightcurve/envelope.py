"""A light curve for a plot: all points or, for many points, the minimum, median and maximum of each pixel column.

A picture has about a thousand pixel columns. With only the extremes, a noisy sinusoid would look like two lines.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal, get_args

import numpy as np
import numpy.typing as npt

from photseries.lightcurve.curve import LightCurve
from photseries.lightcurve.photometry import NULLABLE, FloatArray, IntArray, flux_to_mag, scaled
from photseries.lightcurve.samples import Unit

__all__ = [
    "DETECTED",
    "FLAGGED",
    "POINT_KINDS",
    "UNDETECTED",
    "UNKNOWN",
    "Envelope",
    "PixelColumns",
    "Points",
    "envelope",
    "plot_values",
]

#: The kinds of points; a kind's number is its index.
PointKind = Literal["detected", "undetected", "unknown", "flagged"]
POINT_KINDS: Final[tuple[PointKind, ...]] = get_args(PointKind)
DETECTED, UNDETECTED, UNKNOWN, FLAGGED = range(4)

#: Robust estimates use at most this many evenly spaced values; more would change nothing visible.
_SAMPLE = 50_000
_OF_COLUMN = 255
_FEW = 10
_OUTSIDE = 0.01
_MARGIN = 0.3

Single = npt.NDArray[np.float32]

_PLACE = f"Index in the list {', '.join(POINT_KINDS)}."


@dataclass(frozen=True, eq=False)
class Points:
    """All points, shape (n,), sorted by time."""

    mjd: FloatArray
    value: Single
    error: Annotated[Single, NULLABLE]
    kind: Annotated[IntArray, _PLACE]


@dataclass(frozen=True, eq=False)
class PixelColumns:
    """The points of one kind in equal columns of time, shape (m,); columns without a point are left out."""

    kind: Annotated[int, _PLACE]
    column: Annotated[IntArray, "Numbers of the time intervals, from 0."]
    low: Single
    median: Single
    high: Single
    count: IntArray


@dataclass(frozen=True, eq=False)
class Envelope:
    """A light curve between two times for a plot; median and robust range are of at most 50,000 points."""

    num_points: Annotated[int, "Number of points that have a brightness."]
    counts: dict[PointKind, int]
    start: Annotated[float, "Start of the first time interval [MJD]."]
    step: Annotated[float, "Width of a time interval [d]."]
    median: Annotated[float | None, "Median of the unflagged values."]
    error: Annotated[float | None, "The typical error: the median of the known errors."]
    robust: Annotated[tuple[float, float] | None, "The range of unflagged values, without a few outliers."]
    full: Annotated[tuple[float, float] | None, "The range of all values."]
    points: Annotated[Points | None, "All points, if they are few."]
    columns: Annotated[list[PixelColumns], "Intervals by kind, if there are many points."]


def plot_values(
    curve: LightCurve, snr: FloatArray, flagged: npt.NDArray[np.bool_], unit: Unit, threshold: float
) -> tuple[FloatArray, FloatArray, IntArray]:
    """Return the value, the error and the kind of each row of a light curve, shape (n,).

    Parameters
    ----------
    curve : LightCurve
    snr : ndarray of float64, shape (n,)
        S/N of each row.
    flagged : ndarray of bool, shape (n,)
    unit : {"flux", "mag"}
    threshold : float
        A row is detected when its S/N is above this.

    Notes
    -----
    In magnitudes a row that is not detected has, where its flux error is known, the magnitude of the flux of the
    threshold: its upper limit, without an error.
    """
    value, error = (curve.flux, curve.fluxerr) if unit == "flux" else (curve.mag, curve.magerr)
    kind = np.where(snr > threshold, DETECTED, np.where(np.isnan(snr), UNKNOWN, UNDETECTED))
    kind[flagged] = FLAGGED
    if unit == "mag":
        limited = np.flatnonzero((kind == UNDETECTED) & np.isfinite(curve.fluxerr))
        if limited.size:
            value, error = value.copy(), error.copy()
            value[limited] = flux_to_mag(scaled(curve.fluxerr[limited], threshold))
            error[limited] = np.nan
    return value, error, kind.astype(np.int64)


def envelope(  # noqa: PLR0913  the points, and how they are shown
    mjd: FloatArray,
    value: FloatArray,
    error: FloatArray,
    kind: IntArray,
    *,
    width: int,
    max_points: int,
    mjd_min: float | None = None,
    mjd_max: float | None = None,
) -> Envelope:
    """Prepare a light curve for a plot.

    Parameters
    ----------
    mjd, value, error : ndarray of float64, shape (n,)
        Sorted by time; rows without a value are left out.
    kind : ndarray of int64, shape (n,)
        Indices in :data:`POINT_KINDS`.
    width : int
        The number of columns.
    max_points : int
        Maximum number of points returned without reduction.
    mjd_min, mjd_max : float, optional
        The times at the edges [d]; default: those of the first and the last point.
    """
    if not np.isfinite(value.sum()) and not (is_finite := np.isfinite(value)).all():  # a sum is the fastest test
        mjd, value, error, kind = mjd[is_finite], value[is_finite], error[is_finite], kind[is_finite]
    start = float(mjd[0]) if mjd_min is None and mjd.size else mjd_min or 0.0
    stop = float(mjd[-1]) if mjd_max is None and mjd.size else start if mjd_max is None else mjd_max
    step = max(stop - start, 1e-9) / width
    counts = {name: int(np.count_nonzero(kind == number)) for number, name in enumerate(POINT_KINDS)}
    points, columns = None, []
    if len(mjd) <= max_points:
        points = Points(mjd, value.astype(np.float32), error.astype(np.float32), kind)
    else:
        edges = start + step * np.arange(1, width)
        for number, count in enumerate(counts.values()):
            if count:
                rows = slice(None) if count == len(mjd) else np.flatnonzero(kind == number)
                columns.append(_columns(number, np.searchsorted(mjd[rows], edges), value[rows]))
    unflagged = _sampled(value[kind != FLAGGED] if counts["flagged"] else value)
    errors = _sampled(error)
    errors = errors[np.isfinite(errors)]
    return Envelope(
        num_points=len(mjd),
        counts=counts,
        start=start,
        step=step,
        median=float(np.median(unflagged)) if unflagged.size else None,
        error=float(np.median(errors)) if errors.size else None,
        robust=_robust(unflagged),
        full=(float(value.min()), float(value.max())) if value.size else None,
        points=points,
        columns=columns,
    )


def _columns(kind: int, inner: IntArray, value: FloatArray) -> PixelColumns:
    """Return pixel columns of points, split at the given rows."""
    bounds = np.concatenate([[0], inner, [len(value)]])
    count = np.diff(bounds)
    column = np.flatnonzero(count)
    first, ends = bounds[:-1][column], bounds[1:][column]
    median = [_median(value[begin:end]) for begin, end in zip(first.tolist(), ends.tolist(), strict=True)]
    return PixelColumns(
        kind=kind,
        column=column,
        low=np.minimum.reduceat(value, first).astype(np.float32),
        median=np.array(median, np.float32),
        high=np.maximum.reduceat(value, first).astype(np.float32),
        count=count[column],
    )


def _median(values: FloatArray) -> float:
    """Return the median of at most 255 evenly spaced finite values, which is exact enough for a picture."""
    chosen = np.sort(values[:: -(-len(values) // _OF_COLUMN)])
    return float(chosen[(len(chosen) - 1) // 2] + chosen[len(chosen) // 2]) / 2


def _sampled(values: FloatArray) -> FloatArray:
    return values[:: -(-len(values) // _SAMPLE) or 1]


def _robust(values: FloatArray) -> tuple[float, float] | None:
    """Return the range of the central 98 percent with a margin, within the data, so that outliers do not stretch it."""
    if not values.size:
        return None
    low_end, high_end = float(values.min()), float(values.max())
    if len(values) < _FEW:
        return low_end, high_end
    rank = max(2, int(_OUTSIDE * len(values)))
    parted = np.partition(values, [rank, len(values) - 1 - rank])
    low, high = float(parted[rank]), float(parted[-1 - rank])
    margin = _MARGIN * (high - low)
    return max(low_end, low - margin), min(high_end, high + margin)
