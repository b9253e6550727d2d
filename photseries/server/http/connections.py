"""Connections: accept them, refuse long request heads, and close them when the service stops."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import heapq
import logging
import os
import resource
import socket
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Final

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream, UnsatisfiableReadError

from photseries.errors import HeadTooLargeError
from photseries.server.http.answers import failure

__all__ = ["MAX_HEADERS", "MAX_HEAD_SIZE", "Connections", "raise_descriptor_limit"]

log = logging.getLogger(__name__)

#: Maximum size of a request head [bytes], and number of headers.
MAX_HEAD_SIZE: Final = 64 * 1024
MAX_HEADERS: Final = 200

#: Number of descriptors reserved for files, workers and the database.
RESERVE: Final = 128
#: When descriptors are short: the pause of accepting, after which a connection without a request may be closed, and the
#: minimum interval of log messages [s].
PAUSE: Final = 1.0
QUIET: Final = 60.0

#: While the service stops: how long a connection stays open after an answer, for requests in transit, and the polling
#: interval [s].
LINGER: Final = 0.5
STEP: Final = 0.02

#: How much [bytes], and how long [s], to read after refusing a head: a reset would discard the answer.
_LINGER: Final = 4 * 1024 * 1024
_LINGER_TIME: Final = 5.0

#: The highest useful limit of open files.
_MAX_DESCRIPTORS: Final = 2**20

_refusals: set[asyncio.Task[None]] = set()


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open files to the hard limit; return the limit in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = _MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MAX_DESCRIPTORS)
    with contextlib.suppress(ValueError, OSError):  # macOS refuses its own infinite hard limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, target), hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


class Connections:
    """The connections of a server: accepted while descriptors are available, closed when it stops.

    While descriptors are short, the connections that have been idle longest are closed, so that no client can keep
    others out with them. Without a free one, Tornado's own loop retries immediately and logs a traceback each time.

    Parameters
    ----------
    server : HTTPServer
    sockets : sequence of socket
        That listen.
    limit : int
        The limit of descriptors of this process.
    """

    def __init__(self, server: HTTPServer, sockets: Sequence[socket.socket], limit: int) -> None:
        self._server = server
        self._sockets = sockets
        self._limit = limit
        self._quiet_until = 0.0
        self._open: set[_Stream] = set()
        self._loop = asyncio.get_running_loop()
        for listening in sockets:
            listening.setblocking(False)
            self._accept_from(listening)

    async def drain(self, timeout: float) -> None:
        """Stop accepting, answer the requests received, and close each connection after its answer.

        Parameters
        ----------
        timeout : float
            The deadline, after which open connections are closed [s].
        """
        self._server.conn_params.no_keep_alive = True
        for listening in self._sockets:
            self._loop.remove_reader(listening)
            while self._accept(listening):
                pass  # the system would reset connections in its queue
            listening.close()
        begun = self._loop.time()
        while self._open and self._loop.time() < begun + timeout:
            # A proxy reuses idle connections after it was told to close the others, so each stays open this long.
            before = self._loop.time() - LINGER
            if before > begun:
                for stream in [stream for stream in self._open if stream.is_idle_since(before)]:
                    stream.close()
            await asyncio.sleep(STEP)
        await self._server.close_all_connections()

    def _accept_from(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:  # not closed meanwhile
            self._loop.add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> bool:
        """Accept a waiting connection, if any; while descriptors are short, close idle ones or pause.

        Return whether there may be more.
        """
        try:
            _require_descriptors(self._limit)
            connection, address = listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except OSError as error:
            closed = self._close_idle()
            if self._loop.time() >= self._quiet_until:
                outcome = f"closed {closed} idle connections" if closed else "no connection is accepted"
                log.warning("%s: %s (limit of open files: %d)", outcome, error.strerror, self._limit)
                self._quiet_until = self._loop.time() + QUIET
            if closed:
                return True
            if self._loop.remove_reader(listening):
                self._loop.call_later(PAUSE, self._accept_from, listening)
            return False
        stream = _Stream(connection, self._server.max_buffer_size, self._server.read_chunk_size)
        self._open.add(stream)
        stream.forget = self._open.discard
        self._server.handle_stream(stream, address)
        return True

    def _close_idle(self) -> int:
        """Close a tenth of the connections, those that have been idle longest; return their number."""
        idle = [stream for stream in self._open if stream.is_idle_since(self._loop.time() - PAUSE)]
        closed = heapq.nsmallest(1 + len(self._open) // 10, idle, key=lambda stream: stream.waits_since)
        for stream in closed:
            stream.close()
        return len(closed)


def _require_descriptors(limit: int) -> None:
    """Raise OSError if only the reserve is left, which a high number shows: the system assigns the lowest one."""
    probe = os.open(os.devnull, os.O_RDONLY)
    os.close(probe)
    if probe >= limit - min(RESERVE, limit // 4):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


class _Stream(IOStream):
    """A connection that answers too long heads; Tornado would close without an answer."""

    _reads_head = False
    waits_since = 0.0
    forget: Callable[[_Stream], None]

    def is_idle_since(self, time: float) -> bool:
        """Return whether the last answer was sent before a loop time, and the client has sent nothing since."""
        waits = self._reads_head and self.reading() and not self.writing()
        if not waits or self.waits_since > time:
            return False
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False  # reset; Tornado notices soon

    def read_until_regex(self, regex: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Read the head of a request, the only regular expression read of Tornado's server."""
        self._reads_head = True
        self.waits_since = asyncio.get_running_loop().time()
        return super().read_until_regex(regex, max_bytes)

    def read_until(self, delimiter: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Read a line of a chunked body."""
        self._reads_head = False
        return super().read_until(delimiter, max_bytes)

    def read_bytes(self, num_bytes: int, partial: bool = False) -> Awaitable[bytes]:
        """Read a part of a body."""
        self._reads_head = False
        return super().read_bytes(num_bytes, partial)

    def close(
        self,
        exc_info: bool
        | BaseException
        | tuple[type[BaseException] | None, BaseException | None, TracebackType | None]
        | None = False,
    ) -> None:
        """Close the connection, after an answer if a head exceeded the limit."""
        if isinstance(exc_info, UnsatisfiableReadError) and self._reads_head and not self.closed():
            with contextlib.suppress(OSError):
                task = asyncio.get_running_loop().create_task(_refuse(self.socket.dup()))
                _refusals.add(task)
                task.add_done_callback(_refusals.discard)
        self.forget(self)
        super().close(exc_info)


async def _refuse(connection: socket.socket) -> None:
    """Answer a too long head, and read the rest of the request within limits."""
    loop = asyncio.get_running_loop()
    content = failure(HeadTooLargeError(f"The request line and headers may have at most {MAX_HEAD_SIZE:,} bytes."))
    status = HTTPStatus(HeadTooLargeError.status)
    head = (
        f"HTTP/1.1 {status} {status.phrase}\r\nContent-Type: application/json; charset=UTF-8\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\nServer: photseries\r\n\r\n"
    )
    with connection, contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(_LINGER_TIME):
            await loop.sock_sendall(connection, head.encode() + content)
            connection.shutdown(socket.SHUT_WR)
            remaining = _LINGER
            while remaining > 0 and (part := await loop.sock_recv(connection, 65536)):
                remaining -= len(part)
