"""Compute the statistics of many tables with equal length and columns together, for bulk uploads.

A table of a block is *plain* if it has increasing times, positive fluxes with positive errors, and no
missing numbers. Plain tables pass every check, have no warnings and nothing to infer, and their statistics are computed
together. Other tables are processed one by one, by the functions that can refuse, warn and infer.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from photseries.lightcurve.calibration import ZERO_POINT_COLUMNS
from photseries.lightcurve.curve import LightCurve
from photseries.lightcurve.epochs import EARLIEST, LATEST, YEAR_1900
from photseries.lightcurve.features import features_block, points_per_night
from photseries.lightcurve.medians import median
from photseries.lightcurve.metadata import INFERRED, MAGNITUDES
from photseries.lightcurve.photometry import FloatArray, flux_to_mag, fluxerr_to_magerr
from photseries.lightcurve.quality import BRIGHTEST, FAINTEST, USUAL_MAGNITUDES
from photseries.lightcurve.statistics import ColumnSummary, summarize_block
from photseries.lightcurve.table import FLUX, FLUXERR, TIME

__all__ = ["Block"]

Array = npt.NDArray[Any]  # those of plain tables are float64

#: Columns that plain tables lack: other spellings, magnitudes, zero points, and sources of inferred metadata.
_ODD: Final = frozenset(
    (*TIME[1:], *FLUX[1:], *MAGNITUDES, *ZERO_POINT_COLUMNS, *(name for names in INFERRED.values() for name in names))
)


class Block:
    """Tables of equal length with the same columns.

    Parameters
    ----------
    columns : mapping of str to ndarray, shape (s, n)
        The columns of all tables by name.

    Attributes
    ----------
    is_valid : bool or None
        Whether the names, types and sizes of the columns are valid; None before the check.
    """

    def __init__(self, columns: Mapping[str, Array]) -> None:
        self.columns = columns
        self.is_valid: bool | None = None

    @cached_property
    def plain(self) -> dict[int, int]:
        """Index of each plain table in the block -> its index among the plain tables."""
        with np.errstate(all="ignore"):
            return {int(index): number for number, index in enumerate(np.flatnonzero(self._is_plain()))}

    def _is_plain(self) -> npt.NDArray[np.bool_]:
        time, flux, error = (self.columns.get(name) for name in (TIME[0], FLUX[0], FLUXERR))
        count = next(iter(self.columns.values())).shape[0]
        odd = _ODD & {*self.columns, *map(str.lower, self.columns)}
        if time is None or flux is None or error is None or odd:
            return np.zeros(count, bool)
        if any(values.dtype != np.float64 for values in (time, flux, error)):
            return np.zeros(count, bool)
        if any(values.dtype.kind not in "iufb" for values in self.columns.values()):
            return np.zeros(count, bool)
        is_plain = np.ones(count, bool)
        for values in self.columns.values():
            if values.dtype.kind == "f":
                is_plain &= np.isfinite(values).all(axis=-1)
        rows = time.shape[-1]
        middle = (time[:, (rows - 1) // 2] + time[:, rows // 2]) / 2
        is_plain &= (np.diff(time) > 0).all(axis=-1) & (middle >= YEAR_1900)
        is_plain &= (time[:, 0] >= EARLIEST) & (time[:, -1] <= LATEST)
        is_plain &= (flux > 0).all(axis=-1) & (error > 0).all(axis=-1)
        ratios = (flux / error, error / flux, flux * flux, error * error)
        is_plain &= np.logical_and.reduce([np.isfinite(values).all(axis=-1) for values in ratios])
        low, high = USUAL_MAGNITUDES  # fluxes that may be magnitudes need a warning
        is_plain &= np.count_nonzero((flux > low) & (flux < high), axis=-1) < 0.97 * rows
        typical = flux_to_mag(median(flux))
        return is_plain & (typical > BRIGHTEST) & (typical < FAINTEST)

    def summary(self, index: int, detection_threshold: float) -> ColumnSummary:
        """Return the statistics of a plain table."""
        if self._summaries is None or self._threshold != detection_threshold:
            numeric = {name: values for name, values in self._plain_columns.items() if values.dtype.kind in "iuf"}
            self._summaries = summarize_block(self._curve, numeric, detection_threshold=detection_threshold)
            self._threshold = detection_threshold
        return self._summaries[self.plain[index]]

    _summaries: list[ColumnSummary] | None = None
    _threshold = 0.0

    def features(self, index: int, longitude: float) -> dict[str, object]:
        """Return the features of a plain table; the longitude of the observatory is positive to the east [deg]."""
        result = self._features[self.plain[index]]
        if longitude:
            result = {**result, "points_per_night": float(points_per_night(self.columns[TIME[0]][index], longitude))}
        return result

    @cached_property
    def _plain_columns(self) -> dict[str, Array]:
        """The columns of the plain tables."""
        places = list(self.plain)
        count = next(iter(self.columns.values())).shape[0]
        return {name: values if len(places) == count else values[places] for name, values in self.columns.items()}

    @cached_property
    def _curve(self) -> LightCurve:
        flux: FloatArray = self._plain_columns[FLUX[0]]
        fluxerr: FloatArray = self._plain_columns[FLUXERR]
        return LightCurve(
            mjd=self._plain_columns[TIME[0]],
            flux=flux,
            fluxerr=fluxerr,
            mag=flux_to_mag(flux),
            magerr=fluxerr_to_magerr(flux, fluxerr),
        )

    @cached_property
    def _features(self) -> list[dict[str, object]]:
        return features_block(self._curve, np.zeros(len(self.plain)).tolist())
