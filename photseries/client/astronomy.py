"""Series as objects of astropy and lightkurve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from photseries.lightcurve import curve as curves
from photseries.lightcurve.meaning import flux_unit
from photseries.lightcurve.table import FLUX, FLUXERR, MAG, MAGERR, TIME, required_column
from photseries.readers.reading import needs

if TYPE_CHECKING:
    from astropy.timeseries import TimeSeries
    from lightkurve import LightCurve

__all__ = ["light_curve", "time_series"]

_FLUXES: Final = (*FLUX, FLUXERR)
_MAGNITUDES: Final = (*MAG, MAGERR)


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
    curve = curves.light_curve(rows)
    unit = _flux_unit(metadata) if any(column in rows for column in FLUX) else units.uJy
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

    kinds = {**dict.fromkeys(_FLUXES, _flux_unit(metadata)), **dict.fromkeys(_MAGNITUDES, units.mag)}
    times = required_column(frame, TIME)
    for name, column in frame.items():
        values = column.to_numpy()
        if name != times:
            free = "time_as_read" if name == "time" else str(name)
            made[free] = units.Quantity(values, kinds[name], dtype=values.dtype) if name in kinds else values


def _flux_unit(metadata: Mapping[str, Any]) -> Any:
    """Give the unit of the fluxes: uJy, unless altdata says that they are not calibrated."""
    from astropy import units

    unit = units.Unit(flux_unit(metadata), parse_strict="silent")
    # What astropy does not know as a unit cannot be calculated with.
    return units.dimensionless_unscaled if isinstance(unit, units.UnrecognizedUnit) else unit
