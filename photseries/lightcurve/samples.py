"""The points of a light curve for an analysis: finite, sorted by time, in one unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from photseries.errors import InvalidError
from photseries.lightcurve.calibration import AB_MICROJANSKY, Calibration, Unit
from photseries.lightcurve.curve import Rows, brightness_spellings, light_curve, require_derivable
from photseries.lightcurve.detection import signal_to_noise
from photseries.lightcurve.photometry import FloatArray
from photseries.lightcurve.table import FLUX, is_numeric, required_column

__all__ = ["Samples", "Unit", "inverse_variance_weights", "numbers_of", "samples", "unit_of"]


@dataclass(frozen=True, eq=False, slots=True)
class Samples:
    """Points, float64, shape (n,), sorted by time.

    Attributes
    ----------
    unit : {"flux", "mag"}
    mjd : ndarray
        [d]
    value : ndarray
        [uJy], the unit of fluxes that are not flux densities, or [mag]
    error : ndarray or None
        Of each value, finite and positive; None when no row has one.
    snr : ndarray or None
        S/N of each value in the whole series, NaN where it is undefined; None when it is unknown.
    """

    unit: Unit
    mjd: FloatArray
    value: FloatArray
    error: FloatArray | None
    snr: FloatArray | None = None

    @property
    def weights(self) -> FloatArray:
        """The weight of each point; see :func:`inverse_variance_weights`."""
        return inverse_variance_weights(len(self.mjd), self.error)


def inverse_variance_weights(count: int, error: FloatArray | None) -> FloatArray:
    """Return inverse-variance weights, or equal weights without errors: shape (count,), sum 1."""
    if error is None:
        return np.full(count, 1 / count)
    weight = (error.min() / error) ** 2
    return np.asarray(weight / weight.sum())


def unit_of(frame: pd.DataFrame, calibration: Calibration = AB_MICROJANSKY) -> Unit:
    """Return the unit of the brightness in a table."""
    return "flux" if required_column(frame, brightness_spellings(calibration)) in FLUX else "mag"


def samples(
    frame: pd.DataFrame,
    unit: Unit,
    calibration: Calibration = AB_MICROJANSKY,
    *,
    good: Rows | None = None,
    quality: str | None = None,
    mjd_min: float | None = None,
    mjd_max: float | None = None,
) -> Samples:
    """Pick the points of a table that have a time and a brightness.

    Parameters
    ----------
    frame : DataFrame
        A table that :func:`~photseries.lightcurve.table.validate` accepts.
    unit : {"flux", "mag"}
        Derived if the table has only the other one; a non-positive flux has no magnitude.
    calibration : Calibration
    good : ndarray of bool, shape (n,), optional
        Whether each row is unflagged; flagged rows are left out.
    quality : str, optional
        A column; rows with other values than 0 are left out.
    mjd_min, mjd_max : float, optional
        Rows between these times [d], both included.

    Returns
    -------
    Samples
        Rows without an error get the median error.

    Raises
    ------
    InvalidError
        When the column is missing or not numeric, the unit cannot be derived, or no point remains.
    """
    require_derivable((unit,), frame, calibration, "brightness")
    curve = light_curve(frame, calibration).masked(good)
    value, error = (curve.flux, curve.fluxerr) if unit == "flux" else (curve.mag, curve.magerr)
    mask = np.isfinite(curve.mjd) & np.isfinite(value)
    if quality is not None:
        mask &= numbers_of(frame, quality, "quality") == 0
    if mjd_min is not None:
        mask &= curve.mjd >= mjd_min
    if mjd_max is not None:
        mask &= curve.mjd <= mjd_max
    rows = np.flatnonzero(mask)
    if not rows.size:
        raise InvalidError(f"No row of this series has a time and a {unit} in the requested part.")
    rows = rows[np.argsort(curve.mjd[rows], kind="stable")]
    return Samples(unit, curve.mjd[rows], value[rows], _complete(error[rows]), signal_to_noise(curve)[rows])


def numbers_of(frame: pd.DataFrame, column: str, parameter: str) -> FloatArray:
    """Return the values of the numeric column that a parameter names, shape (n,).

    Raises
    ------
    InvalidError
    """
    if column not in frame.columns or not is_numeric(frame[column]):
        raise InvalidError.of_field(parameter, f"The table has no column of numbers {column!r:.80}.")
    return np.asarray(frame[column].to_numpy(), np.float64)


def _complete(error: FloatArray) -> FloatArray | None:
    is_finite = np.isfinite(error)
    return np.where(is_finite, error, np.median(error[is_finite])) if is_finite.any() else None
