"""The Lomb-Scargle periodogram: how well a sinusoid of each frequency, on a level of its own, fits a light curve.

For irregular times, through the non-uniform FFT, so that a million frequencies take seconds for any number of rows.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from photseries.errors import InvalidError, LateError, NotInstalledError
from photseries.lightcurve.photometry import FloatArray
from photseries.lightcurve.samples import Samples

__all__ = ["Grid", "grid", "periodogram"]

#: Fewer points than the four numbers of a sinusoid on a level, and one to tell whether it fits, are fitted always.
LEAST_POINTS = 5

#: Rows, and frequencies, of a piece of the work; the clock is looked at before each piece, which takes half a second.
_PIECE = 2**18

#: Relative accuracy of the sums; below its root a sum counts as nothing.
_ACCURACY = 1e-12
_NOTHING = 1e-8


@dataclass(frozen=True)
class Grid:
    """Equidistant frequencies: the first and the distance [1/d], and how many."""

    first: float
    step: float
    count: int

    def frequencies(self) -> FloatArray:
        """Give them all [1/d]."""
        return self.first + self.step * np.arange(self.count, dtype=np.float64)

    @property
    def last(self) -> float:
        """The greatest [1/d]."""
        return self.first + self.step * (self.count - 1)


def grid(points: Samples, min_period: float | None, max_period: float | None, samples_per_peak: int, most: int) -> Grid:
    """Choose frequencies.

    Parameters
    ----------
    points : Samples
    min_period, max_period : float or None
        [d]; None: see :func:`_shortest`, or what ``most`` frequencies reach; and the whole span.
    samples_per_peak : int
        Frequencies in a peak, which is as wide as 1 / span.
    most : int
        How many are allowed.

    Raises
    ------
    InvalidError
        When there are fewer than 5 points, all at one time, or more frequencies are needed than are allowed.
    """
    span = points.span
    if len(points.mjd) < LEAST_POINTS or span <= 0:
        raise InvalidError(f"A periodogram needs at least {LEAST_POINTS} points, at more than one time.")
    step = 1 / (span * samples_per_peak)
    first = 1 / (span if max_period is None else max_period)
    reached = first + step * (most - 1)
    last = min(1 / _shortest(points.mjd), reached) if min_period is None else 1 / min_period
    if last <= first:
        raise InvalidError("minPeriod must be below maxPeriod, which is the span of the times unless it is given.")
    if not (wanted := (last - first) / step + 1) <= most:
        raise InvalidError(
            f"This needs {wanted:,.0f} frequencies, and {most:,} are allowed: ask for a longer minPeriod, "
            f"fewer samplesPerPeak, or less of the time (mjdMin, mjdMax)."
        )
    return Grid(first, step, int(wanted))


def _shortest(mjd: FloatArray) -> float:
    """Give the shortest period [d] to look for when nothing is said.

    Twice the distance of the times where they are regular: of what is shorter they see only mirror images. Irregular
    times see further: twice the distance below which a tenth are, and 0.1 d in any case.
    """
    steps = np.diff(mjd)
    steps = steps[steps > 0]
    median, near = np.median(steps), np.quantile(steps, 0.1)
    regular = np.median(np.abs(steps - median)) < 0.01 * median
    return float(2 * median if regular else min(2 * near, 0.1))


def periodogram(points: Samples, frequencies: Grid, seconds: float = math.inf) -> FloatArray:
    """Compute the power at every frequency.

    Parameters
    ----------
    points : Samples
        Weighted by the inverse square of their errors, if they have some.
    frequencies : Grid
    seconds : float
        How long it may take; held to about a second.

    Returns
    -------
    ndarray of float64, shape (frequencies.count,)
        From 0 to 1: the part of chi squared, about the weighted mean, that the best sinusoid takes away.

    Raises
    ------
    InvalidError
        When the brightness does not vary, or one point has all the weight.
    LateError
        When it takes too long.
    NotInstalledError
        When finufft is not installed.

    Notes
    -----
    The generalised periodogram with a floating mean of Zechmeister & Kuerster (2009, A&A 496, 577), in the rotated form
    of Lomb (1976) and Scargle (1982), P = (YC^2 / CC + YS^2 / SS) / YY, where the cross term of sine and cosine
    vanishes: a denominator that is zero (a frequency at which the times see only the cosine) then costs its own term
    alone. The trigonometric sums are those of Press & Rybicki (1989, ApJ 338, 277), by the non-uniform FFT of Barnett
    et al. (2019, SIAM J. Sci. Comput. 41, C479) in place of their extirpolation.
    """
    deadline = time.monotonic() + seconds
    mjd = points.mjd - (points.mjd[0] + points.mjd[-1]) / 2
    weight = points.weights
    value = _scaled(points.value, weight)
    total = float(np.sum(weight * value**2))
    if not total > 0:
        raise InvalidError(
            "The brightness does not vary (or one point has all the weight): there is no period to find."
        )
    power = np.empty(frequencies.count)
    for begin in range(0, frequencies.count, _PIECE):
        piece = Grid(
            frequencies.first + begin * frequencies.step, frequencies.step, min(_PIECE, frequencies.count - begin)
        )
        (values, weights), (twice,) = (
            _sums(mjd, terms, piece, factor, deadline)
            for terms, factor in (((weight * value, weight), 1), ((weight,), 2))
        )
        power[begin : begin + piece.count] = _power(values, weights, twice) / total
    return np.clip(power, 0, 1)


def _scaled(value: FloatArray, weight: FloatArray) -> FloatArray:
    """Take the weighted mean away, and scale so that squares are finite."""
    largest = float(np.max(np.abs(value)))
    value = value / (largest or 1)
    value = value - np.sum(weight * value)
    spread = float(np.max(np.abs(value)))
    return np.asarray(value / spread) if spread > 1e-14 else np.zeros_like(value)


Complex = npt.NDArray[np.complex128]


def _sums(mjd: FloatArray, terms: tuple[FloatArray, ...], piece: Grid, factor: int, deadline: float) -> list[Complex]:
    """Sum each term times exp(2 pi i factor f t) over the rows, for every frequency f of a piece."""
    transform = _transform()
    middle = piece.first + piece.step * (piece.count // 2)
    sums: Any = 0
    for begin in range(0, len(mjd), _PIECE):
        if time.monotonic() > deadline:
            raise LateError(
                "The periodogram took too long. Ask for fewer frequencies (a longer minPeriod) or for less of the time."
            )
        rows = slice(begin, begin + _PIECE)
        angle = 2 * np.pi * factor * mjd[rows]
        turned = np.exp(1j * middle * angle)
        sums = sums + transform(piece.step * angle, np.array([term[rows] * turned for term in terms]), piece.count)
    return list(np.atleast_2d(sums))


def _transform() -> Any:
    try:
        import finufft
    except ImportError as error:
        raise NotInstalledError(
            "This service cannot make periodograms, because finufft is not installed. Whoever runs it can change that: "
            "pip install 'photseries[periodogram]'."
        ) from error
    return lambda angle, terms, count: finufft.nufft1d1(angle, terms, count, eps=_ACCURACY, isign=1, nthreads=1)


def _power(values: Complex, weights: Complex, twice: Complex) -> FloatArray:
    cosines = (1 + twice.real) / 2 - weights.real**2
    sines = (1 - twice.real) / 2 - weights.imag**2
    mixed = twice.imag / 2 - weights.real * weights.imag
    turn = np.arctan2(2 * mixed, cosines - sines) / 2
    c, s = np.cos(turn), np.sin(turn)
    along, across = values.real * c + values.imag * s, values.imag * c - values.real * s
    swing = 2 * mixed * c * s
    return _ratio(along**2, cosines * c**2 + sines * s**2 + swing) + _ratio(
        across**2, cosines * s**2 + sines * c**2 - swing
    )


def _ratio(upper: FloatArray, lower: FloatArray) -> FloatArray:
    return np.divide(upper, lower, out=np.zeros_like(upper), where=lower > _NOTHING)
