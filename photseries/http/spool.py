"""Request bodies on their way in: short ones in memory, long ones in files without names, all within two budgets."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from photseries.config import Server
from photseries.errors import UnavailableError

__all__ = ["Body", "Spool"]

#: A body that grows longer than this goes on in a file [bytes].
IN_MEMORY = 1024 * 1024


class Spool:
    """What the bodies of all requests of a process hold together.

    Parameters
    ----------
    settings : Server
        ``spool_memory`` and ``spool_disk`` are the budgets [bytes].
    folder : Path
        Where the files are; they have no names and are gone with the process.
    """

    def __init__(self, settings: Server, folder: Path) -> None:
        self._budget = {"memory": settings.spool_memory, "disk": settings.spool_disk}
        self._held = {"memory": 0, "disk": 0}
        self._lock = threading.Lock()
        self.folder = folder

    def held(self, place: str) -> int:
        """Give the bytes that bodies hold in ``memory`` or on ``disk``."""
        return self._held[place]

    def take(self, place: str, size: int) -> None:
        """Take from a budget.

        Raises
        ------
        UnavailableError
            When it is used up.
        """
        with self._lock:
            if self._held[place] + size > self._budget[place]:
                raise UnavailableError("Too many uploads are under way. Try again.")
            self._held[place] += size

    def give(self, place: str, size: int) -> None:
        """Give back to a budget."""
        with self._lock:
            self._held[place] -= size

    @contextlib.contextmanager
    def borrowed(self, place: str, size: int) -> Iterator[None]:
        """Take from a budget, and give back in the end."""
        self.take(place, size)
        try:
            yield
        finally:
            self.give(place, size)


class Body:
    """The body of one request.

    Parameters
    ----------
    spool : Spool
    """

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._file = tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(spool.folder))  # noqa: SIM115  (closed by close)
        self._taken = {"memory": 0, "disk": 0}
        self.size = 0

    @property
    def is_long(self) -> bool:
        """Whether the next part may go to a file."""
        return self.size + 1024 * 1024 > IN_MEMORY

    def write(self, chunk: bytes) -> None:
        """Add a part.

        Raises
        ------
        UnavailableError
            When a budget is used up, or the disk is full.
        """
        place = "memory" if self.size + len(chunk) <= IN_MEMORY else "disk"
        self._take(place, len(chunk))
        try:
            self._file.write(chunk)
        except OSError as error:
            raise UnavailableError("There is no room for uploads. Try again.") from error
        self.size += len(chunk)

    @contextlib.contextmanager
    def content(self) -> Iterator[bytes]:
        """Give the whole body, which counts as memory for as long as it is used."""
        with self._spool.borrowed("memory", self.size if self._taken["disk"] else 0):
            self._file.seek(0)
            yield self._file.read()

    def close(self) -> None:
        """Let go of everything; more than once does no harm."""
        self._file.close()
        for place, size in self._taken.items():
            self._spool.give(place, size)
        self._taken = {"memory": 0, "disk": 0}

    def _take(self, place: str, size: int) -> None:
        self._spool.take(place, size)
        self._taken[place] += size
