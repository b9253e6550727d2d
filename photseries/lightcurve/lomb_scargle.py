"""The generalised Lomb-Scargle power: the fit of a sinusoid with floating mean at each frequency.

The power on a grid uses a non-uniform FFT, so that a million frequencies take seconds. The power at single frequencies
is exact to rounding; peaks are refined with it, and it replaces the FFT where the sums cancel.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, TypedDict

import numpy as np
import numpy.typing as npt

from photseries.cancellation import check_cancelled
from photseries.errors import InvalidError, LateError
from photseries.lightcurve.photometry import FloatArray
from photseries.lightcurve.samples import inverse_variance_weights

__all__ = ["Grid", "LombScargle", "SearchedPeriods", "check_deadline"]

#: Rows and frequencies per block of a transform. The deadline is checked between blocks, which take under a second.
_FFT_BLOCK = (2**18, 2**18)
_MATRIX_BLOCK = (2**11, 2**16)

_HARMONIC_BLOCK = 2**15

#: Rows times frequencies in one block of the exact power.
_EXACT_BLOCK = 2**18

#: Maximum of rows times frequencies replaced by the exact power, which takes a few seconds.
_EXACT_WORK = 2**25

#: Error of the sums relative to the sum of absolute terms; that of the power is this over its smaller denominator.
_ACCURACY = 1e-12
_CANCELS = 1e-3
_NOTHING = 1e-8

#: A column of a fit is ignored unless its norm exceeds that of the rounding of the times by this factor. The norm of a
#: full sinusoid is sqrt(1/2); columns of a tenth count also where the rounding is a large part of the period.
_SIGNIFICANT = 100.0
_FULL = 0.1

Complex = npt.NDArray[np.complex128]
Transform = Callable[[FloatArray, Complex, int], Complex]


class SearchedPeriods(TypedDict):
    """The range of periods that a grid of frequencies searches, and the number of frequencies."""

    min_period: Annotated[float, "The shortest searched period [d]."]
    max_period: Annotated[float, "The longest searched period [d]."]
    num_frequencies: int


@dataclass(frozen=True)
class Grid:
    """Equidistant frequencies: the first and the step [1/d], and their number."""

    first: float
    step: float
    count: int

    def frequencies(self) -> FloatArray:
        """Return all frequencies, shape (count,) [1/d]."""
        return self.first + self.step * np.arange(self.count, dtype=np.float64)

    def pieces(self, size: int) -> Iterator[tuple[slice, Grid]]:
        """Yield parts of at most ``size`` frequencies, each with its place in the grid."""
        for begin in range(0, self.count, size):
            count = min(size, self.count - begin)
            yield slice(begin, begin + count), Grid(self.first + begin * self.step, self.step, count)

    @property
    def last(self) -> float:
        """The greatest frequency [1/d]."""
        return self.first + self.step * (self.count - 1)

    @property
    def periods(self) -> SearchedPeriods:
        """What the grid searches."""
        return {"min_period": 1 / self.last, "max_period": 1 / self.first, "num_frequencies": self.count}


class LombScargle:
    """The Lomb-Scargle power of one light curve.

    Parameters
    ----------
    mjd, value : ndarray of float64, shape (n,)
        Finite times [d] and brightnesses, sorted by time.
    error : ndarray of float64, shape (n,), or None
        Finite and positive; the points are weighted by its inverse square.
    seconds : float
        The time limit of all calls together, accurate to about a second.

    Raises
    ------
    InvalidError
        When the brightness does not vary, or one point has all the weight.

    Notes
    -----
    The power is the fraction of chi squared about the weighted mean that the best sinusoid removes, from 0 to 1: the
    generalised periodogram with a floating mean of Zechmeister & Kuerster (2009, A&A 496, 577).
    """

    def __init__(self, mjd: FloatArray, value: FloatArray, error: FloatArray | None, seconds: float = math.inf) -> None:
        self._deadline = time.monotonic() + seconds
        self.span = float(mjd[-1] - mjd[0])
        self.count = len(mjd)
        self._time = mjd - (mjd[0] + mjd[-1]) / 2
        self._rounding = float(np.spacing(max(np.max(np.abs(mjd)), self.span)))
        self._weight = inverse_variance_weights(len(mjd), error)
        value = _centred(value, self._weight)
        total = float(np.sum(self._weight * value**2))
        if not total > 0:
            raise InvalidError(
                "The brightness does not vary (or one point has all the weight): there is no period to find."
            )
        self._weighted = self._weight * (value / math.sqrt(total))

    def on_grid(self, grid: Grid) -> FloatArray:
        """Compute the power at every frequency of a grid.

        Returns
        -------
        ndarray of float64, shape (grid.count,)

        Raises
        ------
        LateError
            When the deadline passes.

        Notes
        -----
        Rotated as by Lomb (1976) and Scargle (1982), P = YC^2 / CC + YS^2 / SS, where the cross term of sine and cosine
        vanishes. The trigonometric sums are those of Press & Rybicki (1989, ApJ 338, 277), by the non-uniform FFT of
        Barnett et al. (2019, SIAM J. Sci. Comput. 41, C479) in place of their extirpolation; without finufft by matrix
        products. Where CC or SS is small (periods of many spans, aliases of a regular cadence) the sums cancel, and
        :meth:`at` gives the power. Beyond a limit to that work, such a term counts as nothing.
        """
        transform, (rows, columns) = _transform()
        power, smaller = np.empty(grid.count), np.empty(grid.count)
        for here, piece in grid.pieces(columns):
            values, weights = self._sums(transform, rows, piece, np.array([self._weighted, self._weight]), 1)
            (twice,) = self._sums(transform, rows, piece, self._weight[np.newaxis], 2)
            power[here], smaller[here] = _rotated_power(values, weights, twice)
        cancelling = np.flatnonzero(smaller < _CANCELS)[: max(1, _EXACT_WORK // self.count)]
        power[cancelling] = self.at(grid.first + grid.step * cancelling.astype(np.float64))
        return np.clip(power, 0, 1)

    def of_harmonics(self, grid: Grid, harmonics: int) -> FloatArray:
        """Compute the power of a sinusoid with its harmonics at every frequency of a grid.

        Parameters
        ----------
        grid : Grid
        harmonics : int
            The number of sinusoids, including the fundamental.

        Returns
        -------
        ndarray of float64, shape (grid.count,)
            From 0 to 1. For a single sinusoid, multiples of its period have the same power.

        Raises
        ------
        LateError
            When the deadline passes.

        Notes
        -----
        The fraction of chi squared that the least-squares fit removes (Palmer 2009, ApJ 695, 496). The sums for all
        harmonics are those of :meth:`on_grid`.
        """
        transform, (rows, _) = _transform()
        power = np.empty(grid.count)
        for here, piece in grid.pieces(_HARMONIC_BLOCK):
            weights = [
                self._sums(transform, rows, piece, self._weight[np.newaxis], k + 1) for k in range(2 * harmonics)
            ]
            values = [self._sums(transform, rows, piece, self._weighted[np.newaxis], k + 1) for k in range(harmonics)]
            power[here] = _harmonic_power(np.concatenate(weights), np.concatenate(values))
        return np.clip(power, 0, 1)

    def of_times(self, grid: Grid) -> FloatArray:
        """Compute the spectral window of the times at every frequency of a grid, from 0 to 1.

        Raises
        ------
        LateError
            When the deadline passes.

        Notes
        -----
        The squared modulus of the mean of exp(2 pi i f t) (Deeming 1975, Ap&SS 36, 137).
        """
        transform, (rows, columns) = _transform()
        equal = np.full((1, self.count), 1 / self.count)
        return np.concatenate(
            [np.abs(self._sums(transform, rows, piece, equal, 1)[0]) ** 2 for _, piece in grid.pieces(columns)]
        )

    def at(self, frequencies: FloatArray) -> FloatArray:
        """Compute the power at single frequencies, exact to rounding.

        Parameters
        ----------
        frequencies : ndarray of float64, shape (m,)
            [1/d]

        Returns
        -------
        ndarray of float64, shape (m,)

        Raises
        ------
        LateError
            When the deadline passes.

        Notes
        -----
        A least-squares fit of sin x and 1 - cos x = 2 sin^2(x / 2), both about their weighted means, by Gram-Schmidt:
        nothing cancels when x is small. A column that is not larger than the rounding of the times is ignored.
        """
        power = np.empty(len(frequencies))
        step = max(1, _EXACT_BLOCK // self.count)
        for begin in range(0, len(frequencies), step):
            check_deadline(self._deadline)
            power[begin : begin + step] = self._exact(frequencies[begin : begin + step])
        return power

    def false_alarm(self, power: npt.ArrayLike, last: float) -> FloatArray:
        """Compute the probability that white noise has a peak of at least this height at any frequency up to a maximum.

        Parameters
        ----------
        power : array_like of float, shape (m,)
        last : float
            The greatest frequency that was searched [1/d].

        Returns
        -------
        ndarray of float64, shape (m,)
            An upper limit for independent Gaussian errors. Correlated noise, as in most real light curves, has high
            peaks far more often.

        Notes
        -----
        Baluev (2008, MNRAS 385, 1279), equations 5 and 6 for a residual of unknown variance:
        1 - (1 - (1 - z)^((N - 3) / 2)) exp(-tau), tau = gamma W (1 - z)^((N - 4) / 2) sqrt((N - 1) z / 2).
        """
        count = self.count
        unexplained = 1 - np.asarray(power, dtype=np.float64)
        mean = np.sum(self._weight * self._time)
        width = last * math.sqrt(4 * math.pi * float(np.sum(self._weight * (self._time - mean) ** 2)))
        gamma = math.sqrt(2 / (count - 1)) * math.exp(math.lgamma((count - 1) / 2) - math.lgamma((count - 2) / 2))
        with np.errstate(under="ignore"):
            single = unexplained ** ((count - 3) / 2)
            tau = gamma * width * unexplained ** ((count - 4) / 2) * np.sqrt((count - 1) * (1 - unexplained) / 2)
            return np.asarray(-np.expm1(-tau) + single * np.exp(-tau))

    def _sums(self, transform: Transform, rows: int, piece: Grid, terms: FloatArray, factor: int) -> Complex:
        """Sum each term times exp(2 pi i factor f t) over the rows, for every frequency f of a piece."""
        middle = piece.first + piece.step * (piece.count // 2)
        sums = np.zeros((len(terms), piece.count), dtype=np.complex128)
        for begin in range(0, self.count, rows):
            check_deadline(self._deadline)
            angle = 2 * np.pi * factor * self._time[begin : begin + rows]
            sums += transform(
                piece.step * angle, terms[:, begin : begin + rows] * np.exp(1j * middle * angle), piece.count
            )
        return sums

    def _exact(self, frequencies: FloatArray) -> FloatArray:
        weight = self._weight
        half = np.pi * np.outer(frequencies, self._time)
        sine = np.sin(half)
        odd, even = 2 * sine * np.cos(half), 2 * sine**2
        odd -= (odd @ weight)[:, np.newaxis]
        even -= (even @ weight)[:, np.newaxis]
        odd_norm, even_norm = odd**2 @ weight, even**2 @ weight
        oddly = (odd_norm >= even_norm)[:, np.newaxis]
        first, second = np.where(oddly, odd, even), np.where(oddly, even, odd)
        larger, smaller = np.maximum(odd_norm, even_norm), np.minimum(odd_norm, even_norm)
        noise = np.minimum(_SIGNIFICANT * 2 * np.pi * frequencies * self._rounding, _FULL) ** 2
        second -= _ratio((first * second) @ weight, larger, noise)[:, np.newaxis] * first
        norm = second**2 @ weight
        power = _ratio((first @ self._weighted) ** 2, larger, noise)
        power += _ratio((second @ self._weighted) ** 2, norm, np.maximum(noise, 1e-20 * smaller))
        return np.clip(power, 0, 1)


def check_deadline(deadline: float) -> None:
    """Raise an error if the work of this thread is cancelled or late.

    Parameters
    ----------
    deadline : float
        On the monotonic clock [s].

    Raises
    ------
    LateError, CancelledWorkError
    """
    check_cancelled()
    if time.monotonic() > deadline:
        raise LateError(
            "The periodogram took too long. Request fewer frequencies (a longer minPeriod, a shorter maxPeriod), fewer "
            "peaks, or a shorter time (mjdMin, mjdMax)."
        )


def _centred(value: FloatArray, weight: FloatArray) -> FloatArray:
    """Subtract the weighted mean, and scale so that squares are finite."""
    largest = float(np.max(np.abs(value)))
    value = value / (largest or 1)
    value = value - np.sum(weight * value)
    spread = float(np.max(np.abs(value)))
    return np.asarray(value / spread) if spread > 1e-14 else np.zeros_like(value)


def _transform() -> tuple[Transform, tuple[int, int]]:
    """Return the fastest installed transform, and the rows and frequencies of its blocks.

    It sums c exp(i k x) over the rows, for k from -(count // 2).
    """
    try:
        import finufft
    except ImportError:
        return _matrix_transform, _MATRIX_BLOCK
    return (
        lambda angle, terms, count: np.atleast_2d(
            finufft.nufft1d1(angle, terms, count, eps=_ACCURACY, isign=1, nthreads=1)
        )
    ), _FFT_BLOCK


def _matrix_transform(angle: FloatArray, terms: Complex, count: int) -> Complex:
    """Transform by exp(i (a + b) x) = exp(i a x) exp(i b x), which is a product of two small matrices."""
    width = math.isqrt(count - 1) + 1
    coarse = np.exp(1j * np.outer(np.arange(0, count, width) - count // 2, angle))
    fine = np.exp(1j * np.outer(angle, np.arange(width)))
    return np.array([((term * coarse) @ fine).ravel()[:count] for term in terms])


def _rotated_power(values: Complex, weights: Complex, twice: Complex) -> tuple[FloatArray, FloatArray]:
    """Return the power, and the smaller of its two denominators."""
    cosines = (1 + twice.real) / 2 - weights.real**2
    sines = (1 - twice.real) / 2 - weights.imag**2
    mixed = twice.imag / 2 - weights.real * weights.imag
    turn = np.arctan2(2 * mixed, cosines - sines) / 2
    c, s = np.cos(turn), np.sin(turn)
    along, across = values.real * c + values.imag * s, values.imag * c - values.real * s
    swing = 2 * mixed * c * s
    long, short = cosines * c**2 + sines * s**2 + swing, cosines * s**2 + sines * c**2 - swing
    return _ratio(along**2, long, _NOTHING) + _ratio(across**2, short, _NOTHING), short


def _harmonic_power(weights: Complex, values: Complex) -> FloatArray:
    """Return the power of a fit of harmonics, from the sums of the weights and of the values for each harmonic."""
    count = len(values)
    sums = np.concatenate([weights[::-1].conj(), np.ones((1, weights.shape[1])), weights])  # of -2K to 2K
    first, second = np.meshgrid(np.arange(1, count + 1), np.arange(1, count + 1), indexing="ij")
    apart, together = sums[second - first + 2 * count], sums[second + first + 2 * count]
    mean = weights[:count]
    cosines = (apart.real + together.real) / 2 - mean.real[:, np.newaxis] * mean.real
    sines = (apart.real - together.real) / 2 - mean.imag[:, np.newaxis] * mean.imag
    mixed = (together.imag + apart.imag) / 2 - mean.real[:, np.newaxis] * mean.imag
    upper, lower = np.concatenate([cosines, mixed], 1), np.concatenate([mixed.transpose(1, 0, 2), sines], 1)
    normal = np.concatenate([upper, lower]).transpose(2, 0, 1)
    right = np.concatenate([values.real, values.imag]).T[:, :, np.newaxis]
    fitted = np.linalg.solve(normal + _NOTHING * np.eye(2 * count), right)
    return np.asarray((right * fitted).sum((1, 2)))


def _ratio(upper: FloatArray, lower: FloatArray, nothing: float | FloatArray) -> FloatArray:
    return np.divide(upper, lower, out=np.zeros_like(upper), where=lower > nothing)
