"""The parts that all changes of a series share: permission, retries after concurrent changes, history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from typing import TypeVar

from photseries.errors import ConflictError, DuplicateError, PreconditionFailedError
from photseries.server.archive.reader import not_found
from photseries.server.catalogue import audit, history, series_queries
from photseries.server.catalogue.engine import Catalogue, Connection
from photseries.server.catalogue.history import Action
from photseries.server.catalogue.series import Changeable
from photseries.server.principal import CHANGE_SERIES, Principal

__all__ = [
    "StaleRevisionError",
    "append_history",
    "changed_fields",
    "deleted_fields",
    "ensure_current_revision",
    "naming_holder",
    "require_changeable",
    "retried",
]

_Result = TypeVar("_Result")

#: How often a change is tried again when others changed the series meanwhile.
MERGES = 3


class StaleRevisionError(Exception):
    """The series was changed after it was read."""


def ensure_current_revision(current: bool) -> None:
    """Raise StaleRevisionError unless a series still had the revision that was read."""
    if not current:
        raise StaleRevisionError


def retried(catalogue: Catalogue, series_id: int, change: Callable[[], _Result]) -> _Result:
    """Apply a change, which looks at the series first; repeat it when others changed the series meanwhile.

    Raises
    ------
    ConflictError
        When others keep changing the series.
    """
    with suppress(StaleRevisionError):
        return change()
    # Those that met another change continue one at a time, so that few of them meet another.
    with catalogue.queued(series_id):
        for _ in range(MERGES):
            with suppress(StaleRevisionError):
                return change()
    raise ConflictError("Other clients keep changing this series. Read it again, then retry.")


def require_changeable(seen: Changeable | None, series_id: int, expected: Set[int] | None) -> Changeable:
    """Return a series that the principal may change.

    Raises
    ------
    NotFoundError, ForbiddenError
    PreconditionFailedError
        When the series is not at one of the expected revisions.
    """
    if seen is None:
        raise not_found(series_id)
    if not seen.allowed:
        raise CHANGE_SERIES.refusal()
    if expected is not None and seen.revision not in expected:
        raise PreconditionFailedError(
            f"The series is at revision {seen.revision}, not at one that If-Match names: another client changed it. "
            "Read it again, then retry."
        )
    return seen


@contextmanager
def naming_holder(catalogue: Catalogue, principal: Principal, values: Mapping[str, object]) -> Iterator[None]:
    """Add the id of the series that holds the unique key to a DuplicateError, if the principal may see it."""
    try:
        yield
    except DuplicateError as error:
        with catalogue.reading() as connection:
            holder = series_queries.taken_by(connection, principal, values)
        if holder is not None:
            error.details["id"] = holder
        raise


def changed_fields(
    seen: Changeable,
    metadata: Mapping[str, object],
    shared: tuple[Sequence[int] | None, Sequence[int] | None],
    content_hash: str | None = None,
) -> dict[str, dict[str, object]]:
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


def deleted_fields(seen: Changeable) -> dict[str, dict[str, object]]:
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
    changed: Mapping[str, object],
    **values: object,
) -> None:
    """Append a change to the history, and one of the sharing to the audit, in the transaction of the change.

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
    shared = {name: changed[name] for name in ("group_ids", "stream_ids") if name in changed}
    if shared and action in ("share", "update"):
        audit.note(connection, principal, "share", "photometric_series", series_id, shared)
