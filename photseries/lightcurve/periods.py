"""The period that the service stores for a series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from photseries.lightcurve.lomb_scargle import SearchedPeriods
from photseries.lightcurve.periodogram import SearchOptions, search_periods
from photseries.lightcurve.samples import Samples

__all__ = ["MIN_POINTS", "PERIODS_VERSION", "FoundPeriod", "find_period"]

#: The version of the search; ``photseries analyse`` repeats searches of earlier versions.
PERIODS_VERSION: Final = 1

#: With fewer points, pure noise has high peaks.
MIN_POINTS: Final = 20

#: Number of peaks to examine: peaks at the edge of the grid are trends.
_PEAKS: Final = 5


@dataclass(frozen=True)
class FoundPeriod:
    """The best period of a series.

    Attributes
    ----------
    method : str
    period : float
        [d]
    power : float
        From 0 to 1.
    false_alarm : float or None
        The probability that white noise has a peak of at least this height.
    error : float or None
        The standard deviation of the period [d].
    grid : SearchedPeriods
    """

    method: str
    period: float
    power: float
    false_alarm: float | None
    error: float | None
    grid: SearchedPeriods


def find_period(points: Samples, *, max_frequencies: int, seconds: float) -> FoundPeriod | None:
    """Find the best Lomb-Scargle period of a light curve.

    Parameters
    ----------
    points : Samples
    max_frequencies : int
        See :class:`~photseries.lightcurve.periodogram.SearchOptions`.
    seconds : float
        The time limit of the search, accurate to about a second.

    Returns
    -------
    FoundPeriod or None
        Of the highest peak that is not at the edge of the searched periods, where a trend has its power. None when
        there is no such peak, or there are fewer than 20 points.

    Raises
    ------
    InvalidError
        When the light curve allows no search; see :func:`~photseries.lightcurve.periodogram.search_periods`.
    LateError
        When it takes too long.
    """
    if len(points.mjd) < MIN_POINTS:
        return None
    options = SearchOptions(max_frequencies=max_frequencies, max_peaks=_PEAKS, seconds=seconds)
    search = search_periods(points.mjd, points.value, points.error, options)
    best = next((peak for peak in search.peaks if not peak.at_edge), None)
    if best is None:
        return None
    return FoundPeriod(
        "lomb_scargle", best.period, best.power, best.false_alarm, best.period_error, search.grid.periods
    )
