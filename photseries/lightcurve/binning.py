"""Bin means of a light curve, its running median, and its outliers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from photseries.errors import InvalidError
from photseries.lightcurve.detection import NORMAL
from photseries.lightcurve.photometry import FloatArray
from photseries.lightcurve.samples import Samples
from photseries.lightcurve.selection import Bin

__all__ = ["OF_BINS", "BinnedSamples", "binned_in_time", "cleaned", "far_from_median", "running_median"]

#: The columns of binned tables in addition to those of a light curve.
OF_BINS: Final = ("fluxerr_scatter", "magerr_scatter", "count")

#: The longest window of a running median, limited by 64-bit nanoseconds [d].
_MAX_SPAN: Final = 100_000.0


@dataclass(frozen=True, eq=False)
class BinnedSamples:
    """Means in bins, shape (n,), in order of time.

    Attributes
    ----------
    samples : Samples
        Mean time, mean weighted by the errors, and its error, which is None without errors.
    scatter : ndarray of float64
        The error of the mean from the scatter in the bin: the standard deviation (ddof 1) over the square
        root of the count; NaN for one point.
    count : ndarray of int64
        The points in each bin.
    """

    samples: Samples
    scatter: FloatArray
    count: np.ndarray[tuple[int], np.dtype[np.int64]]

    def frame(self) -> pd.DataFrame:
        """Return a table with mjd, brightness, its two errors and the count."""
        points = self.samples
        name, error = points.unit, f"{points.unit}err"
        errors = np.full(len(points.mjd), np.nan) if points.error is None else points.error
        columns = {"mjd": points.mjd, name: points.value, error: errors, f"{error}_scatter": self.scatter}
        return pd.DataFrame({**columns, "count": self.count})


def binned_in_time(points: Samples, width: Bin, first: float, longitude: float = 0.0) -> BinnedSamples:
    """Average points in time bins; leave out empty bins.

    Parameters
    ----------
    points : Samples
    width : float or "night"
        The width [d]; bins begin at whole widths after the beginning of the day of ``first``. A night ends at local
        noon.
    first : float
        The first time of the series [d].
    longitude : float
        Of the observatory, to the east [deg].
    """
    mjd, value = points.mjd, points.value
    bin_number = (
        np.floor(mjd + longitude / 360 - 0.5) if width == "night" else np.floor((mjd - np.floor(first)) / width)
    )
    _, which, count = np.unique(bin_number, return_inverse=True, return_counts=True)
    pivot = float(np.median(value))  # subtracted first, to reduce rounding errors

    def added(values: FloatArray) -> FloatArray:
        return np.bincount(which, values, minlength=len(count)).astype(np.float64)

    with np.errstate(all="ignore"):
        mean = added(value - pivot) / count
        scatter = np.sqrt(added((value - pivot - mean[which]) ** 2) / (count - 1) / count)
        error = None
        if points.error is not None:
            min_error = points.error.min()
            weight = (min_error / points.error) ** 2
            mean, error = added(weight * (value - pivot)) / added(weight), min_error / np.sqrt(added(weight))
    times = mjd[0] + added(mjd - mjd[0]) / count
    return BinnedSamples(replace(points, mjd=times, value=pivot + mean, error=error, snr=None), scatter, count)


def running_median(mjd: FloatArray, value: FloatArray, width: float) -> FloatArray:
    """Compute the running median of the values.

    Parameters
    ----------
    mjd, value : ndarray of float64, shape (n,)
        Times [d] and brightnesses, in any order.
    width : float
        Width of the window around each time [d].

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN where the time or the value is not finite.

    Raises
    ------
    InvalidError
        When the times span more than 100,000 d.
    """
    median = np.full(mjd.shape, np.nan)
    rows = np.flatnonzero(np.isfinite(mjd) & np.isfinite(value))
    if not rows.size:
        return median
    rows = rows[np.argsort(mjd[rows], kind="stable")]
    since = mjd[rows] - mjd[rows[0]]
    if since[-1] > _MAX_SPAN:
        raise InvalidError.of_field(
            "detrend", f"The times span more than {_MAX_SPAN:,.0f} d: request a part (mjdMin, mjdMax)."
        )
    index = pd.to_timedelta(np.round(since * 86_400e9).astype(np.int64), unit="ns")
    window = pd.Series(value[rows], index=index).rolling(pd.Timedelta(width, "D"), center=True, closed="both")
    median[rows] = window.median().to_numpy()
    return median


def cleaned(points: Samples, detrend: float | None = None, clip: float | None = None) -> Samples:
    """Subtract the trend from points, then remove outliers.

    Parameters
    ----------
    points : Samples
    detrend : float, optional
        The window of the running median to subtract; the median of the running median stays [d].
    clip : float, optional
        See :func:`far_from_median`.
    """
    if detrend is not None:
        trend = running_median(points.mjd, points.value, detrend)
        points = replace(points, value=points.value - trend + np.median(trend))
    if clip is None:
        return points
    selected = ~far_from_median(points.value, clip)
    error, snr = (None if values is None else values[selected] for values in (points.error, points.snr))
    return replace(points, mjd=points.mjd[selected], value=points.value[selected], error=error, snr=snr)


def far_from_median(value: FloatArray, limit: float) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return which values are farther from the median than ``limit`` times 1.4826 median absolute deviations."""
    finite = value[np.isfinite(value)]
    if not finite.size:
        return np.zeros(len(value), bool)
    median = np.median(finite)
    return np.asarray(np.abs(value - median) > limit * NORMAL * np.median(np.abs(finite - median)))
