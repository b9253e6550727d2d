"""The meaning of table columns: unit, UCD and description, for formats that can store them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from photseries.fields import FIELDS
from photseries.lightcurve.barycentre import FRAMES, with_time_frame
from photseries.lightcurve.calibration import calibration_of
from photseries.lightcurve.metadata import INFERRED
from photseries.lightcurve.table import FLUX, FLUXERR, MAG, MAGERR, TIME
from photseries.lightcurve.units import MICROJANSKY, RELATIVE

__all__ = ["TIMES", "Meaning", "meaning", "time_frame", "time_label", "time_refpos", "time_scale"]

#: The time columns.
TIMES: Final = (*TIME, "mjd_mid", *FRAMES)


@dataclass(frozen=True)
class Meaning:
    """The known meaning of a column.

    Parameters
    ----------
    unit : str, optional
        In the spelling of VOUnits, FITS and astropy.
    ucd : str, optional
        Of UCD1+.
    description : str, optional
    """

    unit: str | None = None
    ucd: str | None = None
    description: str | None = None


_ERROR: Final = "stat.error;"

#: Derived column -> the column with the same meaning.
_LIKE: Final = {
    **{f"{unit}_{made}": unit for unit in ("flux", "mag") for made in ("trend", "detrended")},
    **{f"{error}_scatter": error for error in (FLUXERR, MAGERR)},
}

_MEANINGS: Final[Mapping[str, Meaning]] = {
    MAGERR: Meaning("mag", f"{_ERROR}phot.mag", "error of the magnitude"),
    "magtot": Meaning("mag", "phot.mag", "AB magnitude with the reference added"),
    "e_magtot": Meaning("mag", f"{_ERROR}phot.mag", "error of the magnitude with the reference added"),
    "snr": Meaning(None, "stat.snr", "signal to noise"),
    **{
        column: Meaning(FIELDS[name].unit, FIELDS[name].ucd, FIELDS[name].description)
        for name, columns in INFERRED.items()
        for column in columns
    },
}


def time_frame(metadata: Mapping[str, object]) -> str:
    """Return the name of the times of a series: ``BJD (TDB)``, ``MJD (UTC)``, ``MJD (scale unknown)``."""
    frame = {"barycenter": "BJD", "heliocenter": "HJD"}.get(str(metadata.get("time_refpos")), "MJD")
    scale = metadata.get("time_scale")
    return f"{frame} ({'scale unknown' if scale is None else str(scale).upper()})"


def time_label(frame: str) -> str:
    """Return the label of an axis of MJD whose times are in a frame, see :func:`time_frame`."""
    return f"{frame} [d]" if frame.startswith("MJD") else f"{frame} - 2400000.5 [d]"


def meaning(column: str, metadata: Mapping[str, object]) -> Meaning:
    """Return the meaning of a column from its name and the metadata of its series.

    Parameters
    ----------
    column : str
    metadata : mapping
        ``time_scale``, ``time_refpos``, ``time_stamp_alignment``, ``flux_unit``, ``magsys`` and ``column_units`` are
        used.

    Returns
    -------
    Meaning
        For an unknown column, at most the unit in ``column_units``.
    """
    column = _LIKE.get(column, column)
    if column in TIMES:
        alignment = "middle" if column == "mjd_mid" else metadata.get("time_stamp_alignment") or "middle"
        column_metadata = with_time_frame(column, metadata)
        frame = f"scale {time_scale(column_metadata)}, reference position {time_refpos(column_metadata)}"
        return Meaning("d", "time.epoch", f"MJD of the {alignment} of the exposure, {frame}")
    if column in (*FLUX, FLUXERR):
        return _flux(metadata, is_error=column == FLUXERR)
    if column in MAG:
        return Meaning("mag", "phot.mag", calibration_of(metadata).label("mag"))
    default, units = _MEANINGS.get(column, Meaning()), metadata.get("column_units")
    return default if default.unit or not isinstance(units, Mapping) else replace(default, unit=units.get(column))


def time_scale(metadata: Mapping[str, object]) -> str:
    """Return the time scale in the spelling of standards: UTC, TAI, TT, TDB or UNKNOWN."""
    return str(metadata.get("time_scale") or "unknown").upper()


def time_refpos(metadata: Mapping[str, object]) -> str:
    """Return the time reference position in the spelling of standards: TOPOCENTER, GEOCENTER, ..., or UNKNOWN."""
    return str(metadata.get("time_refpos") or "unknown").upper()


def _flux(metadata: Mapping[str, object], *, is_error: bool) -> Meaning:
    unit = calibration_of(metadata).flux_unit
    is_density = unit.microjansky is not None
    description = "flux density" if is_density else "relative flux" if unit.name == RELATIVE else "flux, not calibrated"
    if unit.name == MICROJANSKY:
        description = "flux, AB zero point 23.9"
    ucd = "phot.flux.density" if is_density else "phot.flux"
    return Meaning(
        unit.standard, f"{_ERROR}{ucd}" if is_error else ucd, f"error of the {description}" if is_error else description
    )
