"""Metadata inferred from the columns of a table, and the one rule of precedence between sources of metadata.

The sources, lowest precedence first: values inferred from columns, metadata of the file, fields of the request; in a
change, existing values come before all of these. The reference brightness is one quantity in two units: a new value in
one unit replaces an older value in the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.errors import InvalidError
from photseries.lightcurve.calibration import calibration_of
from photseries.lightcurve.photometry import FloatArray, flux_to_mag, fluxerr_to_magerr, mag_to_flux, magerr_to_fluxerr
from photseries.lightcurve.table import MAG, SENTINEL_MAG, first_present, is_numeric, is_text

__all__ = [
    "INFERRED",
    "MAGNITUDES",
    "REFERENCE",
    "MergedMetadata",
    "circular_median",
    "complete_reference",
    "infer",
    "is_possible",
    "merge",
]

#: Field -> spellings of the column from which it is inferred; the first one present is used.
INFERRED: Mapping[str, tuple[str, ...]] = {
    "ra": ("ra", "RA", "Ra"),
    "dec": ("dec", "Dec", "DEC"),
    "exp_time": ("exptime", "exp_time", "exposure", "exposure_time", "EXPTIME", "EXP_TIME"),
    "filter": ("filter", "FILTER", "Filter", "filtercode"),
    "limiting_mag": ("lim_mag", "limmag", "limiting_mag", "limiting_magnitude"),
}

#: The magnitude columns.
MAGNITUDES: Final = frozenset((*MAG, *INFERRED["limiting_mag"]))

#: The reference brightness and its error, as magnitude and as flux.
REFERENCE = ("magref", "e_magref", "ref_flux", "ref_fluxerr")

#: Maximum relative difference of equal values in two units: far above rounding, far below any real change.
AGREEMENT = 1e-9


@dataclass(frozen=True)
class MergedMetadata:
    """Metadata after the precedence rule.

    Attributes
    ----------
    values : dict
        By field; None only where the clearing layer clears the field.
    sources : dict of str to str
        The layer of each field in ``values``.
    """

    values: dict[str, object]
    sources: dict[str, str]


def infer(frame: pd.DataFrame) -> dict[str, Any]:
    """Infer metadata from the columns of a table.

    Parameters
    ----------
    frame : DataFrame
        A table that :func:`~photseries.lightcurve.table.validate` accepts.

    Returns
    -------
    dict
        ``ra``, ``dec`` [deg], ``exp_time`` [s] and ``limiting_mag`` [AB mag]: float, the median of the possible values;
        ``filter``: str, the one text that all rows have. Fields without a column or value are left out.
    """
    inferred: dict[str, object] = {}
    for field, spellings in INFERRED.items():
        name = first_present(frame, spellings)
        if name is None:
            continue
        value = _only_text(frame[name]) if field == "filter" else _median(frame[name], field)
        if value is not None:
            inferred[field] = value
    return inferred


def is_possible(values: FloatArray, field: str) -> npt.NDArray[np.bool_]:
    """Return which values a field can have; others, such as -999, mean "not measured".

    Parameters
    ----------
    values : ndarray of float, shape (n,)
    field : str
        One of the numeric fields of :data:`INFERRED`.
    """
    if field == "limiting_mag":
        return np.asarray(np.abs(values) < SENTINEL_MAG)
    least, most = {"dec": (-90.0, 90.0), "exp_time": (0.0, np.inf)}.get(field, (-360.0, 360.0))
    return np.asarray(np.isfinite(values) & (values >= least) & (values <= most))


def circular_median(degrees: FloatArray) -> np.float64:
    """Compute the circular median of angles: 359.9 and 0.1 differ by 0.2.

    Parameters
    ----------
    degrees : ndarray of float64, shape (n,)
        Finite, at least one [deg].

    Returns
    -------
    float64
        The plain median where the angles span at most 180 deg [deg].
    """
    if np.ptp(degrees) <= 180:
        return np.float64(np.median(degrees))
    median = np.mod(np.median(np.where(degrees > 180, degrees - 360, degrees)), 360)
    return np.float64(0.0 if median == 360 else median)


def merge(layers: Mapping[str, Mapping[str, object]], *, clearing: str | None = None) -> MergedMetadata:
    """Merge layers of metadata.

    Parameters
    ----------
    layers : mapping of str to mapping
        The layers by name, lowest precedence first. None in a layer means: not given.
    clearing : str, optional
        The layer in which None clears the field instead. The None stays in the result, so that a required field can be
        refused.

    Returns
    -------
    MergedMetadata

    Notes
    -----
    Of the reference brightness a layer that gives

    * ``magref`` drops the ``ref_flux`` and ``ref_fluxerr`` below it; a lower ``e_magref`` stays;
    * ``ref_flux`` without ``magref`` drops the ``magref`` and ``e_magref`` below it; a lower ``ref_fluxerr`` stays;
    * one of the errors alone drops the other error below it.

    In the clearing layer None for ``magref`` or ``ref_flux`` clears all four, for an error both errors.
    :func:`complete_reference` then derives what was dropped.
    """
    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    for layer, fields in layers.items():
        stated = {field: value for field, value in fields.items() if value is not None}
        for field in _overruled(stated):
            values.pop(field, None)
            sources.pop(field, None)
        cleared = _cleared_fields(fields) if layer == clearing else ()
        for field, value in [*((field, None) for field in cleared), *stated.items()]:
            values[field] = value
            sources[field] = layer
    return MergedMetadata(values, sources)


def complete_reference(values: Mapping[str, Any]) -> dict[str, object]:
    """Return the reference brightness in both units.

    Parameters
    ----------
    values : mapping
        Validated metadata: of :data:`REFERENCE`, ``magref`` and ``e_magref`` [mag], ``ref_flux`` and ``ref_fluxerr``
        [uJy] are finite numbers, None or absent; ``flux_unit`` and ``magsys`` determine whether they can be converted.

    Returns
    -------
    dict
        The same, with all four of :data:`REFERENCE`. Given values are kept to the last digit; the magnitude takes
        precedence over a different flux. Values that cannot be derived (such as the magnitude of a negative flux) are
        None. If magnitudes and fluxes cannot be converted, nothing is derived, and a derived flux is removed.

    Raises
    ------
    InvalidError
        When an error comes without its value in the same unit; ``fields`` names it.
    """
    magref, e_magref, ref_flux, ref_fluxerr = (values.get(field) for field in REFERENCE)
    _require_values(values)
    if not calibration_of(values).converts:
        if magref is not None and _agree(ref_flux, _finite_or_none(mag_to_flux(magref))):
            ref_flux = ref_fluxerr = None
        return {**values, **dict(zip(REFERENCE, (magref, e_magref, ref_flux, ref_fluxerr), strict=True))}
    if magref is None:
        magref = _finite_or_none(flux_to_mag(ref_flux)) if ref_flux is not None else None
    elif not _agree(ref_flux, derived := _finite_or_none(mag_to_flux(magref))):
        ref_flux = derived
    if ref_flux is None:
        ref_fluxerr = None
    elif e_magref is None:
        e_magref = _finite_or_none(fluxerr_to_magerr(ref_flux, ref_fluxerr)) if ref_fluxerr is not None else None
    elif not _agree(ref_fluxerr, derived := _finite_or_none(magerr_to_fluxerr(ref_flux, e_magref))):
        ref_fluxerr = derived
    return {**values, **dict(zip(REFERENCE, (magref, e_magref, ref_flux, ref_fluxerr), strict=True))}


def _overruled(fields: Mapping[str, object]) -> tuple[str, ...]:
    """Return the fields of the reference brightness that a layer overrides in lower layers."""
    overruled: tuple[str, ...] = ()
    if "magref" in fields:
        overruled += ("ref_flux", "ref_fluxerr")
    elif "ref_flux" in fields:
        overruled += ("magref", "e_magref")
    if "e_magref" in fields:
        overruled += ("ref_fluxerr",)
    elif "ref_fluxerr" in fields:
        overruled += ("e_magref",)
    return overruled


def _cleared_fields(fields: Mapping[str, object]) -> dict[str, None]:
    """Return the fields that a layer clears, in order."""
    nulls = [field for field, value in fields.items() if value is None]
    cleared = dict.fromkeys(nulls)
    if "magref" in cleared or "ref_flux" in cleared:
        cleared |= dict.fromkeys(REFERENCE)
    elif "e_magref" in cleared or "ref_fluxerr" in cleared:
        cleared |= dict.fromkeys(("e_magref", "ref_fluxerr"))
    return cleared


def _require_values(values: Mapping[str, object]) -> None:
    fields = {
        error: f"{error} needs {value}, the value that it is the error of."
        for error, value in (("e_magref", "magref"), ("ref_fluxerr", "ref_flux"))
        if values.get(error) is not None and values.get(value) is None
    }
    if fields:
        raise InvalidError.of_fields(fields)


def _agree(stated: float | None, derived: float | None) -> bool:
    return stated is not None and derived is not None and math.isclose(stated, derived, rel_tol=AGREEMENT)


def _median(column: pd.Series, field: str) -> float | None:
    if not is_numeric(column):
        return None
    values = column.to_numpy().astype(np.float64)
    values = values[is_possible(values, field)]
    if values.size == 0:
        return None
    with np.errstate(all="ignore"):
        return _finite_or_none(circular_median(values) if field == "ra" else np.median(values))


def _only_text(column: pd.Series) -> str | None:
    if not is_text(column):
        return None
    values = column.unique()
    return str(values[0]) if len(values) == 1 and isinstance(values[0], str) else None


def _finite_or_none(value: FloatArray | np.float64) -> float | None:
    return float(value) if np.isfinite(value) else None
