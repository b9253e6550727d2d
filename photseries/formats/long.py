"""The long table: the rows of many series, each row with the identification of its series.

All values of a row come from the stored file, so they belong to one revision. Series are processed in blocks, so that
element-wise computations run once per block.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.errors import InvalidError
from photseries.hdf5 import frames
from photseries.hdf5.raw import RawTable
from photseries.lightcurve.calibration import Calibration, calibration_of
from photseries.lightcurve.curve import MEASUREMENTS, light_curve
from photseries.lightcurve.meaning import meaning
from photseries.lightcurve.photometry import FloatArray
from photseries.lightcurve.select import derived_values, metadata_of_selection, select
from photseries.lightcurve.selection import Selection
from photseries.lightcurve.table import BRIGHTNESS, FLUXERR, MAGERR, TIME, is_numeric
from photseries.lightcurve.units import RELATIVE

__all__ = [
    "ASKED",
    "GROUP",
    "SHARED",
    "WHOLE",
    "Extent",
    "LongLayout",
    "LongSeries",
    "SeriesBlock",
    "blocks",
    "parts",
    "shared",
]

#: Maximum number of rows per block.
GROUP: Final = 65_536

#: Maximum number of series per block.
SERIES: Final = 256

#: The columns that identify the series of a row, and their types.
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

#: The same for a list: first the index in the list, last the fields that a new series needs.
ASKED: Final[Mapping[str, type]] = {
    "asked": int,
    **SHARED,
    "series_name": str,
    "series_obj_id": str,
    "channel": str,
    "origin": str,
    "ra": float,
    "dec": float,
    "exp_time": float,
}

#: All rows of a series.
WHOLE: Final = Selection()

#: Columns derived element by element from the light curve alone.
_PLAIN: Final = frozenset(MEASUREMENTS)

#: The columns of a light curve.
_MEASURED: Final = frozenset((*TIME, *BRIGHTNESS, FLUXERR, MAGERR))


@dataclass(frozen=True, eq=False)
class LongSeries:
    """A series of a long table: its id, its table, the metadata of its stored file, and its index in a list."""

    id: int
    table: RawTable
    metadata: Mapping[str, object]
    asked: int | None = None

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The table as a frame."""
        return frames.build(self.table)

    @property
    def rows(self) -> int:
        """The number of rows of the table."""
        return len(self.table.columns[0].values)


def shared(series_id: int, fields: Mapping[str, object], asked: int | None = None) -> dict[str, object]:
    """Return the constants of the rows of a series, by the names of :data:`ASKED`; None if unknown.

    ``flux_unit`` is the unit of ``flux`` in the long table: uJy for every flux density.

    Parameters
    ----------
    fields : mapping
        Its fields, or the metadata of its stored file.
    """
    calibration = calibration_of(fields)
    constants = {**fields, "series_id": series_id, "asked": asked}
    constants |= {"flux_unit": calibration.unit, "magsys": calibration.magsys}
    return {name: constants.get(name) for name in ASKED}


@dataclass(frozen=True)
class LongLayout:
    """The columns of a long table.

    Parameters
    ----------
    columns : tuple of str
        Of :data:`~photseries.lightcurve.curve.MEASUREMENTS`, or columns of the series' tables; NaN where a table has
        no such numbers. All are float64.
    derive : tuple of str
        Of :data:`photseries.lightcurve.selection.DERIVED`; a derived column replaces one of its name.
    part : Selection
        The rows of each series; its columns are ignored.
    shared : mapping of str to type
        The other columns, and their types.
    """

    columns: tuple[str, ...] = MEASUREMENTS
    derive: tuple[str, ...] = ()
    part: Selection = WHOLE
    shared: Mapping[str, type] = field(default_factory=lambda: SHARED, hash=False)

    @property
    def measured(self) -> tuple[str, ...]:
        """The names of the numeric columns, in order."""
        return tuple(dict.fromkeys((*self.columns, *self.derive, *self._part_columns)))

    @property
    def _part_columns(self) -> Iterator[str]:
        """Yield the columns that a part adds, for fluxes and magnitudes."""
        kinds = ("flux", "mag")
        if self.part.detrend is not None:
            yield from (f"{kind}_{product}" for product in ("trend", "detrended") for kind in kinds)
        if self.part.clip is not None:
            yield "clipped"

    @property
    def is_plain(self) -> bool:
        """Whether rows are computed independently of each other."""
        only_times = Selection(mjd_min=self.part.mjd_min, mjd_max=self.part.mjd_max)
        return _PLAIN.issuperset(self.derive) and self.part == only_times

    def values(self, series: LongSeries) -> dict[str, FloatArray]:
        """Return the values of the numeric columns for the rows of a series, as in an answer about it."""
        frame, metadata, rows = series.frame, series.metadata, None
        if self.part != WHOLE:
            frame, metadata, rows = self._select_part(frame, metadata)
        if not len(frame):
            return {name: np.empty(0) for name in self.measured}
        columns = self._frame_columns(frame if rows is None else series.frame, metadata)
        if rows is None:
            return columns
        made = set(self._part_columns)
        return {
            name: frame[name].to_numpy(np.float64) if name in made and name in frame else values[rows]
            for name, values in columns.items()
        }

    def _select_part(
        self, frame: pd.DataFrame, metadata: Mapping[str, object]
    ) -> tuple[pd.DataFrame, Mapping[str, object], npt.NDArray[np.int64] | None]:
        """Select a part of a table; return also the row numbers if the rows are rows of the table."""
        try:
            if self.part.bin is not None:
                return select(frame, self.part, metadata), metadata_of_selection(self.part, metadata), None
            selected = select(frame.set_axis(pd.Index(range(len(frame))).astype(float)), self.part, metadata)
        except InvalidError:  # no row of this series is in the part
            return frame[:0], metadata, None
        return selected, metadata, selected.index.to_numpy().astype(np.int64)

    def _frame_columns(self, frame: pd.DataFrame, metadata: Mapping[str, object]) -> dict[str, FloatArray]:
        curve = light_curve(frame, calibration_of(metadata))
        made = derived_values(self.derive, curve, frame, metadata)

        def column(name: str) -> FloatArray:
            if name in made:
                return made[name]
            if name in MEASUREMENTS:
                values: FloatArray = getattr(curve, name)
                return values
            if name in frame and (is_numeric(frame[name]) or name == "clipped"):
                return frame[name].to_numpy(np.float64)
            return np.full(len(frame), np.nan)

        return {name: column(name) for name in self.measured}

    def units(self) -> dict[str, str | None]:
        """Return the unit of each column that has one unit in all series; that of fluxes is ``flux_unit``."""
        return {name: meaning(name, _ANY_FLUX).unit for name in self.measured}


_ANY_FLUX: Final = {"flux_unit": RELATIVE}


@dataclass(frozen=True, eq=False)
class SeriesBlock:
    """Some series of a long table: constants and number of rows of each, and the values of all rows."""

    series: Sequence[Mapping[str, Any]]
    counts: npt.NDArray[np.int64]
    values: Mapping[str, FloatArray]

    def __len__(self) -> int:
        return int(self.counts.sum())

    @property
    def last(self) -> tuple[int, int]:
        """The index and the id of the last series."""
        return self.series[-1]["asked"], self.series[-1]["series_id"]

    def parts(self, max_rows: int) -> Iterator[SeriesBlock]:
        """Yield the same rows in blocks of at most ``max_rows``."""
        ends = np.cumsum(self.counts)
        for start in range(0, len(self), max_rows):
            stop = min(start + max_rows, len(self))
            counts = np.minimum(ends, stop) - np.maximum(ends - self.counts, start)
            values = {name: column[start:stop] for name, column in self.values.items()}
            yield SeriesBlock(self.series, np.maximum(counts, 0), values)


def parts(blocks: Iterable[SeriesBlock | None], max_rows: int) -> Iterator[SeriesBlock | None]:
    """Yield the rows of blocks in blocks of at most ``max_rows``; None remains."""
    for block in blocks:
        yield from (None,) if block is None else block.parts(max_rows)


def blocks(series_list: Iterable[LongSeries | None], layout: LongLayout) -> Iterator[SeriesBlock | None]:
    """Compute the rows of series, in their order.

    Parameters
    ----------
    series_list : iterable of LongSeries
        None means that more will follow.

    Yields
    ------
    SeriesBlock or None
        Of complete series; None means that more will follow.
    """
    waiting: list[LongSeries] = []
    rows = 0
    for series in series_list:
        if series is None:
            yield None
            continue
        waiting.append(series)
        rows += series.rows
        if rows >= GROUP or len(waiting) == SERIES:
            yield _block(waiting, layout)
            waiting, rows = [], 0
    if waiting:
        yield _block(waiting, layout)


def _block(series_list: Sequence[LongSeries], layout: LongLayout) -> SeriesBlock:
    by_kind: dict[object, list[int]] = {}
    for number, series in enumerate(series_list):
        by_kind.setdefault(_kind(series, layout) if layout.is_plain else number, []).append(number)
    made = [_rows([series_list[number] for number in numbers], layout) for numbers in by_kind.values()]
    counts, values = made[0]
    if len(made) > 1:
        numbers = np.concatenate([*by_kind.values()])
        counts = np.concatenate([counts for counts, _ in made])
        in_order = np.argsort(np.repeat(numbers, counts), kind="stable")
        values = {name: np.concatenate([values[name] for _, values in made])[in_order] for name in layout.measured}
        counts = counts[np.argsort(numbers)]
    return SeriesBlock([shared(item.id, item.metadata, item.asked) for item in series_list], counts, values)


def _kind(series: LongSeries, layout: LongLayout) -> tuple[Calibration, tuple[str, ...]]:
    """Return the key that series must share so that their rows can be computed together."""
    needed = _MEASURED.union(layout.columns)
    names = tuple(
        column.name for column in series.table.columns if column.name in needed and column.values.dtype.kind in "iuf"
    )
    return calibration_of(series.metadata), names


def _rows(series_list: Sequence[LongSeries], layout: LongLayout) -> tuple[npt.NDArray[np.int64], dict[str, FloatArray]]:
    """Return the number of rows of each series, and the values of all rows."""
    if not layout.is_plain:
        (series,) = series_list
        values = layout.values(series)
        return np.array([len(next(iter(values.values())))]), values
    _, names = _kind(series_list[0], layout)
    tables = [{field.name: field.values for field in series.table.columns} for series in series_list]
    # float64 as in every numeric column; 64-bit integers are rounded as in single series.
    columns = {name: np.concatenate([table[name] for table in tables], dtype=np.float64) for name in names}
    frame = pd.DataFrame(columns, copy=False)
    values = layout._frame_columns(frame, series_list[0].metadata)
    counts = np.array([series.rows for series in series_list])
    low, high = layout.part.mjd_min, layout.part.mjd_max
    if low is None and high is None:
        return counts, values
    mjd = light_curve(frame, calibration_of(series_list[0].metadata)).mjd
    selected = (mjd >= (-np.inf if low is None else low)) & (mjd <= (np.inf if high is None else high))
    counts = np.add.reduceat(selected, np.cumsum(counts) - counts, dtype=np.int64)
    return counts, {name: column[selected] for name, column in values.items()}


@dataclass
class Extent:
    """The size of a long table: its rows, and the longest text of each column [bytes]."""

    rows: int = 0
    texts: dict[str, int] = field(default_factory=lambda: {name: 1 for name, kind in ASKED.items() if kind is str})

    def add(self, rows: int, values: Mapping[str, object]) -> None:
        """Add the rows of a series, which share these values."""
        self.rows += rows
        for name, longest in self.texts.items():
            self.texts[name] = max(longest, len(str(values[name] or "").encode()))
