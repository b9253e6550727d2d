"""Maintenance of the store, by the operator and by the service itself: sweep unreferenced blobs, verify all others."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from photseries.errors import UnavailableError
from photseries.server.archive.blobs import find_problem
from photseries.server.archive.store_ownership import OWNER_KEY
from photseries.server.catalogue import blobs, finding, recomputing
from photseries.server.catalogue.blobs import Blob
from photseries.server.catalogue.engine import Catalogue, Connection
from photseries.server.faults import reached
from photseries.server.settings import Config
from photseries.server.storage.contract import Store, StoredBlob

__all__ = ["Damage", "Swept", "Upkeep"]

log = logging.getLogger(__name__)

#: Advisory lock of the sweeping process.
SWEEP = 7_302_002
BATCH = 1000


@dataclass(frozen=True)
class Swept:
    """What a sweep did: blobs looked at, blobs removed, their size [bytes]."""

    seen: int
    removed: int
    size: int


@dataclass(frozen=True)
class Damage:
    """A series whose blob is not what its row says."""

    series_id: int
    filename: str
    problem: str


class Upkeep:
    """Care for the store.

    Parameters
    ----------
    catalogue : Catalogue
    store : Store
    config : Config
    """

    def __init__(self, catalogue: Catalogue, store: Store, config: Config) -> None:
        self._catalogue = catalogue
        self._store = store
        self._grace = config.store.grace
        # A blob whose row may still be on its way: its writer gives up at the deadline, its last statement ends after
        # that, and PostgreSQL ends a transaction whose COMMIT does not come.
        self._in_flight = 2 * config.store.write_deadline + 2 * config.database.statement_timeout
        if config.store.url is not None:
            # An object may be as old as the beginning of the request that made it.
            self._in_flight += config.store.timeout

    def sweep(self) -> Swept | None:
        """Remove the blobs that no row names and that have been unreferenced for the grace.

        A blob that a change unlinked is as old as that change (on the database's clock); one that no row ever named is
        as old as itself (on the store's clock), and stays at least as long as its writer may still commit.

        Returns
        -------
        Swept or None
            None when another process sweeps.
        """
        with self._catalogue.elected(SWEEP) as won:
            if not won:
                return None
            reached("sweep: elected")
            seen = removed = size = 0
            for batch in _batches(self._store.scan()):
                seen += len(batch)
                doomed = self._doomed(batch)
                reached("sweep: looked up")
                for blob in doomed:
                    self._store.delete(blob.key)
                    reached("sweep: blob swept")
                removed += len(doomed)
                size += sum(blob.size for blob in doomed)
            with self._catalogue.reading() as connection:
                noted = blobs.unlinked(connection, older=self._grace)
            gone = [filename for filename in noted if self._store.size(filename) is None]
            with self._catalogue.transaction() as connection:
                blobs.forget(connection, gone)
                reached("sweep: notes dropped")
            log.info("swept: %d blobs seen, %d removed, %d bytes", seen, removed, size)
            return Swept(seen, removed, size)

    def _doomed(self, batch: list[StoredBlob]) -> list[StoredBlob]:
        with self._catalogue.reading() as connection:
            unreferenced = blobs.unreferenced(connection, [blob.key for blob in batch])
        return [
            blob
            for blob in batch
            if blob.key != OWNER_KEY
            and blob.key in unreferenced
            and self._is_due(blob.age, unlinked_for=unreferenced[blob.key])
        ]

    def _is_due(self, age: float, unlinked_for: float | None) -> bool:
        if unlinked_for is None:
            return age > max(self._grace, self._in_flight)
        return unlinked_for >= self._grace

    def verify(self) -> Iterator[Damage]:
        """Read every blob that a row names, and give those that are missing or altered."""
        with self._catalogue.reading() as connection:
            for blob in blobs.blobs(connection):
                damage = self._damage(connection, blob)
                if damage is not None:
                    yield damage

    def _damage(self, connection: Connection, blob: Blob) -> Damage | None:
        """Look at a blob; when a change has replaced it since its row was read, at the one that the row names now."""
        while wrong := self._problem(blob):
            now = blobs.blob_of(connection, blob.series_id)
            if now is None:
                return None
            if now == blob:
                return Damage(blob.series_id, blob.filename, wrong)
            blob = now
        return None

    def totals(self) -> tuple[int, int]:
        """Count the series of the archive, and the bytes of their files."""
        with self._catalogue.reading() as connection:
            return finding.totals(connection)

    def number_behind(self) -> int:
        """Count the series whose statistics ``photseries recompute`` has to compute again."""
        with self._catalogue.reading() as connection:
            return recomputing.number_behind(connection)

    def _problem(self, blob: Blob) -> str | None:
        try:
            return find_problem(self._store, blob)
        except UnavailableError as error:
            return f"cannot be read: {error.message}"


def _batches(blobs: Iterable[StoredBlob]) -> Iterator[list[StoredBlob]]:
    iterator = iter(blobs)
    while batch := list(itertools.islice(iterator, BATCH)):
        yield batch
