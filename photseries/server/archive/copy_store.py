"""Copy the files of an archive to another store while the service keeps using the first one."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum

from photseries.errors import UnavailableError
from photseries.server.archive.blobs import find_problem
from photseries.server.catalogue import blobs
from photseries.server.catalogue.blobs import Blob
from photseries.server.catalogue.engine import Catalogue
from photseries.server.storage.contract import Store

__all__ = ["CopiedFile", "CopyStatus", "StoreCopier"]

BATCH = 100

#: A key of no file.
_UNUSED_KEY = "probe/nothing.h5"


class CopyStatus(Enum):
    """The outcome for one file."""

    COPIED = "copied"
    THERE = "there"  # already in the target
    GONE = "gone"  # removed from the archive during the copy
    FAILED = "failed"


@dataclass(frozen=True)
class CopiedFile:
    """A file, the outcome of its copy, and the problem when the copy failed."""

    blob: Blob
    status: CopyStatus
    problem: str | None = None


class StoreCopier:
    """Copies the files that rows name or the grace keeps, and verifies every copy.

    Nothing in the target is ever replaced. Running an interrupted copy again completes it.

    Parameters
    ----------
    catalogue : Catalogue
    source, target : Store
    trusted : bool
        Whether to accept an existing file of the right length in the target without reading it.
    jobs : int
        Number of files to copy concurrently; each is in memory as a whole.
    """

    def __init__(self, catalogue: Catalogue, source: Store, target: Store, *, trusted: bool, jobs: int = 4) -> None:
        self._catalogue = catalogue
        self._source = source
        self._target = target
        self._trusted = trusted
        self._jobs = jobs

    def total(self) -> int:
        """Count the files to copy."""
        with self._catalogue.reading() as connection:
            return blobs.kept_count(connection)

    def run(self) -> Iterator[CopiedFile]:
        """Copy the files.

        Yields
        ------
        CopiedFile
            The outcome for each file, in the order of series ids.

        Raises
        ------
        UnavailableError
            When a store or the database is not available. A single unreadable file of the source is a failed copy.
        """
        with self._catalogue.reading() as connection, ThreadPoolExecutor(self._jobs) as pool:
            remaining = blobs.kept_blobs(connection)
            while batch := list(itertools.islice(remaining, BATCH)):
                yield from pool.map(self._copy_unless_there, batch)

    def _copy_unless_there(self, blob: Blob) -> CopiedFile:
        size = self._target.size(blob.filename)
        if size is None:
            return self._copy(blob)
        if self._trusted and size == blob.size:
            return CopiedFile(blob, CopyStatus.THERE)
        return self._verify(blob, CopyStatus.THERE)

    def _copy(self, blob: Blob) -> CopiedFile:
        try:
            content = self._source.read(blob.filename)
        except UnavailableError as error:
            self._source.size(_UNUSED_KEY)  # raises if the whole source is unavailable, not only this file
            return CopiedFile(blob, CopyStatus.FAILED, f"cannot be read: {error.message}")
        if content is None:
            if self._is_named(blob):
                return CopiedFile(blob, CopyStatus.FAILED, "is missing from the source")
            return CopiedFile(blob, CopyStatus.GONE)
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != blob.hash:
            return CopiedFile(blob, CopyStatus.FAILED, "is damaged in the source")
        try:
            self._target.create(blob.filename, content)
        except FileExistsError:
            return self._verify(blob, CopyStatus.THERE)
        return self._verify(blob, CopyStatus.COPIED)

    def _verify(self, blob: Blob, status: CopyStatus) -> CopiedFile:
        problem = find_problem(self._target, blob)
        if problem is None:
            return CopiedFile(blob, status)
        return CopiedFile(blob, CopyStatus.FAILED, f"in the target {problem}")

    def _is_named(self, blob: Blob) -> bool:
        """Return whether a row still names a file, because a sweep may have removed the file since the listing."""
        with self._catalogue.reading() as connection:
            return blob.filename not in blobs.unreferenced(connection, [blob.filename])
