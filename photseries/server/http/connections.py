"""Connections: accept them, refuse long request heads, and close them when the service stops."""

from __future__ import annotations

import asyncio
import contextlib
import errno
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

__all__ = ["LONGEST_HEAD", "MOST_HEADERS", "Connections", "raise_descriptor_limit"]

log = logging.getLogger(__name__)

#: What the head of a request may have: bytes, and headers.
LONGEST_HEAD: Final = 64 * 1024
MOST_HEADERS: Final = 200

#: Descriptors that connections leave for files, workers and the database.
RESERVE: Final = 128
#: How long nothing is accepted when descriptors are short, and how rarely that is logged [s].
PAUSE: Final = 1.0
QUIET: Final = 60.0

#: How long a connection stays open after an answer when the service stops, for a request that is on its way, and how
#: often the connections are looked at meanwhile [s].
LINGER: Final = 0.5
STEP: Final = 0.02

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


class Connections:
    """The connections of a server: accepted while there are descriptors for them, closed when it stops.

    Tornado's own loop tries again at once when there is no descriptor, and logs a traceback each time.

    Parameters
    ----------
    server : HTTPServer
    sockets : sequence of socket
        That listen.
    limit : int
        How many descriptors this process may have.
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
        """Accept no more, answer what clients have sent, and close each connection after its answer.

        Parameters
        ----------
        timeout : float
            When it has passed, what is still open is closed [s].
        """
        self._server.conn_params.no_keep_alive = True
        for listening in self._sockets:
            self._loop.remove_reader(listening)
            while self._accept(listening):
                pass  # a connection in the queue of the system would be reset
            listening.close()
        begun = self._loop.time()
        while self._open and self._loop.time() < begun + timeout:
            # A proxy takes an idle connection when it has been told to close the others, so each gets this time.
            before = self._loop.time() - LINGER
            if before > begun:
                for stream in [stream for stream in self._open if stream.is_idle_since(before)]:
                    stream.close()
            await asyncio.sleep(STEP)
        await self._server.close_all_connections()

    def _accept_from(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:  # not closed during the pause
            self._loop.add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> bool:
        """Accept a connection, if one waits; pause while descriptors are short."""
        try:
            _require_descriptors(self._limit)
            connection, address = listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        except OSError as error:
            if self._loop.time() >= self._quiet_until:
                log.warning("no connection is accepted: %s (limit of open files: %d)", error.strerror, self._limit)
                self._quiet_until = self._loop.time() + QUIET
            if self._loop.remove_reader(listening):
                self._loop.call_later(PAUSE, self._accept_from, listening)
            return False
        stream = _Stream(connection, self._server.max_buffer_size, self._server.read_chunk_size)
        self._open.add(stream)
        stream.forget = self._open.discard
        self._server.handle_stream(stream, address)
        return True


def _require_descriptors(limit: int) -> None:
    """Raise OSError when only the reserve is left: the system gives the lowest free number, so a high one tells."""
    probe = os.open(os.devnull, os.O_RDONLY)
    os.close(probe)
    if probe >= limit - min(RESERVE, limit // 4):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


class _Stream(IOStream):
    """A connection that answers a head which is too long; Tornado would close without an answer."""

    _reads_head = False
    _waits_since = 0.0
    forget: Callable[[_Stream], None]

    def is_idle_since(self, time: float) -> bool:
        """Return whether the last answer was sent before a time of the loop, and the client has sent nothing since."""
        waits = self._reads_head and self.reading() and not self.writing()
        if not waits or self._waits_since > time:
            return False
        try:
            return not self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False  # reset; Tornado is about to learn that

    def read_until_regex(self, regex: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Read the head of a request, the only read of Tornado's server by a regular expression."""
        self._reads_head = True
        self._waits_since = asyncio.get_running_loop().time()
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
        """Close the connection, and answer first when the end of a head did not come within the limit."""
        if isinstance(exc_info, UnsatisfiableReadError) and self._reads_head and not self.closed():
            with contextlib.suppress(OSError):
                task = asyncio.get_running_loop().create_task(_refuse(self.socket.dup()))
                _refusals.add(task)
                task.add_done_callback(_refusals.discard)
        self.forget(self)
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
