"""The light curve in a table: its canonical columns, in fluxes and magnitudes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.errors import InvalidError
from photseries.lightcurve.calibration import AB_MICROJANSKY, Calibration
from photseries.lightcurve.photometry import (
    FloatArray,
    finite_or_nan,
    flux_to_mag,
    fluxerr_to_magerr,
    mag_to_flux,
    magerr_to_fluxerr,
    positive_or_nan,
    scaled,
)
from photseries.lightcurve.table import (
    BRIGHTNESS,
    FLUX,
    FLUXERR,
    MAG,
    MAGERR,
    SENTINEL_MAG,
    TIME,
    error_column,
    first_present,
    required_column,
)

__all__ = [
    "MEASUREMENTS",
    "LightCurve",
    "brightness_spellings",
    "good_rows",
    "light_curve",
    "measured_columns",
    "require_derivable",
    "require_one_brightness",
    "underivable",
]

Rows = npt.NDArray[np.bool_]

#: Columns that cannot be derived if fluxes and magnitudes cannot be converted.
_NOT_FROM: Final = {
    "flux": frozenset(("mag", "magerr", "magtot", "e_magtot")),
    "mag": frozenset(("flux", "fluxerr", "magtot", "e_magtot")),
}


@dataclass(frozen=True, eq=False, slots=True)
class LightCurve:
    """The canonical columns of a table: float64, shape (n,), NaN for absent or non-finite values.

    Attributes
    ----------
    mjd : ndarray
        Times [d].
    flux, fluxerr : ndarray
        Fluxes and their errors [uJy, or the unit of the table if that is not a flux density]; NaN for magnitudes that
        are not AB.
    mag, magerr : ndarray
        Magnitudes and their errors [mag]; NaN for fluxes without a conversion.
    """

    mjd: FloatArray
    flux: FloatArray
    fluxerr: FloatArray
    mag: FloatArray
    magerr: FloatArray

    def by_time(self) -> LightCurve:
        """Return the rows sorted by mjd (stable), rows without a time last."""
        if np.all(self.mjd[1:] >= self.mjd[:-1]):
            return self
        return self.part(np.argsort(self.mjd, kind="stable"))

    def part(self, rows: slice | npt.NDArray[np.int64]) -> LightCurve:
        """Return some of the rows."""
        return LightCurve(**{name: getattr(self, name)[rows] for name in MEASUREMENTS})

    def masked(self, good: Rows | None) -> LightCurve:
        """Return the rows with NaN as the brightness of flagged rows; None: all are good."""
        if good is None:
            return self
        columns = {name: np.where(good, getattr(self, name), np.nan) for name in MEASUREMENTS if name != "mjd"}
        return LightCurve(mjd=self.mjd, **columns)


#: The names of these columns, in order.
MEASUREMENTS: Final = tuple(field.name for field in fields(LightCurve))


def good_rows(frame: pd.DataFrame, metadata: Mapping[str, object]) -> Rows | None:
    """Return which rows the flag column of a series marks as good, bool, shape (n,); None without the column.

    Raises
    ------
    InvalidError
        When the table has no such column.
    """
    name, good = metadata.get("flag_column"), metadata.get("good_values")
    if not isinstance(name, str):
        return None
    if name not in frame.columns:
        raise InvalidError.of_field("flag_column", f"The table has no column {name!r:.80}.")
    return np.asarray(frame[name].isin(good if isinstance(good, list) and good else [0]))


def brightness_spellings(calibration: Calibration) -> tuple[str, ...]:
    """Return the spellings of the column that is the brightness, the preferred one first."""
    return {None: BRIGHTNESS, "flux": FLUX, "mag": MAG}[calibration.brightness]


def require_one_brightness(frame: pd.DataFrame, calibration: Calibration) -> None:
    """Refuse a table with both fluxes and magnitudes that cannot be converted, unless the brightness is named.

    Raises
    ------
    InvalidError
    """
    flux, mag = first_present(frame, FLUX), first_present(frame, MAG)
    if calibration.brightness is None and not calibration.converts and flux and mag:
        raise InvalidError.of_field(
            "brightness",
            f"The columns {flux!r} [{calibration.flux_unit.name}] and {mag!r} [{calibration.system}] cannot be "
            "converted into each other. Set brightness to flux or mag to choose one.",
        )


def underivable(frame: pd.DataFrame, calibration: Calibration) -> frozenset[str]:
    """Return the columns of :data:`~photseries.lightcurve.selection.DERIVED` that a calibration does not allow."""
    if calibration.converts:
        return frozenset()
    return _NOT_FROM["flux" if required_column(frame, brightness_spellings(calibration)) in FLUX else "mag"]


def require_derivable(
    names: Iterable[str], frame: pd.DataFrame, calibration: Calibration, parameter: str = "derive"
) -> None:
    """Refuse derived columns that the calibration of a series does not allow.

    Parameters
    ----------
    names : iterable of str
        Of :data:`~photseries.lightcurve.selection.DERIVED`.
    frame : DataFrame
    calibration : Calibration
    parameter : str
        The parameter that requests them.

    Raises
    ------
    InvalidError
    """
    refused = underivable(frame, calibration)
    if name := next((name for name in names if name in refused), None):
        available = f"{calibration.system} magnitudes" if "flux" in refused else f"fluxes in {calibration.unit}"
        raise InvalidError.of_field(
            parameter,
            f"This series has {available}, which cannot be converted to {name}. Only AB magnitudes and spectral flux "
            "densities are converted into each other (flux_unit, magsys).",
        )


def measured_columns(frame: pd.DataFrame, calibration: Calibration = AB_MICROJANSKY) -> tuple[str, str, str | None]:
    """Return the columns of the times, of the brightness and of its errors; see :func:`light_curve`.

    Raises
    ------
    InvalidError
        When a time or brightness column is missing.
    """
    time, brightness = required_column(frame, TIME), required_column(frame, brightness_spellings(calibration))
    error = error_column(frame, brightness)
    if not calibration.converts and error != (FLUXERR if brightness in FLUX else MAGERR):
        error = None
    return time, brightness, error


def light_curve(frame: pd.DataFrame, calibration: Calibration = AB_MICROJANSKY) -> LightCurve:
    """Extract the light curve from a table.

    The brightness is the first of :data:`~photseries.lightcurve.table.BRIGHTNESS` that is present, or the one that the
    calibration names. The other one is derived where the calibration allows. The errors come from the column of the
    same kind (``fluxerr`` for a flux, ``magerr`` for a magnitude), else from the other kind if it can be converted. A
    non-finite or non-positive error counts as absent for its row, as does a given magnitude of
    :data:`~photseries.lightcurve.table.SENTINEL_MAG` or more, of either sign.

    Parameters
    ----------
    frame : DataFrame
        A table that :func:`~photseries.lightcurve.table.validate` accepts.
    calibration : Calibration

    Returns
    -------
    LightCurve
        In the order of the input.

    Raises
    ------
    InvalidError
        When a time or brightness column is missing.
    """
    time, brightness, error = measured_columns(frame, calibration)
    absent = np.full(len(frame), np.nan)
    if brightness in FLUX:
        flux = scaled(_floats(frame[brightness]), calibration.scale)
        mag = flux_to_mag(flux) if calibration.converts else absent
    else:
        mag = _floats(frame[brightness])
        mag[np.abs(mag) >= SENTINEL_MAG] = np.nan
        flux = mag_to_flux(mag) if calibration.converts else absent

    fluxerr = magerr = absent
    if error == FLUXERR:
        fluxerr = scaled(positive_or_nan(_floats(frame[error])), calibration.scale)
        magerr = fluxerr_to_magerr(flux, fluxerr) if calibration.converts else absent
    elif error is not None:
        magerr = positive_or_nan(_floats(frame[error]))
        fluxerr = magerr_to_fluxerr(flux, magerr) if calibration.converts else absent
    return LightCurve(mjd=_floats(frame[time]), flux=flux, fluxerr=fluxerr, mag=mag, magerr=magerr)


def _floats(column: pd.Series) -> FloatArray:
    with np.errstate(invalid="ignore"):  # a signalling NaN raises a warning
        return finite_or_nan(column.to_numpy().astype(np.float64))
