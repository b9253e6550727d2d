"""The long table: the rows of many series under each other, each with what its series is.

Only the metadata of the stored file and the table itself are looked at, so that all of a row is of one moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

from photseries.lightcurve.calibration import calibration_of
from photseries.lightcurve.curve import MEASUREMENTS, light_curve
from photseries.lightcurve.cutting import derived
from photseries.lightcurve.meaning import meaning
from photseries.lightcurve.photometry import FloatArray
from photseries.lightcurve.table import is_numeric
from photseries.lightcurve.units import RELATIVE

__all__ = ["GROUP", "SHARED", "Extent", "Layout", "Series", "shared"]

#: Rows that are written together at most.
GROUP: Final = 65_536

#: The columns that say which series a row is of, and their types.
SHARED: Final[Mapping[str, type]] = {
    "series_id": int,
    "obj_id": str,
    "instrument_id": int,
    "filter": str,
    "time_scale": str,
    "time_refpos": str,
    "flux_unit": str,
    "magsys": str,
}


@dataclass(frozen=True, eq=False)
class Series:
    """A series of a long table: its id, its table, and the metadata of its stored file."""

    id: int
    frame: pd.DataFrame
    metadata: Mapping[str, Any]


def shared(series_id: int, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the rows of a series share, by the names of :data:`SHARED`; None is unknown.

    ``flux_unit`` is the unit of ``flux`` in the long table: uJy for every flux density.

    Parameters
    ----------
    series_id : int
    fields : mapping
        Its fields, or the metadata of its stored file.
    """
    calibration = calibration_of(fields)
    known = {**fields, "series_id": series_id, "flux_unit": calibration.unit, "magsys": calibration.magsys}
    return {name: known.get(name) for name in SHARED}


@dataclass(frozen=True)
class Layout:
    """Which columns a long table has beside those of :data:`SHARED`, all of them float64.

    Parameters
    ----------
    columns : tuple of str
        Of :data:`~photseries.lightcurve.curve.MEASUREMENTS`, or columns of the series' tables; NaN where a table has
        no such numbers.
    derive : tuple of str
        Of :data:`photseries.lightcurve.part.DERIVED`; what is derived replaces a column of its name.
    """

    columns: tuple[str, ...] = MEASUREMENTS
    derive: tuple[str, ...] = ()

    @property
    def measured(self) -> tuple[str, ...]:
        """The names of these columns, in order."""
        return tuple(dict.fromkeys((*self.columns, *self.derive)))

    def values(self, series: Series) -> dict[str, FloatArray]:
        """Return the values of these columns for the rows of a series, in their order."""
        frame, curve = series.frame, light_curve(series.frame, calibration_of(series.metadata))
        made = derived(self.derive, curve, frame, series.metadata)

        def column(name: str) -> FloatArray:
            if name in made:
                return made[name]
            if name in MEASUREMENTS:
                values: FloatArray = getattr(curve, name)
                return values
            if name in frame and is_numeric(frame[name]):
                return frame[name].to_numpy(np.float64)
            return np.full(len(frame), np.nan)

        return {name: column(name) for name in self.measured}

    def units(self) -> dict[str, str | None]:
        """Return the unit of each of these columns, where all series have the same: that of fluxes is ``flux_unit``."""
        return {name: meaning(name, _ANY_FLUX).unit for name in self.measured}


_ANY_FLUX: Final = {"flux_unit": RELATIVE}


@dataclass
class Extent:
    """How long a long table becomes: its rows, and the longest text of each column [bytes]."""

    rows: int = 0
    texts: dict[str, int] = field(default_factory=lambda: {name: 1 for name, kind in SHARED.items() if kind is str})

    def add(self, rows: int, values: Mapping[str, Any]) -> None:
        """Add the rows of a series, which share these values."""
        self.rows += rows
        for name, longest in self.texts.items():
            self.texts[name] = max(longest, len((values[name] or "").encode()))
