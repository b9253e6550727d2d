"""Record changes of a series in its history, and detect changes that started from a stale revision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from photseries.server.catalogue import history
from photseries.server.catalogue.engine import Connection
from photseries.server.catalogue.history import Action
from photseries.server.catalogue.series import Changeable
from photseries.server.principal import Principal

__all__ = ["StaleRevisionError", "append_history", "changed_fields", "deleted_fields", "ensure_current_revision"]


class StaleRevisionError(Exception):
    """The series was changed after it was read."""


def ensure_current_revision(current: bool) -> None:
    """Raise StaleRevisionError unless a series still had the revision that was read."""
    if not current:
        raise StaleRevisionError


def changed_fields(
    seen: Changeable,
    metadata: Mapping[str, Any],
    shared: tuple[Sequence[int] | None, Sequence[int] | None],
    content_hash: str | None = None,
) -> dict[str, dict[str, Any]]:
    """Compare a series as it was read with what it becomes.

    Parameters
    ----------
    seen : Changeable
    metadata : mapping
        The new value of every metadata field.
    shared : pair of sequences of int, or None
        The new groups and streams; None where they stay.
    content_hash : str, optional
        The content hash of the new table.

    Returns
    -------
    dict
        ``{field: {"from": ..., "to": ...}}`` for every field that differs; ``data`` has the content hashes.
    """
    before = {name: seen.metadata.get(name) for name in metadata}
    after = dict(metadata)
    for name, old, new in zip(("group_ids", "stream_ids"), (seen.group_ids, seen.stream_ids), shared, strict=True):
        if new is not None:
            before[name], after[name] = sorted(old), sorted(new)
    if content_hash is not None:
        before["data"], after["data"] = seen.content_hash, content_hash
    return {name: {"from": before[name], "to": after[name]} for name in after if before[name] != after[name]}


def deleted_fields(seen: Changeable) -> dict[str, dict[str, Any]]:
    """Return what the history of a deleted series keeps of its row: what a restore cannot read from the file."""
    kept = {"group_ids": seen.group_ids, "stream_ids": seen.stream_ids, "batch": seen.metadata.get("batch")}
    kept["created_at"] = seen.created_at.isoformat()
    return {name: {"from": value, "to": [] if isinstance(value, list) else None} for name, value in kept.items()}


def append_history(
    connection: Connection,
    principal: Principal,
    series_id: int,
    seen: Changeable,
    action: Action,
    changed: Mapping[str, Any],
    **values: Any,
) -> None:
    """Append a change to the history, in the transaction of the change.

    Parameters
    ----------
    connection : Connection
    principal : Principal
    series_id : int
    seen : Changeable
        The series before the change.
    action : Action
    changed : mapping
        From :func:`changed_fields`.
    **values
        More columns of the row: those of the new blob, unless the series is deleted; ``batch`` and ``inferred``.
    """
    history.record(
        connection,
        series_id=series_id,
        revision=seen.revision + 1,
        user_id=principal.user_id,
        owner_id=seen.owner_id,
        action=action,
        changed=changed,
        **{"inferred": sorted(seen.inferred), **values},
    )
