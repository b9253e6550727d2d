"""Statements about the audit of changes of accounts, tokens and sharing."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, func, insert, select

from photseries.server.catalogue.models import AuditEvent
from photseries.server.principal import Principal

__all__ = ["AUDITED"]

#: The kinds of entries whose changes are recorded; of series, only sharing and handover.
AUDITED = ("users", "groups", "streams", "tokens")


def note(
    connection: Connection, principal: Principal, action: str, kind: str, entry: object, details: Mapping[str, object]
) -> None:
    """Record an action of a principal in the transaction of the action; ``details`` contains no secrets."""
    who = {"user_id": principal.user_id or None, "username": principal.username}
    event = {"action": action, "kind": kind, "entry": str(entry), "details": dict(details)}
    connection.execute(insert(AuditEvent).values(**who, **event))


def find(connection: Connection, limit: int, offset: int) -> tuple[list[dict[str, object]], int]:
    """Return a page of the events, newest first, and their total."""
    rows = select(AuditEvent.__table__).order_by(AuditEvent.id.desc()).limit(limit).offset(offset)
    total = connection.scalar(select(func.count()).select_from(AuditEvent)) or 0
    return [dict(row) for row in connection.execute(rows).mappings()], total
