"""Convert series to and from astropy tables and time series, and lightkurve light curves."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.extras import needs
from photseries.formats.numpy_types import plain_column
from photseries.formats.options import invalid
from photseries.formats.reading import Table
from photseries.lightcurve import curve as curves
from photseries.lightcurve.calibration import calibration_of
from photseries.lightcurve.table import FLUX, FLUXERR, MAG, MAGERR, TIME, required_column
from photseries.lightcurve.units import FluxUnit, flux_unit_of

if TYPE_CHECKING:
    from astropy.table import Table as AstropyTable
    from astropy.time import Time
    from astropy.timeseries import TimeSeries
    from lightkurve import LightCurve

__all__ = ["is_astropy", "light_curve", "table_of", "time_series"]

#: Time scale of astropy -> the scale of the series.
_SCALES: Final = {"utc": "utc", "tai": "tai", "tt": "tt", "tdb": "tdb", "tcb": "tdb", "tcg": "tt", "ut1": "utc"}

#: The names of astropy's columns for the start and the size of bins.
_BIN_START, _BIN_SIZE = "time_bin_start", "time_bin_size"

_FLUXES: Final = (*FLUX, FLUXERR)
_MAGNITUDES: Final = (*MAG, MAGERR)


def is_astropy(data: object) -> bool:
    """Return whether data are an astropy table, or a mapping with a column of astropy, such as a Quantity."""
    if isinstance(data, Mapping):
        return any(type(column).__module__.startswith("astropy.") for column in data.values())
    tables = sys.modules.get("astropy.table")  # who has such a table has imported it
    return tables is not None and isinstance(data, tables.Table)


def table_of(table: AstropyTable | Mapping[str, object], **beside: object) -> Table:
    """Return an astropy table as a reader's table.

    Parameters
    ----------
    table : astropy.table.Table or mapping of columns
        Times become MJD in their scale, of bins their middles; masked numbers become NaN. Columns with more than one
        plain value per row are left out with a warning.
    **beside
        Further attributes of :class:`Table` from the file.

    Raises
    ------
    InvalidError
        When the times are relative.
    """
    from astropy.table import QTable
    from astropy.time import Time, TimeDelta

    if isinstance(table, Mapping):
        table = QTable(dict(table))
    columns: dict[str, object] = {}
    units: dict[str, object] = {}
    times: dict[str, dict[str, str | None]] = {}
    left_out = []
    for name in table.colnames:
        column = table[name]
        if isinstance(column, Time):
            columns[name], scale = _mjd(_moments(table, name))
            times[name] = {"time_scale": scale} | ({"time_stamp_alignment": "middle"} if name == _BIN_START else {})
        elif isinstance(column, TimeDelta) and name == "time":
            raise invalid("The times are relative: a folded light curve cannot be stored as a series.")
        elif _is_plain(column):
            columns[name] = plain_column(column)
            unit = getattr(column, "unit", None)
            units |= {} if unit is None else {name: unit}
        else:
            left_out.append(name)
    warning = f"Left out, because a row has more than one value: {', '.join(left_out)}."
    options: dict[str, Any] = {"header": dict(table.meta), **beside}
    options["warnings"] = (*options.get("warnings", ()), *((warning,) if left_out else ()))
    return Table(frame=pd.DataFrame(columns), units=units, mjd=times, **options)


def _is_plain(column: object) -> bool:
    """Return whether each row has one plain value, not an array or a position."""
    return isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind != "V"


def _moments(table: AstropyTable, name: str) -> Time:
    """Return the times of a column; for bins, the middles, which need no exposure time."""
    from astropy.time import TimeDelta

    if name != _BIN_START or _BIN_SIZE not in table.colnames:
        return table[name]
    size = table[_BIN_SIZE]
    return table[name] + TimeDelta(getattr(size, "quantity", size)) / 2


def _mjd(times: Time) -> tuple[npt.NDArray[np.float64], str | None]:
    """Return times as MJD, and their scale."""
    scale = _SCALES.get(times.scale)
    in_scale = times if scale is None else getattr(times, scale)
    values: npt.NDArray[np.float64] = plain_column(in_scale.mjd)
    return values, scale


def time_series(frame: pd.DataFrame, metadata: Mapping[str, object]) -> TimeSeries:
    """Make a time series; see :meth:`photseries.client.Series.to_timeseries`."""
    needs("astropy")
    from astropy.timeseries import TimeSeries

    rows = _timed(frame)
    made = TimeSeries(time=_times(rows, metadata), meta=dict(metadata))
    _add_columns(made, rows, metadata)
    return made


def light_curve(frame: pd.DataFrame, metadata: Mapping[str, object]) -> LightCurve:
    """Make a light curve; see :meth:`photseries.client.Series.to_lightkurve`."""
    needs("lightkurve")
    from astropy import units
    from lightkurve import LightCurve

    rows = _timed(frame)
    calibration = calibration_of(metadata)
    curves.require_derivable(("flux",), rows, calibration)
    curve = curves.light_curve(rows, calibration)
    unit = _astropy_unit(flux_unit_of(calibration.unit))
    made = LightCurve(
        time=_times(rows, metadata),
        flux=units.Quantity(curve.flux, unit),
        flux_err=units.Quantity(curve.fluxerr, unit),
        meta=dict(metadata) | {name: str(metadata.get("obj_id", "")) for name in ("LABEL", "OBJECT")},
    )
    _add_columns(made, rows.drop(columns=[name for name in _FLUXES if name in rows]), metadata)
    return made


def _timed(frame: pd.DataFrame) -> pd.DataFrame:
    """Omit the rows without a time, which astropy cannot represent; its own readers do the same."""
    finite = np.isfinite(frame[required_column(frame, TIME)].to_numpy(np.float64))
    return frame if finite.all() else frame[finite]


def _times(frame: pd.DataFrame, metadata: Mapping[str, object]) -> object:
    from astropy.time import Time

    values = frame[required_column(frame, TIME)].to_numpy(np.float64)
    # "local" is astropy's name for an unknown scale; it prevents conversions to other scales.
    return Time(values, format="mjd", scale=metadata.get("time_scale") or "local")


def _add_columns(made: AstropyTable, frame: pd.DataFrame, metadata: Mapping[str, object]) -> None:
    """Add all columns except the times; the name ``time`` is reserved."""
    from astropy import units

    flux_unit = _astropy_unit(calibration_of(metadata).flux_unit)
    kinds = {**dict.fromkeys(_FLUXES, flux_unit), **dict.fromkeys(_MAGNITUDES, units.mag)}
    times = required_column(frame, TIME)
    for name, column in frame.items():
        values = column.to_numpy()
        if name != times:
            free = "time_as_read" if name == "time" else str(name)
            made[free] = units.Quantity(values, kinds[name], dtype=values.dtype) if name in kinds else values


def _astropy_unit(unit: FluxUnit) -> object:
    """Return a unit of flux for astropy, which lacks ppm and ppt."""
    from astropy import units

    parts = {"ppm": 1e-6, "ppt": 1e-3}.get(unit.name)
    if parts is not None:
        return units.Unit(parts)
    return units.dimensionless_unscaled if unit.standard is None else units.Unit(unit.standard)
