"""Statements that find series with outdated statistics, and replace the statistics of a series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, func, select, update

from photseries.fields import COMPUTED, METADATA
from photseries.lightcurve.statistics import STATISTICS_VERSION
from photseries.server.catalogue.blobs import Blob, of_row
from photseries.server.catalogue.models import SERIES, Series
from photseries.server.catalogue.registries import location
from photseries.server.catalogue.series import with_current_version

__all__ = ["StoredStatistics", "next_behind", "number_behind", "replace_statistics"]

_IS_BEHIND = SERIES.statistics_version < STATISTICS_VERSION


@dataclass(frozen=True)
class StoredStatistics:
    """The statistics in the row of a series, and the values needed to recompute them."""

    blob: Blob
    revision: int
    owner_id: int
    metadata: Mapping[str, object]
    statistics: Mapping[str, object]
    longitude: float


def number_behind(connection: Connection) -> int:
    """Count the series whose statistics have an older version."""
    return connection.scalar(select(func.count()).select_from(Series.__table__).where(_IS_BEHIND)) or 0


def next_behind(connection: Connection, after: int) -> StoredStatistics | None:
    """Return the next series by id whose statistics have an older version; None after the last one."""
    statement = select(Series.__table__).where(SERIES.id > after, _IS_BEHIND).order_by(SERIES.id).limit(1)
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        return None
    return StoredStatistics(
        blob=of_row(row["id"], row),
        revision=row["revision"],
        owner_id=row["owner_id"],
        metadata={name: row[name] for name in METADATA if row[name] is not None},
        statistics={name: row[name] for name in COMPUTED},
        longitude=location(connection, row["instrument_id"])["longitude"] or 0.0,
    )


def replace_statistics(connection: Connection, series_id: int, revision: int, values: Mapping[str, object]) -> bool:
    """Replace the statistics of a series if its revision is unchanged; return whether it was.

    The revision and the time of the last change stay: the series itself does not change.
    """
    unchanged = (SERIES.id == series_id, SERIES.revision == revision)
    return connection.execute(update(Series).where(*unchanged).values(**with_current_version(values))).rowcount == 1
