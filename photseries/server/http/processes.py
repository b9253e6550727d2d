"""Several processes that serve one port: started, watched, replaced when they die, stopped together."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from photseries.errors import StartError

__all__ = ["supervise"]

#: How often the processes are looked at [s]; one that dies at once is not started more often than that.
LOOK: Final = 0.5
#: How much longer than its own limit a process may take to stop [s].
PATIENCE: Final = 10.0

log = logging.getLogger(__name__)


def supervise(
    command: Sequence[str],
    number: int,
    sockets: Sequence[socket.socket],
    announce: Callable[[], None],
    stop_timeout: float,
) -> None:
    """Keep so many processes of a command at work until SIGTERM or SIGINT.

    Each prints a line when it answers, and ends at SIGTERM, or when its standard input ends, as it does with us.

    Parameters
    ----------
    command : sequence of str
    number : int
    sockets : sequence of socket
        The processes inherit them and listen on them.
    announce : callable
        Called once all of them answer.
    stop_timeout : float
        How long they may take to stop [s].

    Raises
    ------
    StartError
        When one does not come to answer at the start; it has said why.
    """
    descriptors = [one.fileno() for one in sockets]
    stopping = threading.Event()
    with _until_stopped(stopping), contextlib.ExitStack() as stack:
        processes = [_start(command, descriptors) for _ in range(number)]
        stack.callback(_stop, processes, stop_timeout + PATIENCE)
        for process in processes:
            if process.stdout is None or not process.stdout.readline():
                raise StartError("One of the processes did not start; see the lines above.")
        announce()
        while not stopping.wait(LOOK):
            for place, process in enumerate(processes):
                code = process.poll()
                if code is not None:
                    log.error("process %d ended with %d and is replaced", process.pid, code)
                    processes[place] = _start(command, descriptors)
        for one in sockets:
            one.close()  # or the system would go on to queue connections for processes that accept no more


@contextlib.contextmanager
def _until_stopped(stopping: threading.Event) -> Iterator[None]:
    signals = (signal.SIGTERM, signal.SIGINT)
    former = {number: signal.signal(number, lambda *_: stopping.set()) for number in signals}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _start(command: Sequence[str], descriptors: Sequence[int]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  our own command
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=descriptors
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
