"""Statements about upload batches: the history of the series that a batch stored or changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy import Connection, and_, or_, select

from photseries.server.catalogue import blobs
from photseries.server.catalogue.access import changeable, visible
from photseries.server.catalogue.models import SERIES, Series, SeriesHistory, UnlinkedBlob
from photseries.server.principal import Principal

__all__ = ["BatchEvent", "histories"]


@dataclass(frozen=True)
class BatchEvent:
    """A row of the history of a series.

    Attributes
    ----------
    series_id, revision : int
    action : str
    batch, filename : str or None
    kept : bool or None
        Whether an unlinked blob is kept; None for current and for removed blobs.
    allowed : bool or None
        Whether the principal may change the series, unless it is deleted.
    """

    series_id: int
    revision: int
    action: str
    batch: str | None
    filename: str | None
    kept: bool | None
    allowed: bool | None


def histories(
    connection: Connection, principal: Principal, batch: str, after: int, grace: float
) -> Iterator[list[BatchEvent]]:
    """Yield the history of each visible series that a batch stored or changed, ordered by id and revision.

    A series that the principal may only read is included if this is its current batch: earlier batches are for its
    owner and principals that may change it. Deleted series are visible to their owners and admins.

    Parameters
    ----------
    after : int
        Only series with larger ids.
    grace : float
        The grace of unlinked blobs [s].
    """
    table = SeriesHistory.__table__.c
    numbers = select(table.series_id).where(table.batch == batch, table.series_id > after)
    readable = and_(visible(principal), or_(changeable(principal), SERIES.batch == batch))
    names = (table.series_id, table.revision, table.action, table.batch, table.filename)
    statement = (
        select(*names, blobs.is_kept(grace), changeable(principal))
        .outerjoin(Series.__table__, SERIES.id == table.series_id)
        .outerjoin(UnlinkedBlob, UnlinkedBlob.filename == table.filename)
        .where(table.series_id.in_(numbers), or_(table.owner_id == principal.user_id, readable))
        .order_by(table.series_id, table.revision)
    )
    for _, rows in groupby(connection.execute(statement), lambda row: row.series_id):
        yield [BatchEvent(*row) for row in rows]
