"""Transfer the series of one user to another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from photseries.errors import InvalidError
from photseries.fields import METADATA
from photseries.server.archive.blobs import BlobWriter
from photseries.server.archive.changes import (
    StaleRevisionError,
    append_history,
    changed_fields,
    ensure_current_revision,
    read_table_to_change,
)
from photseries.server.archive.upkeep import Upkeep
from photseries.server.catalogue import audit, blobs, history, registries, series
from photseries.server.catalogue.engine import Catalogue
from photseries.server.catalogue.series import ChangeTarget
from photseries.server.principal import Principal
from photseries.server.settings import Config
from photseries.server.storage.contract import Store

__all__ = ["Handover"]


class Handover:
    """Hands over the series of a user, each as a new revision, because the file names its owner.

    Parameters
    ----------
    catalogue : Catalogue
    store : Store
    config : Config
    """

    def __init__(self, catalogue: Catalogue, store: Store, config: Config) -> None:
        self._catalogue = catalogue
        self._store = store
        self._blobs = BlobWriter(catalogue, store, config)
        self._upkeep = Upkeep(catalogue, store, config)

    def total(self, owner_id: int) -> int:
        """Count the series of a user."""
        with self._catalogue.reading() as connection:
            return series.count_owned(connection, owner_id)

    def run(self, operator: Principal, before: int, after: int) -> Iterator[int]:
        """Hand over the series and yield their ids; the history records the old owner, the audit the operator.

        Raises
        ------
        InvalidError
            When the new owner is not an active user.
        DamagedError, QuotaExceededError, UnavailableError
            Series handed over before the error stay so.
        """
        with self._catalogue.reading() as connection:
            own_group = registries.own_group(connection, after)
        if own_group is None or before == after:
            raise InvalidError("The new owner must be another user who exists and is active.")
        with self._catalogue.transaction() as connection:
            audit.note(connection, operator, "hand over", "users", before, {"to": after})
        last = 0
        while (series_id := self._next_id(before, last)) is not None:
            with suppress(StaleRevisionError):
                with self._catalogue.reading() as connection:
                    current = series.for_change(connection, operator, series_id)
                if current is not None and current.owner_id == before:
                    self._hand_over(operator, series_id, current, after, own_group)
                    yield series_id
                last = series_id

    def _next_id(self, owner_id: int, last: int) -> int | None:
        with self._catalogue.reading() as connection:
            return series.next_owned(connection, owner_id, last)

    def _hand_over(
        self, operator: Principal, series_id: int, current: ChangeTarget, owner_id: int, own_group: int
    ) -> None:
        metadata = {name: current.metadata.get(name) for name in METADATA}
        groups = sorted({*current.group_ids, own_group} - {current.owners_group_id})
        changed = changed_fields(current, {}, (groups, None))
        changed["owner_id"] = {"from": current.owner_id, "to": owner_id}
        frame = read_table_to_change(self._catalogue, self._store, operator, series_id, current)
        with self._blobs.write(frame, {**metadata, "owner_id": owner_id}) as (connection, blob):
            values = {**blob, "owner_id": owner_id}
            ensure_current_revision(series.change(connection, series_id, current.revision, values))
            series.share(connection, series_id, groups, None)
            earlier = blobs.unlink(connection, current.blob, owner_id)
            before = {"user_id": current.owner_id}
            append_history(connection, operator, series_id, current, "update", changed, **blob, **before)
            history.hand_over(connection, series_id, owner_id)
        self._upkeep.prune(series_id, earlier)
