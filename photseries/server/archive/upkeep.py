"""Maintenance of the store, by operator and service: sweep unreferenced blobs, verify the others."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from photseries.errors import PhotseriesError, UnavailableError
from photseries.server.archive.blobs import find_problem
from photseries.server.archive.store_ownership import OWNER_KEY, Ownership
from photseries.server.catalogue import blobs, recomputing, series_queries
from photseries.server.catalogue.blobs import Blob
from photseries.server.catalogue.engine import Catalogue
from photseries.server.faults import reached
from photseries.server.settings import Config
from photseries.server.storage.contract import Store, StoredBlob

__all__ = ["VERIFIED", "Damage", "SweepResult", "Upkeep"]

log = logging.getLogger(__name__)

#: Advisory lock of the sweeping process.
SWEEP = 7_302_002
BATCH = 1000
READ_AHEAD = 20  # blobs in progress per job of verify
#: The file in the data directory with the outcome of the last ``photseries verify``, for ``/metrics``.
VERIFIED = "verified.json"

_Item = TypeVar("_Item")


@dataclass(frozen=True)
class SweepResult:
    """The result of a sweep: blobs examined, blobs removed, their size [bytes]."""

    seen: int
    removed: int
    size: int

    def __add__(self, other: SweepResult) -> SweepResult:
        """Return the result of two sweeps."""
        return SweepResult(self.seen + other.seen, self.removed + other.removed, self.size + other.size)


@dataclass(frozen=True)
class Damage:
    """A series whose blob does not match its row."""

    series_id: int
    filename: str
    problem: str


class Upkeep:
    """Maintains the store.

    Parameters
    ----------
    catalogue : Catalogue
    store : Store
    config : Config
    """

    def __init__(self, catalogue: Catalogue, store: Store, config: Config) -> None:
        self._catalogue = catalogue
        self._store = store
        self.ownership = Ownership(store, catalogue)
        self._settings = config.store
        # The row of a blob may still be committed: the writer gives up at the deadline, the last statement ends after
        # that, and PostgreSQL ends a transaction without COMMIT.
        self._in_flight = 2 * config.store.write_deadline + 2 * config.database.statement_timeout
        if config.store.url is not None:
            # The time of an object may be the start of the request that wrote it.
            self._in_flight += config.store.timeout

    def sweep(self, jobs: int = 1, advance: Callable[[], None] = lambda: None) -> SweepResult | None:
        """Remove the blobs that no row names and that have been unreferenced for the grace, and surplus ones.

        The age of an unlinked blob counts from the change (database clock); that of a blob that no row ever named
        counts from its creation (store clock), and it stays as long as its writer may still commit.

        Parameters
        ----------
        jobs : int
            Number of concurrent removals.
        advance : callable
            Called for each examined blob.

        Returns
        -------
        SweepResult or None
            None when another process sweeps, or a backup holds the lock.

        Raises
        ------
        NotAdoptedError
            When another copy of the database uses the store.
        UnavailableError
            When the database or the store is not available, or a restart of the database released the lock.
        """
        with (
            self._catalogue.task_lock(SWEEP) as require_turn,
            self._catalogue.task_lock(blobs.REMOVAL, shared=True) as require_allowed,
            ThreadPoolExecutor(jobs) as pool,
        ):
            if require_turn is None or require_allowed is None:
                return None

            def remove_all(remove: Callable[[str], None], keys: Iterable[str]) -> Iterable[None]:
                require_turn()
                require_allowed()
                return pool.map(remove, keys)

            reached("sweep: elected")
            self.ownership.advance()
            swept = SweepResult(0, 0, 0)
            for batch in _batches(self._store.scan(), BATCH):
                swept += SweepResult(len(batch), 0, 0)
                swept += self._remove({blob.key: blob.size for blob in self._orphans(batch)}, remove_all)
                for _ in batch:
                    advance()
            swept += self._remove_unlinked(each=remove_all)
            log.info("swept: %d blobs seen, %d removed, %d bytes", swept.seen, swept.removed, swept.size)
            return swept

    def prune(self, series_id: int, earlier: int | None = None) -> None:
        """Remove the blobs of a series that are due after a commit: all without grace, else the surplus.

        A failure is left to the sweep, because the change has succeeded.

        Parameters
        ----------
        series_id : int
        earlier : int, optional
            The number of its unlinked blobs, if only the surplus can be due.
        """
        if earlier is None or self._settings.grace == 0 or earlier > self._settings.revisions:
            try:
                with self._catalogue.task_lock(blobs.REMOVAL, shared=True) as allowed:
                    if allowed:
                        self._remove_unlinked(series_id)
            except PhotseriesError as error:
                log.warning("could not remove files of series %d, the sweep will: %s", series_id, error)

    def _remove_unlinked(self, series_id: int | None = None, each: Callable[..., Iterable[None]] = map) -> SweepResult:
        """Remove unlinked blobs that are due, which no restore can use any more, then their records."""
        with self._catalogue.transaction() as connection:
            due = blobs.claim_due(connection, self._settings, series_id)
        swept = SweepResult(0, 0, 0)
        for batch in _batches(due.items(), BATCH):
            swept += self._remove(dict(batch), each)
            with self._catalogue.transaction() as connection:
                blobs.forget(connection, [filename for filename, _ in batch])
                reached("sweep: notes dropped")
        return swept

    def _remove(self, sizes: Mapping[str, int], each: Callable[..., Iterable[None]]) -> SweepResult:
        """Remove blobs with the given sizes; nothing else removes the bytes of committed rows."""
        reached("sweep: looked up")
        for _ in each(self._remove_one, sizes):
            pass
        return SweepResult(0, len(sizes), sum(sizes.values()))

    def _remove_one(self, key: str) -> None:
        self._store.delete(key)
        reached("sweep: blob swept")

    def _orphans(self, batch: list[StoredBlob]) -> list[StoredBlob]:
        """Return the blobs that no row ever named and whose writer can no longer commit."""
        with self._catalogue.reading() as connection:
            unreferenced = blobs.unreferenced(connection, [blob.key for blob in batch])
        never_named = {key for key, age in unreferenced.items() if age is None} - {OWNER_KEY}
        min_age = max(self._settings.grace, self._in_flight)
        return [blob for blob in batch if blob.key in never_named and blob.age > min_age]

    def verify(self, jobs: int = 1, advance: Callable[[], None] = lambda: None) -> Iterator[Damage]:
        """Read every blob that a row names, and yield missing and altered blobs.

        Parameters
        ----------
        jobs : int
            Number of concurrent reads.
        advance : callable
            Called for each blob read.

        Yields
        ------
        Damage
            In the order of the ids of the series.
        """
        with self._catalogue.reading() as connection, ThreadPoolExecutor(jobs) as pool:
            for batch in _batches(blobs.blobs(connection), jobs * READ_AHEAD):
                for damage in pool.map(self._damage, batch):
                    advance()
                    if damage is not None:
                        yield damage

    def _damage(self, blob: Blob) -> Damage | None:
        """Check a blob; if a change has replaced it, check the blob that the row names now."""
        while wrong := self._problem(blob):
            with self._catalogue.reading() as connection:
                now = blobs.blob_of(connection, blob.series_id)
            if now is None:
                return None
            if now == blob:
                return Damage(blob.series_id, blob.filename, wrong)
            blob = now
        return None

    def kept_count(self) -> int:
        """Count the blobs that rows name, and those that the grace keeps."""
        with self._catalogue.reading() as connection:
            return blobs.kept_count(connection)

    def totals(self) -> tuple[int, int]:
        """Count the series of the archive, and the bytes of their files."""
        with self._catalogue.reading() as connection:
            return series_queries.totals(connection)

    def number_behind(self) -> int:
        """Count the series whose statistics ``photseries recompute`` has to compute again."""
        with self._catalogue.reading() as connection:
            return recomputing.number_behind(connection)

    def _problem(self, blob: Blob) -> str | None:
        try:
            return find_problem(self._store, blob)
        except UnavailableError as error:
            return f"cannot be read: {error.message}"


def _batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, size)):
        yield batch
