"""Positions on the sky: their HEALPix numbers, and the HEALPix ranges of a cone.

A position is indexed by the number of its HEALPix pixel of order 29 (pixels of 0.4 milliarcsec) in the nested scheme,
in which every pixel of a lower order is one range of numbers. A cone search uses a few such ranges that cover the cone,
and an exact test of the positions in them.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import healpix
import numpy as np
from numpy.typing import ArrayLike

from photseries.lightcurve.photometry import FloatArray, IntArray

__all__ = ["ORDER", "Cover", "centres", "chord", "cover", "pixel", "separation"]

#: The order of the index; the highest order whose 12 * 4**29 pixels fit into signed 64 bits.
ORDER = 29

#: Maximum number of ranges per cone.
MAX_RANGES = 8

# Rounding error of a chord; a pixel within this distance of the edge counts as inside.
_ROUNDING = 1e-14


class Cover(NamedTuple):
    """Inclusive ranges of pixel numbers, and the position of each; all of shape ``(m,)``."""

    position: IntArray
    low: IntArray
    high: IntArray


def pixel(ra: ArrayLike, dec: ArrayLike) -> IntArray:
    """Return the HEALPix number of order 29 of a position.

    Parameters
    ----------
    ra, dec : array_like of float, shape (n,) or ()
        [deg, ICRS].

    Returns
    -------
    ndarray of int64, shape (n,) or ()
    """
    numbers: IntArray = healpix.ang2pix(2**ORDER, ra, dec, nest=True, lonlat=True)
    return numbers


def centres(order: int, numbers: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return the centres of pixels of an order: ra and dec [deg], shape (n,)."""
    pixels = np.asarray(numbers, np.int64)
    ra, dec = healpix.pix2ang(2**order, pixels, nest=True, lonlat=True)
    return np.asarray(ra, np.float64), np.asarray(dec, np.float64)


def unit_vector(ra: ArrayLike, dec: ArrayLike) -> FloatArray:
    """Return the unit vectors of positions.

    Parameters
    ----------
    ra, dec : array_like of float, shape (n,)
        [deg, ICRS].

    Returns
    -------
    ndarray of float64, shape (n, 3)
    """
    alpha, delta = np.radians(ra), np.radians(dec)
    return np.stack([np.cos(delta) * np.cos(alpha), np.cos(delta) * np.sin(alpha), np.sin(delta)], axis=-1)


def chord(radius: float) -> float:
    """Return the chord between two unit vectors with an angle between them [deg].

    Unlike the cosine, it resolves small angles: 0.1 arcsec to 1e-9 relative.
    """
    return float(2 * np.sin(np.radians(min(radius, 180.0)) / 2))


def separation(chords: ArrayLike) -> FloatArray:
    """Return the angle [arcsec] between unit vectors with a chord; the inverse of :func:`chord`."""
    return np.asarray(3600 * np.degrees(2 * np.arcsin(np.minimum(np.asarray(chords) / 2, 1.0))))


def cover(ra: ArrayLike, dec: ArrayLike, radius: float, fineness: float = 1.0) -> Cover:
    """Cover cones with ranges of pixel numbers.

    Parameters
    ----------
    ra, dec : array_like of float, shape (n,)
        Centres [deg, ICRS].
    radius : float
        Of every cone, 0 to 180 [deg].
    fineness : float
        Ratio of a cone's radius to the smallest pixels; a larger value takes longer and fits the cone better.

    Returns
    -------
    Cover
        At most 8 ranges per position, sorted by position and number, which contain the cone and some points around it.

    Notes
    -----
    From the twelve base pixels down, the pixels are kept whose centre is not farther from the cone's than its radius
    and the greatest radius of a pixel together, down to pixels about as large as the cone over the fineness. Where that
    makes more than 8 ranges, the ranges with the narrowest gaps are merged.
    """
    centres = unit_vector(np.atleast_1d(ra), np.atleast_1d(dec))
    order, angle = 0, float(np.radians(radius))
    position = np.repeat(np.arange(len(centres)), 12)
    number = np.tile(np.arange(12), len(centres))
    while True:
        near = _distance(centres[position], order, number) <= _reach(angle + _pixel_radius(order))
        position, number = position[near], number[near]
        if order == ORDER or _pixel_radius(order + 1) < angle / fineness:
            break
        order += 1
        position = np.repeat(position, 4)
        number = (number[:, None] * 4 + np.arange(4)).ravel()
    return _merge_ranges(position, number, order)


def _merge_ranges(position: IntArray, number: IntArray, order: int) -> Cover:
    """Merge the pixels of each position into ranges; if there are too many, close the narrowest gaps."""
    size = 1 << 2 * (ORDER - order)
    low = number * size
    rank = np.lexsort((low, position))
    position, low = position[rank], low[rank]
    firsts = np.flatnonzero(np.diff(position, prepend=-1))
    gap = np.diff(low, prepend=0) - size
    gap[firsts] = 12 * 4**ORDER
    widest = np.lexsort((-gap, position))
    gap_rank = np.arange(len(position)) - np.repeat(firsts, np.diff(firsts, append=len(position)))
    begins = np.zeros(position.shape, bool)
    begins[widest] = gap_rank < MAX_RANGES
    begins &= gap > 0
    ends = np.roll(begins, -1)
    return Cover(position[begins], low[begins], low[ends] + size - 1)


def _distance(centres: FloatArray, order: int, number: IntArray) -> FloatArray:
    """Return the chords between points and the centres of pixels, shape ``(m,)``."""
    pixels = np.stack(healpix.pix2vec(2**order, number, nest=True), axis=-1)
    return np.asarray(np.linalg.norm(centres - pixels, axis=-1))


def _reach(angle: float) -> float:
    return float(2 * np.sin(min(angle, np.pi) / 2)) * (1 + 1e-12) + _ROUNDING


@functools.cache
def _pixel_radius(order: int) -> float:
    """Return the maximum angle [rad] between a pixel's centre and its corners.

    It occurs where the polar cap begins (Gorski et al. 2005, ApJ 622, 759; ``max_pixrad`` of the HEALPix library).
    """
    nside = 2**order
    inner = np.array([2 / 3, np.pi / (4 * nside)])
    outer = np.array([1 - (1 - 1 / nside) ** 2 / 3, 0.0])
    z, phi = np.stack([inner, outer], axis=-1)
    rho = np.sqrt((1 - z) * (1 + z))
    first, second = np.stack([rho * np.cos(phi), rho * np.sin(phi), z], axis=-1)
    return float(2 * np.arcsin(np.linalg.norm(first - second) / 2))
