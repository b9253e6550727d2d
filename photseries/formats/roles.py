"""The roles of columns, times, brightnesses and their errors, in tables of every origin."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd

from photseries.formats.numpy_types import plain_frame
from photseries.formats.own_files import is_stored
from photseries.formats.reading import Reading, ReadOptions, Unit, invalid
from photseries.formats.times import require_mjd, with_mjd
from photseries.formats.zero_points import zero_point_of
from photseries.lightcurve.meaning import meaning
from photseries.lightcurve.photometry import AB_ZERO_POINT
from photseries.lightcurve.table import FLUX, FLUXERR, MAG, MAGERR, TIME, first_present
from photseries.lightcurve.units import MICROJANSKY, RELATIVE, FluxUnit, flux_unit_of

__all__ = ["canonical", "roles_of", "time_column", "without_fluxes"]

#: Usual names in lower case, beside those that the service knows.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "mjd": (*TIME, "time", "times", "jd", "bjd", "hjd", "btjd", "bkjd", "bjd_tdb", "unix", "date", "datetime"),
    "flux": FLUX,
    "mag": (*MAG, "magnitude"),
    FLUXERR: (FLUXERR, "flux_err", "flux_error", "e_flux"),
    MAGERR: (MAGERR, "mag_err", "mag_error", "e_mag", "magnitude_err"),
}
_ANY_ERROR: Final = ("err", "error", "sigma", "uncertainty")

#: What the service takes a column for by its name alone.
_KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "mjd": TIME, "flux": FLUX, "mag": MAG, FLUXERR: (FLUXERR,), MAGERR: (MAGERR,),
}  # fmt: skip

_OPTIONS: Final = {
    "mjd": "time_col",
    "flux": "flux_col",
    FLUXERR: "fluxerr_col",
    "mag": "mag_col",
    MAGERR: "magerr_col",
}

#: What altdata say of the fluxes.
_OF_FLUXES: Final = (
    "flux_calibrated",
    "flux_unit",
    "flux_zero_point",
    "flux_zero_point_error",
    "flux_zero_point_source",
)


def canonical(reading: Reading, options: ReadOptions, unit: Unit = None) -> Reading:
    """Give the columns the names, and the times the format, that the service expects.

    Parameters
    ----------
    reading : Reading
        The table as it was read.
    options : ReadOptions
    unit : str, optional
        That of the fluxes and their errors, which are kept in it unless there is a zero point; None: nothing says.

    Returns
    -------
    Reading
        With every other column as it was; names that the service knows already are left alone.

    Raises
    ------
    InvalidError
        When a named column is not there, there is no time or brightness, or the times cannot be what they are said to
        be.
    """
    if not len(reading.frame):
        raise invalid("The table has no rows.")
    plain, kept = plain_frame(reading.frame)
    roles = roles_of(plain, options, usual=not is_stored(reading.file_metadata, plain))
    frame = _renamed(plain, roles)
    names = {role: (column if column in _KNOWN[role] else role) for role, column in roles.items()}
    frame, fields = with_mjd(frame, names["mjd"], roles["mjd"], options.time_format)
    suggested = {**fields, **reading.fields}
    frame, flags, warnings = _calibrated(frame, names, unit, options.zero_point, suggested.get("filter"))
    require_mjd(frame[names["mjd"]].to_numpy(), options.time_format)
    if "flux" in names and (unit is not None or flags):
        known, unknown = (MICROJANSKY, []) if flags else _known_unit(str(unit))
        warnings += unknown
        if known != MICROJANSKY or "flux_unit" in reading.file_metadata:
            suggested["flux_unit"] = known
    if flags:
        carried = without_fluxes(reading.file_metadata.get("altdata"))
        suggested["altdata"] = {**carried, **suggested.get("altdata", {}), **flags}
    renamed = dict(zip(plain.columns, frame.columns, strict=False))
    if "column_units" in suggested:
        suggested |= _further_units(suggested.pop("column_units"), renamed, reading.file_metadata)
    same = frame is reading.frame
    return replace(
        reading,
        frame=frame,
        fields=suggested,
        warnings=(*reading.warnings, *kept, *warnings),
        blob=reading.blob if same else None,
    )


def roles_of(frame: pd.DataFrame, options: ReadOptions, *, usual: bool = True) -> dict[str, str]:
    """Find the column of each role: the one that was named, one that the service knows, or one of a ``usual`` name."""
    roles: dict[str, str] = {}
    for role, option in _OPTIONS.items():
        named = getattr(options, option)
        if named is not None and named not in frame.columns:
            raise invalid(f"There is no column {named!r} ({option}); there are {_listed(frame)}.")
        found = named or first_present(frame, _KNOWN[role]) or (_usual(frame, _NAMES[role]) if usual else None)
        if found is not None:
            roles[role] = found
    if "mjd" not in roles:
        raise invalid(f"No column is known to be the time: name it (time_col); there are {_listed(frame)}.")
    if options.mag_col and not options.flux_col:
        roles.pop("flux", None)
    if "flux" not in roles and "mag" not in roles:
        raise invalid(
            f"No column is known to be a flux or a magnitude: name it (flux_col, mag_col); there are {_listed(frame)}."
        )
    error = FLUXERR if "flux" in roles else MAGERR
    if usual and error not in roles and (lone := _usual(frame, _ANY_ERROR)) is not None:
        roles[error] = lone
    return roles


def time_column(names: Iterable[str], options: ReadOptions) -> str | None:
    """Find the column of the times by the names of all columns; None where no name is a usual one."""
    table = pd.DataFrame(columns=list(names))
    return options.time_col or first_present(table, TIME) or _usual(table, _NAMES["mjd"])


def _further_units(
    units: Mapping[str, str], renamed: Mapping[Any, Any], file_metadata: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    """Return the units of columns that the service has none for, unless the file says the same."""
    named = {str(renamed[name]): unit for name, unit in units.items() if name in renamed}
    further = {name: unit for name, unit in named.items() if meaning(name, {}).unit is None}
    return {} if further == file_metadata.get("column_units", {}) else {"column_units": further}


def _listed(frame: pd.DataFrame) -> str:
    return ", ".join(map(str, frame.columns[:30])) + (" ..." if len(frame.columns) > 30 else "")


def _usual(frame: pd.DataFrame, names: tuple[str, ...]) -> str | None:
    lower = {str(column).lower(): str(column) for column in reversed(list(frame.columns))}
    return next((lower[name] for name in names if name in lower), None)


def _renamed(frame: pd.DataFrame, roles: Mapping[str, str]) -> pd.DataFrame:
    """Rename the columns of the roles; a column that would be taken for one of them steps aside."""
    new = {column: role for role, column in roles.items() if column not in _KNOWN[role]}
    taken = {
        name: f"{name}_as_read" for role in _KNOWN for name in _KNOWN[role] if _stands_in_the_way(name, role, roles)
    }
    renamed = {**{name: other for name, other in taken.items() if name in frame.columns}, **new}
    return frame.rename(columns=renamed) if renamed else frame


def _stands_in_the_way(name: str, role: str, roles: Mapping[str, str]) -> bool:
    """Tell whether a column of this name would be taken for the role, or for the brightness, in another's place."""
    if name == roles.get(role):
        return False
    known = _KNOWN[role]
    chosen = roles.get(role)
    if chosen is None:
        return role == "flux" and "mag" in roles
    return chosen not in known or known.index(name) < known.index(chosen)


def _calibrated(
    frame: pd.DataFrame, names: Mapping[str, str], unit: Unit, zero_point: float | str | None, bandpass: Any
) -> tuple[pd.DataFrame, dict[str, Any], list[str]]:
    """Bring fluxes to uJy where a zero point says how."""
    if "flux" not in names:
        if zero_point is not None:
            raise invalid("A zero point brings fluxes to uJy, and there is no flux.")
        return frame, {}, []
    if zero_point is not None:
        magnitude, flags = zero_point_of(zero_point, unit, bandpass)
        factor = 10 ** (0.4 * (AB_ZERO_POINT - magnitude))
        columns = [names[role] for role in ("flux", FLUXERR) if role in names]
        scaled = {name: frame[name].to_numpy(np.float64) * factor for name in columns}
        return frame.assign(**scaled), flags, []
    return frame, {}, []


def _known_unit(text: str) -> tuple[str, list[str]]:
    """Give the unit of fluxes as the service knows it, and a warning where they do not become magnitudes."""
    try:
        unit = flux_unit_of(text)
        warnings = []
    except ValueError:
        unit = FluxUnit(RELATIVE, None, None)
        warnings = [f"The unit of the fluxes, {text[:40]!r}, is not known; flux_unit is set to {RELATIVE!r}."]
    if unit.microjansky is None:
        what = "have no unit" if unit.name == RELATIVE else f"are in {unit.name}"
        warnings.append(
            f"The fluxes {what}: the series has no magnitudes. An AB zero point (zero_point) converts them to uJy."
        )
    return unit.name, warnings


def without_fluxes(altdata: Any) -> dict[str, Any]:
    """Give the altdata of a file without what they say of its fluxes: these are others now, or their unit says it."""
    if not isinstance(altdata, Mapping):
        return {}
    return {name: value for name, value in altdata.items() if name not in _OF_FLUXES}
