"""Search a light curve for periods: the frequency grid, the power, and the highest peaks."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np

from photseries.errors import InvalidError
from photseries.lightcurve.lomb_scargle import Grid, LombScargle
from photseries.lightcurve.peaks import Peak, find_peaks
from photseries.lightcurve.photometry import FloatArray

__all__ = [
    "DEFAULT_SEARCH",
    "MIN_POINTS",
    "PeriodSearch",
    "SearchOptions",
    "choose_grid",
    "search_periods",
    "shortest_period",
]

#: A sinusoid has four parameters (level, period, amplitude, phase); one more point tests the fit.
MIN_POINTS = 5


@dataclass(frozen=True)
class SearchOptions:
    """The periods to search, and the limits of the search.

    Attributes
    ----------
    min_period, max_period : float or None
        [d]. By default :func:`shortest_period`, or the shortest that ``max_frequencies`` reach; and the span of
        the times.
    samples_per_peak : int
        Minimum number of frequencies per width of a peak, 1 / span.
    max_frequencies : int
        Maximum number of frequencies.
    max_peaks : int
        Maximum number of peaks to list.
    seconds : float
        The time limit of the search, accurate to about a second.
    """

    min_period: float | None = None
    max_period: float | None = None
    samples_per_peak: int = 5
    max_frequencies: int = 2_000_000
    max_peaks: int = 10
    seconds: float = math.inf


DEFAULT_SEARCH = SearchOptions()


@dataclass(frozen=True, eq=False)
class PeriodSearch:
    """A Lomb-Scargle periodogram.

    Attributes
    ----------
    grid : Grid
        The frequencies.
    power : ndarray of float64, shape (grid.count,)
        From 0 to 1; see :class:`~photseries.lightcurve.lomb_scargle.LombScargle`.
    peaks : list of Peak
        The highest first.
    limited : bool
        Whether the default grid needed more frequencies than are allowed, and ends at a longer period.
    warnings : list of str
        The required and the searched range, if the grid was limited.
    """

    grid: Grid
    power: FloatArray
    peaks: list[Peak]
    limited: bool
    warnings: list[str]


def search_periods(
    mjd: FloatArray, value: FloatArray, error: FloatArray | None, options: SearchOptions = DEFAULT_SEARCH
) -> PeriodSearch:
    """Compute the Lomb-Scargle periodogram of a light curve, and its highest peaks.

    Parameters
    ----------
    mjd, value : ndarray of float64, shape (n,)
        Finite times [d] and brightnesses, sorted by time.
    error : ndarray of float64, shape (n,), or None
        Finite and positive; the points are weighted by its inverse square.
    options : SearchOptions, optional

    Raises
    ------
    InvalidError
        See :func:`choose_grid`; also when the brightness does not vary, or one point has all the weight.
    LateError
        When it takes too long.
    """
    grid, needed = choose_grid(mjd, options)
    curve = LombScargle(mjd, value, error, options.seconds)
    power = curve.on_grid(grid)
    limited = needed > options.max_frequencies
    warning = (
        f"The default search needs {needed:,} frequencies, and {options.max_frequencies:,} are allowed. Periods below "
        f"{1 / grid.last:.6g} d were not searched. To search them, limit the periods (minPeriod, maxPeriod) or the "
        f"times (mjdMin, mjdMax)."
    )
    peaks = find_peaks(curve, grid, power, options.max_peaks)
    return PeriodSearch(grid, power, peaks, limited, [warning] if limited else [])


def choose_grid(mjd: FloatArray, options: SearchOptions, *, shortest: float | None = None) -> tuple[Grid, int]:
    """Choose the frequencies to compute.

    Parameters
    ----------
    mjd : ndarray of float64, shape (n,)
        Sorted [d].
    options : SearchOptions
    shortest : float, optional
        The shortest period to search by default, where these times are of several light curves.

    Returns
    -------
    grid : Grid
        From the longest to the shortest period, unless it was limited.
    needed : int
        The number of frequencies down to the shortest period; more than ``max_frequencies`` when the grid was limited.

    Raises
    ------
    InvalidError
        When there are fewer than 5 points, all are at one time, or more frequencies are requested than allowed.
    """
    span = float(mjd[-1] - mjd[0])
    if len(mjd) < MIN_POINTS or span <= 0:
        raise InvalidError(f"A periodogram needs at least {MIN_POINTS} points, at more than one time.")
    step = 1 / (span * options.samples_per_peak)
    first = 1 / (options.max_period or span)
    last = 1 / (options.min_period or shortest or shortest_period(mjd))
    if last <= first:
        raise InvalidError("minPeriod must be below maxPeriod, which is the span of the times unless it is given.")
    needed = math.ceil(min((last - first) / step, sys.maxsize)) + 1
    if needed <= options.max_frequencies:
        return Grid(first, (last - first) / (needed - 1), needed), needed
    if options.min_period is not None:
        raise InvalidError(
            f"This needs {needed:,} frequencies, and {options.max_frequencies:,} are allowed: request a longer "
            f"minPeriod, fewer samplesPerPeak, or less of the time (mjdMin, mjdMax)."
        )
    return Grid(first, step, options.max_frequencies), needed


def shortest_period(mjd: FloatArray) -> float:
    """Return the shortest period [d] to search by default.

    Twice the step of regular times, for which shorter periods are aliases of longer ones. For irregular times twice the
    10th percentile of the steps, at most 0.1 d.
    """
    steps = np.diff(mjd)
    steps = steps[steps > 0]
    median, near = np.median(steps), np.quantile(steps, 0.1)
    regular = np.median(np.abs(steps - median)) < 0.01 * median
    return float(2 * median if regular else min(2 * near, 0.1))
