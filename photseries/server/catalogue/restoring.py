"""Statements that restore series: the history of a series with its blobs, and the row of a deleted one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from photseries.lightcurve.sky import pixel
from photseries.server.catalogue import blobs, series
from photseries.server.catalogue.access import audience, deleted_access
from photseries.server.catalogue.blobs import Blob, of_row
from photseries.server.catalogue.models import Group, Series, SeriesHistory, Stream, UnlinkedBlob
from photseries.server.catalogue.series import ChangeTarget
from photseries.server.principal import Principal

__all__ = ["HistoryEvent", "deleted", "history_of", "is_kept", "reinsert"]


@dataclass(frozen=True)
class HistoryEvent:
    """A row of the history of a series; a delete has no blob."""

    revision: int
    action: str
    at: datetime
    owner_id: int
    changed: Mapping[str, Any]
    inferred: Sequence[str]
    batch: str | None
    blob: Blob | None


def history_of(connection: Connection, series_id: int) -> list[HistoryEvent]:
    """Return the whole history of a series, oldest revision first."""
    table = SeriesHistory.__table__
    rows = connection.execute(select(table).where(table.c.series_id == series_id).order_by(table.c.revision)).mappings()
    names = [name for name in HistoryEvent.__dataclass_fields__ if name != "blob"]
    return [
        HistoryEvent(**{name: row[name] for name in names}, blob=of_row(series_id, row) if row["filename"] else None)
        for row in rows
    ]


def deleted(
    connection: Connection, principal: Principal, series_id: int, events: Sequence[HistoryEvent]
) -> ChangeTarget | None:
    """Return a deleted series without metadata and blob; None when it is not deleted or was not visible.

    A delete by an earlier version of the service recorded no sharing: then only the owner and admins see the series.
    """
    if not events or events[-1].action != "delete":
        return None
    last = events[-1]
    fields = {name: value["from"] for name, value in last.changed.items()}
    own_group = connection.scalars(select(Group.id).where(Group.single_user_id == last.owner_id)).one()
    group_ids, stream_ids = sorted({own_group, *fields.get("group_ids", ())}), fields.get("stream_ids", [])
    visible, allowed = deleted_access(principal, last.owner_id, audience(group_ids, stream_ids))
    if not visible:
        return None
    return ChangeTarget(
        allowed=allowed,
        revision=last.revision,
        owner_id=last.owner_id,
        owners_group_id=own_group,
        created_at=datetime.fromisoformat(fields["created_at"]) if "created_at" in fields else events[0].at,
        metadata={},
        inferred=frozenset(),
        group_ids=_existing(connection, Group, group_ids),
        stream_ids=_existing(connection, Stream, stream_ids),
        content_hash="",
        blob=Blob(series_id, "", 0, 0, "", 0),
    )


def is_kept(connection: Connection, filename: str, grace: float) -> bool:
    """Return whether an unlinked blob is kept."""
    statement = select(UnlinkedBlob.filename).where(UnlinkedBlob.filename == filename, blobs.is_kept(grace))
    return connection.scalar(statement) is not None


def _existing(connection: Connection, table: type[Group] | type[Stream], ids: Sequence[int]) -> list[int]:
    return list(connection.scalars(select(table.id).where(table.id.in_(ids)).order_by(table.id)))


def reinsert(connection: Connection, series_id: int, seen: ChangeTarget, values: Mapping[str, Any]) -> bool:
    """Insert the row of a deleted series with its next revision and its sharing; return whether it was still deleted.

    Raises the errors of :func:`..series.translate_violations`.
    """
    non_null = {name: value for name, value in series.with_current_version(values).items() if value is not None}
    row = {"id": series_id, "created_at": seen.created_at, "revision": seen.revision + 1}
    row |= {"healpix": int(pixel(values["ra"], values["dec"])), "audience": []}
    statement = insert(Series).values(**non_null, **row).on_conflict_do_nothing(index_elements=["id"])
    with series.translate_violations(values):
        inserted = connection.execute(statement).rowcount == 1
    if inserted:
        series.share(connection, series_id, seen.group_ids, seen.stream_ids)
    return inserted
