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
from photseries.lightcurve.photometry import BoolArray, FloatArray, flux_to_mag, fluxerr_to_magerr
from photseries.lightcurve.samples import samples, unit_of
from photseries.lightcurve.selection import Selection
from photseries.lightcurve.statistics import SECONDS_PER_DAY
from photseries.lightcurve.table import FLUX, FLUXERR, TIME, first_present, is_numeric, required_column
from photseries.lightcurve.units import MICROJANSKY

__all__ = ["curve_to_show", "derived", "metadata_of_selection", "minmax_decimate", "select", "select_counted"]

Rows = npt.NDArray[np.int64]


_FLUXES = (*FLUX, FLUXERR)

_SHOWN = ("mag", "magerr", "flux", "fluxerr")


@dataclass(frozen=True, eq=False)
class _Given:
    """What columns are derived from: the light curve, its table, and the metadata of its series."""

    curve: LightCurve
    frame: pd.DataFrame
    metadata: Mapping[str, object]

    def number(self, field: str) -> float:
        value = self.metadata.get(field)
        return float(value) if isinstance(value, int | float) else np.nan

    def exposures(self) -> FloatArray:
        """Return the exposure time of each row [s]: its own where the table has one, else that of the series."""
        name = first_present(self.frame, INFERRED["exp_time"])
        own = np.nan if name is None or not is_numeric(self.frame[name]) else self.frame[name].to_numpy(np.float64)
        return np.where(np.isfinite(own) & (own > 0), own, self.number("exp_time"))


def _total(given: _Given) -> tuple[FloatArray, FloatArray]:
    """Add the reference, for photometry of difference images; errors add in squares."""
    flux = given.curve.flux + given.number("ref_flux")
    return flux, np.hypot(given.curve.fluxerr, given.number("ref_fluxerr"))


def _mjd_mid(given: _Given) -> FloatArray:
    """Move times to the middle of the exposure, as ``time_stamp_alignment`` says where in it they are."""
    shift = {"start": 0.5, "end": -0.5}.get(str(given.metadata.get("time_stamp_alignment")), 0.0)
    return given.curve.mjd + shift * given.exposures() / SECONDS_PER_DAY if shift else given.curve.mjd


#: How each of the columns that can be derived follows.
_DERIVED: Mapping[str, Callable[[_Given], FloatArray]] = {
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
    """Take a part of a table.

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
        Rows in the order they have; a derived column replaces one of its name.

    Raises
    ------
    InvalidError
        When a column is not there or cannot be derived, or no row is left.
    """
    return select_counted(frame, part, metadata)[0]


def curve_to_show(frame: pd.DataFrame, metadata: Mapping[str, object], points: int) -> pd.DataFrame:
    """Return the light curve of a table for a plot: mjd, mag, magerr, flux, fluxerr, NaN what cannot be derived.

    Parameters
    ----------
    frame : DataFrame
    metadata : mapping
        Of its series, as for :func:`select`.
    points : int
        How many rows are wanted at most.
    """
    time = required_column(frame, TIME)
    refused = underivable(frame, calibration_of(metadata))
    part = Selection((time,), max_points=points, derive=tuple(name for name in _SHOWN if name not in refused))
    return select(frame, part, metadata).rename(columns={time: "mjd"}).reindex(columns=["mjd", *_SHOWN])


def select_counted(
    frame: pd.DataFrame, part: Selection, metadata: Mapping[str, object], curve: LightCurve | None = None
) -> tuple[pd.DataFrame, int]:
    """Cut a part out of a table as :func:`select` does, and count the rows from which ``max_points`` were chosen.

    The light curve of the table can be given when it is known already.
    """
    calibration = calibration_of(metadata)
    require_derivable(part.derive, frame, calibration)
    require_frames(part.derive, metadata)
    curve = light_curve(frame, calibration) if curve is None else curve
    good = good_rows(frame, metadata)
    rows, count = _rows(curve if part.max_points is None else curve.masked(good), part)
    if not rows.size:
        raise InvalidError("No row of this series matches the requested times and rows.")
    if part.bin is not None:
        return _binned(frame, part, metadata, good)
    names = list(frame.columns) if part.columns is None else list(part.columns)
    if missing := [name for name in names if name not in frame.columns]:
        message = f"The table has no column {missing[0]!r:.80}. It has: {', '.join(map(str, frame.columns))}."
        raise InvalidError(message, fields={"columns": [message]})
    kept = frame[names].iloc[rows]
    if isinstance(frame.index, pd.RangeIndex):
        kept = kept.reset_index(drop=True)
    made: dict[str, npt.NDArray[np.float64 | np.bool_]] = {**derived(part.derive, curve, frame, metadata)}
    if _converts_fluxes(part, metadata):
        made |= {name: curve.fluxerr if name == FLUXERR else curve.flux for name in names if name in _FLUXES}
    made |= _trended(part, curve.masked(good), unit_of(frame, calibration))
    return kept.assign(**{name: values[rows] for name, values in made.items()}), count


def _binned(
    frame: pd.DataFrame, part: Selection, metadata: Mapping[str, object], good: BoolArray | None
) -> tuple[pd.DataFrame, int]:
    """Average the rows of a part in bins, and cut the rest of the part out of these."""
    calibration, curve = calibration_of(metadata), light_curve(frame, calibration_of(metadata))
    rows, _ = _rows(curve, replace(part, max_points=None))
    points = samples(
        frame.iloc[rows], unit_of(frame, calibration), calibration, good=None if good is None else good[rows]
    )
    longitude = value if isinstance(value := metadata.get("longitude"), int | float) else 0.0
    bins = binned_in_time(points, part.bin or "night", float(np.nanmin(curve.mjd)), longitude).frame()
    rest = replace(part, bin=None, mjd_min=None, mjd_max=None, row_min=None, row_max=None)
    return select_counted(bins, rest, metadata_of_selection(part, metadata))


def _trended(part: Selection, curve: LightCurve, unit: Unit) -> dict[str, npt.NDArray[np.float64 | np.bool_]]:
    """Return the columns of the trend and of the points far from it, for every row."""
    value = curve.flux if unit == "flux" else curve.mag
    made: dict[str, npt.NDArray[np.float64 | np.bool_]] = {}
    if part.detrend is not None:
        trend = running_median(curve.mjd, value, part.detrend)
        known = trend[np.isfinite(trend)]
        value = value - trend + (np.median(known) if known.size else np.nan)
        made = {f"{unit}_trend": trend, f"{unit}_detrended": value}
    return made if part.clip is None else {**made, "clipped": far_from_median(value, part.clip)}


def metadata_of_selection(part: Selection, metadata: Mapping[str, object]) -> dict[str, object]:
    """Return the metadata of a part of a table.

    Derived fluxes are in uJy, whatever the unit in the whole table; a part without the column of flags has no flags.
    """
    described = dict(metadata)
    if _converts_fluxes(part, metadata):
        described["flux_unit"] = MICROJANSKY
    if part.bin is not None or (part.columns is not None and described.get("flag_column") not in part.columns):
        described |= {"flag_column": None, "good_values": None}
    return described


def _converts_fluxes(part: Selection, metadata: Mapping[str, object]) -> bool:
    """Return whether a part has derived fluxes in another unit than its table; all its fluxes are in that unit then."""
    calibration = calibration_of(metadata)
    is_derived = not {"flux", "fluxerr"}.isdisjoint(part.derive) or not (part.bin is part.detrend is None)
    return is_derived and calibration.flux_unit.microjansky not in (None, 1.0)


def derived(
    names: Sequence[str], curve: LightCurve, frame: pd.DataFrame, metadata: Mapping[str, object]
) -> dict[str, FloatArray]:
    """Return some of :data:`~photseries.lightcurve.selection.DERIVED` for every row of a table with a light curve."""
    given = _Given(curve, frame, metadata)
    with np.errstate(all="ignore"):
        return {name: _DERIVED[name](given) for name in names}


def _rows(curve: LightCurve, part: Selection) -> tuple[Rows, int]:
    count = len(curve.mjd)
    kept = np.ones(count, bool)
    if part.row_min is not None:
        kept[: part.row_min] = False
    if part.row_max is not None:
        kept[part.row_max + 1 :] = False
    if part.mjd_min is not None:
        kept &= curve.mjd >= part.mjd_min
    if part.mjd_max is not None:
        kept &= curve.mjd <= part.mjd_max
    rows = np.flatnonzero(kept)
    return (rows, len(rows)) if part.max_points is None else _decimated(curve, rows, part.max_points)


def _decimated(curve: LightCurve, rows: Rows, most: int) -> tuple[Rows, int]:
    brightness = curve.flux if np.isfinite(curve.flux[rows]).any() else curve.mag
    rows = rows[np.isfinite(curve.mjd[rows]) & np.isfinite(brightness[rows])]
    if len(rows) <= most:
        return rows, len(rows)
    in_time = rows[np.argsort(curve.mjd[rows], kind="stable")]
    between = in_time[1:-1]
    kept = between[minmax_decimate(brightness[between], most - 2)]
    return np.sort(np.concatenate([in_time[:1], kept, in_time[-1:]])), len(rows)


def minmax_decimate(values: FloatArray, most: int) -> npt.NDArray[np.int64]:
    """Choose values for a plot.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Finite.
    most : int
        How many at most; 2 or more.

    Returns
    -------
    ndarray of int64, shape (m,)
        Their places, in order: of each run of equally many values the least and the greatest, which may be one.
    """
    if len(values) <= most:
        return np.arange(len(values))
    from tsdownsample import MinMaxDownsampler  # the server has it, the client does not

    kept = MinMaxDownsampler().downsample(values, n_out=most // 2 * 2)  # type: ignore[no-untyped-call]
    return np.unique(kept).astype(np.int64)
