"""A light curve folded on a period, and its means in phase bins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from photseries.lightcurve.photometry import NULLABLE, FloatArray, IntArray
from photseries.lightcurve.samples import Samples

__all__ = ["Bins", "binned", "phases"]


@dataclass(frozen=True, eq=False, slots=True)
class Bins:
    """Means in equal parts of a period, shape (bins,): central phase, mean, error, number of points.

    Empty bins have NaN; so has the error of a single point without one.
    """

    phase: FloatArray
    mean: Annotated[FloatArray, NULLABLE]
    error: Annotated[FloatArray, NULLABLE]
    count: IntArray


def phases(mjd: FloatArray, period: float, epoch: float) -> FloatArray:
    """Return the phase of times, in [0, 1).

    Parameters
    ----------
    mjd : ndarray of float64, shape (n,)
        [d]
    period : float
        [d], above 0.
    epoch : float
        A time at which the phase is 0 [d].

    Returns
    -------
    ndarray of float64, shape (n,)
        ((mjd - epoch) / period) mod 1, from 0 to below 1.
    """
    phase = (mjd - epoch) / period % 1.0
    return np.where(phase < 1, phase, 0.0)  # values just below 0 are rounded to 1


def binned(points: Samples, phase: FloatArray, bins: int) -> Bins:
    """Average the points in phase bins of equal width.

    Parameters
    ----------
    points : Samples
        Weighted by inverse variance, if they have errors.
    phase : ndarray of float64, shape (n,)
        From :func:`phases`.
    bins : int

    Returns
    -------
    Bins

    Notes
    -----
    The error of the weighted mean m of n points follows from their scatter, sqrt(sum w (y - m)^2 / ((n - 1) sum w)): it
    is also right when the given errors are too small. A single point has its own error.
    """
    index = np.minimum((phase * bins).astype(np.int64), bins - 1)
    error = np.full(len(phase), np.nan) if points.error is None else points.error
    weight = points.weights

    def added(values: FloatArray) -> FloatArray:
        return np.bincount(index, values, minlength=bins).astype(np.float64)

    count = np.bincount(index, minlength=bins)
    with np.errstate(all="ignore"):
        middle = np.median(points.value)  # subtracted first, to reduce rounding errors
        mean = added(weight * (points.value - middle)) / added(weight) + middle
        scatter = np.sqrt(added(weight * (points.value - mean[index]) ** 2) / ((count - 1) * added(weight)))
    return Bins((np.arange(bins) + 0.5) / bins, mean, np.where(count == 1, added(error), scatter), count)
