"""Restore deleted series and earlier revisions while their blobs are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from photseries.errors import DamagedError, ExpiredError, InvalidError, MissingReferenceError, NotFoundError
from photseries.fields import METADATA, REFERENCES
from photseries.fields.stored import with_defaults
from photseries.lightcurve.digest import content_hash
from photseries.server.archive.blobs import read_table
from photseries.server.archive.changes import (
    append_history,
    changed_fields,
    ensure_current_revision,
    naming_holder,
    require_changeable,
    retry_change,
)
from photseries.server.archive.intake import statistics_of
from photseries.server.archive.upkeep import Upkeep
from photseries.server.catalogue import blobs, registries, restoring, series
from photseries.server.catalogue.blobs import Blob
from photseries.server.catalogue.engine import Catalogue, Connection
from photseries.server.catalogue.references import Reference, look_up_references
from photseries.server.catalogue.restoring import HistoryEvent
from photseries.server.catalogue.series import ChangeTarget
from photseries.server.catalogue.usage import require_quota
from photseries.server.faults import reached
from photseries.server.principal import CHANGE_SERIES, Principal, requires
from photseries.server.settings import Config
from photseries.server.storage.contract import Store

__all__ = ["Restorer"]


class Restorer:
    """Brings back deleted series and earlier revisions.

    No blob is written: the row names the earlier blob again. The transaction deletes the record of the unlinked blob,
    and the sweep removes only blobs whose records it has deleted itself, so either the restore or the sweep wins.

    Parameters
    ----------
    catalogue : Catalogue
    store : Store
    config : Config
    """

    def __init__(self, catalogue: Catalogue, store: Store, config: Config) -> None:
        self._catalogue = catalogue
        self._store = store
        self._upkeep = Upkeep(catalogue, store, config)
        self._grace = config.store.grace
        self._quotas = config.quotas
        self._detection_threshold = config.photometry.detection_threshold

    @requires(CHANGE_SERIES)
    def restore(
        self, principal: Principal, series_id: int, revision: int | None = None, expected: frozenset[int] | None = None
    ) -> int:
        """Make an earlier revision the newest, or restore a deleted series with its sharing.

        Parameters
        ----------
        principal : Principal
        series_id : int
        revision : int, optional
            The revision to restore; default: the last revision of a deleted series.
        expected : set of int, optional
            The series must be at one of these revisions.

        Returns
        -------
        int
            The current revision of the series.

        Raises
        ------
        NotFoundError, ForbiddenError, PreconditionFailedError, ConflictError
        InvalidError
            When the series is not deleted and no revision is given.
        DuplicateError
            When another series has the unique key.
        MissingReferenceError
            When the series refers to entries that were deleted.
        ExpiredError
            When the file of the revision is no longer kept.
        QuotaExceededError
            When the quotas of the owner would be exceeded.
        """
        self._upkeep.ownership.require()
        return retry_change(self._catalogue, series_id, lambda: self._restore(principal, series_id, revision, expected))

    def is_restorable(self, principal: Principal, series_id: int) -> bool:
        """Return whether a series is deleted and the principal may restore it while its file is kept."""
        with self._catalogue.reading() as connection:
            events = restoring.history_of(connection, series_id)
            deleted = restoring.deleted(connection, principal, series_id, events)
        return deleted is not None and deleted.allowed

    def _restore(
        self, principal: Principal, series_id: int, revision: int | None, expected: frozenset[int] | None
    ) -> int:
        with self._catalogue.reading() as connection:
            alive = series.for_change(connection, principal, series_id)
            events = restoring.history_of(connection, series_id)
            changeable = restoring.deleted(connection, principal, series_id, events) if alive is None else alive
        current = require_changeable(changeable, series_id, expected)
        if revision is None and alive is not None:
            raise InvalidError(f"Series {series_id} is not deleted. Give the revision to restore.")
        event, blob = _revision_to_restore(events, series_id, revision)
        if alive is not None and blob == current.blob:
            return current.revision
        values = {**self._values(blob), "batch": _batch_at(events, event.revision)}
        values |= {"owner_id": current.owner_id, "inferred": list(event.inferred)}
        with naming_holder(self._catalogue, principal, values), self._catalogue.transaction() as connection:
            earlier = self._write(connection, principal, series_id, current, event, {**values, **blob.columns()})
        reached("restore: committed")
        self._upkeep.prune(series_id, earlier)
        return current.revision + 1

    def _values(self, blob: Blob) -> dict[str, object]:
        """Return the metadata in a blob, and the values derived from its table.

        Raises
        ------
        ExpiredError, DamagedError
        """
        self._require_kept(blob)
        try:
            table = read_table(self._store, blob)
        except DamagedError:
            self._require_kept(blob)
            raise
        metadata = {**dict.fromkeys(METADATA), **with_defaults(table.metadata)}
        with self._catalogue.reading() as connection:
            longitude = registries.location(connection, metadata["instrument_id"]).get("longitude") or 0.0
        statistics = statistics_of(table.frame, metadata, self._detection_threshold, longitude)
        return {**metadata, **statistics, "content_hash": content_hash(table.frame)}

    def _require_kept(self, blob: Blob) -> None:
        with self._catalogue.reading() as connection:
            is_kept = restoring.is_kept(connection, blob.filename, self._grace)
        if not is_kept:
            raise ExpiredError(f"The file of this revision of series {blob.series_id} is no longer kept.")

    def _write(
        self,
        connection: Connection,
        principal: Principal,
        series_id: int,
        current: ChangeTarget,
        event: HistoryEvent,
        values: dict[str, Any],
    ) -> int:
        """Write the row and its history in one transaction; return the number of unlinked blobs of the series."""
        earlier = 0
        ensure_current_revision(blobs.reclaim(connection, values["filename"], self._grace))
        reached("restore: record deleted")
        _require_references(connection, principal, values)
        if current.metadata:
            ensure_current_revision(series.change(connection, series_id, current.revision, values))
            earlier = blobs.unlink(connection, current.blob, current.owner_id)
            metadata = {name: values[name] for name in METADATA}
            changed = changed_fields(current, metadata, (None, None), values["content_hash"])
        else:
            ensure_current_revision(restoring.reinsert(connection, series_id, current, values))
            changed = {"group_ids": {"from": [], "to": current.group_ids}}
            changed |= {
                "stream_ids": {"from": [], "to": current.stream_ids},
                "batch": {"from": None, "to": values["batch"]},
            }
        reached("restore: row written")
        changed["revision"] = {"from": current.revision, "to": event.revision}
        more = {name: values[name] for name in (*blobs.BLOB, "inferred")}
        append_history(connection, principal, series_id, current, "restore", changed, **more)
        require_quota(connection, self._quotas, current.owner_id, is_new=not current.metadata)
        reached("restore: history noted")
        return earlier


def _revision_to_restore(
    events: Sequence[HistoryEvent], series_id: int, revision: int | None
) -> tuple[HistoryEvent, Blob]:
    """Return the revision to restore, by default the last one with a blob, and its blob.

    Raises
    ------
    NotFoundError
    ExpiredError
        When the revision was purged.
    """
    for event in reversed(events):
        if event.action != "delete" and revision in (None, event.revision):
            if event.blob is None:
                raise ExpiredError(f"The file of revision {event.revision} of series {series_id} was purged.")
            return event, event.blob
    raise NotFoundError(f"Series {series_id} has no revision {revision} with data.")


def _batch_at(events: Sequence[HistoryEvent], revision: int) -> str | None:
    """Return the batch of a series at a revision: from the creation, a purge, or the last change of the batch."""
    batch = events[0].batch
    for event in events:
        if event.revision <= revision and event.action == "purge":
            batch = event.batch
        elif event.revision <= revision and "batch" in event.changed:
            batch = event.changed["batch"]["to"]
    return batch


def _require_references(connection: Connection, principal: Principal, values: dict[str, object]) -> None:
    """Raise MissingReferenceError unless every entry that a series refers to exists."""
    exists = look_up_references(connection, principal, Reference(values, [], [])).exists
    missing = {name: [f"Deleted: {values[name]}."] for name in REFERENCES if not exists.get(name, True)}
    if missing:
        named = ", ".join(f"{name} {values[name]}" for name in missing)
        raise MissingReferenceError(f"First create these again with the same ids: {named}.", fields=missing)
