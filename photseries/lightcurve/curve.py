"""The light curve in a table: its canonical columns, in flux and in magnitude whichever of the two was given."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import pandas as pd

from photseries.lightcurve.photometry import FloatArray, flux_to_mag, fluxerr_to_magerr, mag_to_flux, magerr_to_fluxerr
from photseries.lightcurve.table import (
    BRIGHTNESS,
    FLUX,
    FLUXERR,
    SENTINEL_MAG,
    TIME,
    error_column,
    required_column,
)

__all__ = ["MEASUREMENTS", "LightCurve", "light_curve"]


@dataclass(frozen=True, eq=False, slots=True)
class LightCurve:
    """The canonical columns of a table: float64, shape (n,), NaN for whatever is absent or not finite.

    Attributes
    ----------
    mjd : ndarray
        Times [d].
    flux, fluxerr : ndarray
        Fluxes and their errors [uJy].
    mag, magerr : ndarray
        Magnitudes and their errors [AB mag].
    """

    mjd: FloatArray
    flux: FloatArray
    fluxerr: FloatArray
    mag: FloatArray
    magerr: FloatArray

    def by_time(self) -> LightCurve:
        """Give the same rows sorted by mjd; equal times keep their order, rows without a time come last."""
        if np.all(self.mjd[1:] >= self.mjd[:-1]):
            return self
        order = np.argsort(self.mjd, kind="stable")
        return LightCurve(
            mjd=self.mjd[order],
            flux=self.flux[order],
            fluxerr=self.fluxerr[order],
            mag=self.mag[order],
            magerr=self.magerr[order],
        )


#: The names of these columns, in order.
MEASUREMENTS: Final = tuple(field.name for field in fields(LightCurve))


def light_curve(frame: pd.DataFrame) -> LightCurve:
    """Pick the light curve out of a table.

    The brightness is the first of :data:`~photseries.lightcurve.table.BRIGHTNESS` that is present, and the other unit
    is derived from it. The errors come from the column in the same unit (``fluxerr`` for a flux, ``magerr`` for a
    magnitude), else from the other one; an error that is not finite or not positive counts as absent for its row, as
    does a given magnitude of :data:`~photseries.lightcurve.table.SENTINEL_MAG` or more, of either sign.

    Parameters
    ----------
    frame : DataFrame
        A table that :func:`~photseries.lightcurve.table.validate` accepts.

    Returns
    -------
    LightCurve
        In the order of the rows given.

    Raises
    ------
    InvalidError
        When a time or brightness column is missing.
    """
    time, brightness = required_column(frame, TIME), required_column(frame, BRIGHTNESS)
    if brightness in FLUX:
        flux = _floats(frame[brightness])
        mag = flux_to_mag(flux)
    else:
        mag = _floats(frame[brightness])
        mag[np.abs(mag) >= SENTINEL_MAG] = np.nan
        flux = mag_to_flux(mag)

    error = error_column(frame, brightness)
    if error is None:
        fluxerr = magerr = np.full(len(frame), np.nan)
    elif error == FLUXERR:
        fluxerr = _positive(frame[error])
        magerr = fluxerr_to_magerr(flux, fluxerr)
    else:
        magerr = _positive(frame[error])
        fluxerr = magerr_to_fluxerr(flux, magerr)
    return LightCurve(mjd=_floats(frame[time]), flux=flux, fluxerr=fluxerr, mag=mag, magerr=magerr)


def _floats(column: pd.Series[Any]) -> FloatArray:
    with np.errstate(invalid="ignore"):  # a signalling NaN is a NaN like any other
        values = column.to_numpy().astype(np.float64)
    return np.where(np.isfinite(values), values, np.nan)


def _positive(column: pd.Series[Any]) -> FloatArray:
    values = _floats(column)
    return np.where(values > 0, values, np.nan)
