"""Several processes on one port: start, watch, replace dead ones, and stop them together."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from prometheus_client.multiprocess import mark_process_dead

from photseries.errors import StartError
from photseries.server.http.metrics import FOLDER

__all__ = ["supervise"]

#: Polling interval of the processes [s], which also limits restarts of a process that dies at once.
LOOK: Final = 0.5
#: Additional time for a process to stop, beyond its own limit [s].
PATIENCE: Final = 10.0
#: Prefix of the folders for the values of metrics. Earlier versions used another, and did not lock their folders.
PREFIX: Final = "photseries-values-"

log = logging.getLogger(__name__)


def supervise(
    command: Sequence[str],
    number: int,
    sockets: Sequence[socket.socket],
    announce: Callable[[], None],
    stop_timeout: float,
) -> None:
    """Keep a number of processes of a command running until SIGTERM or SIGINT.

    Each prints a line when it is ready, and ends at SIGTERM, or when its standard input ends with this process.

    Parameters
    ----------
    command : sequence of str
    number : int
    sockets : sequence of socket
        The processes inherit them and listen on them.
    announce : callable
        Called when all are ready.
    stop_timeout : float
        The timeout for stopping [s].

    Raises
    ------
    StartError
        When a process does not become ready; it has printed the reason.
    """
    descriptors = [listener.fileno() for listener in sockets]
    stopping = threading.Event()
    with _until_stopped(stopping), contextlib.ExitStack() as stack:
        # In memory, because writing to a mapped file on a full disk would kill the process.
        memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir()  # noqa: S108  a random name
        folder = stack.enter_context(values_folder(memory))
        processes = [_start(command, descriptors, folder) for _ in range(number)]
        stack.callback(_stop, processes, stop_timeout + PATIENCE)
        for process in processes:
            if process.stdout is None or not process.stdout.readline():
                raise StartError("One of the processes did not start; see the lines above.")
        announce()
        while not stopping.wait(LOOK):
            for index, process in enumerate(processes):
                code = process.poll()
                if code is not None:
                    log.error("process %d ended with %d and is replaced", process.pid, code)
                    mark_process_dead(process.pid, folder)  # type: ignore[no-untyped-call]
                    processes[index] = _start(command, descriptors, folder)
        for listener in sockets:
            listener.close()  # so that the system does not queue connections that no process accepts


@contextlib.contextmanager
def values_folder(parent: str) -> Iterator[str]:
    """Yield a new folder for the values of metrics, locked until it is removed; remove those of killed services."""
    for left in Path(parent).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError), _locked(left) as owner:  # fails while its service runs
            if owner == os.geteuid():
                shutil.rmtree(left)
    created = Path(tempfile.mkdtemp(prefix=f".{PREFIX}", dir=parent))
    with _locked(created):
        folder = created.rename(created.with_name(created.name[1:]))  # visible to other services once it is locked
        try:
            yield str(folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Lock a folder, and yield the id of its owner; raise OSError when another process has locked it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield os.fstat(descriptor).st_uid
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _until_stopped(stopping: threading.Event) -> Iterator[None]:
    signals = (signal.SIGTERM, signal.SIGINT)
    former = {number: signal.signal(number, lambda *_: stopping.set()) for number in signals}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _start(command: Sequence[str], descriptors: Sequence[int], folder: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  our own command
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=descriptors, env={**os.environ, FOLDER: folder}
    )


def _stop(processes: Sequence[subprocess.Popen[bytes]], patience: float) -> None:
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + patience
    for process in processes:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("process %d does not stop and is killed", process.pid)
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
