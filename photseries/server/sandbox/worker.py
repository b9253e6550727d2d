"""The fork server, a small process that forks a child for every upload, and the reading child.

The fork server imports numpy, h5py and the safe reader once, has one thread, and never reads an uploaded byte.
For a job the service sends four descriptors: the file for uploads, a pipe for the child's answers, a pipe on which the
fork server reports how the child ended, and a pipe with the sizes of the uploads (for bulk uploads, a file with the
request). Each child inherits the imports and
drops its privileges. It reads and answers until the service, which may reuse it for files of the same user, closes the
last pipe.
"""

from __future__ import annotations

import codecs
import contextlib
import gc
import itertools
import mmap
import os
import select
import signal
import socket
import time
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final

from photseries.errors import InvalidError, StartError
from photseries.hdf5 import plain_hdf5
from photseries.hdf5.limits import Limits
from photseries.hdf5.raw import RawTable
from photseries.server.sandbox import confine, wire
from photseries.server.settings import SandboxSettings

__all__ = ["ENDED", "FAILED", "LATE", "NOT_FORKED", "Answers", "ForkServer", "main", "map_file"]

# Modules that reading would import, because a confined child cannot open the modules' files.
_CODECS: Final = ("ascii", "latin-1", "raw-unicode-escape", "unicode-escape", "utf-32-be", "utf-32-le", "utf-8")

#: Number of runs after which the interpreter has specialised the code.
_WARM: Final = 10

#: The exit report of a child, one byte: 0 for success, the number of a signal, or one of these.
ENDED: Final = 0
FAILED: Final = 253
NOT_FORKED: Final = 254
LATE: Final = 255

Reader = Callable[[memoryview, Limits], RawTable | wire.FileContent]
#: From the layers that this system lacks to the buffers to send.
Answers = Callable[[tuple[str, ...]], Iterator[bytes | memoryview]]


@dataclass
class _Child:
    deadline: float  # of time.monotonic [s]
    status: int  # descriptor
    late: bool = False


class ForkServer:
    """Forks, watches and reaps the children.

    Parameters
    ----------
    channel : socket.socket
        A stream from the service; a job is one byte with four descriptors.
    settings : SandboxSettings
    limits : Limits
    read : callable
        The function that a child calls with the upload.
    warm_up : bytes
        One of the service's own files, for warm-up; empty for none.
    layers : tuple
        The confinement of a child; see :mod:`~photseries.server.sandbox.confine`.
    """

    def __init__(
        self,
        channel: socket.socket,
        settings: SandboxSettings,
        limits: Limits,
        read: Reader = plain_hdf5.read,
        warm_up: bytes = b"",
        layers: confine.Layers = confine.LAYERS,
    ) -> None:
        self._layers = layers
        self._warm_up_content = warm_up
        self._channel = channel
        self._settings = settings
        self._limits = limits
        self._read = read
        self._children: dict[int, _Child] = {}

    def run(self) -> None:
        """Serve until the service closes its end, then kill running children."""
        woken, wakes = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wakes, False)
        signal.set_wakeup_fd(wakes)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        warnings.simplefilter("ignore")  # to show a warning, Python would open the source, which kills a child
        for name in _CODECS:
            codecs.lookup(name)
        self._warm_up()
        gc.collect()
        gc.freeze()
        gc.disable()  # a collection in a child would copy shared pages
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(woken, select.POLLIN)
        is_open = True
        while is_open or self._children:
            ready = {descriptor for descriptor, _ in poll.poll(self._patience())}
            if woken in ready:
                os.read(woken, 4096)
            if self._channel.fileno() in ready and is_open:
                is_open = self._accept()
                if not is_open:
                    poll.unregister(self._channel)
            self._kill_late(everyone=not is_open)
            self._reap()

    def _patience(self) -> float | None:
        """Return the timeout for the next event [ms]."""
        deadlines = [child.deadline for child in self._children.values() if not child.late]
        return max(0.0, min(deadlines) - time.monotonic()) * 1000 + 1 if deadlines else None

    def _accept(self) -> bool:
        message, descriptors, _, _ = socket.recv_fds(self._channel, 1, 4)
        if not message:
            return False
        upload, answer, status, more = descriptors
        fork_server = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            _report(status, NOT_FORKED)
        else:
            if pid == 0:
                self._be_child(upload, answer, fork_server, more)
            self._children[pid] = _Child(time.monotonic() + self._settings.deadline, status)
        for descriptor in (upload, answer, more):
            os.close(descriptor)
        return True

    def _kill_late(self, *, everyone: bool) -> None:
        now = time.monotonic()
        for pid, child in self._children.items():
            if not child.late and (everyone or now >= child.deadline):
                child.late = True
                os.kill(pid, signal.SIGKILL)  # not yet reaped, so the pid is still this child's

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            child = self._children.pop(pid)
            ended = (
                LATE if child.late else os.WTERMSIG(status) if os.WIFSIGNALED(status) else FAILED if status else ENDED
            )
            _report(child.status, ended)

    def _be_child(self, upload: int, answer: int, fork_server: int, more: int) -> None:
        """Read, answer and exit; after any failure, exit without an answer."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _close_all_but({upload, answer, more})
            answers = self._prepare(upload, more)
            missing = tuple(confine.lock_down(self._settings, self._layers))
            if os.getppid() != fork_server:
                return  # the parent ended before the death signal was set
            for buffer in answers(missing):
                _write(answer, buffer)
            code = 0
        finally:
            os._exit(code)

    def _warm_up(self) -> None:
        """Read one of the service's own files a few times."""
        for _ in range(_WARM if self._warm_up_content else 0):
            self._read(memoryview(self._warm_up_content), self._limits)

    def _prepare(self, upload: int, more: int) -> Answers:
        """Map the files, while that is allowed, and return the function that yields the buffers of all answers."""
        image = map_file(upload)

        def answers(missing: tuple[str, ...]) -> Iterator[bytes | memoryview]:
            while size := os.read(more, wire.SIZE_BYTES):
                yield from wire.pack(self._answer(image[: int.from_bytes(size, "little")], missing))

        return answers

    def _answer(self, image: memoryview, missing: tuple[str, ...]) -> wire.WorkerResponse:
        try:
            result = self._read(image, self._limits)
        except (InvalidError, StartError) as error:
            return wire.WorkerResponse(None, error.message, missing)
        except MemoryError:
            limit = f"{self._settings.memory:,} bytes of memory"
            return wire.WorkerResponse(None, f"The file cannot be read: reading it takes more than {limit}.", missing)
        if isinstance(result, wire.FileContent):
            return wire.WorkerResponse(None, None, missing, result)
        return wire.WorkerResponse(result, None, missing)


def _close_all_but(descriptors: Collection[int]) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    edges = [2, *sorted(descriptors), os.sysconf("SC_OPEN_MAX")]
    for low, high in itertools.pairwise(edges):
        os.closerange(low + 1, high)


def _report(status: int, ended: int) -> None:
    """Report how a child ended, unless the service has stopped waiting."""
    with contextlib.suppress(BrokenPipeError):
        os.write(status, bytes([ended]))
    os.close(status)


def map_file(upload: int) -> memoryview:
    """Map a whole file."""
    size = os.fstat(upload).st_size
    return memoryview(mmap.mmap(upload, size, access=mmap.ACCESS_READ) if size else b"")


def _write(descriptor: int, buffer: bytes | memoryview) -> None:
    remaining = memoryview(buffer)
    while remaining:
        remaining = remaining[os.write(descriptor, remaining) :]


def main(
    arguments: dict[str, Any],
    read: Reader = plain_hdf5.read,
    layers: confine.Layers = confine.LAYERS,
    kind: type[ForkServer] = ForkServer,
) -> None:
    """Run a fork server; :class:`photseries.server.sandbox.pool.Sandbox` starts it.

    Parameters
    ----------
    arguments : dict
        The descriptor ``channel`` and the sections ``sandbox`` and ``limits`` of the configuration. Standard input is
        the file to warm up with.
    read, layers
        See :class:`ForkServer`.
    kind : type
        The class of the fork server.
    """
    channel = socket.socket(fileno=arguments["channel"])
    confinement, limits = SandboxSettings(**arguments["sandbox"]), Limits(**arguments["limits"])
    kind(channel, confinement, limits, read, warm_up=os.pread(0, os.fstat(0).st_size, 0), layers=layers).run()
