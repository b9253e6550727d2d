"""The parts that all changes of a series share: permission, retries after concurrent changes, history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from typing import TypeVar

import orjson
import pandas as pd

from photseries.errors import ConflictError, DamagedError, DuplicateError, PreconditionFailedError
from photseries.server.archive.blobs import read_table
from photseries.server.archive.reader import not_found
from photseries.server.catalogue import audit, history, series, series_queries
from photseries.server.catalogue.engine import Catalogue, Connection
from photseries.server.catalogue.history import Action
from photseries.server.catalogue.series import ChangeTarget
from photseries.server.principal import CHANGE_SERIES, Principal
from photseries.server.storage.contract import Store

__all__ = [
    "StaleRevisionError",
    "append_history",
    "changed_fields",
    "deleted_fields",
    "differ",
    "ensure_current_revision",
    "naming_holder",
    "read_table_to_change",
    "require_changeable",
    "retry_change",
]

_Result = TypeVar("_Result")

#: Maximum number of attempts of a change that meets concurrent changes.
MERGES = 3


class StaleRevisionError(Exception):
    """The series was changed after it was read."""


def ensure_current_revision(current: bool) -> None:
    """Raise StaleRevisionError unless the revision of a series was unchanged."""
    if not current:
        raise StaleRevisionError


def retry_change(catalogue: Catalogue, series_id: int, change: Callable[[], _Result]) -> _Result:
    """Apply a change, which reads the series first; retry after concurrent changes of the series.

    Raises
    ------
    ConflictError
        When too many concurrent changes occur.
    """
    with suppress(StaleRevisionError):
        return change()
    # After a conflict, changes continue one at a time, which makes further conflicts rare.
    with catalogue.series_lock(series_id):
        for _ in range(MERGES):
            with suppress(StaleRevisionError):
                return change()
    raise ConflictError("Other clients keep changing this series. Read it again, then retry.")


def require_changeable(state: ChangeTarget | None, series_id: int, expected: Set[int] | None) -> ChangeTarget:
    """Return a series that the principal may change.

    Raises
    ------
    NotFoundError, ForbiddenError
    PreconditionFailedError
        When the series is not at one of the expected revisions.
    """
    if state is None:
        raise not_found(series_id)
    if not state.allowed:
        raise CHANGE_SERIES.refusal()
    if expected is not None and state.revision not in expected:
        raise PreconditionFailedError(
            f"The series is at revision {state.revision}, not at one that If-Match names: another client changed it. "
            "Read it again, then retry."
        )
    return state


def read_table_to_change(
    catalogue: Catalogue, store: Store, principal: Principal, series_id: int, state: ChangeTarget
) -> pd.DataFrame:
    """Return the table of a series for a change.

    Raises
    ------
    DamagedError
        When its file is missing or altered, unless a concurrent change has replaced it.
    """
    try:
        return read_table(store, state.blob).frame
    except DamagedError:
        with catalogue.reading() as connection:
            now = series.for_change(connection, principal, series_id)
        ensure_current_revision(now is not None and now.revision == state.revision)
        raise


@contextmanager
def naming_holder(catalogue: Catalogue, principal: Principal, values: Mapping[str, object]) -> Iterator[None]:
    """Add the id of the series that holds the unique key to a DuplicateError, if the principal may see it."""
    try:
        yield
    except DuplicateError as error:
        with catalogue.reading() as connection:
            holder = series_queries.holder_of(connection, principal, values)
        if holder is not None:
            error.details["id"] = holder
        raise


def changed_fields(
    state: ChangeTarget,
    metadata: Mapping[str, object],
    shared: tuple[Sequence[int] | None, Sequence[int] | None],
    content_hash: str | None = None,
) -> dict[str, dict[str, object]]:
    """Compare a series before and after a change.

    Parameters
    ----------
    state : ChangeTarget
    metadata : mapping
        The new value of every metadata field.
    shared : pair of sequences of int, or None
        The new groups and streams; None if unchanged.
    content_hash : str, optional
        The content hash of the new table.

    Returns
    -------
    dict
        ``{field: {"from": ..., "to": ...}}`` for every field that differs; ``data`` has the content hashes.
    """
    before = {name: state.metadata.get(name) for name in metadata}
    after = dict(metadata)
    for name, old, new in zip(("group_ids", "stream_ids"), (state.group_ids, state.stream_ids), shared, strict=True):
        if new is not None:
            before[name], after[name] = sorted(old), sorted(new)
    if content_hash is not None:
        before["data"], after["data"] = state.content_hash, content_hash
    return {name: {"from": before[name], "to": after[name]} for name in after if differ(before[name], after[name])}


def differ(before: object, after: object) -> bool:
    """Return whether two values of a field differ as JSON, where, unlike in Python, 1 is neither true nor 1.0."""
    old, new = (orjson.dumps(value, option=orjson.OPT_SORT_KEYS) for value in (before, after))
    return old != new


def deleted_fields(state: ChangeTarget) -> dict[str, dict[str, object]]:
    """Return the columns that the history of a deleted series keeps because its file lacks them."""
    fields = {"group_ids": state.group_ids, "stream_ids": state.stream_ids, "batch": state.metadata.get("batch")}
    fields["created_at"] = state.created_at.isoformat()
    return {name: {"from": value, "to": [] if isinstance(value, list) else None} for name, value in fields.items()}


def append_history(
    connection: Connection,
    principal: Principal,
    series_id: int,
    state: ChangeTarget,
    action: Action,
    changed: Mapping[str, object],
    **values: object,
) -> None:
    """Append a change to the history and, if the sharing changed, to the audit, in the transaction of the change.

    Parameters
    ----------
    connection : Connection
    principal : Principal
    series_id : int
    state : ChangeTarget
        The series before the change.
    action : Action
    changed : mapping
        From :func:`changed_fields`.
    **values
        More columns of the row: those of the new blob, unless the series is deleted; ``batch``, ``inferred``, and
        ``user_id`` if the change counts as that of another user.
    """
    history.record(
        connection,
        series_id=series_id,
        revision=state.revision + 1,
        owner_id=state.owner_id,
        action=action,
        changed=changed,
        **{"user_id": principal.user_id, "inferred": sorted(state.inferred), **values},
    )
    shared = {name: changed[name] for name in ("group_ids", "stream_ids") if name in changed}
    if shared and action in ("share", "update"):
        audit.note(connection, principal, "share", "photometric_series", series_id, shared)
