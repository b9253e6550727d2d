"""The statistics of a series, which :func:`summarize` computes once, when a table is stored.

Everything is defined on the rows sorted by mjd (equal times keep their order) and computed in float64 over the finite
values. A value that is undefined or too large for float64 is None: never NaN or an infinity, and never an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.lightcurve.curve import LightCurve, Rows, light_curve
from photseries.lightcurve.detection import signal_to_noise
from photseries.lightcurve.medians import least_median_greatest, median
from photseries.lightcurve.metadata import INFERRED, MAGNITUDES, circular_median
from photseries.lightcurve.photometry import FloatArray
from photseries.lightcurve.table import SENTINEL_MAG, is_numeric

__all__ = ["STATISTICS_VERSION", "ColumnSummary", "robust", "summarize", "summarize_block"]

_Number = TypeVar("_Number", bound=np.number)

#: The version of the definitions in this module and of the features. Raise it when a stored statistic gets another
#: value, so that ``photseries recompute`` finds the series that were summarized before.
STATISTICS_VERSION: Final = 3

SECONDS_PER_DAY = 86400.0

#: The scatter that the rounding of a mean may leave, in means.
_ROUNDING: Final = 1e-9

#: Sigma clipping: points farther than CLIP scatters are dropped, in at most MAX_CLIP_ROUNDS rounds, while at least
#: MIN_CLIP_POINTS points are left.
CLIP = 3.0
MAX_CLIP_ROUNDS = 3
MIN_CLIP_POINTS = 5


@dataclass(frozen=True, slots=True)
class ColumnSummary:
    """The statistics of a series, as plain Python values.

    Fluxes are in [uJy], magnitudes in [AB mag], times in MJD [d]. A row without a finite mjd counts in ``num_exp`` and
    in everything about brightness, and in nothing about time.

    Attributes
    ----------
    num_exp : int
        Rows.
    num_flagged : int
        Rows that are not good: they have times, and count in nothing else.
    num_detected : int
        Rows whose S/N is above the detection threshold.
    mean_flux, rms_flux, robust_flux, robust_rms_flux : float or None
        Mean and standard deviation of all fluxes, and the same two from :func:`robust`: unbiased also where fluxes are
        near zero or negative.
    mjd_first, mjd_mid, mjd_last : float or None
        Minimum, maximum and mean mjd.
    mag_first, mag_last : float or None
        Magnitudes of the rows of mjd_first and mjd_last.
    mjd_last_detected, mag_last_detected : float or None
        Of the last row, in time, that is detected.
    is_detected : bool
        Whether any row is detected.
    mean_mag, rms_mag, robust_mag, robust_rms : float or None
        As in flux, over the magnitudes: rows with a flux of zero or less have none, which makes these too bright for a
        source near the noise.
    median_snr, best_snr, worst_snr : float or None
        Median, maximum and minimum S/N.
    frame_rate : float or None
        One over the median positive difference of successive times [Hz].
    medians, minima, maxima, stds : dict of str to float or None
        Of every numeric column of the table, by its name; stds with ddof 0. The median of right ascensions is
        circular; magnitudes that mean "not measured" are left out.
    """

    num_exp: int
    num_flagged: int
    num_detected: int
    mean_flux: float | None
    rms_flux: float | None
    robust_flux: float | None
    robust_rms_flux: float | None
    mjd_first: float | None
    mjd_mid: float | None
    mjd_last: float | None
    mag_first: float | None
    mag_last: float | None
    mjd_last_detected: float | None
    mag_last_detected: float | None
    is_detected: bool
    mean_mag: float | None
    rms_mag: float | None
    robust_mag: float | None
    robust_rms: float | None
    median_snr: float | None
    best_snr: float | None
    worst_snr: float | None
    frame_rate: float | None
    medians: dict[str, float | None]
    minima: dict[str, float | None]
    maxima: dict[str, float | None]
    stds: dict[str, float | None]


def summarize(
    frame: pd.DataFrame,
    curve: LightCurve | None = None,
    *,
    good: Rows | None = None,
    detection_threshold: float = 3.0,
) -> ColumnSummary:
    """Compute the statistics of a series.

    Parameters
    ----------
    frame : DataFrame
        A table that :func:`~photseries.lightcurve.table.validate` accepts, rows in any order.
    curve : LightCurve, optional
        Its light curve, when it is known already; of flagged rows it has only the times.
    good : ndarray of bool, shape (n,), optional
        Which rows are not flagged.
    detection_threshold : float
        A row is detected when its S/N is above this.

    Returns
    -------
    ColumnSummary

    Raises
    ------
    InvalidError
        When the table has no time or no brightness column.

    Notes
    -----
    S/N is that of :func:`~photseries.lightcurve.detection.signal_to_noise`. Among n rows of pure noise about 0.00135 n
    exceed 3, the one-sided tail of the normal distribution: for a long series, use
    ``num_detected`` instead of ``is_detected``.
    """
    unsorted = light_curve(frame) if curve is None else curve
    curve = unsorted.by_time()
    with np.errstate(all="ignore"):
        snr = signal_to_noise(curve)
        brightness = _of_brightness(_finite(curve.mag), _finite(curve.flux), _finite(snr))
        of_brightness: dict[str, Any] = {name: _number(value) for name, value in brightness.items()}
        detected = snr > detection_threshold

        times = _finite(curve.mjd)
        first, last = (0, times.size - 1) if times.size else (None, None)
        detected_times = np.flatnonzero(detected[: times.size])
        last_detected = int(detected_times[-1]) if detected_times.size else None
        described = (
            _column_statistics(frame, unsorted.mjd)
            if good is None
            else _column_statistics(frame[good], unsorted.mjd[good])
        )
        return ColumnSummary(
            num_exp=len(frame),
            num_flagged=0 if good is None else int(np.count_nonzero(~good)),
            num_detected=int(np.count_nonzero(detected)),
            mjd_first=_value_at(curve.mjd, first),
            mjd_mid=_number((times[0] + times[-1]) / 2) if times.size else None,
            mjd_last=_value_at(curve.mjd, last),
            mag_first=_value_at(curve.mag, first),
            mag_last=_value_at(curve.mag, last),
            mjd_last_detected=_value_at(curve.mjd, last_detected),
            mag_last_detected=_value_at(curve.mag, last_detected),
            is_detected=bool(detected.any()),
            frame_rate=_frame_rate(times),
            **of_brightness,
            **_by_statistic(described),
        )


def summarize_block(
    curve: LightCurve, columns: Mapping[str, FloatArray], *, detection_threshold: float = 3.0
) -> list[ColumnSummary]:
    """Compute the statistics of many series of equal length at once, as :func:`summarize` does for one.

    Parameters
    ----------
    curve : LightCurve
        Arrays of shape (s, n): all values are finite, all errors positive, and the times of each series increase.
    columns : mapping of str to ndarray, shape (s, n)
        The numeric columns of the tables; finite, and neither right ascensions nor magnitudes.
    detection_threshold : float

    Returns
    -------
    list of ColumnSummary
        Equal to those of :func:`summarize` to rounding.
    """
    with np.errstate(all="ignore"):
        snr = curve.flux / curve.fluxerr
        detected = snr > detection_threshold
        count, rows = curve.mjd.shape
        number = np.count_nonzero(detected, axis=-1)
        last = rows - 1 - np.argmax(detected[:, ::-1], axis=-1)
        series = np.arange(count)
        first_time, last_time = curve.mjd[:, 0], curve.mjd[:, -1]
        steps = median(np.diff(curve.mjd))
        described = {name: _block_statistics(values) for name, values in columns.items()}
        floats = {
            **_of_brightness(curve.mag, curve.flux, snr),
            "mjd_first": first_time,
            "mjd_mid": (first_time + last_time) / 2,
            "mjd_last": last_time,
            "mag_first": curve.mag[:, 0],
            "mag_last": curve.mag[:, -1],
            "mjd_last_detected": np.where(number > 0, curve.mjd[series, last], np.nan),
            "mag_last_detected": np.where(number > 0, curve.mag[series, last], np.nan),
            "frame_rate": 1 / (steps * SECONDS_PER_DAY),
        }
    statistics: dict[str, list[Any]] = {
        "num_exp": [rows] * count,
        "num_flagged": [0] * count,
        "num_detected": number.tolist(),
        "is_detected": (number > 0).tolist(),
        **{name: _numbers(values) for name, values in floats.items()},
    }
    return [
        ColumnSummary(
            **{name: values[index] for name, values in statistics.items()},
            **_by_statistic({name: [values[index] for values in lists] for name, lists in described.items()}),
        )
        for index in range(count)
    ]


def _of_brightness(mag: FloatArray, flux: FloatArray, snr: FloatArray) -> dict[str, FloatArray]:
    """Return the statistics of finite magnitudes, fluxes and S/N, of shape (n,) or, for many series, (s, n)."""
    (mean_mag, rms_mag), (robust_mag, robust_rms) = _mean_and_std(mag), _robust(mag)
    (mean_flux, rms_flux), (robust_flux, robust_rms_flux) = _mean_and_std(flux), _robust(flux)
    worst_snr, median_snr, best_snr = least_median_greatest(snr)
    return {
        "mean_flux": mean_flux,
        "rms_flux": rms_flux,
        "robust_flux": robust_flux,
        "robust_rms_flux": robust_rms_flux,
        "mean_mag": mean_mag,
        "rms_mag": rms_mag,
        "robust_mag": robust_mag,
        "robust_rms": robust_rms,
        "median_snr": median_snr,
        "best_snr": best_snr,
        "worst_snr": worst_snr,
    }


def _by_statistic(described: Mapping[str, Sequence[float | None]]) -> dict[str, Any]:
    """Arrange the median, minimum, maximum and standard deviation of each column by statistic."""
    statistics = ("medians", "minima", "maxima", "stds")
    return {name: {key: values[order] for key, values in described.items()} for order, name in enumerate(statistics)}


def _block_statistics(values: FloatArray) -> tuple[list[float | None], ...]:
    """Return median, minimum, maximum and standard deviation of a column of many tables."""
    minimum, middle, maximum = least_median_greatest(values)
    return tuple(map(_numbers, (middle, minimum, maximum, _mean_and_std(values.astype(np.float64, copy=False))[1])))


def _numbers(values: FloatArray) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]


def robust(values: npt.ArrayLike) -> tuple[float, float]:
    """Estimate centre and scatter by sigma clipping.

    Parameters
    ----------
    values : array_like of float, shape (n,)
        In any unit; non-finite values are ignored.

    Returns
    -------
    centre, scatter : float
        In the unit of the values; NaN when none is finite, infinite when float64 overflows.

    Notes
    -----
    As SkyPortal: from the median and the standard deviation (ddof 0), points farther than 3 scatters are dropped and
    the **mean** and standard deviation of the rest taken, in at most 3 rounds, while something is dropped and at least
    5 points remain. Where nothing is dropped, as always among fewer than 5 points, the centre is the median.
    """
    with np.errstate(all="ignore"):
        centre, scatter = _robust(_finite(np.asarray(values, dtype=np.float64)))
        return float(centre), float(scatter)


def _robust(values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Estimate centre and scatter of finite values, of shape (n,) or, for many series, (s, n)."""
    if values.shape[-1] == 0:
        return _mean_and_std(values)
    centre, (_, scatter) = median(values), _mean_and_std(values)
    mask = np.ones(values.shape, bool)
    number, active = np.full(centre.shape, values.shape[-1]), np.ones(centre.shape, bool)
    for _ in range(MAX_CLIP_ROUNDS):
        unclipped = mask & ~(np.abs(values - centre[..., None]) / scatter[..., None] > CLIP)
        left = np.count_nonzero(unclipped, axis=-1)
        active = active & (left < number) & (left >= MIN_CLIP_POINTS)
        if not active.any():
            break
        mean, deviation = _mean_and_std(values, unclipped)
        centre, scatter = np.where(active, mean, centre), np.where(active, deviation, scatter)
        mask, number = unclipped, left
    return centre, scatter


def _column_statistics(frame: pd.DataFrame, mjd: FloatArray) -> dict[str, list[float | None]]:
    """Return median, minimum, maximum and standard deviation of each column; ``mjd`` are the times of the rows."""
    described: dict[str, list[float | None]] = {}
    order = _order(mjd)
    for name, column in frame.items():
        if is_numeric(column):
            values = column.to_numpy()
            values = np.sort(values) if order is None else values[order]
            values = _finite(values) if values.dtype.kind == "f" else values
            if name in MAGNITUDES:
                values = values[(values > -SENTINEL_MAG) & (values < SENTINEL_MAG)]
            floats = values.astype(np.float64, copy=False)
            minimum, middle, maximum = least_median_greatest(values)
            if name in INFERRED["ra"] and floats.size:
                middle = np.asarray(circular_median(floats))
            described[str(name)] = [*map(_number, (middle, minimum, maximum, _mean_and_std(floats)[1]))]
    return described


def _order(mjd: FloatArray) -> slice | npt.NDArray[np.intp] | None:
    """Return the rows in the order of their times; None where equal or absent times leave that open.

    Sums are taken in this order, or that of the values, so that the order of the rows does not change a bit of them.
    """
    if np.all(mjd[1:] > mjd[:-1]):
        return slice(None)
    order = np.argsort(mjd)
    ordered = mjd[order]
    return order if np.all(ordered[1:] > ordered[:-1]) else None


def _frame_rate(times: FloatArray) -> float | None:
    steps = np.diff(times)
    return _number(1 / (median(steps[steps > 0]) * SECONDS_PER_DAY))


def _mean_and_std(values: FloatArray, mask: Rows | None = None) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation along the last axis, of all values or of those that are kept.

    Where all values are equal the scatter is 0, and not the rounding of the mean, about 1e-17.
    """
    if values.shape[-1] == 0:
        absent = np.full(values.shape[:-1], np.nan)
        return absent, absent
    if mask is not None and values.ndim == 1:
        return _mean_and_std(values[mask])
    count = np.asarray(values.shape[-1] if mask is None else np.count_nonzero(mask, axis=-1))
    used = values if mask is None else np.where(mask, values, 0)
    mean = used.sum(axis=-1) / count
    apart = values - mean[..., None]
    if mask is not None:
        apart[~mask] = 0
    # The second term corrects for the rounding of the mean (Chan, Golub & LeVeque 1983, Am. Stat. 37, 242).
    correction = (apart.sum(axis=-1) / count) ** 2
    variance = np.square(apart, out=apart).sum(axis=-1) / count - correction
    scatter = np.sqrt(np.maximum(variance, 0.0))
    # Only a scatter of rounding, or one that overflows, can be that of equal values.
    doubtful = ~(np.isfinite(scatter) & (scatter > _ROUNDING * np.abs(mean)))
    if doubtful.any():
        first, last = _ends(values, mask)
        equal = doubtful & (first == last)
        mean, scatter = np.where(equal, first, mean), np.where(equal, 0.0, scatter)
    return np.asarray(mean), np.asarray(scatter)


def _ends(values: FloatArray, mask: Rows | None) -> tuple[FloatArray, FloatArray]:
    """Return minimum and maximum of the unmasked values along the last axis."""
    if mask is None:
        return values.min(axis=-1), values.max(axis=-1)
    return np.where(mask, values, np.inf).min(axis=-1), np.where(mask, values, -np.inf).max(axis=-1)


def _finite(values: npt.NDArray[_Number]) -> npt.NDArray[_Number]:
    is_finite = np.isfinite(values)
    return values if is_finite.all() else values[is_finite]


def _value_at(values: FloatArray, row: int | None) -> float | None:
    return None if row is None else _number(values[row])


def _number(value: float | np.float64 | FloatArray) -> float | None:
    return float(value) if math.isfinite(value) else None
