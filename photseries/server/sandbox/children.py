"""The service's end of a fork server and of its reading children."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Final

from photseries.hdf5.limits import Limits
from photseries.server.sandbox import descriptors, wire
from photseries.server.settings import SandboxSettings

__all__ = ["PATIENCE", "Child", "ForkServer"]

#: Additional time that the service waits for an answer, beyond the fork server's deadline [s].
PATIENCE: Final = 5.0

# -I keeps the environment and the current folder out of the module path, which is then the service's own.
_BOOT: Final = (
    "import importlib, json, sys; a = json.loads(sys.argv[1]); sys.path[:] = a['path']; "
    "importlib.import_module(a['module']).main(a)"
)


@dataclass(frozen=True, eq=False)
class Child:
    """A reading child, from the service's side.

    Attributes
    ----------
    owner : int or None
        The user whose files the child reads; None if it reads a single file.
    room : int
        The size of the file with the upload, which the child has mapped [bytes].
    deadline : float
        When the fork server ends the child, in seconds of time.monotonic.
    upload, size, answer, status : file
        That file; pipes for the size of an upload, for the answer to it, and for the report of how the child ended.
    fork_server : ForkServer
    close : callable
        Close the files; a waiting child then ends.
    """

    owner: int | None
    room: int
    deadline: float
    upload: IO[bytes]
    size: IO[bytes]
    answer: IO[bytes]
    status: IO[bytes]
    fork_server: ForkServer
    close: Callable[[], None]

    def read(self, pieces: Sequence[bytes | memoryview], deadline: float, limits: Limits) -> wire.WorkerResponse:
        """Send an upload, and return its answer.

        Raises
        ------
        EOFError, OSError
            When the child has ended.
        TimeoutError
            At the deadline, in seconds of time.monotonic.
        ValueError
            When the upload is larger than the room, or the answer is malformed.
        """
        size = sum(map(len, pieces))
        wire.require(size <= self.room)
        self.upload.seek(0)
        self.upload.writelines(pieces)
        self.upload.flush()
        self.size.write(size.to_bytes(wire.SIZE_BYTES, "little"))
        return wire.receive(lambda size: descriptors.read(self.answer, size, deadline), limits)


class ForkServer:
    """The process of :mod:`photseries.server.sandbox.worker`, and the service's end of its channel."""

    def __init__(self, worker: str, settings: SandboxSettings, limits: Limits, warm_up_file: bytes) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._channel.settimeout(PATIENCE)
        arguments = {
            "module": worker,
            "path": [os.path.abspath(folder) for folder in sys.path],
            "channel": theirs.fileno(),
            "sandbox": dataclasses.asdict(settings),
            "limits": dataclasses.asdict(limits),
        }
        with theirs, descriptors.unnamed_file(warm_up_file) as warm_up:
            self._process = subprocess.Popen(  # noqa: S603  our own interpreter, our own module
                [sys.executable, "-I", "-c", _BOOT, json.dumps(arguments)],
                stdin=warm_up,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                cwd="/",
                env=_environment(),
                start_new_session=True,  # Ctrl-C must reach only the service, which then ends the fork server
            )

    @property
    def pid(self) -> int:
        """The id of the process."""
        return self._process.pid

    def send(self, numbers: list[int]) -> None:
        """Send a job: the descriptors of the upload and of the pipes of its child."""
        socket.send_fds(self._channel, [b"J"], numbers)

    def close(self) -> None:
        """Close the channel, whereupon the fork server kills its children and ends."""
        self._channel.close()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _environment() -> dict[str, str]:
    inherited = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return inherited | {
        "ARROW_DEFAULT_MEMORY_POOL": "system",  # other allocators start threads, after which a fork is not safe
        "ARROW_IO_THREADS": "1",
        "HDF5_PLUGIN_PATH": "",  # nor a search for plugins when a file is not HDF5
        "HDF5_PLUGIN_PRELOAD": "::",  # no filter plugins: https://docs.hdfgroup.org/hdf5/develop/ (H5PL)
        "HDF5_USE_FILE_LOCKING": "FALSE",
        "HOME": "/nonexistent",  # astropy searches for its configuration there
        "JE_ARROW_MALLOC_CONF": "background_thread:false",  # one thread, or a fork is not safe
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": "1",  # the same
        "OPENBLAS_NUM_THREADS": "1",
        "PATH": "/usr/bin:/bin",
    }
