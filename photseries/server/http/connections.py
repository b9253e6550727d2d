"""Connections: accepted while there are descriptors for them, and answered when the head of a request is too long."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import resource
import socket
from collections.abc import Awaitable
from http import HTTPStatus
from typing import Any, Final

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream, UnsatisfiableReadError

from photseries.errors import HeadTooLargeError
from photseries.server.http.answers import failure

__all__ = ["LONGEST_HEAD", "MOST_HEADERS", "accept", "raise_descriptor_limit"]

log = logging.getLogger(__name__)

#: What the head of a request may have: bytes, and headers.
LONGEST_HEAD: Final = 64 * 1024
MOST_HEADERS: Final = 200

#: Descriptors that connections leave for files, workers and the database.
RESERVE: Final = 128
#: How long nothing is accepted when descriptors are short, and how rarely that is logged [s].
PAUSE: Final = 1.0
QUIET: Final = 60.0

#: What a client may still send after the refusal of a head [bytes], [s]; a reset would make it lose the answer.
_LINGER: Final = 4 * 1024 * 1024
_LINGER_TIME: Final = 5.0

#: The highest limit of open files that is of use.
_MOST_DESCRIPTORS: Final = 2**20

_refusals: set[asyncio.Task[None]] = set()


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard limit; return the limit in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    with contextlib.suppress(ValueError, OSError):  # macOS allows less than its infinite hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


async def accept(server: HTTPServer, listening: socket.socket, limit: int) -> None:
    """Accept connections until cancelled; pause while descriptors are short.

    Tornado's own loop tries again at once when there is no descriptor, and logs a traceback each time.

    Parameters
    ----------
    server : HTTPServer
    listening : socket
    limit : int
        How many descriptors this process may have.
    """
    loop = asyncio.get_running_loop()
    listening.setblocking(False)
    quiet_until = 0.0
    while True:
        try:
            _require_descriptors(limit)
            connection, address = await loop.sock_accept(listening)
        except ConnectionAbortedError:
            continue
        except OSError as error:
            if loop.time() >= quiet_until:
                log.warning("no connection is accepted: %s (limit of open files: %d)", error.strerror, limit)
                quiet_until = loop.time() + QUIET
            await asyncio.sleep(PAUSE)
        else:
            stream = _Stream(connection, server.max_buffer_size, server.read_chunk_size)
            server.handle_stream(stream, address)
            await asyncio.sleep(0)  # or a flood of connections would keep everything else waiting


def _require_descriptors(limit: int) -> None:
    """Raise OSError when only the reserve is left: the system gives the lowest free number, so a high one tells."""
    probe = os.open(os.devnull, os.O_RDONLY)
    os.close(probe)
    if probe >= limit - min(RESERVE, limit // 4):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


class _Stream(IOStream):
    """A connection that answers a head which is too long; Tornado would close without an answer."""

    _reads_head = False

    def read_until_regex(self, regex: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Read the head of a request, the only read of Tornado's server by a regular expression."""
        self._reads_head = True
        return super().read_until_regex(regex, max_bytes)

    def read_until(self, delimiter: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Read a line of a chunked body."""
        self._reads_head = False
        return super().read_until(delimiter, max_bytes)

    def close(self, exc_info: Any = False) -> None:
        """Close the connection, and answer first when the end of a head did not come within the limit."""
        if isinstance(exc_info, UnsatisfiableReadError) and self._reads_head and not self.closed():
            with contextlib.suppress(OSError):
                task = asyncio.get_running_loop().create_task(_refuse(self.socket.dup()))
                _refusals.add(task)
                task.add_done_callback(_refusals.discard)
        super().close(exc_info)


async def _refuse(connection: socket.socket) -> None:
    """Answer a head that is too long, and take what the client still sends, within bounds."""
    loop = asyncio.get_running_loop()
    content = failure(HeadTooLargeError(f"The head of a request may have {LONGEST_HEAD:,} bytes."))
    status = HTTPStatus(HeadTooLargeError.status)
    head = (
        f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: application/json; charset=UTF-8\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\nServer: photseries\r\n\r\n"
    )
    with connection, contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_LINGER_TIME):
            await loop.sock_sendall(connection, head.encode() + content)
            connection.shutdown(socket.SHUT_WR)
            rest = _LINGER
            while rest > 0 and (part := await loop.sock_recv(connection, 65536)):
                rest -= len(part)
