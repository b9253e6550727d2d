"""Moving an archive from one store to another, while the service goes on reading, and writing, where it is."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum

from photseries.errors import UnavailableError
from photseries.server.archive.upkeep import problem
from photseries.server.catalogue import blobs
from photseries.server.catalogue.blobs import Blob
from photseries.server.catalogue.engine import Catalogue
from photseries.server.storage.contract import Store

__all__ = ["Fate", "Moved", "Mover"]

WORKERS = 4  # each holds one file in memory
BATCH = 100

#: A key that no file has.
_NOBODYS = "probe/nothing.h5"


class Fate(Enum):
    """What became of a file."""

    COPIED = "copied"
    THERE = "there"  # before we came
    GONE = "gone"  # from the archive, meanwhile
    FAILED = "failed"


@dataclass(frozen=True)
class Moved:
    """A file that was looked at, and what is wrong with it if anything is."""

    blob: Blob
    fate: Fate
    problem: str | None = None


class Mover:
    """Copies the files that rows name, and those that the grace keeps, and reads every copy again.

    Nothing in the target is ever replaced. A copy that was broken off is taken up by doing it again.

    Parameters
    ----------
    catalogue : Catalogue
    source, target : Store
    trusted : bool
        Whether a file that is in the target already, with the right length, need not be read again.
    """

    def __init__(self, catalogue: Catalogue, source: Store, target: Store, *, trusted: bool) -> None:
        self._catalogue = catalogue
        self._source = source
        self._target = target
        self._trusted = trusted

    def total(self) -> int:
        """Count the files that there are to copy."""
        with self._catalogue.reading() as connection:
            return blobs.kept_count(connection)

    def run(self) -> Iterator[Moved]:
        """Copy the files, and tell of each what became of it.

        Raises
        ------
        UnavailableError
            When a store or the database is away; one file of the source that cannot be read has failed alone.
        """
        with self._catalogue.reading() as connection, ThreadPoolExecutor(WORKERS) as pool:
            kept = iter(itertools.chain(blobs.blobs(connection), blobs.unlinked_blobs(connection)))
            while batch := list(itertools.islice(kept, BATCH)):
                yield from pool.map(self._move, batch)

    def _move(self, blob: Blob) -> Moved:
        size = self._target.size(blob.filename)
        if size is None:
            return self._copy(blob)
        if self._trusted and size == blob.size:
            return Moved(blob, Fate.THERE)
        return self._checked(blob, Fate.THERE)

    def _copy(self, blob: Blob) -> Moved:
        try:
            content = self._source.read(blob.filename)
        except UnavailableError as error:
            self._source.size(_NOBODYS)  # raises when the source is away, and not this file alone
            return Moved(blob, Fate.FAILED, f"cannot be read: {error.message}")
        if content is None:
            named = self._is_named(blob)
            return Moved(blob, Fate.FAILED, "is missing from the source") if named else Moved(blob, Fate.GONE)
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != blob.hash:
            return Moved(blob, Fate.FAILED, "is damaged in the source")
        try:
            self._target.create(blob.filename, content)
        except FileExistsError:
            return self._checked(blob, Fate.THERE)
        return self._checked(blob, Fate.COPIED)

    def _checked(self, blob: Blob, fate: Fate) -> Moved:
        wrong = problem(self._target, blob)
        return Moved(blob, fate) if wrong is None else Moved(blob, Fate.FAILED, f"in the target {wrong}")

    def _is_named(self, blob: Blob) -> bool:
        """Tell whether a row names a file still; a sweep may have removed it since it was listed."""
        with self._catalogue.reading() as connection:
            return blob.filename not in blobs.unreferenced(connection, [blob.filename])
