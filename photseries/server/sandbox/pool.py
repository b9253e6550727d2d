"""Pools of the confined processes that read uploads."""

from __future__ import annotations

import contextlib
import json
import logging
import signal
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from photseries.errors import InvalidError, StartError, UnavailableError, UnreadableFileError
from photseries.hdf5 import StoredContent, frames
from photseries.hdf5.limits import Limits
from photseries.hdf5.raw import RawTable
from photseries.server.sandbox import confine, descriptors, wire
from photseries.server.sandbox.children import PATIENCE, Child, ForkServer
from photseries.server.sandbox.semaphore import FairSemaphore
from photseries.server.sandbox.worker import FAILED, LATE, NOT_FORKED
from photseries.server.settings import SandboxSettings

__all__ = ["OUTCOMES", "FileSandbox", "Sandbox"]

#: How long an upload waits for a worker [s]; short, because a waiting upload occupies a thread.
QUEUE: Final = 5.0

#: The largest file after which a child waits for another one, and the smallest space for uploads [bytes].
_MAX_ROOM: Final = 32 * 1024 * 1024
_MIN_ROOM: Final = 256 * 1024

#: The outcomes for a file; in the last four the reader died or was missing.
OUTCOMES: Final = ("read", "refused", "busy", "crashed", "late", "out of processor time", "not started")

_ENDS: Final = {NOT_FORKED: "not started", LATE: "late", signal.SIGXCPU: "out of processor time"}

log = logging.getLogger(__name__)


class Sandbox:
    """Reads uploaded HDF5 files in confined processes. Thread-safe.

    Parameters
    ----------
    settings : SandboxSettings
    limits : Limits
    warm_up_file : bytes
        One of our own files. The fork server reads it a few times before forking: warm code is faster, and children
        then copy fewer shared pages.

    Attributes
    ----------
    missing : tuple of str
        Layers of :mod:`photseries.server.sandbox.confine` that this system lacks; known after :meth:`start`.
    outcomes : Counter
        Number of files by outcome, see :data:`OUTCOMES`.
    """

    worker: ClassVar[str] = "photseries.server.sandbox.worker"
    label: ClassVar[str] = "HDF5 file"  # in messages

    def __init__(self, settings: SandboxSettings, limits: Limits, warm_up_file: bytes = b"") -> None:
        self.missing: tuple[str, ...] = ()
        self.outcomes = Counter(dict.fromkeys(OUTCOMES, 0))
        self._settings = settings
        self._limits = limits
        self._warm_up_file = warm_up_file
        self._gate = FairSemaphore(settings.workers, min(QUEUE, settings.deadline))
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        self._fork_server: ForkServer | None = None
        self._idle: list[Child] = []
        self._timer: threading.Timer | None = None
        self._started = False

    def start(self) -> None:
        """Start the fork server, and check the layers of this system.

        Raises
        ------
        StartError
            When a layer in ``sandbox.require`` is missing, or the fork server fails.
        """
        self._started = True
        try:
            self.missing = self._answer(b"").missing
        except (UnavailableError, UnreadableFileError) as error:
            self.close()
            raise StartError("The worker processes that read uploads do not start; see the lines above.") from error
        if self.missing:
            log.warning("this system lacks layers of the sandbox: %s", ", ".join(self.missing))
        present = {name for name, _ in confine.LAYERS} - set(self.missing)
        lacking = [name for name in self._settings.require if name not in present]
        if lacking:
            self.close()
            raise StartError(f"sandbox.require lists {', '.join(lacking)}, which this system lacks.")

    def close(self) -> None:
        """End the fork server and all jobs."""
        with self._lock:
            self._started = False
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            while self._idle:
                self._idle.pop().close()
            if self._fork_server is not None:
                self._fork_server.close()
                self._fork_server = None

    def decode(self, blob: bytes | memoryview, owner: int | None = None) -> StoredContent:
        """Read an uploaded file in a worker process.

        Parameters
        ----------
        blob : bytes or memoryview
        owner : int, optional
            The user who sent the file. The process that read this user's last file may read this one too.

        Raises
        ------
        UnreadableFileError
            When the safe reader refuses the file, or the file kills the worker.
        UnavailableError
            When no worker became free in time.
        """
        raw = self.read(blob, owner)
        return StoredContent(frames.build(raw), raw.metadata)

    def read(self, blob: bytes | memoryview, owner: int | None = None) -> RawTable:
        """Read the only table of an uploaded file.

        Parameters
        ----------
        blob : bytes or memoryview
        owner : int, optional
            As in :meth:`decode`.

        Returns
        -------
        RawTable

        Raises
        ------
        UnreadableFileError
            When the reader refuses the file, crashes over it, or takes too long.
        UnavailableError
            When no worker became free in time, or none can be started.
        """
        answer = self._answer(blob, owner=owner)
        self._count("refused" if answer.table is None else "read")
        if answer.table is None:
            raise UnreadableFileError(answer.error or "The HDF5 file contains no table.")
        return answer.table

    def _count(self, outcome: str) -> None:
        with self._counting:
            self.outcomes[outcome] += 1

    def _answer(self, *pieces: bytes | memoryview, owner: int | None = None) -> wire.WorkerResponse:
        try:
            with self._gate.entered():
                answer = self._read_in_idle_child(pieces, owner)
                if answer is not None:
                    return answer
                try:
                    return self._read_in_new_child(pieces, owner)
                except EOFError:  # the fork server itself is gone and cannot report the job
                    return self._read_in_new_child(pieces, owner)
        except TimeoutError as error:
            self._count("busy")
            raise UnavailableError(f"All readers of a {self.label} are busy; try again.") from error
        except EOFError as error:
            self._count("not started")
            raise UnavailableError(f"The readers of a {self.label} ended twice in a row; try again.") from error

    def _read_in_idle_child(
        self, pieces: Sequence[bytes | memoryview], owner: int | None
    ) -> wire.WorkerResponse | None:
        """Read in a child that has read a file of the same owner; return None if there is none, or it fails.

        Its earlier files took some of its memory and processor time, so only a new child may refuse a file.
        """
        with self._lock:
            child = next((child for child in reversed(self._idle) if child.owner == owner), None)
            if child is None:
                return None
            self._idle.remove(child)
        answer = None
        with contextlib.suppress(EOFError, OSError, ValueError):
            answer = child.read(pieces, self._deadline(), self._limits)
        return answer if self._keep(child, answer) else None

    def _read_in_new_child(self, pieces: Sequence[bytes | memoryview], owner: int | None) -> wire.WorkerResponse:
        child, deadline = self._new_child(sum(map(len, pieces)), owner), self._deadline()
        answer, ended = None, FAILED
        try:
            try:
                answer = child.read(pieces, deadline, self._limits)
            except (EOFError, BrokenPipeError):
                ended = descriptors.read(child.status, 1, deadline)[0]
        except TimeoutError:
            self._drop(child.fork_server)
            ended = LATE
        except ValueError:
            pass
        finally:
            self._keep(child, answer)
        if answer is None:
            raise self._error_of_outcome(ended)
        return answer

    def _new_child(self, size: int, owner: int | None) -> Child:
        if size > _MAX_ROOM or not self._settings.reuse:
            owner = None
        if owner is not None:
            size = max(_MIN_ROOM, size + size // 4)
        with contextlib.ExitStack() as stack:
            upload = stack.enter_context(descriptors.unnamed_file())
            upload.truncate(size)
            answer, answers = descriptors.pipe(stack, is_wide=True)
            status, statuses = descriptors.pipe(stack)
            sizes, size_pipe = descriptors.pipe(stack)
            fork_server = self._send([upload.fileno(), answers.fileno(), statuses.fileno(), sizes.fileno()])
            for end in (answers, statuses, sizes):
                end.close()
            deadline = time.monotonic() + self._settings.deadline
            return Child(owner, size, deadline, upload, size_pipe, answer, status, fork_server, stack.pop_all().close)

    def _keep(self, child: Child, answer: wire.WorkerResponse | None) -> bool:
        """Return whether a child has read a table; let it then wait for another file of its owner, or end it."""
        succeeded = answer is not None and answer.table is not None
        surplus: Child | None = child
        if succeeded and child.owner is not None:
            with self._lock:
                if self._started:
                    self._idle.append(child)
                    self._timer = self._timer or self._new_timer()
                    surplus = self._idle.pop(0) if len(self._idle) > self._settings.workers else None
        if surplus is not None:
            surplus.close()
        return succeeded

    def _new_timer(self) -> threading.Timer:
        timer = threading.Timer(self._settings.deadline, self._close_ended)
        timer.daemon = True
        timer.start()
        return timer

    def _close_ended(self) -> None:
        """Free the files of idle children that the fork server has ended at their deadline."""
        now = time.monotonic()
        with self._lock:
            ended = [child for child in self._idle if child.deadline <= now]
            self._idle = [child for child in self._idle if child.deadline > now]
            self._timer = self._new_timer() if self._idle else None
        for child in ended:
            child.close()

    def _deadline(self) -> float:
        return time.monotonic() + self._settings.deadline + PATIENCE

    def _error_of_outcome(self, ended: int) -> UnreadableFileError | UnavailableError:
        outcome = _ENDS.get(ended, "crashed")
        self._count(outcome)
        if outcome == "not started":
            return UnavailableError(f"No reader of a {self.label} can be started; try again.")
        why = {
            "late": f"reading it took longer than {self._settings.deadline:g} s",
            "out of processor time": f"reading it took more than {self._settings.cpu} s of processor time",
            "crashed": "it is damaged in a way that ended its reader",
        }
        return UnreadableFileError(f"The {self.label} cannot be read: {why[outcome]}.")

    def _send(self, numbers: list[int]) -> ForkServer:
        """Send a job to the fork server, or to a new one if the last one has ended."""
        with self._lock:
            if not self._started:
                raise UnavailableError(f"The readers of a {self.label} are stopped.")
            if self._fork_server is None:
                self._fork_server = self._new_fork_server()
            try:
                self._fork_server.send(numbers)
            except OSError:
                self._fork_server.close()
                self._fork_server = self._new_fork_server()
                self._fork_server.send(numbers)
            return self._fork_server

    def _new_fork_server(self) -> ForkServer:
        return ForkServer(self.worker, self._settings, self._limits, self._warm_up_file)

    def _drop(self, fork_server: ForkServer) -> None:
        """End an unresponsive fork server, unless another thread has already replaced it."""
        with self._lock:
            if self._fork_server is fork_server:
                fork_server.close()
                self._fork_server = None


class FileSandbox(Sandbox):
    """Reads files of every format, with pandas, astropy and pyarrow, in confined processes.

    The first file starts its fork server.
    """

    worker: ClassVar[str] = "photseries.server.sandbox.file_reader"
    label: ClassVar[str] = "file"

    def __init__(self, settings: SandboxSettings, limits: Limits) -> None:
        super().__init__(settings, limits)
        self._started = True

    def read_file(self, content: bytes | memoryview, request: Mapping[str, object]) -> wire.FileContent:
        """Read or describe the series in an uploaded file.

        Parameters
        ----------
        content : bytes or memoryview
        request : mapping
            See :func:`photseries.server.sandbox.file_reader.read`.

        Returns
        -------
        wire.FileContent

        Raises
        ------
        InvalidError
            When the file is refused, or kills the worker.
        UnavailableError
            When no worker became free in time, or none can be started.
        """
        encoded = json.dumps(request).encode()
        answer = self._answer(len(encoded).to_bytes(wire.SIZE_BYTES, "little"), encoded, content)
        self._count("refused" if answer.content is None else "read")
        if answer.content is None:
            message = answer.error or "The file contains no table."
            raise InvalidError.of_field("data", message)
        return answer.content
