"""VOTable metadata from any writer: TIMESYS, COOSYS and PARAMs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from photseries.errors import InvalidError
from photseries.fields import FIELDS, METADATA
from photseries.fields.values import cast
from photseries.formats.calibration import is_magnitude
from photseries.formats.columns import field_meaning
from photseries.formats.options import list_names
from photseries.formats.time_frames import MJD_ZERO, TimeFrame, as_refpos, as_scale
from photseries.lightcurve.bandpasses import BANDPASSES, bandpass_of_profile
from photseries.lightcurve.calibration import ZERO_POINT_COLUMNS
from photseries.lightcurve.metadata import INFERRED, circular_median

if TYPE_CHECKING:
    from astropy.io.votable.tree import Field, Param, Resource, TableElement, TimeSys, VOTableFile
    from astropy.table import Table

__all__ = ["fields_of_params", "header_of_params", "params_of", "position_in_icrs", "time_systems"]

_FILTER_UTYPE: Final = "PhotometryFilter.identifier"
_SYSTEM_UTYPE: Final = "PhotCal.magnitudeSystem.type"

#: The fields that a PARAM can set: not ids, which are local to an archive, nor those of keywords.
_READ: Final = tuple(
    name for name in METADATA if FIELDS[name].type in ("text", "name", "path", "number") and name != "magsys"
)

#: System of COOSYS that is converted to ICRS -> frame of astropy and default equinox.
_SYSTEMS: Final = {
    "eq_FK5": ("fk5", "J2000"),
    "FK5": ("fk5", "J2000"),
    "eq_FK4": ("fk4", "B1950"),
    "FK4": ("fk4", "B1950"),
}


def params_of(file: VOTableFile, table: TableElement) -> list[Param]:
    """Return the PARAMs of a table, its groups, and its parent resources."""
    outer = [param for resource in _parent_resources(file.resources, table) for param in resource.params]
    inner = [entry for group in table.groups for entry in group.entries if hasattr(entry, "value")]
    return [*outer, *table.params, *inner]


def _parent_resources(resources: Iterable[Resource], table: TableElement) -> list[Resource]:
    """Return the parent resources of a table, the outermost first."""
    for resource in resources:
        inside = _parent_resources(resource.resources, table)
        if inside or any(member is table for member in resource.tables):
            return [resource, *inside]
    return []


def fields_of_params(params: Sequence[Param]) -> tuple[dict[str, object], tuple[str, ...]]:
    """Read fields of a series from PARAMs with the same names.

    Parameters
    ----------
    params : sequence of Param
        A later PARAM takes precedence over an earlier one of the same name. Filters of different columns conflict.

    Returns
    -------
    fields : dict
        The filter is a known bandpass, given by name or by its id in the SVO Filter Profile Service.
    warnings : tuple of str
        About values that are invalid for their field.
    """
    fields: dict[str, object] = {}
    warnings: list[str] = []
    for name, param in _params_with_names(params):
        try:
            value = _value(param, name)
            if value is not None:
                fields[name] = _bandpass(value) if name == "filter" else cast(FIELDS[name], value)
        except (ValueError, InvalidError) as error:
            warnings.append(f"The PARAM {str(param.name)!r:.60} is left out: {error}")
    if len(filters := _values_of(params, _FILTER_UTYPE)) > 1:
        fields.pop("filter", None)
        warnings.append(f"The filters of the file are left out, because it has several: {list_names(filters)}.")
    return fields, tuple(warnings)


def header_of_params(params: Sequence[Param]) -> dict[str, object]:
    """Return the PARAMs as keywords of a header, without zero points in Jy.

    The photometry data model may state the system of magnitudes; several systems become one text, which is refused.
    """
    header: dict[str, object] = {}
    for param in params:
        if (
            str(param.name).lower() in ZERO_POINT_COLUMNS
            and param.unit is not None
            and not is_magnitude(str(param.unit))
        ):
            continue
        value = param.value.item() if isinstance(param.value, np.generic) else param.value
        if isinstance(value, str | int | float):
            header[str(param.name).upper()] = value
    if systems := _values_of(params, _SYSTEM_UTYPE):
        header["MAGSYS"] = " and ".join(systems)
    return header


def _values_of(params: Iterable[Param], utype: str) -> list[str]:
    """Return the distinct values of the PARAMs with a utype that have one."""
    values = (param.value for param in params if str(param.utype or "").endswith(utype))
    return list(dict.fromkeys(str(value) for value in values if value))


def _params_with_names(params: Iterable[Param]) -> Iterator[tuple[str, Param]]:
    for param in params:
        name = str(param.name).lower()
        if name in _READ:
            yield name, param
        elif str(param.utype or "").endswith(_FILTER_UTYPE):
            yield "filter", param


def _value(param: Param, name: str) -> object:
    """Return the value of a PARAM in the unit of its field; None if it has no value."""
    from astropy.units import Quantity, UnitConversionError

    value = param.value.item() if isinstance(param.value, np.generic) else param.value
    if value is None or value is np.ma.masked or value == "":
        return None
    target = field_meaning(name).unit
    if param.unit is None or target is None or not isinstance(value, int | float):
        return value
    try:
        return float(Quantity(value, param.unit).to_value(target))
    except (UnitConversionError, TypeError) as error:
        raise ValueError(f"its unit {param.unit} is not one of {name}.") from error


def _bandpass(value: object) -> str:
    name = str(value)
    bandpass = name if name in BANDPASSES else bandpass_of_profile(name)
    if bandpass is None:
        raise ValueError(f"the filter {name!r:.60} is unknown to the service: give its filter.")
    return bandpass


def time_systems(file: VOTableFile, table: TableElement) -> dict[str, TimeFrame]:
    """Return the time frame of each column with a TIMESYS."""
    systems = {str(system.ID): system for system in file.iter_timesys()}
    return {str(field.name): _frame(systems[str(field.ref)]) for field in table.fields if str(field.ref) in systems}


def _frame(system: TimeSys) -> TimeFrame:
    scale, warnings = as_scale(system.timescale)
    zeros = {None: None, "MJD-origin": (0.0,), "JD-origin": (-MJD_ZERO,)}
    origin = system.timeorigin
    parts = zeros[origin] if origin in zeros else (float(origin) - MJD_ZERO,)
    return TimeFrame(scale=scale, refpos=as_refpos(system.refposition), origin=parts, unit="d", warnings=warnings)


def position_in_icrs(
    file: VOTableFile, elements: Iterable[Field | Param], params: Mapping[str, object], table: Table
) -> tuple[dict[str, float], tuple[str, ...]]:
    """Convert a position to ICRS from the system in the COOSYS of its elements.

    Parameters
    ----------
    elements : iterable of Field and Param
        The elements of the table; those that refer to a COOSYS contain ra or dec.
    params : mapping
        ``ra`` and ``dec`` [deg], if given by PARAMs.
    table : astropy.table.Table
        The table, whose columns of these names are used otherwise.

    Returns
    -------
    dict
        Empty if there is no position, the system is ICRS, or it is unknown: then the position is assumed to be ICRS,
        with a warning.
    tuple of str
    """
    systems = {str(system.ID): system for system in file.iter_coosys()}
    system = next((systems[str(element.ref)] for element in elements if str(element.ref) in systems), None)
    if system is None or system.system == "ICRS":
        return {}, ()
    if system.system not in _SYSTEMS:
        return {}, (f"Positions are in the system {system.system!s:.40}, and are assumed to be ICRS: give ra and dec.",)
    from astropy.coordinates import SkyCoord

    position = {name: value for name in ("ra", "dec") if (value := _degrees(name, params, table)) is not None}
    if len(position) < 2:
        return {}, ()
    frame, default_equinox = _SYSTEMS[system.system]
    equinox = system.equinox or default_equinox
    here = SkyCoord(**position, unit="deg", frame=frame, equinox=equinox).icrs
    warning = f"ra and dec were converted to ICRS from {frame.upper()} {equinox}; columns are unchanged."
    return {"ra": float(here.ra.deg), "dec": float(here.dec.deg)}, (warning,)


def _degrees(name: str, params: Mapping[str, Any], table: Table) -> float | None:
    """Return a coordinate from a PARAM, or the median of a column."""
    from astropy.units import Quantity

    column = next((spelling for spelling in INFERRED[name] if spelling in table.colnames), None)
    if name in params or column is None:
        return params.get(name)
    values = Quantity(np.ma.filled(table[column].astype(np.float64), np.nan), table[column].unit or "deg").to_value(
        "deg"
    )
    finite = values[np.isfinite(values)]
    return float(circular_median(finite)) if finite.size else None
