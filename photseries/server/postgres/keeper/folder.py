"""The files of one embedded server, and the locks on them."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

__all__ = ["EXCLUSIVE", "SHARED", "Folder", "Lock"]

EXCLUSIVE = fcntl.LOCK_EX
SHARED = fcntl.LOCK_SH


class Folder:
    """The paths of the files of an embedded server.

    Parameters
    ----------
    root : Path
        Absolute path of the folder. It belongs to the user who runs the services.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.clients_lock = root / "clients.lock"
        self.keeper_lock = root / "keeper.lock"
        self.server_lock = root / "server.lock"
        self.log = root / "server.log"
        self.socket_pointer = root / "socket-folder"
        self.cluster = root / "cluster"  # complete whenever it exists
        self.data = self.cluster / "data"
        self.password = self.cluster / "password"
        self.version = self.data / "PG_VERSION"
        self.unfinished = root / "cluster.unfinished"  # under construction, or left by a killed first start

    def open_log(self) -> int:
        """Open the log of the server, its tools and the keeper for appending; return the descriptor."""
        return os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def socket_folder(self) -> Path | None:
        """Return the folder of the server's socket, None before the first start."""
        try:
            return Path(os.fsdecode(self.socket_pointer.read_bytes()))
        except FileNotFoundError:
            return None


class Lock:
    """A lock on an open file, released when the last process with this open file ends.

    Parameters
    ----------
    path : Path
        The file to lock, created if missing.
    """

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)

    def fileno(self) -> int:
        """Return the descriptor, for a child process to inherit."""
        return self._descriptor

    def acquire(self, kind: int) -> bool:
        """Try to acquire the lock (or change its mode) without waiting; return whether it succeeded."""
        try:
            fcntl.flock(self._descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Release the lock, for every process that shares it."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file; the lock persists in processes that inherited it."""
        os.close(self._descriptor)
