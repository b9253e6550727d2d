"""Checks for likely mistakes in valid tables; some cause refusal, the others warnings.

Rows in the messages count from 1, in the order in which they were sent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.lightcurve.calibration import SYSTEM_COLUMNS, ZERO_POINT_COLUMNS, Calibration, calibration_of
from photseries.lightcurve.curve import measured_columns
from photseries.lightcurve.epochs import EARLIEST, LATEST, NEAR_ZERO, YEAR_1900, likely_format
from photseries.lightcurve.medians import median
from photseries.lightcurve.metadata import INFERRED, MAGNITUDES
from photseries.lightcurve.photometry import AB_ZERO_POINT, FloatArray, flux_to_mag
from photseries.lightcurve.sky import separation, unit_vector
from photseries.lightcurve.table import (
    FLUX,
    FLUXERR,
    MAG,
    SENTINEL_MAG,
    TIME,
    first_present,
    is_numeric,
    required_column,
)
from photseries.lightcurve.units import MICROJANSKY

__all__ = ["Quality", "distance_warnings", "inspect"]

#: The range of magnitudes; fluxes rarely all lie in it, close together.
USUAL_MAGNITUDES: Final = (5.0, 30.0)
#: Sirius has -1.5 mag; JWST reaches 31 mag.
BRIGHTEST: Final = -2.0
FAINTEST: Final = 35.0
#: Prefixes of filters whose published magnitudes are often in the Vega system.
VEGA_FILTERS: Final = (
    "bessell", "standard::", "2mass", "gaia::", "uvot::", "4shooter2::", "keplercam::", "tess",
    "cspb", "cspv", "cspy", "cspj", "csph", "cspk",
)  # fmt: skip
ZERO_POINT_TOLERANCE: Final = 0.01  # [mag]
DISAGREEMENT: Final = 0.3  # of magnitudes and fluxes; apertures differ by less [mag]
MIN_SNR: Final = 3.0  # of fluxes that are compared with magnitudes
FAR: Final = 60.0  # [arcsec]
#: Tolerances of position and exposure time between columns and fields.
POSITION_SPREADS, POSITION_ARCSEC, EXPOSURE = 3.0, 1.0, 0.01
SECOND: Final = 1 / 86_400  # [d]
_NAMED: Final = 5

_Degrees = TypeVar("_Degrees", float, FloatArray)


@dataclass(frozen=True)
class Quality:
    """The suspicious findings in a table.

    Attributes
    ----------
    problems : dict of str to str
        Reasons to refuse the table, by column: several filters, times that are not MJD.
    warnings : list of str
        One or two sentences each.
    """

    problems: dict[str, str]
    warnings: list[str]


def inspect(
    frame: pd.DataFrame, rows: pd.DataFrame, inferred: Mapping[str, object], metadata: Mapping[str, object]
) -> Quality:
    """Return the suspicious findings in a table.

    Parameters
    ----------
    frame : DataFrame
        A table that :func:`~photseries.lightcurve.table.validate` accepts.
    rows : DataFrame
        The uploaded rows, often all; in other rows only the filters are compared.
    inferred : mapping
        The metadata of the rows from :func:`~photseries.lightcurve.metadata.infer`.
    metadata : mapping
        The valid metadata that take precedence over the inferred ones.

    Returns
    -------
    Quality
    """
    with np.errstate(all="ignore"):
        times = _Times.of(rows)
        problems = dict(filter(None, (_filter_problem(frame), times.problem())))
        if rows.empty:  # an append of existing rows only
            return Quality(problems, [])
        brightness = _brightness_warnings(rows, calibration_of(metadata))
        calibration = _calibration_warnings(rows, {**inferred, **metadata})
        return Quality(
            problems, [*times.warnings(), *brightness, *calibration, *_contradiction_warnings(rows, inferred, metadata)]
        )


def distance_warnings(ra: float, dec: float, source: tuple[float, float] | None) -> list[str]:
    """Return a warning when a series is far from its source.

    Parameters
    ----------
    ra, dec : float
        The position of the series [deg].
    source : pair of float, optional
        The position of its source [deg].
    """
    if source is None or 3600 * (abs(ra - source[0]) + abs(dec - source[1])) <= FAR:  # without the exact distance
        return []
    distance = float(separation(np.linalg.norm(unit_vector(*source) - unit_vector(ra, dec))))
    return [f"The position is {distance:,.0f} arcsec from that of the source."] if distance > FAR else []


def _filter_problem(frame: pd.DataFrame) -> tuple[str, str] | None:
    """Return the filter column and its filters if it has several; nulls do not count."""
    name = first_present(frame, INFERRED["filter"])
    if name is None or len(counts := frame[name].value_counts()) < 2:
        return None
    named = [f"{str(value)[:30]!r} ({count:,} rows)" for value, count in counts.head(_NAMED).items()]
    if len(counts) > _NAMED:
        named.append(f"and {len(counts) - _NAMED:,} more")
    return name, (
        f"The column for filter must contain the same filter for all rows; {name!r} has {', '.join(named)}. "
        "Upload one series per filter."
    )


@dataclass(frozen=True, eq=False)
class _Times:
    """The uploaded time column, its sorted finite values [d], and whether the rows are sorted."""

    name: str
    column: npt.NDArray[np.integer | np.floating]
    ordered: FloatArray
    is_sorted: bool

    @classmethod
    def of(cls, rows: pd.DataFrame) -> _Times:
        name = required_column(rows, TIME)
        column = rows[name].to_numpy()
        finite = _finite(column)
        is_sorted = bool((finite[1:] >= finite[:-1]).all())
        return cls(name, column, finite if is_sorted else np.sort(finite), is_sorted)

    @property
    def median(self) -> float:
        """NaN without a time."""
        size = self.ordered.size
        return float(self.ordered[(size - 1) // 2] / 2 + self.ordered[size // 2] / 2) if size else math.nan

    def problem(self) -> tuple[str, str] | None:
        """Return the column and the reason why its values cannot be MJD."""
        likely = likely_format(self.median)
        if likely is None:
            return None
        return self.name, (
            f"The times in the column {self.name!r} are not MJD: their median is {self.median:,.10g}. {likely}"
        )

    def warnings(self) -> Iterator[str]:
        """Yield warnings about the order, epoch and precision of the times."""
        rows, size = self.column.size, self.ordered.size
        if size < rows:
            yield f"{rows - size:,} of {rows:,} rows have no time."
        if not self.is_sorted:
            yield "The rows are not in the order of time; statistics are computed as if they were."
        steps = np.diff(self.ordered)
        if repeated := int(np.count_nonzero(steps == 0)):
            yield f"{repeated:,} rows repeat the time of another."
        if size and self.problem() is None:
            yield from self._epoch_warnings()
        yield from self._precision_warnings(steps)

    def _epoch_warnings(self) -> Iterator[str]:
        middle = self.median
        low, high = (-np.inf, NEAR_ZERO) if middle < NEAR_ZERO else (EARLIEST, LATEST)
        if middle < NEAR_ZERO:
            yield (
                f"The median of the times is MJD {middle:,.6g}, around the year {1858.9 + middle / 365.25:.0f}: check "
                "that they are MJD, which is JD - 2400000.5."
            )
        elif middle < YEAR_1900:
            yield (
                f"The median of the times is MJD {middle:,.6g}, before 1900. Photographic plates are that old; if the "
                "times are JD - 2450000, MJD = value + 49999.5."
            )
        if self.ordered[0] < low or self.ordered[-1] > high:
            outside = np.flatnonzero(np.isfinite(self.column) & ((self.column < low) | (self.column > high)))
            limits = f"after MJD {high:,.0f}" if low == -np.inf else f"outside MJD {low:,.0f} to {high:,.0f}"
            yield (
                f"{outside.size:,} of {self.column.size:,} times are {limits}; the first is in row {outside[0] + 1:,}: "
                f"{self.column[outside[0]]:,.10g}."
            )

    def _precision_warnings(self, steps: FloatArray) -> Iterator[str]:
        dtype, middle = self.column.dtype, self.median
        if dtype.kind != "f" or dtype.itemsize >= np.dtype(np.float64).itemsize:
            return
        resolution = float(np.spacing(dtype.type(abs(middle))))
        apart = steps[steps > 0]
        if resolution > SECOND or (apart.size and resolution > np.median(apart) / 10):
            yield (
                f"The times are {dtype.name}, which has steps of {resolution / SECOND:,.3g} s at MJD {middle:,.0f}: "
                "send float64."
            )


def _brightness_warnings(frame: pd.DataFrame, calibration: Calibration) -> Iterator[str]:
    _, brightness, error = measured_columns(frame, calibration)
    values = frame[brightness].to_numpy()
    finite = values[np.isfinite(values)]
    if len(finite) < len(values):
        yield f"{len(values) - len(finite):,} of {len(values):,} rows have no brightness."
    yield from _sentinel_warnings(frame)
    yield from _error_warnings(frame, error)
    if brightness in FLUX and calibration.flux_unit.name == MICROJANSKY and _are_like_magnitudes(finite):
        yield f"The column {brightness!r} is read as flux in uJy, but its values look like magnitudes."
    measured = finite[np.abs(finite) < SENTINEL_MAG]
    if brightness in MAG and calibration.magsys != "instrumental" and (middle := float(median(measured))) < BRIGHTEST:
        yield (
            f"The median magnitude, {middle:.4g}, is brighter than any star of the night sky. If the zero "
            "point is unknown, set magsys to instrumental."
        )
    if brightness in FLUX and calibration.flux_unit.microjansky is not None and finite.size:
        typical = float(median(np.abs(finite)))
        mag = float(flux_to_mag(typical * calibration.scale))
        if not BRIGHTEST < mag < FAINTEST and typical > 0:
            yield (
                f"The median flux, {typical:.4g} {calibration.flux_unit.name}, is an AB magnitude of {mag:.4g}, "
                "which no source has: check flux_unit."
            )


def _calibration_warnings(rows: pd.DataFrame, metadata: Mapping[str, object]) -> Iterator[str]:
    """Yield warnings about a unit or system that is taken for granted and seems to be another one."""
    calibration = calibration_of(metadata)
    _, brightness, _ = measured_columns(rows, calibration)
    lower = {str(name).lower(): name for name in rows.columns}
    filter_name = str(metadata.get("filter"))
    if brightness in FLUX and metadata.get("flux_unit") is None:
        for name in (lower[name] for name in ZERO_POINT_COLUMNS if name in lower):
            zeros = _finite(rows[name].to_numpy()) if is_numeric(rows[name]) else np.empty(0)
            if zeros.size and abs(np.median(zeros) - AB_ZERO_POINT) > ZERO_POINT_TOLERANCE:
                yield (
                    f"The fluxes are taken as uJy, which have the AB zero point 23.9; that in the column {name!r} is "
                    f"{np.median(zeros):.6g} and was not applied."
                )
    elif brightness in MAG and metadata.get("magsys") is None:
        texts = {text for name in SYSTEM_COLUMNS if name in lower for text in rows[lower[name]].dropna().astype(str)}
        if other := sorted({text for text in texts if text.lower() not in ("ab", "abmag")})[:1]:
            yield f"The magnitudes are taken as AB, but a column states {other[0]!r:.40}: state magsys (ab, vega)."
        elif filter_name.startswith(VEGA_FILTERS):
            yield (
                f"The magnitudes in {filter_name} are taken as AB, but those of this filter are often Vega's: state "
                "magsys (ab, vega)."
            )
    yield from _disagreement_warnings(rows, metadata, brightness)


def _disagreement_warnings(rows: pd.DataFrame, metadata: Mapping[str, object], brightness: str) -> Iterator[str]:
    """Yield a warning about detections whose magnitude is not that of their flux, if a unit is taken for granted."""
    calibration = calibration_of(metadata)
    flux, mag = first_present(rows, FLUX), first_present(rows, MAG)
    if not calibration.converts or None not in (metadata.get("flux_unit"), metadata.get("magsys")):
        return
    if flux is None or mag is None or not is_numeric(rows[flux]) or not is_numeric(rows[mag]):
        return
    given = rows[mag].to_numpy().astype(np.float64)
    given[np.abs(given) >= SENTINEL_MAG] = np.nan
    if FLUXERR in rows.columns and is_numeric(rows[FLUXERR]):
        given[rows[flux].to_numpy() < MIN_SNR * rows[FLUXERR].to_numpy()] = np.nan  # may be limiting magnitudes
    apart = _finite(given - flux_to_mag(rows[flux].to_numpy() * calibration.scale))
    if abs(difference := float(median(apart))) > DISAGREEMENT:
        yield (
            f"The magnitudes in {mag!r} and those of the fluxes in {flux!r} differ by {difference:.4g} mag: "
            f"{brightness!r} is used. Check flux_unit and magsys."
        )


def _error_warnings(frame: pd.DataFrame, name: str | None) -> Iterator[str]:
    usable = False
    if name is not None:
        errors = frame[name].to_numpy()
        useless = int(np.count_nonzero(errors <= 0))
        usable = bool(((errors > 0) & (errors < np.inf)).any())
        if useless:
            count = f"{useless:,} of {len(errors):,} errors in the column {name!r}"
            yield f"{count} are zero or negative and count as absent."
    if not usable:
        yield "There are no errors; the noise is estimated from the differences of successive values."


def _are_like_magnitudes(flux: npt.NDArray[np.number]) -> bool:
    brightest, faintest = USUAL_MAGNITUDES
    in_range = np.count_nonzero((flux > brightest) & (flux < faintest))
    if flux.size < 2 or in_range < 0.97 * flux.size:  # a cheap test before the quantiles
        return False
    low, high = np.quantile(flux, (0.01, 0.99))
    return bool(brightest < low and high < faintest and high - low < brightest / 5)


def _sentinel_warnings(frame: pd.DataFrame) -> Iterator[str]:
    for name in frame.columns:
        if name in MAGNITUDES and is_numeric(frame[name]):
            values = frame[name].to_numpy().astype(np.float64)
            count = int((np.isfinite(values) & (np.abs(values) >= SENTINEL_MAG)).sum())
            if count:
                yield (
                    f"{count:,} of {len(values):,} values in the column {name!r} are {SENTINEL_MAG:g} mag or more, or "
                    f"-{SENTINEL_MAG:g} or less; they are stored and count as absent."
                )


def _contradiction_warnings(
    rows: pd.DataFrame, inferred: Mapping[str, Any], metadata: Mapping[str, Any]
) -> Iterator[str]:
    """Compare the columns with the given fields."""
    differing = {
        field: (inferred_value, metadata[field])
        for field, inferred_value in inferred.items()
        if metadata.get(field) is not None and metadata[field] != inferred_value
    }
    for field, (inferred_value, stated) in differing.items():
        name = first_present(rows, INFERRED[field])
        if field == "filter":
            yield f"The column {name!r} is {inferred_value!r}, but filter={stated!r} was given, which is used."
        elif field == "exp_time" and abs(inferred_value - stated) > EXPOSURE * stated:
            yield (
                f"The column {name!r} has the median {inferred_value:g} s, but exp_time={stated:g} was given, "
                "which is used."
            )
        elif field in ("ra", "dec"):
            scale = 3600 * math.cos(math.radians({**inferred, **metadata}.get("dec") or 0)) if field == "ra" else 3600
            apart = abs(_wrap(inferred_value - stated)) * scale
            spread = scale * np.std(_wrap(_finite(rows[name].to_numpy()) - inferred_value))
            if apart > POSITION_ARCSEC and apart > POSITION_SPREADS * spread:
                yield (
                    f"The column {name!r} has the median {inferred_value:.6f}, {apart:,.1f} arcsec from "
                    f"{field}={stated:.6f}; that was given and is used."
                )


def _wrap(degrees: _Degrees) -> _Degrees:
    """Return angles between -180 and 180."""
    return (degrees + 180) % 360 - 180


def _finite(values: npt.NDArray[np.number]) -> FloatArray:
    finite = np.isfinite(values)
    return (values if finite.all() else values[finite]).astype(np.float64, copy=False)
