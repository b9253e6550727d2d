"""Spooled request bodies: short ones in memory, long ones in unnamed files, within two budgets."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from photseries.errors import UnavailableError
from photseries.server.settings import ServerSettings

__all__ = ["Body", "SpoolBudget"]

#: Size at which a body moves to a file [bytes]; the first applies while bodies use much of the memory.
SHORT, LONG = 1024 * 1024, 16 * 1024 * 1024
#: The fraction of the memory budget that counts as much.
CROWD = 0.25


class SpoolBudget:
    """The budgets of the request bodies of a process.

    Parameters
    ----------
    settings : ServerSettings
        ``spool_memory`` and ``spool_disk`` are the budgets [bytes].
    folder : Path
        The folder of the unnamed files, which vanish with the process.
    """

    def __init__(self, settings: ServerSettings, folder: Path) -> None:
        self._budget = {"memory": settings.spool_memory, "disk": settings.spool_disk}
        self._held = {"memory": 0, "disk": 0}
        self._lock = threading.Lock()
        self.folder = folder

    @property
    def is_crowded(self) -> bool:
        """Whether bodies use much of the memory budget."""
        return self._held["memory"] > CROWD * self._budget["memory"]

    def held(self, medium: str) -> int:
        """Return the bytes that bodies use in ``memory`` or on ``disk``."""
        return self._held[medium]

    def take(self, medium: str, size: int) -> None:
        """Take from a budget.

        Raises
        ------
        UnavailableError
            When the budget is exhausted.
        """
        with self._lock:
            if self._held[medium] + size > self._budget[medium]:
                raise UnavailableError("Too many uploads are under way. Try again.")
            self._held[medium] += size

    def give(self, medium: str, size: int) -> None:
        """Return bytes to a budget."""
        with self._lock:
            self._held[medium] -= size

    @contextlib.contextmanager
    def borrowed(self, medium: str, size: int) -> Iterator[None]:
        """Take from a budget, and return it at the end of the block."""
        self.take(medium, size)
        try:
            yield
        finally:
            self.give(medium, size)


class Body:
    """The body of one request.

    Parameters
    ----------
    spool : SpoolBudget
    """

    def __init__(self, spool: SpoolBudget) -> None:
        self._spool = spool
        self._short = io.BytesIO()  # no list of parts, because a part may be a single byte
        self._file: IO[bytes] | None = None
        self._taken = {"memory": 0, "disk": 0}
        self.size = 0

    def goes_to_disk(self, size: int) -> bool:
        """Return whether a part of this size goes to a file."""
        if self._file is not None:
            return True
        after = self.size + size
        return after > (SHORT if self._spool.is_crowded else LONG)

    def write(self, part: bytes) -> None:
        """Add a part.

        Raises
        ------
        UnavailableError
            When a budget is exhausted, or the disk is full.
        """
        if not self.goes_to_disk(len(part)):
            self._take("memory", len(part))
            self._short.write(part)
        else:
            self._spill(part)
        self.size += len(part)

    def _spill(self, part: bytes) -> IO[bytes]:
        waiting = (self._short.getvalue(), part)
        self._take("disk", sum(map(len, waiting)))
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._spool.folder)  # noqa: SIM115  (closed by close)
            file = self._file
            for piece in waiting:
                file.write(piece)
        except OSError as error:
            raise UnavailableError(
                "The disk of the service is full, so the upload cannot be stored. Try again later."
            ) from error
        self._short = io.BytesIO()
        self._give("memory")
        return file

    @contextlib.contextmanager
    def content(self) -> Iterator[bytes]:
        """Yield the whole body, which counts as memory until the end of the block."""
        with self._spool.borrowed("memory", self._taken["disk"]):
            content = self._join()
            yield content

    @contextlib.contextmanager
    def descriptor(self) -> Iterator[int]:
        """Yield a descriptor of a file with the whole body, without reading it into memory.

        It stays open when the client leaves and the body is closed, after which the number of the body's own descriptor
        may be that of another body.

        Raises
        ------
        UnavailableError
            When the disk is full.
        """
        file = self._file or self._spill(b"")
        try:
            file.flush()
        except OSError as error:
            message = "The disk of the service is full, so the upload cannot be stored. Try again later."
            raise UnavailableError(message) from error
        duplicate = os.dup(file.fileno())
        try:
            yield duplicate
        finally:
            os.close(duplicate)

    def _join(self) -> bytes:
        if self._file is None:
            return self._short.getvalue()
        self._file.seek(0)
        return self._file.read()

    def close(self) -> None:
        """Release all resources; idempotent."""
        self._short = io.BytesIO()
        if self._file is not None:
            self._file.close()
        for medium in self._taken:
            self._give(medium)

    def _take(self, medium: str, size: int) -> None:
        self._spool.take(medium, size)
        self._taken[medium] += size

    def _give(self, medium: str) -> None:
        self._spool.give(medium, self._taken[medium])
        self._taken[medium] = 0
