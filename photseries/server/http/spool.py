"""Spooled request bodies: short ones in memory, long ones in unnamed files, within two budgets."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Iterator
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
    """The budgets of the request bodies of a process, shared fairly among clients.

    A body needs room. A client with other bodies may also hold at most twice as much as remains free: one client alone
    two thirds of a budget, k clients 2 / (2 k + 1) each. So something always remains for a client that comes
    (Choudhury & Hahne 1998, "Dynamic queue length thresholds for shared-memory packet switches").

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
        self._held_by: dict[str, Counter[str]] = {"memory": Counter(), "disk": Counter()}
        self._lock = threading.Lock()
        self.folder = folder

    @property
    def is_crowded(self) -> bool:
        """Whether bodies use much of the memory budget."""
        return self._held["memory"] > CROWD * self._budget["memory"]

    def held(self, medium: str) -> int:
        """Return the bytes that bodies use in ``memory`` or on ``disk``."""
        return self._held[medium]

    def take(self, medium: str, size: int, client: str = "", own: int = 0) -> None:
        """Take from a budget.

        Parameters
        ----------
        medium : {"memory", "disk"}
        size : int
            [bytes]; nothing always fits.
        client : str
            The user or network; empty: any, with no share of its own.
        own : int
            What the same body has taken from the budget before [bytes].

        Raises
        ------
        UnavailableError
            When the budget, or the share of the client, is exhausted.
        """
        if not size:
            return
        with self._lock:
            free = self._budget[medium] - self._held[medium] - size
            held = self._held_by[medium]
            is_unfair = client and held[client] > own and held[client] + size > 2 * free
            if free < 0 or is_unfair:
                raise UnavailableError("Too many uploads are under way. Try again.")
            self._held[medium] += size
            held[client] += size

    def give(self, medium: str, size: int, client: str = "") -> None:
        """Return bytes to a budget."""
        with self._lock:
            held = self._held_by[medium]
            self._held[medium] -= size
            held[client] -= size
            if not held[client]:
                del held[client]


class Body:
    """The body of one request.

    Parameters
    ----------
    spool : SpoolBudget
    client : callable, optional
        Returns the user or network whose share the body counts in, when its first part comes.
    """

    def __init__(self, spool: SpoolBudget, client: Callable[[], str] = str) -> None:
        self._spool = spool
        self._identify = client
        self._lock = threading.Lock()  # of the file, and of what the body has taken
        self._is_closed = False
        self._lent = 0
        self._short = io.BytesIO()  # no list of parts, because a part may be a single byte
        self._file: IO[bytes] | None = None
        self._taken = {"memory": 0, "disk": 0}
        self._expected = 0
        self.size = 0

    @functools.cached_property
    def _client(self) -> str:
        """The user or network, the same for all parts."""
        return self._identify()

    @contextlib.contextmanager
    def _kept_open(self) -> Iterator[None]:
        """Postpone a :meth:`close` by another thread to the end of the block."""
        try:
            with self._lock:
                yield
        finally:
            if self._is_closed:
                self.close()

    def expect(self, size: int) -> None:
        """Take note of the size [bytes] that the client has stated."""
        self._expected = size

    def goes_to_disk(self, size: int) -> bool:
        """Return whether a part of this size goes to a file."""
        if self._file is not None:
            return True
        after = self.size + size
        return after > (SHORT if self._spool.is_crowded else LONG)

    def write(self, part: bytes) -> None:
        """Add a part; ignore it if the client has gone.

        Raises
        ------
        UnavailableError
            When a budget is exhausted, or the disk is full.
        """
        with self._kept_open():
            if self._is_closed:
                return
            if self.goes_to_disk(len(part)):
                self._spill(part)
            else:
                self._take("memory", len(part))
                if self.size < SHORT <= self.size + len(part) < self._expected <= LONG:
                    self._allocate()
                self._short.write(part)
            self.size += len(part)

    def _allocate(self) -> None:
        """Allocate the whole body, now that the client has sent some of it.

        A buffer that grows with each part is mapped again each time, in small pages: four times the cost.
        """
        whole = io.BytesIO(bytes(self._expected))
        whole.write(self._short.getvalue())
        self._short = whole

    def _written(self) -> bytes:
        """Return the parts that are in memory."""
        if self._file is None:
            self._short.truncate(self.size)
        return self._short.getvalue()

    def _spill(self, part: bytes) -> IO[bytes]:
        waiting = (self._written(), part)
        self._take("disk", sum(map(len, waiting)))
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._spool.folder)  # noqa: SIM115  (closed by close)
            file = self._file
            for piece in waiting:
                file.write(piece)
            file.flush()
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
        with self.borrowed(self._taken["disk"]):
            with self._kept_open():
                content = self._written() if self._file is None else _content_of(self._file)
            yield content

    @contextlib.contextmanager
    def borrowed(self, size: int) -> Iterator[None]:
        """Take from the budget of memory, and return it at the end of the block.

        Raises
        ------
        UnavailableError
            When it is exhausted.
        """
        self._spool.take("memory", size, self._client, self._taken["memory"] + self._lent)
        self._lent += size
        try:
            yield
        finally:
            self._lent -= size
            self._spool.give("memory", size, self._client)

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
        with self._kept_open():
            duplicate = os.dup((self._file or self._spill(b"")).fileno())
        try:
            yield duplicate
        finally:
            os.close(duplicate)

    def close(self) -> None:
        """Release all resources, or let the thread that works on them release them; idempotent."""
        self._is_closed = True
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._short = io.BytesIO()
            if self._file is not None:
                self._file.close()
                self._file = None
            for medium in self._taken:
                self._give(medium)
        finally:
            self._lock.release()

    def _take(self, medium: str, size: int) -> None:
        self._spool.take(medium, size, self._client, self._taken[medium] + (self._lent if medium == "memory" else 0))
        self._taken[medium] += size

    def _give(self, medium: str) -> None:
        if self._taken[medium]:
            self._spool.give(medium, self._taken[medium], self._client)
            self._taken[medium] = 0


def _content_of(file: IO[bytes]) -> bytes:
    file.seek(0)
    return file.read()
