"""Select a part of a table: rows, columns, and derived columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.errors import InvalidError
from photseries.lightcurve.barycentre import derived_time, require_frames
from photseries.lightcurve.binning import binned_in_time, far_from_median, running_median
from photseries.lightcurve.calibration import Unit, calibration_of
from photseries.lightcurve.curve import LightCurve, good_rows, light_curve, require_derivable, underivable
from photseries.lightcurve.detection import signal_to_noise
from photseries.lightcurve.metadata import INFERRED
from photseries.lightcurve.photometry import BoolArray, FloatArray, flux_to_mag, fluxerr_to_magerr, scaled
from photseries.lightcurve.samples import samples, unit_of
from photseries.lightcurve.selection import NoRowsError, Selection
from photseries.lightcurve.statistics import SECONDS_PER_DAY
from photseries.lightcurve.table import FLUX, FLUXERR, TIME, first_present, is_numeric, required_column
from photseries.lightcurve.units import MICROJANSKY
from photseries.text import some_of, suggestion

__all__ = ["curve_to_show", "derived_values", "metadata_of_selection", "minmax_decimate", "select", "select_counted"]

Rows = npt.NDArray[np.int64]


_FLUXES = (*FLUX, FLUXERR)

_SHOWN = ("mag", "magerr", "flux", "fluxerr")


@dataclass(frozen=True, eq=False)
class _Inputs:
    """The input of derived columns: light curve, table, and metadata of the series."""

    curve: LightCurve
    frame: pd.DataFrame
    metadata: Mapping[str, object]

    def number(self, field: str) -> float:
        value = self.metadata.get(field)
        return float(value) if isinstance(value, int | float) else np.nan

    def exposures(self) -> FloatArray:
        """Return the exposure time of each row [s]: from the table, else from the series."""
        name = first_present(self.frame, INFERRED["exp_time"])
        of_rows = np.nan if name is None or not is_numeric(self.frame[name]) else self.frame[name].to_numpy(np.float64)
        return np.where(np.isfinite(of_rows) & (of_rows > 0), of_rows, self.number("exp_time"))


def _total(inputs: _Inputs) -> tuple[FloatArray, FloatArray]:
    """Add the reference, for photometry of difference images; errors add in squares."""
    flux = inputs.curve.flux + inputs.number("ref_flux")
    return flux, np.hypot(inputs.curve.fluxerr, inputs.number("ref_fluxerr"))


def _mjd_mid(inputs: _Inputs) -> FloatArray:
    """Move times from their ``time_stamp_alignment`` to the middle of the exposure."""
    shift = {"start": 0.5, "end": -0.5}.get(str(inputs.metadata.get("time_stamp_alignment")), 0.0)
    return inputs.curve.mjd + shift * inputs.exposures() / SECONDS_PER_DAY if shift else inputs.curve.mjd


#: The functions that compute derived columns.
_DERIVED: Mapping[str, Callable[[_Inputs], FloatArray]] = {
    "mag": lambda given: given.curve.mag,
    "magerr": lambda given: given.curve.magerr,
    "flux": lambda given: given.curve.flux,
    "fluxerr": lambda given: given.curve.fluxerr,
    "snr": lambda given: signal_to_noise(given.curve),
    "magtot": lambda given: flux_to_mag(_total(given)[0]),
    "e_magtot": lambda given: fluxerr_to_magerr(*_total(given)),
    "mjd_mid": _mjd_mid,
    "bjd_tdb": lambda given: derived_time("bjd_tdb", given.curve.mjd, given.metadata),
    "hjd_utc": lambda given: derived_time("hjd_utc", given.curve.mjd, given.metadata),
    "mjd_tdb": lambda given: derived_time("mjd_tdb", given.curve.mjd, given.metadata),
}


def select(frame: pd.DataFrame, part: Selection, metadata: Mapping[str, object]) -> pd.DataFrame:
    """Return a part of a table.

    Parameters
    ----------
    frame : DataFrame
        A table that :func:`~photseries.lightcurve.table.validate` accepts.
    part : Selection
    metadata : mapping
        Of its series: ``ref_flux``, ``ref_fluxerr`` [uJy], ``exp_time`` [s], ``time_stamp_alignment``, ``flux_unit``,
        ``magsys`` and ``brightness`` are used; for derived times what
        :func:`~photseries.lightcurve.barycentre.derived_time` needs.

    Returns
    -------
    DataFrame
        Rows in their order; a derived column replaces one of its name.

    Raises
    ------
    InvalidError
        When a column is missing or cannot be derived, or no row remains.
    """
    return select_counted(frame, part, metadata)[0]


def curve_to_show(frame: pd.DataFrame, metadata: Mapping[str, object], points: int) -> pd.DataFrame:
    """Return the light curve of a table for a plot: mjd, mag, magerr, flux, fluxerr; NaN where not derivable.

    Parameters
    ----------
    frame : DataFrame
    metadata : mapping
        Of its series, as for :func:`select`.
    points : int
        Maximum number of rows.
    """
    time = required_column(frame, TIME)
    refused = underivable(frame, calibration_of(metadata))
    part = Selection((time,), max_points=points, derive=tuple(name for name in _SHOWN if name not in refused))
    return select(frame, part, metadata).rename(columns={time: "mjd"}).reindex(columns=["mjd", *_SHOWN])


def select_counted(
    frame: pd.DataFrame, part: Selection, metadata: Mapping[str, object], curve: LightCurve | None = None
) -> tuple[pd.DataFrame, int]:
    """Select as :func:`select` does, and return the number of rows before decimation to ``max_points``.

    The caller may pass the light curve of the table.
    """
    calibration = calibration_of(metadata)
    require_derivable(part.derive, frame, calibration)
    require_frames(part.derive, metadata)
    curve = light_curve(frame, calibration) if curve is None else curve
    good = good_rows(frame, metadata)
    rows, count = _rows(curve if part.max_points is None else curve.masked(good), part)
    if not rows.size:
        raise NoRowsError
    if part.bin is not None:
        return _binned(frame, curve, part, metadata, good)
    names = list(frame.columns) if part.columns is None else list(part.columns)
    if missing := [name for name in names if name not in frame.columns]:
        close = suggestion(missing[0], map(str, frame.columns))
        raise InvalidError.of_field(
            "columns",
            f"The table has no column {missing[0]!r:.80}.{close} It has: {some_of(list(map(str, frame.columns)))}.",
        )
    selected = frame[names].iloc[rows]
    if isinstance(frame.index, pd.RangeIndex):
        selected = selected.reset_index(drop=True)
    new_columns: dict[str, npt.NDArray[np.float64 | np.bool_]] = {**derived_values(part.derive, curve, frame, metadata)}
    if _converts_fluxes(part, metadata):
        new_columns |= {
            name: scaled(frame[name].to_numpy(np.float64), calibration.scale)
            for name in names
            if name in _FLUXES and name not in part.derive and is_numeric(frame[name])
        }
    new_columns |= _trended(part, curve.masked(good), unit_of(frame, calibration))
    return selected.assign(**{name: values[rows] for name, values in new_columns.items()}), count


def _binned(
    frame: pd.DataFrame, curve: LightCurve, part: Selection, metadata: Mapping[str, object], good: BoolArray | None
) -> tuple[pd.DataFrame, int]:
    """Average the selected rows in bins, and apply the rest of the selection to the bins."""
    calibration = calibration_of(metadata)
    rows, _ = _rows(curve, replace(part, max_points=None))
    points = samples(
        frame.iloc[rows], unit_of(frame, calibration), calibration, good=None if good is None else good[rows]
    )
    longitude = value if isinstance(value := metadata.get("longitude"), int | float) else 0.0
    bins = binned_in_time(points, part.bin or "night", float(np.nanmin(curve.mjd)), longitude).frame()
    remaining = replace(part, bin=None, mjd_min=None, mjd_max=None, row_min=None, row_max=None)
    return select_counted(bins, remaining, metadata_of_selection(part, metadata))


def _trended(part: Selection, curve: LightCurve, unit: Unit) -> dict[str, npt.NDArray[np.float64 | np.bool_]]:
    """Return the trend and the outlier flag of every row."""
    value = curve.flux if unit == "flux" else curve.mag
    new_columns: dict[str, npt.NDArray[np.float64 | np.bool_]] = {}
    if part.detrend is not None:
        trend = running_median(curve.mjd, value, part.detrend)
        finite_trend = trend[np.isfinite(trend)]
        value = value - trend + (np.median(finite_trend) if finite_trend.size else np.nan)
        new_columns = {f"{unit}_trend": trend, f"{unit}_detrended": value}
    return new_columns if part.clip is None else {**new_columns, "clipped": far_from_median(value, part.clip)}


def metadata_of_selection(part: Selection, metadata: Mapping[str, object]) -> dict[str, object]:
    """Return the metadata of a part of a table.

    Derived fluxes are in uJy, whatever the unit in the whole table; without the flag column the part has no flags.
    """
    described = dict(metadata)
    if _converts_fluxes(part, metadata):
        described["flux_unit"] = MICROJANSKY
    if part.bin is not None or (part.columns is not None and described.get("flag_column") not in part.columns):
        described |= {"flag_column": None, "good_values": None}
    return described


def _converts_fluxes(part: Selection, metadata: Mapping[str, object]) -> bool:
    """Return whether a part has derived fluxes in another unit than its table; all its fluxes then have that unit."""
    calibration = calibration_of(metadata)
    is_derived = not {"flux", "fluxerr"}.isdisjoint(part.derive) or not (part.bin is part.detrend is None)
    return is_derived and calibration.flux_unit.microjansky not in (None, 1.0)


def derived_values(
    names: Sequence[str], curve: LightCurve, frame: pd.DataFrame, metadata: Mapping[str, object]
) -> dict[str, FloatArray]:
    """Compute some of :data:`~photseries.lightcurve.selection.DERIVED` for every row of a table with a light curve."""
    inputs = _Inputs(curve, frame, metadata)
    with np.errstate(all="ignore"):
        return {name: _DERIVED[name](inputs) for name in names}


def _rows(curve: LightCurve, part: Selection) -> tuple[Rows, int]:
    count = len(curve.mjd)
    selected = np.ones(count, bool)
    if part.row_min is not None:
        selected[: part.row_min] = False
    if part.row_max is not None:
        selected[part.row_max + 1 :] = False
    if part.mjd_min is not None:
        selected &= curve.mjd >= part.mjd_min
    if part.mjd_max is not None:
        selected &= curve.mjd <= part.mjd_max
    rows = np.flatnonzero(selected)
    return (rows, len(rows)) if part.max_points is None else _decimated(curve, rows, part.max_points)


def _decimated(curve: LightCurve, rows: Rows, max_points: int) -> tuple[Rows, int]:
    brightness = curve.flux if np.isfinite(curve.flux[rows]).any() else curve.mag
    rows = rows[np.isfinite(curve.mjd[rows]) & np.isfinite(brightness[rows])]
    if len(rows) <= max_points:
        return rows, len(rows)
    in_time = rows[np.argsort(curve.mjd[rows], kind="stable")]
    between = in_time[1:-1]
    selected = between[minmax_decimate(brightness[between], max_points - 2)]
    return np.sort(np.concatenate([in_time[:1], selected, in_time[-1:]])), len(rows)


def minmax_decimate(values: FloatArray, max_points: int) -> npt.NDArray[np.int64]:
    """Decimate values for a plot.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Finite.
    max_points : int
        Maximum number of values, at least 2.

    Returns
    -------
    ndarray of int64, shape (m,)
        Their sorted indices: the minimum and the maximum (possibly one value) of each run of equal length.
    """
    if len(values) <= max_points:
        return np.arange(len(values))
    from tsdownsample import MinMaxDownsampler  # installed with the server, not with the client

    selected = MinMaxDownsampler().downsample(values, n_out=max_points // 2 * 2)  # type: ignore[no-untyped-call]
    return np.unique(selected).astype(np.int64)
