"""The keeper's main loop, which watches its server and its clients."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

from .folder import EXCLUSIVE, Folder, Lock
from .identity import KeeperError
from .server import PostgresServer

__all__ = ["BUSY", "READY", "main"]

READY = "ready"
BUSY = "busy"
STANDARD_OUTPUT = 1
STARTING_INTERVAL = 0.01  # [s]
INTERVAL = 0.1  # [s]
PAUSES = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)  # [s] between attempts to restart the server


def main(root: str, programs: str) -> None:
    """Keep the server of one folder until no service uses it.

    Standard output carries one answer to the parent process: ``ready``, ``busy`` (another keeper is running), or an
    error message.

    Parameters
    ----------
    root : str
        The folder of the embedded server.
    programs : str
        The folder with PostgreSQL's programs.
    """
    if os.fork():
        os._exit(0)  # a keeper is detached, because the service that started it may end earlier or later
    os.umask(0o077)
    # A service manager signals every process of a service at once; the keeper stays until the services have finished.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGHUP, signal.SIGINT, signal.SIGTERM})
    folder = Folder(Path(root))
    lock = Lock(folder.keeper_lock)
    if not _acquire_patiently(lock):
        _answer(BUSY)
        return
    try:
        server = PostgresServer(folder, Path(programs))
        _keep(server, Lock(folder.clients_lock))
        server.remove_socket()
    except (KeeperError, OSError) as error:
        _answer(str(error))
        raise


def _keep(server: PostgresServer, clients: Lock) -> None:
    """Keep the server up while it has clients, then stop it; the held lock prevents new clients."""
    started, announced, failures, due = False, False, 0, 0.0
    while not clients.acquire(EXCLUSIVE):
        interval = STARTING_INTERVAL
        if not server.running:
            if started and not announced:
                raise KeeperError(f"The embedded PostgreSQL does not start:\n{server.complaint()}")
            if time.monotonic() >= due and server.start():
                due = time.monotonic() + PAUSES[failures]
                started, failures = True, min(failures + 1, len(PAUSES) - 1)
        elif server.ready:
            interval, failures = INTERVAL, 0
            if not announced:
                _answer(READY)
                announced = True
            if not server.reachable:
                server.stop()
            server.trim_log()
        signal.sigtimedwait({signal.SIGCHLD}, interval)
    server.stop()


def _acquire_patiently(lock: Lock) -> bool:
    """Acquire the keeper's lock, which services briefly hold shared to detect a keeper."""
    for _ in range(10):
        if lock.acquire(EXCLUSIVE):
            return True
        time.sleep(0.005)
    return False


def _answer(text: str) -> None:
    """Send the one answer and close its pipe, which has no later reader."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(BrokenPipeError):  # the parent may be gone, but other services wait for this server
        os.write(STANDARD_OUTPUT, text.encode(errors="replace"))
    os.dup2(nowhere, STANDARD_OUTPUT)
    os.close(nowhere)
