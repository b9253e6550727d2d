"""Recompute the statistics of existing series after a change of their definitions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from photseries.errors import (
    ConflictError,
    DamagedError,
    InvalidError,
    NotFoundError,
    PreconditionFailedError,
    QuotaExceededError,
)
from photseries.fields import COMPUTED, PER_COLUMN
from photseries.hdf5 import StoredContent
from photseries.lightcurve.calibration import calibration_of, with_fields_of_altdata
from photseries.lightcurve.curve import require_one_brightness
from photseries.server.archive.archive import Archive
from photseries.server.archive.blobs import read_table
from photseries.server.archive.intake import statistics_of
from photseries.server.catalogue import recomputing
from photseries.server.catalogue.engine import Catalogue
from photseries.server.catalogue.recomputing import StoredStatistics
from photseries.server.principal import Principal
from photseries.server.storage.contract import Store

__all__ = ["Change", "ChangeTally", "RecomputeOutcome", "Recomputer"]


@dataclass(frozen=True)
class Change:
    """The old and new value of a statistic; of a statistic per column, those of the column with the largest change."""

    before: float | str | None
    after: float | str | None

    @property
    def size(self) -> float:
        """The absolute difference; -1 if a value is null or a text."""
        before, after = self.before, self.after
        if before is None or after is None or isinstance(before, str) or isinstance(after, str):
            return -1.0
        return abs(float(after) - float(before))


@dataclass(frozen=True)
class RecomputeOutcome:
    """The outcome for one series.

    Attributes
    ----------
    series_id : int
    changes : mapping of str to Change
        Changed statistics by name.
    is_revised : bool
        Whether the calibration moved from ``altdata`` to ``flux_unit``, in a new revision with a new file.
    problem : str, optional
        Why its statistics were not recomputed.
    """

    series_id: int
    changes: Mapping[str, Change]
    is_revised: bool = False
    problem: str | None = None


class Recomputer:
    """Recomputes the statistics of series with an older version.

    Each row records its version, so an interrupted command can be run again.

    Parameters
    ----------
    catalogue : Catalogue
    store : Store
    archive : Archive
    operator : Principal
        With permission to change every series; new revisions have the owner as their user.
    detection_threshold : float
    """

    def __init__(
        self, catalogue: Catalogue, store: Store, archive: Archive, operator: Principal, detection_threshold: float
    ) -> None:
        self._catalogue = catalogue
        self._store = store
        self._archive = archive
        self._operator = operator
        self._detection_threshold = detection_threshold

    def run(self, *, dry_run: bool = False) -> Iterator[RecomputeOutcome]:
        """Recompute the series in the order of their ids.

        Parameters
        ----------
        dry_run : bool
            Whether to write nothing.

        Yields
        ------
        RecomputeOutcome
            One for each series.

        Raises
        ------
        UnavailableError
            When the database or the store is not available.
        """
        after = 0
        while (row := self._next_behind(after)) is not None:
            recomputed = self._recompute(row, dry_run=dry_run)
            if recomputed is not None:
                yield recomputed
                after = row.blob.series_id

    def _next_behind(self, after: int) -> StoredStatistics | None:
        with self._catalogue.reading() as connection:
            return recomputing.next_behind(connection, after)

    def _recompute(self, row: StoredStatistics, *, dry_run: bool) -> RecomputeOutcome | None:
        """Recompute one series; return None if it was changed concurrently and has to be read again."""
        series_id = row.blob.series_id
        is_revised = with_fields_of_altdata(row.metadata, prefer_altdata=True) != row.metadata
        try:
            table = read_table(self._store, row.blob)
            values = statistics_of(table.frame, row.metadata, self._detection_threshold, row.longitude)
            if is_revised and not dry_run:
                self._revise(row, table)
        except (NotFoundError, ConflictError, PreconditionFailedError):
            return None
        except (DamagedError, InvalidError, QuotaExceededError) as error:
            return None if self._has_changed(row) else RecomputeOutcome(series_id, {}, problem=error.message)
        if not dry_run:
            revision = row.revision + is_revised
            with self._catalogue.transaction() as connection:
                if not recomputing.replace_statistics(connection, series_id, revision, values):
                    return None
        return RecomputeOutcome(series_id, _changes(row.statistics, values), is_revised)

    def _revise(self, row: StoredStatistics, table: StoredContent) -> None:
        """Move the calibration in ``altdata`` into the fields, as an ordinary revision of the series."""
        principal = replace(self._operator, user_id=row.owner_id)
        self._archive.update(principal, row.blob.series_id, _named_brightness(row.metadata, table), {row.revision})

    def _has_changed(self, row: StoredStatistics) -> bool:
        """Return whether a series was changed or deleted."""
        now = self._next_behind(row.blob.series_id - 1)
        return now is None or (now.blob.series_id, now.revision) != (row.blob.series_id, row.revision)


class ChangeTally:
    """Counts, for each statistic, the series in which it changed, and keeps the largest change."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = dict.fromkeys(COMPUTED, 0)
        self._largest: dict[str, tuple[int, Change]] = {}

    def add(self, recomputed: RecomputeOutcome) -> None:
        """Add the changes of one series."""
        for name, change in recomputed.changes.items():
            self._counts[name] += 1
            if name not in self._largest or change.size > self._largest[name][1].size:
                self._largest[name] = (recomputed.series_id, change)

    def rows(self) -> list[dict[str, object]]:
        """Return a row for each statistic that changed: number of series, and the largest change with its series."""
        return [
            {
                "statistic": name,
                "series": self._counts[name],
                "largest_change": None if change.size < 0 else change.size,
                "id": series_id,
                "before": change.before,
                "after": change.after,
            }
            for name in COMPUTED
            if name in self._largest
            for series_id, change in [self._largest[name]]
        ]


def _named_brightness(metadata: Mapping[str, object], table: StoredContent) -> dict[str, object]:
    """Return the body that names the brightness of a table with two: the fluxes, the rule before the field existed."""
    try:
        require_one_brightness(table.frame, calibration_of(metadata))
    except InvalidError:
        return {"brightness": "flux"}
    return {}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Change]:
    changes = {}
    for name in COMPUTED:
        if name in PER_COLUMN:
            old, new = before[name] or {}, after[name]
            pairs = [Change(old.get(column), new.get(column)) for column in {**old, **new}]
        else:
            pairs = [Change(before[name], after[name])]
        differing = [pair for pair in pairs if pair.before != pair.after]
        if differing:
            changes[name] = max(differing, key=lambda pair: pair.size)
    return changes
