"""The embedded PostgreSQL server in the data directory, for services without a database URL.

This module runs in the service: it ensures that a *keeper* (:mod:`photseries.server.postgres.keeper`) is running and
waits until the server accepts connections. The server has no TCP port, its socket is in a folder that only its user can
enter, and it requires a random password (scram-sha-256), stored in a file of mode 0600.
"""

from __future__ import annotations

import logging
import os
import pwd
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Self
from urllib.parse import quote

import psycopg2

from photseries.errors import DatabaseAwayError, StartError
from photseries.server.postgres import keeper
from photseries.server.postgres.binaries import find_programs
from photseries.server.postgres.keeper.folder import EXCLUSIVE, SHARED, Folder, Lock
from photseries.server.postgres.keeper.main import BUSY, READY
from photseries.server.postgres.keeper.server import NAME, PORT

__all__ = ["EmbeddedServer"]

log = logging.getLogger(__name__)

INTERVAL = 0.01  # [s]
MAX_INTERVAL = 0.1  # [s]
STOP_TIMEOUT = 30.0  # [s]
CONNECT_TIMEOUT = 5  # [s], of one attempt
# The folder comes last, so that modules beside the keeper's package do not hide the standard library.
KEEPER_PROGRAM = "import sys; sys.path.append(sys.argv[1]); from keeper.main import main; main(*sys.argv[2:])"


class EmbeddedServer:
    """The PostgreSQL server of a data directory, shared by all services that use this directory.

    Threads may share an instance. Rows survive a ``kill -9`` of the service, of the server and of its keeper; the
    server stops when the last service that started it has stopped or died.

    Parameters
    ----------
    directory : Path
        The data directory; the server's files are in its folder ``postgres``.
    """

    def __init__(self, directory: Path) -> None:
        self._folder = Folder(directory.absolute() / "postgres")
        self._clients: Lock | None = None
        self._mutex = threading.Lock()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def is_there(self) -> bool:
        """Whether the folder contains a database; :meth:`start` creates one otherwise."""
        return self._cluster_version() is not None

    def start(self, timeout: float = 60.0) -> str:
        """Start the server unless it is running, and count as one of its users until :meth:`stop`.

        Parameters
        ----------
        timeout : float
            Timeout [s]; the first start creates the cluster, and a start after a crash recovers it.

        Returns
        -------
        str
            The URL of the database for SQLAlchemy, with the password.

        Raises
        ------
        StartError
            When the server cannot start, with the reason.
        """
        deadline = time.monotonic() + timeout
        with self._mutex:
            if self._clients is None:
                self._clients = self._register(deadline)
            try:
                return self._wait(deadline)
            except StartError:
                self._clients.close()
                self._clients = None
                raise

    def ensure(self, timeout: float = 10.0) -> str:
        """Wait until the started server accepts connections again, with a new keeper if the old one died.

        Call it after a refused connection; it costs one connection if the server is up.

        Parameters
        ----------
        timeout : float
            Longest wait [s].

        Returns
        -------
        str
            The URL, which changes if the folder of the socket could not be reused.

        Raises
        ------
        DatabaseAwayError
            When the server does not restart in time.
        """
        deadline = time.monotonic() + timeout
        if self._mutex.acquire(timeout=timeout):
            try:
                if self._clients is not None:
                    return self._wait(deadline)
            except StartError as error:
                log.error("the database is not available: %s", error)  # noqa: TRY400  (a traceback would add nothing)
            finally:
                self._mutex.release()
        raise DatabaseAwayError("The database is not available. Try again.")

    def stop(self) -> None:
        """Stop counting as a user; if no other is left, wait until the server has stopped."""
        with self._mutex:
            if self._clients is None:
                return
            self._clients.release()
            deadline = time.monotonic() + STOP_TIMEOUT
            while self._has_keeper() and not _used_by_others(self._clients) and time.monotonic() < deadline:
                time.sleep(INTERVAL)
            self._clients.close()
            self._clients = None

    def _register(self, deadline: float) -> Lock:
        """Acquire the lock that marks the server as in use."""
        root = self._folder.root
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            owner = root.stat().st_uid
            if owner != os.geteuid():
                raise StartError(
                    f"The embedded database in {root} belongs to {_user_name(owner)}, and this process runs as "
                    f"{_user_name(os.geteuid())}. Run as its owner, or choose another data directory."
                )
            clients = Lock(self._folder.clients_lock)
        except OSError as error:
            raise StartError(f"The folder of the embedded database cannot be used: {error}") from error
        while not clients.acquire(SHARED):
            if time.monotonic() > deadline:
                clients.close()
                raise StartError(f"The embedded PostgreSQL in {root} is still stopping. Try again later.")
            time.sleep(INTERVAL)
        return clients

    def _wait(self, deadline: float) -> str:
        """Wait for the server, and start a keeper if there is none."""
        interval, reason = INTERVAL, "there was no time to start it"
        while time.monotonic() < deadline:
            try:
                return self._connect()
            except (psycopg2.OperationalError, OSError) as error:
                reason = str(error).strip()
            if not self._has_keeper():
                self._spawn_keeper(deadline)
            time.sleep(interval)
            interval = min(1.5 * interval, MAX_INTERVAL)
        raise StartError(f"The embedded PostgreSQL in {self._folder.root} does not answer in time: {reason}")

    def _connect(self) -> str:
        """Test the server, and return its URL."""
        password = self._folder.password.read_text("utf-8")
        host = str(self._folder.socket_folder())
        # Port and options are explicit, because libpq would take them from PGPORT and PGOPTIONS.
        address = f"{NAME}:{password}@/{NAME}?host={quote(host, safe='')}&port={PORT}"
        psycopg2.connect(f"postgresql://{address}", options="", connect_timeout=CONNECT_TIMEOUT).close()
        return f"postgresql+psycopg2://{address}"

    def _spawn_keeper(self, deadline: float) -> None:
        """Start a keeper and read its answer; of several concurrent keepers, one stays."""
        package = Path(keeper.__file__).parent
        programs = find_programs(self._cluster_version())
        flags = ["-I", "-S", "-c", KEEPER_PROGRAM]
        command: list[str | Path] = [sys.executable, *flags, package.parent, self._folder.root, programs]
        try:
            with (
                os.fdopen(self._folder.open_log(), "a") as complaints,
                subprocess.Popen(  # noqa: S603
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=complaints,
                    cwd="/",
                    encoding="utf-8",
                    start_new_session=True,
                ) as process,
            ):
                answer, _ = process.communicate(timeout=max(deadline - time.monotonic(), INTERVAL))
        except subprocess.TimeoutExpired:
            return
        except OSError as error:
            raise StartError(f"The keeper of the embedded PostgreSQL cannot be started: {error}") from error
        if process.returncode or answer not in {READY, BUSY, ""}:
            raise StartError(answer or f"The keeper of the embedded PostgreSQL failed; see {self._folder.log}.")

    def _has_keeper(self) -> bool:
        """Whether a keeper is running."""
        try:
            lock = Lock(self._folder.keeper_lock)
        except FileNotFoundError:  # the data directory was removed
            return False
        try:
            return not lock.acquire(SHARED)
        finally:
            lock.close()

    def _cluster_version(self) -> int | None:
        try:
            return int(self._folder.version.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None


def _used_by_others(clients: Lock) -> bool:
    """Whether services hold the lock (not an exiting keeper)."""
    used = not clients.acquire(EXCLUSIVE) and clients.acquire(SHARED)
    clients.release()
    return used


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"the user with id {uid}"
