"""Features: statistics that distinguish variable from constant sources, and kinds of variables.

Features are computed from the rows that have a time and a brightness, in time order. An undefined feature (too few
rows, no errors, equal values) is None, never NaN or an infinity, and never raises an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from photseries.fields import FEATURES
from photseries.lightcurve.curve import LightCurve
from photseries.lightcurve.medians import median
from photseries.lightcurve.photometry import FloatArray

__all__ = ["features", "features_block", "points_per_night"]

#: Features of one light curve, or of many.
Numbers = Mapping[str, FloatArray | float]

_PERCENTILES: Final = (1, 5, 25, 50, 75, 95, 99)


def features(curve: LightCurve, longitude: float = 0.0) -> dict[str, float | str | None]:
    """Compute the features of a light curve.

    Parameters
    ----------
    curve : LightCurve
        Rows in any order.
    longitude : float
        Of the observatory, to the east [deg]; determines the nights.

    Returns
    -------
    dict of str to float, str or None
        By the names of :data:`~photseries.fields.FEATURES`. ``features_of`` is "mag" where the series has magnitudes
        and none of its fluxes is zero or negative, else "flux". The unit of the others follows from it: [mag], or the
        unit of the fluxes of the curve. Times are in [d]. Features that need errors use the rows that have one.
    """
    curve = curve.by_time()
    unit = "mag" if np.isfinite(curve.mag).any() and not (curve.flux <= 0).any() else "flux"
    value, error = (curve.mag, curve.magerr) if unit == "mag" else (curve.flux, curve.fluxerr)
    used = np.isfinite(curve.mjd) & np.isfinite(value)
    mjd, value, error = curve.mjd[used], value[used], error[used]
    if not mjd.size:
        return dict.fromkeys(FEATURES)
    timed = curve.part(np.flatnonzero(np.isfinite(curve.mjd)))
    numbers = _numbers(mjd, value, error, timed, longitude)
    finite = {name: float(number) if math.isfinite(number) else None for name, number in numbers.items()}
    return {name: unit if name == "features_of" else finite[name] for name in FEATURES}


def features_block(curve: LightCurve, longitudes: Sequence[float]) -> list[dict[str, object]]:
    """Compute the features of many light curves of equal length at once, as :func:`features` does for one.

    Parameters
    ----------
    curve : LightCurve
        Arrays of shape (s, n): all values are finite, fluxes and errors positive, the times of each series increase.
    longitudes : sequence of float
        Of the observatories, to the east [deg].

    Returns
    -------
    list of dict of str to float, str or None
        Equal to those of :func:`features` to rounding.
    """
    numbers = _numbers(curve.mjd, curve.mag, curve.magerr, curve, np.asarray(longitudes, np.float64)[:, None])
    lists = {name: np.asarray(values, np.float64).tolist() for name, values in numbers.items()}
    return [
        {
            name: "mag" if name == "features_of" else value if math.isfinite(value := lists[name][index]) else None
            for name in FEATURES
        }
        for index in range(len(longitudes))
    ]


def _numbers(
    mjd: FloatArray, value: FloatArray, error: FloatArray, fluxes: LightCurve, longitude: float | FloatArray
) -> Numbers:
    """Compute all features but the name of the brightness; not finite where they are undefined."""
    with np.errstate(all="ignore"):
        return {
            **_distribution(value),
            **_about_weighted_mean(*_with_errors(value, error)),
            **_excess_variance(*_with_errors(fluxes.flux, fluxes.fluxerr)),
            **_trend(mjd, value, error),
            **_cadence(mjd, longitude),
        }


def _distribution(value: FloatArray) -> Numbers:
    """Describe the distribution of the values, and their serial correlation.

    Notes
    -----
    Percentiles are linear between the order statistics: definition 7 of Hyndman & Fan (1996, Am. Stat. 50, 361).
    Skewness and kurtosis are the G1 and G2 of Joanes & Gill (1998, The Statistician 47, 183). The von Neumann ratio is
    the mean squared successive difference over the variance (von Neumann 1941, Ann. Math. Stat. 12, 367): 2 for
    independent values, less where they follow each other smoothly. ``mad`` is not scaled to a standard deviation.
    """
    size = value.shape[-1]
    count, ordered = np.float64(size), np.sort(value)
    p1, p5, p25, middle, p75, p95, p99 = _percentiles(ordered)
    centred = value - ordered[..., size // 2, None]  # equal values become exactly 0
    deviation = centred - centred.sum(axis=-1, keepdims=True) / count
    squared = deviation * deviation
    m2, m3, m4 = (power.sum(axis=-1) / count for power in (squared, squared * deviation, squared * squared))
    variance = m2 * count / (count - 1)
    steps = np.abs(np.diff(value))
    far, sigma = np.abs(deviation), np.sqrt(variance)[..., None]
    return {
        "p1": p1,
        "p5": p5,
        "p25": p25,
        "p75": p75,
        "p95": p95,
        "p99": p99,
        "amplitude": p95 - p5,
        "iqr": p75 - p25,
        "mad": median(np.abs(value - middle[..., None])),
        "skewness": np.sqrt(count * (count - 1)) / (count - 2) * m3 / m2**1.5,
        "kurtosis": (count - 1) / ((count - 2) * (count - 3)) * ((count + 1) * (m4 / m2**2 - 3) + 6),
        "beyond_1_sigma": np.count_nonzero(far > sigma, axis=-1) / count if size > 1 else m2 * np.nan,
        "beyond_2_sigma": np.count_nonzero(far > 2 * sigma, axis=-1) / count if size > 1 else m2 * np.nan,
        "von_neumann": (steps * steps).sum(axis=-1) / (count - 1) / variance,
        "largest_change": _greatest(steps),
    }


def _percentiles(ordered: FloatArray) -> list[FloatArray]:
    """Return the percentiles along the last axis of sorted values, linear between order statistics."""
    places = np.array(_PERCENTILES) / 100 * (np.float64(ordered.shape[-1]) - 1)
    low = np.minimum(places.astype(np.intp), max(ordered.shape[-1] - 2, 0))
    high = np.minimum(low + 1, ordered.shape[-1] - 1)
    below = ordered[..., low]
    return list(np.moveaxis(below + (ordered[..., high] - below) * (places - low), -1, 0))


def _about_weighted_mean(value: FloatArray, error: FloatArray) -> Numbers:
    """Compare the rows that have an error with their mean, weighted by 1 / error^2.

    Notes
    -----
    ``stetson_k`` is the kurtosis index of Stetson (1996, PASP 108, 851, section 2) about the weighted mean:
    0.798 for normal noise, 0.9 for a sinusoid, near 0 for a single outlier.
    """
    size = value.shape[-1]
    count = np.float64(size)
    if not size:
        return dict.fromkeys(("weighted_mean", "weighted_mean_error", "chi2_dof", "stetson_k", "median_error"), np.nan)
    pivot, smallest = np.sort(value)[..., size // 2, None], error.min(axis=-1, keepdims=True)
    weight = (smallest / error) ** 2
    total = weight.sum(axis=-1, keepdims=True)
    mean = (weight * (value - pivot)).sum(axis=-1, keepdims=True) / total
    residual = (value - pivot - mean) / error
    squares = (residual * residual).sum(axis=-1)
    return {
        "weighted_mean": (pivot + mean)[..., 0],
        "weighted_mean_error": (smallest / np.sqrt(total))[..., 0],
        "chi2_dof": squares / (count - 1),
        "stetson_k": np.abs(residual).sum(axis=-1) / count / np.sqrt(squares / count),
        "median_error": median(error),
    }


def _excess_variance(flux: FloatArray, fluxerr: FloatArray) -> Numbers:
    """Compute the normalised excess variance of the fluxes.

    Notes
    -----
    Vaughan et al. (2003, MNRAS 345, 1271): equation 8 over the squared mean flux, and its error by equation 11, where
    F_var counts as 0 when the excess is negative.
    """
    count = np.float64(flux.shape[-1])
    mean, noise = flux.sum(axis=-1) / count, (fluxerr * fluxerr).sum(axis=-1) / count
    deviation = flux - mean[..., None]
    excess = ((deviation * deviation).sum(axis=-1) / (count - 1) - noise) / mean**2
    error = np.hypot(np.sqrt(2 / count) * noise / mean**2, np.sqrt(noise / count * 4 * np.maximum(excess, 0.0)) / mean)
    return {"excess_variance": excess, "excess_variance_error": error}


def _trend(mjd: FloatArray, value: FloatArray, error: FloatArray) -> Numbers:
    """Fit a straight line: weighted, over the rows with an error; unweighted without errors.

    Notes
    -----
    The error of the weighted slope follows from the errors alone, that of the unweighted one from the residuals (Press
    et al. 2007, Numerical Recipes, 3rd ed., section 15.2).
    """
    has_error = np.isfinite(error)
    is_weighted = bool(has_error.any())
    if is_weighted and not has_error.all():
        mjd, value, error = mjd[has_error], value[has_error], error[has_error]
    scale = error.min(axis=-1, keepdims=True) if is_weighted else np.ones(1)
    weight = (scale / error) ** 2 if is_weighted else np.ones(mjd.size)
    time, deviation = _centred(mjd, weight), _centred(value, weight)
    leverage = (weight * time * time).sum(axis=-1)
    slope = (weight * time * deviation).sum(axis=-1) / leverage
    scale = scale[..., 0]
    if not is_weighted:
        residual = deviation - slope * time
        scale = np.sqrt((residual * residual).sum() / np.float64(mjd.size - 2)) if mjd.size > 2 else np.nan
    return {"slope": slope, "slope_error": scale / np.sqrt(leverage)}


def _cadence(mjd: FloatArray, longitude: float | FloatArray) -> Numbers:
    """Describe the times; a night ends at local noon, at floor(mjd + longitude / 360 - 0.5)."""
    steps = np.diff(mjd)
    return {
        "span": mjd[..., -1] - mjd[..., 0],
        "largest_gap": _greatest(steps),
        "median_cadence": median(steps),
        "points_per_night": points_per_night(mjd, longitude),
    }


def points_per_night(mjd: FloatArray, longitude: float | FloatArray) -> FloatArray | float:
    """Return the mean number of rows per night, along the last axis of sorted times [d]."""
    nights = np.floor(mjd + longitude / 360 - 0.5)
    rows: FloatArray | float = mjd.shape[-1] / (1 + np.count_nonzero(np.diff(nights), axis=-1))
    return rows


def _with_errors(value: FloatArray, error: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the values with an error, and the errors."""
    has_error = np.isfinite(value) & np.isfinite(error)
    return (value, error) if has_error.all() else (value[has_error], error[has_error])


def _centred(value: FloatArray, weight: FloatArray) -> FloatArray:
    """Subtract the weighted mean; equal values become exactly 0."""
    value = value - value[..., :1]
    return np.asarray(value - (weight * value).sum(axis=-1, keepdims=True) / weight.sum(axis=-1, keepdims=True))


def _greatest(values: FloatArray) -> FloatArray:
    return np.asarray(values.max(axis=-1) if values.size else np.full(values.shape[:-1], np.nan))
