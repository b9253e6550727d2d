"""Conversion between flux [uJy] and AB magnitude, with errors.

Every function is element-wise, computes in float64, raises no warning, and gives NaN where its result is undefined or
too large for float64: never an infinity.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "AB_ZERO_POINT",
    "NULLABLE",
    "POGSON",
    "Array",
    "BoolArray",
    "FloatArray",
    "IntArray",
    "finite_or_nan",
    "flux_to_mag",
    "fluxerr_to_magerr",
    "mag_to_flux",
    "magerr_to_fluxerr",
    "positive_or_nan",
    "scaled",
]

Array = npt.NDArray[np.generic]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Annotates an array that may have NaN, which is null in JSON.
NULLABLE: Final[Mapping[str, object]] = {"items": {"type": ["number", "null"]}}

#: The AB magnitude of a flux of 1 uJy.
AB_ZERO_POINT = 23.9

#: Magnitudes per unit of relative flux, to first order.
POGSON = 2.5 / math.log(10.0)


def flux_to_mag(flux: npt.ArrayLike) -> FloatArray:
    """Convert a flux to an AB magnitude.

    Parameters
    ----------
    flux : array_like of float, shape (n,)
        [uJy]

    Returns
    -------
    ndarray of float64, shape (n,)
        [AB mag]; NaN where the flux is not positive or not finite.

    Notes
    -----
    m = 23.9 - 2.5 log10(f / uJy): the AB system of Oke & Gunn (1983, ApJ 266, 713), its zero point rounded to 3631 Jy.
    """
    flux = np.asarray(flux, dtype=np.float64)
    with np.errstate(all="ignore"):
        return finite_or_nan(AB_ZERO_POINT - 2.5 * np.log10(flux))


def mag_to_flux(mag: npt.ArrayLike) -> FloatArray:
    """Convert an AB magnitude to a flux: the inverse of :func:`flux_to_mag`.

    Parameters
    ----------
    mag : array_like of float, shape (n,)
        [AB mag]

    Returns
    -------
    ndarray of float64, shape (n,)
        [uJy]; NaN where the magnitude is not finite, or too bright for float64.
    """
    mag = finite_or_nan(np.asarray(mag, dtype=np.float64))
    with np.errstate(all="ignore"):
        return finite_or_nan(np.power(10.0, 0.4 * (AB_ZERO_POINT - mag)))


def fluxerr_to_magerr(flux: npt.ArrayLike, fluxerr: npt.ArrayLike) -> FloatArray:
    """Convert the error of a flux to the error of its magnitude.

    Parameters
    ----------
    flux, fluxerr : array_like of float, shape (n,)
        [uJy]

    Returns
    -------
    ndarray of float64, shape (n,)
        [AB mag]; NaN unless both are positive and finite.

    Notes
    -----
    First-order propagation through :func:`flux_to_mag`: dm = 2.5 / ln 10 * df / f.
    """
    flux, fluxerr = positive_or_nan(flux), positive_or_nan(fluxerr)
    with np.errstate(all="ignore"):
        return finite_or_nan(POGSON * fluxerr / flux)


def magerr_to_fluxerr(flux: npt.ArrayLike, magerr: npt.ArrayLike) -> FloatArray:
    """Convert the error of a magnitude to the error of its flux: the inverse of :func:`fluxerr_to_magerr`.

    Parameters
    ----------
    flux : array_like of float, shape (n,)
        The flux (not the magnitude) of the error [uJy].
    magerr : array_like of float, shape (n,)
        [AB mag]

    Returns
    -------
    ndarray of float64, shape (n,)
        [uJy]; NaN unless both are positive and finite.
    """
    flux, magerr = positive_or_nan(flux), positive_or_nan(magerr)
    with np.errstate(all="ignore"):
        return finite_or_nan(magerr * flux / POGSON)


def finite_or_nan(values: FloatArray) -> FloatArray:
    """Replace infinities by NaN."""
    return np.where(np.isfinite(values), values, np.nan)


def scaled(values: FloatArray, scale: float) -> FloatArray:
    """Multiply fluxes by a factor; NaN where the product is too large for float64."""
    with np.errstate(over="ignore"):
        return finite_or_nan(values * scale)


def positive_or_nan(values: npt.ArrayLike) -> FloatArray:
    """Replace numbers that are not positive, and infinities, by NaN."""
    values = np.asarray(values, dtype=np.float64)
    return np.where((values > 0) & (values < np.inf), values, np.nan)
