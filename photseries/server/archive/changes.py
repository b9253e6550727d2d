"""What a change changes, in the words of the history; and the race that it can lose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from photseries.server.catalogue import history
from photseries.server.catalogue.engine import Connection
from photseries.server.catalogue.series import Changeable
from photseries.server.principal import Principal

__all__ = ["RaceLostError", "changes", "noted", "require_won"]


class RaceLostError(Exception):
    """Somebody else changed the series since it was read."""


def require_won(still: bool) -> None:
    """Raise RaceLostError unless a series was still as it had been seen."""
    if not still:
        raise RaceLostError


def changes(
    seen: Changeable,
    metadata: Mapping[str, Any],
    shared: tuple[Sequence[int] | None, Sequence[int] | None],
    content_hash: str | None = None,
) -> dict[str, dict[str, Any]]:
    """Compare a series as it was seen with what it becomes.

    Parameters
    ----------
    seen : Changeable
    metadata : mapping
        Every metadata field as it becomes.
    shared : pair of sequences of int, or None
        The groups and the streams; None where they stay.
    content_hash : str, optional
        Of the table that it gets.

    Returns
    -------
    dict
        ``{field: {"from": ..., "to": ...}}`` for every field that differs; the table as ``data``, by its content hash.
    """
    before = {name: seen.metadata.get(name) for name in metadata}
    after = dict(metadata)
    for name, old, new in zip(("group_ids", "stream_ids"), (seen.group_ids, seen.stream_ids), shared, strict=True):
        if new is not None:
            before[name], after[name] = sorted(old), sorted(new)
    if content_hash is not None:
        before["data"], after["data"] = seen.content_hash, content_hash
    return {name: {"from": before[name], "to": after[name]} for name in after if before[name] != after[name]}


def noted(
    connection: Connection,
    principal: Principal,
    series_id: int,
    seen: Changeable,
    action: str,
    changed: Mapping[str, Any],
    blob: Mapping[str, Any],
) -> None:
    """Write a change into the history, in its transaction.

    Parameters
    ----------
    connection : Connection
    principal : Principal
    series_id : int
    seen : Changeable
        The series as it was.
    action : str
    changed : mapping
        Of :func:`changes`.
    blob : mapping
        The columns of the blob that it has now; nothing when it is deleted.
    """
    history.record(
        connection,
        series_id=series_id,
        revision=seen.revision + 1,
        user_id=principal.user_id,
        owner_id=seen.owner_id,
        action=action,
        changed=changed,
        **blob,
    )
