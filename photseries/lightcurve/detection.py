"""Signal-to-noise ratio: the one definition for statistics, derived columns, pages and plots."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from photseries.lightcurve.curve import LightCurve
from photseries.lightcurve.medians import median
from photseries.lightcurve.photometry import POGSON, FloatArray

__all__ = ["NORMAL", "noise_of_steps", "signal_to_noise"]

#: Standard deviation of normal noise per median absolute deviation.
NORMAL = 1.4826


def signal_to_noise(curve: LightCurve) -> FloatArray:
    """Compute the S/N of each row.

    Parameters
    ----------
    curve : LightCurve
        Rows in any order.

    Returns
    -------
    ndarray of float64, shape (n,)
        In the order of the rows: flux / fluxerr; where a row has no error, flux / :func:`noise_of_steps` of all fluxes
        sorted by time. For magnitudes that are not AB, which have no flux, 1.0857 / magerr, or 1.0857 /
        :func:`noise_of_steps` of the magnitudes. NaN where the brightness is absent or there is no noise to divide by.

    Notes
    -----
    The scatter of the whole series is not noise: for a variable star it is the signal. AB magnitudes without errors use
    the noise of their fluxes, which is symmetric around zero without a source. 1.0857 = 2.5 / ln 10
    makes the error of a magnitude that of a relative flux, to first order.
    """
    if np.isnan(curve.flux).all():
        signal, error, values = np.where(np.isnan(curve.mag), np.nan, POGSON), curve.magerr, "mag"
    else:
        signal, error, values = curve.flux, curve.fluxerr, "flux"
    if np.isnan(error).any():
        noise = noise_of_steps(getattr(curve.by_time(), values))
        error = np.where(np.isnan(error), noise, error)
    with np.errstate(all="ignore"):
        ratio = signal / error
    return np.where(np.isfinite(ratio), ratio, np.nan)


def noise_of_steps(values: npt.ArrayLike) -> float:
    """Estimate the noise of a time series from the differences of successive values.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        Sorted by time, in any unit; values that are not finite are left out.

    Returns
    -------
    float
        In the unit of the values; NaN with fewer than 3 finite values, or where the noise is zero or overflows.

    Notes
    -----
    1.4826 * median(abs(difference)) / sqrt(2), the standard deviation of normal noise. Variation that is slow compared
    with the cadence does not inflate it (von Neumann 1941, Ann. Math. Stat. 12, 367), nor do a few outlying values.
    """
    every: FloatArray = np.asarray(values, dtype=np.float64)
    finite = every[np.isfinite(every)]
    if finite.size < 3:
        return math.nan
    with np.errstate(all="ignore"):
        noise = NORMAL * float(median(np.abs(finite[1:] - finite[:-1]))) / math.sqrt(2)
    return noise if 0 < noise < math.inf else math.nan
