"""Data exchange between service and workers: unnamed files, pipes, and exact reads with a deadline."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import tempfile
import time
from collections.abc import Iterator
from typing import IO, Final

__all__ = ["pipe", "read", "unnamed_file"]

#: The capacity of a wide pipe, the most that Linux lets a user ask for: each read then hands over more.
_PIPE_BYTES: Final = 1024 * 1024


@contextlib.contextmanager
def unnamed_file(content: bytes | memoryview = b"") -> Iterator[IO[bytes]]:
    """Write bytes to an unnamed file, in memory if the system supports it."""
    in_memory = hasattr(os, "memfd_create")
    with os.fdopen(os.memfd_create("upload"), "wb") if in_memory else tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file


def pipe(stack: contextlib.ExitStack, *, is_wide: bool = False) -> tuple[IO[bytes], IO[bytes]]:
    """Open a pipe that the stack closes: the read end and the write end."""
    reading, writing = os.pipe()
    with contextlib.suppress(AttributeError, OSError):  # Linux alone; users have a limit on the sum of their pipes
        if is_wide:
            fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return (
        stack.enter_context(os.fdopen(reading, "rb", buffering=0)),
        stack.enter_context(os.fdopen(writing, "wb", buffering=0)),
    )


def read(pipe: IO[bytes], size: int, deadline: float) -> bytearray:
    """Read an exact number of bytes.

    Raises
    ------
    EOFError, TimeoutError
        When they do not arrive in time.
    """
    buffer = bytearray(size)
    remaining = memoryview(buffer)
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    while remaining:
        if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise TimeoutError
        count = os.readv(pipe.fileno(), [remaining])
        if count == 0:
            raise EOFError
        remaining = remaining[count:]
    return buffer
