"""Period searches other than Lomb-Scargle: boxes, harmonics, phase dispersion, and the spectral window."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from photseries.errors import InvalidError, NotInstalledError
from photseries.extras import is_installed
from photseries.lightcurve.lomb_scargle import Grid, LombScargle, check_deadline
from photseries.lightcurve.peaks import Peak, highest_maxima
from photseries.lightcurve.periodogram import (
    DEFAULT_SEARCH,
    MIN_POINTS,
    PeriodSearch,
    SearchOptions,
    choose_grid,
    shortest_period,
)
from photseries.lightcurve.photometry import FloatArray

__all__ = ["BandCurve", "phase_dispersion", "search_bands", "search_by"]

_HARMONICS: Final = 3
_PHASE_BINS: Final = 10

#: The number of parameters that a method fits at each frequency: that many points fit any period exactly.
_FITTED: Final = {"harmonics": 2 * _HARMONICS + 1, "pdm": _PHASE_BINS}

#: The durations of boxes and the spacing of their frequencies, in units of the shortest period.
_DURATIONS: Final = (0.05, 0.1, 0.2, 0.4)
_SPACING: Final = 0.2
_MIN_BOX_PERIOD: Final = 0.5  # [d]

#: Frequencies, and rows times frequencies, that are computed between two checks of the deadline.
_BOX_BLOCK: Final = 200
_PHASE_BLOCK: Final = 2**20

#: The frequencies around a maximum that refine it, within a step of the grid.
_FINE: Final = 41

Power = Callable[[Grid], FloatArray]


def search_by(
    method: str,
    mjd: FloatArray,
    value: FloatArray,
    error: FloatArray | None,
    options: SearchOptions = DEFAULT_SEARCH,
) -> PeriodSearch:
    """Search a light curve for periods by another method than Lomb-Scargle.

    Parameters
    ----------
    method : {"harmonics", "bls", "pdm", "window"}
    mjd, value : ndarray of float64, shape (n,)
        Finite times [d], sorted, and brightnesses, which grow with the flux.
    error : ndarray of float64, shape (n,), or None
    options : SearchOptions, optional
        For boxes the periods are from 0.5 d to half the span by default, and the frequencies lie as densely as the
        shortest box needs.

    Raises
    ------
    InvalidError
        As :func:`~photseries.lightcurve.periodogram.search_periods` does; also when there are no more points than
        numbers that the method fits.
    LateError
        When it takes too long.
    NotInstalledError
        For boxes, when astropy is not installed.
    """
    if len(mjd) <= (fitted := _FITTED.get(method, 0)):
        raise InvalidError(f"The method {method} needs at least {fitted + 1} points.")
    span = float(mjd[-1] - mjd[0])
    if method == "bls":
        shortest = options.min_period or _MIN_BOX_PERIOD
        samples = max(options.samples_per_peak, math.ceil(span / (_SPACING * shortest)))
        options = replace(
            options, min_period=shortest, max_period=options.max_period or span / 2, samples_per_peak=samples
        )
    grid, needed = choose_grid(mjd, options)
    deadline = time.monotonic() + options.seconds
    boxes = _Boxes(mjd, value, error, 1 / grid.last, deadline) if method == "bls" else None
    compute = _power(method, mjd, value, error, options.seconds) if boxes is None else boxes.on_grid
    return _search(compute, boxes, grid, needed, span, options)


@dataclass(frozen=True, eq=False)
class BandCurve:
    """One light curve of several: finite times [d], sorted, brightnesses in any unit, and their errors if they have."""

    mjd: FloatArray
    value: FloatArray
    error: FloatArray | None


def search_bands(bands: Sequence[BandCurve], options: SearchOptions = DEFAULT_SEARCH) -> PeriodSearch:
    """Search several light curves of one source for a period that they share.

    Parameters
    ----------
    bands : sequence of BandCurve
        With different filters or instruments: each has its own level, amplitude and phase.
        Those with fewer than 5 points, or without variation, are left out.
    options : SearchOptions, optional
        The shortest period by default is the shortest one of the light curves.

    Raises
    ------
    InvalidError
        As :func:`~photseries.lightcurve.periodogram.search_periods` does; also when no light curve is left.
    LateError
        When it takes too long.

    Notes
    -----
    The multi-band periodogram of VanderPlas & Ivezic (2015, ApJ 812, 18, section 4.2) without a shared base model: the
    fraction of the chi squared of all light curves that one sinusoid per light curve removes. A light curve without
    errors gets its standard deviation.
    """
    curves: list[LombScargle] = []
    shares, times = [], []
    for band in bands:
        if len(band.mjd) < MIN_POINTS or band.mjd[0] == band.mjd[-1]:
            continue
        try:
            curves.append(LombScargle(band.mjd, band.value, band.error, options.seconds))
        except InvalidError:  # no variation
            continue
        times.append(band.mjd)
        weight = np.full(len(band.value), band.value.var() ** -1.0) if band.error is None else band.error**-2.0
        apart = band.value - (weight @ band.value) / weight.sum()
        shares.append(weight @ apart**2)
    if not curves:
        raise InvalidError(f"A periodogram needs a light curve of at least {MIN_POINTS} points that varies.")
    share, mjd = np.array(shares) / sum(shares), np.sort(np.concatenate(times))
    shortest = min(map(shortest_period, times))
    grid, needed = choose_grid(mjd, options, shortest=shortest)

    def compute(grid: Grid) -> FloatArray:
        return np.asarray(sum(part * curve.on_grid(grid) for part, curve in zip(share, curves, strict=True)))

    return _search(compute, None, grid, needed, float(mjd[-1] - mjd[0]), options)


def phase_dispersion(
    mjd: FloatArray, value: FloatArray, grid: Grid, deadline: float = math.inf, bins: int = _PHASE_BINS
) -> FloatArray:
    """Compute 1 - theta, which is 0 for noise and 1 for a light curve that repeats exactly.

    Parameters
    ----------
    mjd, value : ndarray of float64, shape (n,)
    grid : Grid
    deadline : float
        On the monotonic clock [s].
    bins : int
        Equal parts of the period.

    Returns
    -------
    ndarray of float64, shape (grid.count,)

    Notes
    -----
    Theta is the pooled variance in the parts over the variance of all values (Stellingwerf 1978, ApJ 224, 953).
    """
    since, centred = mjd - mjd[0], value - value.mean()
    total = centred @ centred / (len(value) - 1)
    frequencies = grid.frequencies()
    power = np.empty(grid.count)
    step = max(1, _PHASE_BLOCK // len(mjd))
    for begin in range(0, grid.count, step):
        check_deadline(deadline)
        some = frequencies[begin : begin + step, np.newaxis]
        index = np.minimum((some * since % 1 * bins).astype(np.int64), bins - 1)
        index += np.arange(len(some))[:, np.newaxis] * bins
        shape = (len(some), bins)
        size = len(some) * bins
        count = np.bincount(index.ravel(), minlength=size).reshape(shape)
        added = np.bincount(index.ravel(), np.tile(centred, len(some)), minlength=size).reshape(shape)
        explained = (added**2 / np.maximum(count, 1)).sum(axis=1)
        freedom = len(value) - np.count_nonzero(count, axis=1)
        power[begin : begin + step] = 1 - (centred @ centred - explained) / np.maximum(freedom, 1) / total
    return power


def _search(
    compute: Power, boxes: _Boxes | None, grid: Grid, needed: int, span: float, options: SearchOptions
) -> PeriodSearch:
    """Compute the power on a grid, and refine its highest peaks."""
    power = compute(grid)
    peaks = [
        _peak(compute, boxes, grid, index) for index in highest_maxima(power, grid.step, span, options.max_peaks)[1]
    ]
    peaks.sort(key=lambda peak: -peak.power)
    limited = needed > options.max_frequencies
    warnings = [f"Periods below {1 / grid.last:.6g} d were not searched."] if limited else []
    return PeriodSearch(grid, power, peaks, limited, warnings)


def _power(method: str, mjd: FloatArray, value: FloatArray, error: FloatArray | None, seconds: float) -> Power:
    """Return the function that computes the power of a method on a grid."""
    curve = LombScargle(mjd, mjd if method == "window" else value, None if method == "window" else error, seconds)
    if method == "harmonics":
        return lambda grid: curve.of_harmonics(grid, _HARMONICS)
    if method == "window":
        return curve.of_times
    deadline = time.monotonic() + seconds
    return lambda grid: phase_dispersion(mjd, value, grid, deadline)


class _Boxes:
    """Box least squares (Kovacs, Zucker & Mazeh 2002, A&A 391, 369), as astropy computes it.

    The power is the fraction of chi squared removed by the best box, from 0 to 1.
    """

    def __init__(
        self, mjd: FloatArray, value: FloatArray, error: FloatArray | None, shortest: float, deadline: float
    ) -> None:
        if not is_installed("astropy"):
            raise NotInstalledError(
                "This service cannot compute box least squares, because astropy is not installed. Ask the operator to "
                "install it: pip install 'photseries[astropy]'."
            )
        from astropy.timeseries import BoxLeastSquares

        self._deadline = deadline
        self._durations = np.array(_DURATIONS) * shortest
        weight = np.ones(len(value)) if error is None else error**-2.0
        centred = value - (weight @ value) / weight.sum()
        self._total = float(weight @ centred**2)
        if not self._total > 0:
            raise InvalidError("The brightness does not vary: there is no period to find.")
        self._model = BoxLeastSquares(mjd - mjd[0], centred, error)

    def on_grid(self, grid: Grid) -> FloatArray:
        """Compute the power at every frequency of a grid."""
        periods = 1 / grid.frequencies()
        power = np.empty(grid.count)
        for begin in range(0, grid.count, _BOX_BLOCK):
            check_deadline(self._deadline)
            here = slice(begin, begin + _BOX_BLOCK)
            power[here] = 2 * self._model.power(periods[here], self._durations, objective="likelihood").power
        return np.clip(np.nan_to_num(power / self._total), 0, 1)

    def box(self, period: float) -> tuple[float, float]:
        """Return the depth and the duration of the best box of a period."""
        best = self._model.power(np.array([period]), self._durations, objective="likelihood")
        return float(best.depth[0]), float(best.duration[0])


def _peak(compute: Power, boxes: _Boxes | None, grid: Grid, index: int) -> Peak:
    """Refine a maximum between its neighbours on the grid."""
    low, high = max(index - 1, 0), min(index + 1, grid.count - 1)
    fine = Grid(grid.first + low * grid.step, (high - low) * grid.step / (_FINE - 1), _FINE)
    power = compute(fine)
    best = int(power.argmax())
    frequency = fine.first + best * fine.step
    depth, duration = (None, None) if boxes is None else boxes.box(1 / frequency)
    at_edge = (index == 0 and best == 0) or (index == grid.count - 1 and best == _FINE - 1)
    return Peak(frequency, 1 / frequency, None, float(power[best]), None, at_edge, depth, duration)
