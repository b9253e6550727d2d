"""Tables of astropy, and what is derived from them: time series, light curves of lightkurve."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.readers.columns import canonical
from photseries.readers.missions import suggestions
from photseries.readers.reading import Reading, ReadOptions, Unit, invalid
from photseries.series.table import FLUX, FLUXERR

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["from_table", "plain_column"]

#: The scales of astropy's times that a series can name, and what the others are turned into.
_SCALES: Final = {"utc": "utc", "tai": "tai", "tt": "tt", "tdb": "tdb", "tcb": "tdb", "tcg": "tt", "ut1": "utc"}

_FLUXES: Final = (*FLUX, FLUXERR, "flux_err")


def from_table(table: Table, options: ReadOptions) -> Reading:
    """Make a reading of an astropy table.

    Parameters
    ----------
    table : astropy.table.Table
        Times become MJD in their scale, fluxes of a unit like Jy become uJy, masked numbers NaN. Columns of several
        values a row, and others that no file can hold, are left out with a warning.
    options : ReadOptions

    Raises
    ------
    InvalidError
        When a column that is needed is not there, or times are relative.
    """
    from astropy.time import Time, TimeDelta

    columns: dict[str, Any] = {}
    units: dict[str, Unit] = {}
    fields = suggestions(table.meta)
    left_out = []
    fluxes = {name for name in table.colnames if name.lower() in _FLUXES} | {options.flux_col, options.fluxerr_col}
    main = options.time_col or next((name for name in table.colnames if isinstance(table[name], Time)), None)
    for name in table.colnames:
        column = table[name]
        if isinstance(column, Time):
            values, scale = _mjd(column)
            columns[name] = values
            if name == main:
                fields["time_scale"] = scale
        elif isinstance(column, TimeDelta) and name in (main, "time"):
            raise invalid("The times are relative: a folded light curve is no series.")
        elif getattr(column, "ndim", 0) != 1 or isinstance(column, TimeDelta):
            left_out.append(name)
        else:
            columns[name], units[name] = _values(column, is_flux=name in fluxes)
    if main in columns and main not in units:
        # It is MJD by now, whatever format its name speaks of.
        columns = {_aside(name, main): values for name, values in columns.items()}
        options = replace(options, time_col="mjd", time_format=None)
    told = {name: value for name, value in fields.items() if value is not None}
    warnings = (f"Left out, as a row holds more than one plain value: {', '.join(left_out)}.",) if left_out else ()
    return canonical(Reading(pd.DataFrame(columns), told, warnings=warnings), options, units)


def plain_column(column: Any) -> npt.NDArray[Any]:
    """Give the values of a column as numpy holds them: of native byte order, text as objects, masked values as null."""
    masked = np.asarray(getattr(column, "mask", False))
    values = np.asarray(getattr(column, "unmasked", column))
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8")
    if values.dtype.kind == "U":
        values = values.astype(object)
    if masked.any():
        values = values.astype(values.dtype if values.dtype.kind in "fO" else np.float64)
        values[masked] = np.nan
    return values


def _aside(name: str, main: str) -> str:
    return "mjd" if name == main else f"{name}_as_read" if name == "mjd" else name


def _mjd(times: Any) -> tuple[npt.NDArray[np.float64], str | None]:
    """Give times as MJD, and the scale that they are in."""
    scale = _SCALES.get(times.scale)
    in_scale = times if scale is None else getattr(times, scale)
    return plain_column(in_scale.mjd), scale


def _values(column: Any, *, is_flux: bool) -> tuple[npt.NDArray[Any], Unit]:
    """Give the values of a column and their unit; fluxes in uJy, without one, where their unit can become that."""
    from astropy import units

    values, unit = plain_column(column), getattr(column, "unit", None)
    if unit is None:
        return values, None
    if is_flux and unit.is_equivalent(units.uJy):
        return (values if unit == units.uJy else (values * unit).to_value(units.uJy)), None
    return values, unit.to_string() or "relative units"
