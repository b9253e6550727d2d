"""The peaks of a periodogram: refined on the data and ranked, with uncertainties."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt

from photseries.lightcurve.lomb_scargle import Grid, LombScargle
from photseries.lightcurve.photometry import FloatArray

__all__ = ["Peak", "find_peaks", "highest_maxima"]

#: Peaks nearer than this to a higher one, in units of 1 / span, are side lobes of it.
_APART = 1.5

#: Maximum rows times local maxima to refine in addition to those listed by the grid (a few seconds of work), and
#: the rows whose transform takes as long as its call.
_REFINED_WORK = 2**23
_CALL = 2**13

#: The step of the frequencies around a maximum, in units of 1 / span: a parabola fits three of them to 1e-8.
_FINE = 0.01

Places = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Peak:
    """A peak of a periodogram."""

    frequency: Annotated[float, "[1/d]"]
    period: Annotated[float, "[d]"]
    period_error: Annotated[
        float | None, "Standard deviation of the period [d], if the peak is the right one; null at the edge."
    ]
    power: Annotated[float, "From 0 to 1."]
    false_alarm: Annotated[
        float | None, "Probability that white noise alone has a peak as high; null except for Lomb-Scargle."
    ]
    at_edge: Annotated[bool, "Whether the peak is at the edge of the searched range; the power may be higher beyond."]
    depth: Annotated[float | None, "Depth of the box, in unit; null except for bls."] = None
    duration: Annotated[float | None, "Duration of the box [d]; null except for bls."] = None


def find_peaks(curve: LombScargle, grid: Grid, power: FloatArray, max_peaks: int) -> list[Peak]:
    """List the highest peaks, the highest first.

    Parameters
    ----------
    curve : LombScargle
    grid : Grid
    power : ndarray of float64, shape (grid.count,)
        Of the grid.
    max_peaks : int
        Maximum number of peaks to list.

    Returns
    -------
    list of Peak
        Each at least 1.5 / span from every higher one, and within the grid. The power is the maximum between the
        frequencies of the grid.

    Raises
    ------
    LateError
        When the deadline of the curve passes.

    Notes
    -----
    The frequency has the variance 2 (1 - P) / ((N - 4) |P''|), which is 1 / (d^2 chi^2 / 2 df^2) with errors scaled to
    a reduced chi squared of 1, where level and amplitudes are fitted at every frequency; so the errors given need to be
    right only relative to each other. For a sinusoid of amplitude A in white noise of standard deviation s it is
    6 s^2 / (N (pi A span)^2), as in Montgomery & O'Donoghue (1999, Delta Scuti Star Newsletter 13, 28). It
    does not show whether the peak is an alias (VanderPlas 2018, ApJS 236, 16, section 7.4).
    """
    maxima = [_maximum(curve, grid, int(candidate)) for candidate in _candidates(curve, grid, power, max_peaks)]
    frequency, height = np.array([(maximum.frequency, maximum.height) for maximum in maxima]).T
    selected = list(_distinct(height, frequency, _APART / curve.span, max_peaks))
    exact = curve.at(frequency[selected])
    chances = curve.false_alarm(exact, grid.last)
    listed = [
        _peak(maxima[index], float(height), float(chance), curve.count)
        for index, height, chance in zip(selected, exact, chances, strict=True)
    ]
    return sorted(listed, key=lambda peak: -peak.power)


def _distinct(height: FloatArray, position: FloatArray, apart: float, limit: int) -> Iterator[int]:
    """Yield the indices of the highest peaks that are separated from every higher one."""
    selected: list[float] = []
    for index in np.argsort(-height, kind="stable"):
        if all(abs(position[index] - other) >= apart for other in selected):
            selected.append(float(position[index]))
            yield int(index)
        if len(selected) == limit:
            return


def highest_maxima(power: FloatArray, step: float, span: float, limit: int) -> tuple[Places, Places]:
    """Find the local maxima on a grid of frequencies.

    Parameters
    ----------
    power : ndarray of float64, shape (n,)
    step : float
        Of the frequencies [1/d].
    span : float
        Of the times [d].
    limit : int

    Returns
    -------
    maxima, highest : ndarray of int, shape (m,)
        The indices of all maxima, and of at most ``limit`` that are 1.5 / span from every higher one; the highest
        first.
    """
    padded = np.concatenate([[-np.inf], power, [-np.inf]])
    maxima = np.flatnonzero((power > padded[:-2]) & (power >= padded[2:]))
    maxima = maxima[np.argsort(-power[maxima], kind="stable")]
    return maxima, maxima[list(_distinct(power[maxima], step * maxima.astype(np.float64), _APART / span, limit))]


def _candidates(curve: LombScargle, grid: Grid, power: FloatArray, max_peaks: int) -> Places:
    """Return the local maxima of the grid that can be among the highest once they are refined.

    A maximum is at most half a step from a frequency of the grid. The highest peak is nowhere narrower than
    cos^2(pi span f), that of points at both ends of the span, which bounds how much higher it is there.
    """
    maxima, listed = highest_maxima(power, grid.step, curve.span, max_peaks)
    threshold = np.cos(min(np.pi / 2 * curve.span * grid.step, np.pi / 2)) ** 2 * power[listed[-1]]
    other_places = maxima[power[maxima] >= threshold][: _REFINED_WORK // (curve.count + _CALL)]
    return np.union1d(listed, other_places)


@dataclass(frozen=True)
class _Maximum:
    """A maximum: its frequency [1/d], the power, and its second derivative, negated [d2]; None at the edge."""

    frequency: float
    height: float
    bend: float | None


def _maximum(curve: LombScargle, grid: Grid, index: int) -> _Maximum:
    """Return the maximum of the power between the neighbours of a frequency of the grid."""
    low, high = max(index - 1, 0), min(index + 1, grid.count - 1)
    width = (high - low) * grid.step
    count = max(3, math.ceil(width * curve.span / _FINE) + 1)
    fine = Grid(grid.first + low * grid.step, width / (count - 1), count)
    power = curve.on_grid(fine)
    best = int(power.argmax())
    if (best == 0 and index == 0) or (best == count - 1 and index == grid.count - 1):
        return _Maximum(grid.last if index else grid.first, float(power[best]), None)
    best = min(max(best, 1), count - 2)
    before, here, after = (float(value) for value in power[best - 1 : best + 2])
    bend = 2 * here - before - after
    shift = min(max((after - before) / (2 * bend), -1), 1) if bend > 0 else 0
    return _Maximum(fine.first + fine.step * (best + shift), here + (after - before) * shift / 4, bend / fine.step**2)


def _peak(maximum: _Maximum, power: float, false_alarm: float, count: int) -> Peak:
    frequency, bend = maximum.frequency, maximum.bend
    error = math.sqrt(2 * (1 - power) / ((count - 4) * bend)) / frequency**2 if bend and bend > 0 else None
    return Peak(frequency, 1 / frequency, error, power, false_alarm, bend is None)
