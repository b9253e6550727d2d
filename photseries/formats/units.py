"""Convert columns with known units, as units of astropy or as text, to the units of the archive."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.formats.options import Unit, invalid
from photseries.formats.time_frames import SECONDS
from photseries.lightcurve.meaning import meaning
from photseries.lightcurve.metadata import INFERRED
from photseries.lightcurve.table import FLUXERR, MAGERR, first_present, is_numeric
from photseries.lightcurve.units import MICROJANSKY, RELATIVE, FluxUnit, flux_unit_of

if TYPE_CHECKING:
    from astropy.units import UnitBase

__all__ = ["in_known_units", "in_written_units", "known_unit", "units_to_convert"]

#: Units of errors that mean errors of fluxes.
_NOT_OF_MAGNITUDES: Final = ("%", "percent", "ppm", "Jy", "mJy", "uJy", "nJy")

#: Role or field, and a unit that is not the unit of the service -> factor.
_MAGNITUDES: Final = {"mmag": 1e-3}
_ANGLES: Final = {"rad": math.degrees(1), "arcmin": 1 / 60, "arcsec": 1 / 3600}
_FACTORS: Final[Mapping[str, Mapping[str, float]]] = {
    **dict.fromkeys(("mag", MAGERR, "limiting_mag"), _MAGNITUDES),
    "exp_time": SECONDS,
    "ra": {**_ANGLES, **dict.fromkeys(("h", "hr", "hourangle"), 15.0)},
    "dec": _ANGLES,
}

#: The brightness that an error is one of.
_OF: Final = {FLUXERR: "flux", MAGERR: "mag"}


def in_known_units(
    frame: pd.DataFrame, roles: Mapping[str, str], units: Mapping[str, UnitBase]
) -> tuple[pd.DataFrame, Unit, str | None, tuple[str, ...]]:
    """Convert flux errors to the unit of the fluxes, magnitudes to AB, exposures to seconds, positions to degrees.

    Vega magnitudes and magnitudes of count rates, such as mag(electron/s), are unchanged.

    Parameters
    ----------
    roles : mapping of str to str
        The columns of the times, the brightnesses and their errors.
    units : mapping of str to astropy unit
        By column; an error without a unit has that of its brightness.

    Returns
    -------
    DataFrame
    str or None
        The unit of the fluxes and their errors; None if unknown.
    str or None
        "vega" or "instrumental", if the unit of the magnitudes implies it.
    tuple of str
        Warnings for the uploader.

    Raises
    ------
    InvalidError
        When a unit has the wrong dimension.
    """
    if not units:
        return frame, None, None, ()
    from astropy import units as known

    columns = {**{field: first_present(frame, names) for field, names in INFERRED.items()}, **roles}
    stated = {role: _unit(units.get(name)) for role, name in columns.items() if name is not None}
    flux = units.get(roles.get("flux", ""))
    is_density = flux is not None and flux.is_equivalent(known.uJy)
    text = None if flux is None else str(flux) or RELATIVE
    of_fluxes = known.uJy if flux is None or (is_density and known_unit(str(text)) is None) else flux
    magsys = _magsys(stated.get("mag"))
    targets = {
        FLUXERR: of_fluxes, "flux": of_fluxes, "exp_time": known.s, "ra": known.deg, "dec": known.deg,
        **({} if magsys else {MAGERR: known.mag, "mag": known.ABmag, "limiting_mag": known.ABmag}),
    }  # fmt: skip
    brought: dict[str, npt.NDArray[np.generic]] = {}
    warnings: list[str] = []
    for role, target in targets.items():
        name, unit = columns.get(role), stated.get(role) or stated.get(_OF.get(role, ""))
        if name is None or unit is None or unit == target or not is_numeric(frame[name]):
            continue
        if role == MAGERR and isinstance(unit, known.UnrecognizedUnit):
            _require_magnitudes(name, str(unit))
        if role == FLUXERR and isinstance(unit, known.UnrecognizedUnit) and known_unit(str(unit)):
            brought[name] = frame[name].to_numpy() * _ratio(name, str(unit), str(target))
        elif isinstance(unit, known.UnrecognizedUnit) or isinstance(target, known.UnrecognizedUnit):
            warnings.append(f"The column {name} is assumed to be in {target}: its unit {unit} is unknown.")
        else:
            brought[name] = _converted(frame[name].to_numpy(), name, unit, target)
    unit = text if text is None or of_fluxes is flux else MICROJANSKY
    return frame.assign(**brought) if brought else frame, unit, magsys, tuple(warnings)


def in_written_units(frame: pd.DataFrame, roles: Mapping[str, str], units: Mapping[str, str]) -> pd.DataFrame:
    """Convert magnitudes to mag, exposures to seconds, positions to degrees, flux errors to the unit of the fluxes.

    Parameters
    ----------
    roles : mapping of str to str
        The columns of the brightnesses and their errors.
    units : mapping of str to str
        By column, as spelled in the file; texts that are not units are ignored.

    Raises
    ------
    InvalidError
        When the unit of an error does not fit its brightness.
    """
    if (own := roles.get(MAGERR)) is not None:
        _require_magnitudes(own, units.get(own))
    columns = {**{field: first_present(frame, names) for field, names in INFERRED.items()}, **roles}
    factors: dict[str, float] = {}
    for role, known in _FACTORS.items():
        name = columns.get(role)
        factor = 1.0 if name is None else known.get(units.get(name, ""), 1.0)
        if name is not None and factor != 1 and (role in roles or is_numeric(frame[name])):  # a position may be text
            factors[name] = factor
    flux, error = roles.get("flux", ""), roles.get(FLUXERR, "")
    if flux in units and error in units and units[flux] != units[error]:
        factors |= {error: _ratio(error, units[error], units[flux])}
    for name in factors:
        if not is_numeric(frame[name]):
            raise invalid(f"The column {name!r} is in {units[name]} and contains text: convert it.")
    return frame.assign(**{name: frame[name] * factor for name, factor in factors.items()}) if factors else frame


def _require_magnitudes(error: str, unit: str | None) -> None:
    if unit in _NOT_OF_MAGNITUDES:
        raise invalid(f"The errors in {error!r:.60} are in {unit}, but errors of magnitudes are in mag: convert them.")


def _ratio(error: str, unit: str, target: str) -> float:
    """Return the factor from errors to the unit of their fluxes; 1 if either text is not a unit."""
    source, other = known_unit(unit), known_unit(target)
    if source is None or other is None:
        return 1.0
    if source.microjansky is not None and other.microjansky is not None:
        return source.microjansky / other.microjansky
    if source.standard != other.standard:
        raise invalid(f"The errors in {error!r:.60} are in {unit}, and their fluxes in {target}: convert them.")
    return 1.0


def known_unit(text: str) -> FluxUnit | None:
    """Return a text as a unit of fluxes; None if it is not one."""
    try:
        return flux_unit_of(text)
    except ValueError:
        return None


def _magsys(unit: object) -> str | None:
    """Return the magnitude system in a unit; None for AB, or if there is none."""
    from astropy import units as known

    if str(unit).lower() in ("vegamag", "mag(vega)", "vega"):
        return "vega"
    counted = {known.electron, known.ct, known.adu, known.ph, known.DN}
    physical = getattr(unit, "physical_unit", known.dimensionless_unscaled)
    return None if counted.isdisjoint(physical.decompose().bases) else "instrumental"


def units_to_convert(
    units: Mapping[str, object], metadata: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, str]]:
    """Separate units that may need conversion from those that the service wrote.

    Parameters
    ----------
    units : mapping of str to astropy unit
        By column; None if unknown.
    metadata : mapping
        The metadata in the file. Units written there by the service need no conversion.

    Returns
    -------
    dict of str to astropy unit
        The units that may need conversion, by column.
    dict of str to str
        All units as text, by column; in the spelling of ``column_units`` if that is the same unit.
    """
    stated = {name: unit for name, unit in units.items() if unit is not None}
    same = {
        name: text for name, unit in stated.items() if (text := meaning(name, metadata).unit) and _is_unit(unit, text)
    }
    to_bring = {name: unit for name, unit in stated.items() if not metadata or same.get(name) in (None, MICROJANSKY)}
    texts = {name: same.get(name) or str(unit).replace(" / ", "/") for name, unit in stated.items()}
    return to_bring, {name: text for name, text in texts.items() if text}


def _is_unit(unit: object, text: str) -> bool:
    """Return whether a text is a unit. The electron from astropy's VOTable reader equals no other unit."""
    from astropy import units as known

    if isinstance(unit, known.StructuredUnit):
        return False
    named = known.Unit(text, parse_strict="silent")
    return bool(unit == named) or str(unit) in (text, str(named))


def _unit(unit: object) -> object:
    """Treat a dimensionless column as a column without a unit."""
    return None if unit is None or str(unit) == "" else unit


def _converted(values: npt.NDArray[np.generic], name: str, unit: UnitBase, target: object) -> npt.NDArray[np.generic]:
    from astropy import units as known

    if target == known.mag:  # an error has no zero point
        unit = getattr(unit, "function_unit", unit)
    elif target == known.ABmag and unit.is_equivalent(known.mag):  # magnitudes are AB unless stated otherwise
        target = known.mag
    try:
        converted: npt.NDArray[np.generic] = unit.to(target, values)
    except known.UnitsError as error:
        raise invalid(
            f"The column {name!r} is in {unit}, which cannot be converted to {target}: convert it yourself."
        ) from error
    return converted
