"""Tables and time series of astropy, light curves of lightkurve: both are read, and made of series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.extras import needs
from photseries.formats.missions import suggestions
from photseries.formats.numpy_types import plain_column, plain_frame
from photseries.formats.own_files import Note, is_stored, restored
from photseries.formats.reading import Reading, ReadOptions, invalid
from photseries.formats.roles import canonical, roles_of, time_column
from photseries.formats.time_frames import TimeFrame
from photseries.formats.times import format_of_name
from photseries.formats.units import in_known_units, units_to_bring
from photseries.lightcurve import curve as curves
from photseries.lightcurve.calibration import calibration_of
from photseries.lightcurve.table import FLUX, FLUXERR, MAG, MAGERR, TIME, required_column
from photseries.lightcurve.units import FluxUnit, flux_unit_of

if TYPE_CHECKING:
    from astropy.table import Table
    from astropy.timeseries import TimeSeries
    from lightkurve import LightCurve

__all__ = ["Beside", "from_table", "light_curve", "time_series"]

#: The scales of astropy's times that a series can name, and what the others are turned into.
_SCALES: Final = {"utc": "utc", "tai": "tai", "tt": "tt", "tdb": "tdb", "tcb": "tdb", "tcg": "tt", "ut1": "utc"}

#: The start and the size of bins, as astropy calls them.
_BIN_START, _BIN_SIZE = "time_bin_start", "time_bin_size"

_FLUXES: Final = (*FLUX, FLUXERR)
_MAGNITUDES: Final = (*MAG, MAGERR)


@dataclass(frozen=True)
class Beside:
    """What a file says beside its table.

    Parameters
    ----------
    fields : mapping
        Fields of the series that the reader makes of the file.
    file_metadata : mapping
        Fields that the file carries under the names that the service has for them.
    notes : mapping of str to Note
        What a file of the service notes of its columns.
    times : TimeFrame, optional
        What it says of its times.
    time_column : str, optional
        The column that this is certainly about, whatever its name speaks of.
    warnings : tuple of str
    """

    fields: Mapping[str, Any] = field(default_factory=dict)
    file_metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: Mapping[str, Note] = field(default_factory=dict)
    times: TimeFrame | None = None
    time_column: str | None = None
    warnings: tuple[str, ...] = ()


def from_table(table: Table, options: ReadOptions, beside: Beside | None = None) -> Reading:
    """Make a reading of an astropy table.

    Parameters
    ----------
    table : astropy.table.Table
        Times become MJD in their scale, of bins their middles; columns that the archive has a unit for are brought to
        it, fluxes keep theirs; masked numbers become NaN. Columns that hold more than one plain value a row are left
        out with a warning.
    options : ReadOptions
    beside : Beside, optional
        What the file says beside it.

    Raises
    ------
    InvalidError
        When a column that is needed is not there, or times are relative.
    """
    beside = beside or Beside()
    said = beside.file_metadata
    taken = _take(table, options)
    main, columns, units = taken.main, taken.columns, taken.units
    counted, of_times, unsure = _counted(columns, units, options, beside)
    if counted:
        main = next(iter(counted))
        columns, units = {**columns, **counted}, {name: unit for name, unit in units.items() if name != main}
    if main in columns and main not in units:
        # It is MJD by now, whatever format its name speaks of.
        columns = {_aside(name, main): values for name, values in columns.items()}
        options = replace(options, time_col="mjd", time_format=None)
    frame, kept = plain_frame(restored(pd.DataFrame(columns), beside.notes))
    to_bring, texts = units_to_bring(_restored_units(units, frame, beside.notes), said)
    roles = roles_of(frame, options, usual=not is_stored(said, frame))
    frame, unit, magsys, doubts = in_known_units(frame, roles, to_bring, zero_point=options.zero_point is not None)
    fields = {**suggestions(table.meta), **taken.fields, **of_times, **beside.fields}
    fields |= {} if magsys is None else {"magsys": magsys}
    told = {name: value for name, value in fields.items() if value is not None}
    warnings = (*beside.warnings, *unsure, *taken.warnings, *kept, *doubts)
    return canonical(Reading(frame, {**told, "column_units": texts}, said, warnings), options, unit)


@dataclass(frozen=True)
class _Taken:
    """The columns of a table of astropy: which of them is the time, if that is known, their values and units."""

    main: str | None
    columns: dict[str, Any]
    units: dict[str, Any]
    fields: dict[str, Any]
    warnings: tuple[str, ...]


def _take(table: Table, options: ReadOptions) -> _Taken:
    from astropy.time import Time, TimeDelta

    main = options.time_col or next((name for name in table.colnames if isinstance(table[name], Time)), None)
    taken = _Taken(main, {}, {}, {}, ())
    left_out = []
    for name in table.colnames:
        column = table[name]
        if isinstance(column, Time):
            taken.columns[name], scale = _mjd(_moments(table, name))
            if name == main:
                taken.fields["time_scale"] = scale
                taken.fields.update({"time_stamp_alignment": "middle"} if name == _BIN_START else {})
        elif isinstance(column, TimeDelta) and name in (main, "time"):
            raise invalid("The times are relative: a folded light curve is no series.")
        elif _is_plain(column):
            taken.columns[name], taken.units[name] = plain_column(column), getattr(column, "unit", None)
        else:
            left_out.append(name)
    if left_out:
        return replace(taken, warnings=(f"Left out, as a row holds more than one plain value: {', '.join(left_out)}.",))
    return taken


def _restored_units(units: Mapping[str, Any], frame: pd.DataFrame, notes: Mapping[str, Note]) -> dict[str, Any]:
    """Return units by the names that columns have in the restored table; durations there have none."""
    named = {str(notes.get(name, {}).get("name") or name): unit for name, unit in units.items() if unit is not None}
    return {name: unit for name, unit in named.items() if name in frame and frame[name].dtype.kind != "m"}


def _counted(
    columns: Mapping[str, Any], units: Mapping[str, Any], options: ReadOptions, beside: Beside
) -> tuple[dict[str, npt.NDArray[np.float64]], dict[str, Any], tuple[str, ...]]:
    """Bring times to MJD that count from what the file says.

    Returns
    -------
    dict
        The times by their column; empty where its name, or the caller, says what they are.
    dict
        Fields of the series that the file states of its times.
    tuple of str
        What whoever uploads it should know.
    """
    times = beside.times
    if times is None:
        return {}, {}, ()
    name = options.time_col or beside.time_column or time_column(columns, options)
    if name is None or name not in units or not _are_numbers(columns[name]):  # astropy's times have a scale already
        return {}, {name: value for name, value in times.fields.items() if name != "time_scale"}, times.warnings
    by_name = options.time_format or (None if name == beside.time_column else format_of_name(name))
    if by_name is None and times.origin is None:
        return {}, times.fields, times.warnings
    values = pd.Series(columns[name]).to_numpy(np.float64, na_value=np.nan)
    if by_name is None:
        unit = units[name]
        return {name: times.mjd(values, None if unit is None else str(unit))}, times.fields, times.warnings
    if by_name == "mjd":
        return ({name: times.converted(values)} if times.is_converted else {}), times.fields, times.warnings
    fields = {field: value for field, value in times.fields.items() if field != "time_scale" or not times.is_converted}
    return {}, fields, times.warnings


def _are_numbers(values: Any) -> bool:
    return pd.Series(values).dtype.kind in "iuf"


def _is_plain(column: Any) -> bool:
    """Tell whether a row holds one plain value: neither an array nor a position."""
    return isinstance(column, np.ndarray) and column.ndim == 1 and column.dtype.kind != "V"


def _moments(table: Table, name: str) -> Any:
    """Give the times of a column; of bins their middles, as only those need no exposure time to be told apart."""
    from astropy.time import TimeDelta

    if name != _BIN_START or _BIN_SIZE not in table.colnames:
        return table[name]
    size = table[_BIN_SIZE]
    return table[name] + TimeDelta(getattr(size, "quantity", size)) / 2


def _aside(name: str, main: str) -> str:
    return "mjd" if name == main else f"{name}_as_read" if name == "mjd" else name


def _mjd(times: Any) -> tuple[npt.NDArray[np.float64], str | None]:
    """Give times as MJD, and the scale that they are in."""
    scale = _SCALES.get(times.scale)
    in_scale = times if scale is None else getattr(times, scale)
    values: npt.NDArray[np.float64] = plain_column(in_scale.mjd)
    return values, scale


def time_series(frame: pd.DataFrame, metadata: Mapping[str, Any]) -> TimeSeries:
    """Make a time series; see :meth:`photseries.client.Series.to_timeseries`."""
    needs("astropy")
    from astropy.timeseries import TimeSeries

    rows = _timed(frame)
    made = TimeSeries(time=_times(rows, metadata), meta=dict(metadata))
    _add_columns(made, rows, metadata)
    return made


def light_curve(frame: pd.DataFrame, metadata: Mapping[str, Any]) -> LightCurve:
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
        meta=dict(metadata),
    )
    _add_columns(made, rows.drop(columns=[name for name in _FLUXES if name in rows]), metadata)
    return made


def _timed(frame: pd.DataFrame) -> pd.DataFrame:
    """Leave out the rows without a time, which astropy's times cannot hold; its own readers do the same."""
    finite = np.isfinite(frame[required_column(frame, TIME)].to_numpy(np.float64))
    return frame if finite.all() else frame[finite]


def _times(frame: pd.DataFrame, metadata: Mapping[str, Any]) -> Any:
    from astropy.time import Time

    values = frame[required_column(frame, TIME)].to_numpy(np.float64)
    # "local" is astropy's word for a scale that nobody knows: nothing is computed across scales by mistake.
    return Time(values, format="mjd", scale=metadata.get("time_scale") or "local")


def _add_columns(made: Any, frame: pd.DataFrame, metadata: Mapping[str, Any]) -> None:
    """Add all columns but that of the times; the name ``time`` is taken."""
    from astropy import units

    flux_unit = _astropy_unit(calibration_of(metadata).flux_unit)
    kinds = {**dict.fromkeys(_FLUXES, flux_unit), **dict.fromkeys(_MAGNITUDES, units.mag)}
    times = required_column(frame, TIME)
    for name, column in frame.items():
        values = column.to_numpy()
        if name != times:
            free = "time_as_read" if name == "time" else str(name)
            made[free] = units.Quantity(values, kinds[name], dtype=values.dtype) if name in kinds else values


def _astropy_unit(unit: FluxUnit) -> Any:
    """Return a unit of flux in astropy, which does not know ppm and ppt."""
    from astropy import units

    parts = {"ppm": 1e-6, "ppt": 1e-3}.get(unit.name)
    if parts is not None:
        return units.Unit(parts)
    return units.dimensionless_unscaled if unit.standard is None else units.Unit(unit.standard)
