"""The peaks of a periodogram, and how often noise alone has one as high."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from photseries.lightcurve.periodogram import Grid
from photseries.lightcurve.photometry import FloatArray
from photseries.lightcurve.samples import Samples

__all__ = ["Peak", "false_alarm", "peaks"]

#: Peaks are distinct when they are so many times 1 / span apart: nearer ones are the feet of the higher one.
APART = 1.5


@dataclass(frozen=True)
class Peak:
    """A peak: its frequency [1/d], period [d], power, and the probability that noise alone has one as high."""

    frequency: float
    period: float
    power: float
    false_alarm: float


def false_alarm(power: npt.ArrayLike, points: Samples, last: float) -> FloatArray:
    """Give the probability that white noise alone has a peak as high, anywhere up to a frequency.

    Parameters
    ----------
    power : array_like of float, shape (n,)
    points : Samples
    last : float
        The greatest frequency that was looked at [1/d].

    Returns
    -------
    ndarray of float64, shape (n,)
        An upper limit for independent Gaussian errors. Noise that is correlated, as that of most real light curves, has
        high peaks far more often.

    Notes
    -----
    Baluev (2008, MNRAS 385, 1279), equations 5 and 6 for a residual of unknown variance:
    1 - (1 - (1 - z)^((N - 3) / 2)) exp(-tau), tau = gamma W (1 - z)^((N - 4) / 2) sqrt((N - 1) z / 2).
    """
    count = len(points.mjd)
    rest = 1 - np.asarray(power, dtype=np.float64)
    weight = points.weights
    mjd = points.mjd - points.mjd[0]
    width = last * math.sqrt(4 * math.pi * float(np.sum(weight * (mjd - np.sum(weight * mjd)) ** 2)))
    gamma = math.sqrt(2 / (count - 1)) * math.exp(math.lgamma((count - 1) / 2) - math.lgamma((count - 2) / 2))
    with np.errstate(under="ignore"):
        single = rest ** ((count - 3) / 2)
        tau = gamma * width * rest ** ((count - 4) / 2) * np.sqrt((count - 1) * (1 - rest) / 2)
        return np.asarray(-np.expm1(-tau) + single * np.exp(-tau))


def peaks(power: FloatArray, frequencies: Grid, points: Samples, most: int) -> list[Peak]:
    """List the highest peaks, the highest first.

    Parameters
    ----------
    power : ndarray of float64, shape (frequencies.count,)
    frequencies : Grid
    points : Samples
    most : int

    Returns
    -------
    list of Peak
        Distinct ones: each at least 1.5 / span from every higher one. The frequency is that of the parabola through the
        highest sample and its neighbours.
    """
    chosen = list(_highest(power, APART / (points.span * frequencies.step), most))
    chances = false_alarm(power[chosen], points, frequencies.last)
    listed = []
    for index, chance in zip(chosen, chances, strict=True):
        before, here, after = power[index - 1 : index + 2]
        shift = 0.5 * (before - after) / (before - 2 * here + after)
        frequency = frequencies.first + frequencies.step * (index + float(shift))
        listed.append(Peak(frequency, 1 / frequency, float(here), float(chance)))
    return listed


def _highest(power: FloatArray, apart: float, most: int) -> Iterator[int]:
    """Give the places of the highest local maxima that are apart."""
    rising, falling = power[1:-1] > power[:-2], power[1:-1] >= power[2:]
    places = np.flatnonzero(rising & falling) + 1
    taken: list[int] = []
    for place in places[np.argsort(-power[places], kind="stable")]:
        if all(abs(place - other) >= apart for other in taken):
            taken.append(int(place))
            yield int(place)
        if len(taken) == most:
            return
