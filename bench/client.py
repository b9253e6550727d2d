"""A cheap HTTP client: sockets that are kept alive, requests that were encoded once, a thread for each connection.

It runs in the process of the bench, which is not the service's, and spends most of its time outside the interpreter's
lock, in ``send`` and ``recv``; on a machine of two cores it still takes a part of them from the service.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import socket
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["MARK", "Answer", "Clients", "Connection", "Load", "Message", "message"]

#: Where the number of a request goes in its body: what makes it differ from all others.
MARK = b"@number@@@@@"

PATIENCE = 600.0  # [s]
BUFFER = 256 * 1024

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Message:
    """A request as bytes, in two parts where a number goes between them."""

    before: bytes
    after: bytes
    numbered: bool
    sent: int

    def parts(self) -> tuple[bytes, bytes]:
        """Give the bytes of one more request."""
        return self.before + (b"%0*d" % (len(MARK), next(_numbers)) if self.numbered else b""), self.after


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


@dataclass(frozen=True)
class Load:
    """How long requests took, each and all together [s]."""

    times: list[float]
    elapsed: float


def message(method: str, path: str, token: str = "", body: bytes = b"") -> Message:
    """Encode a request; each one that is sent gets a number of its own where its body holds the mark."""
    head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: token {token}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    before, mark, after = body.partition(MARK)
    return Message(f"{head}\r\n".encode() + before, after, bool(mark), len(body))


class Connection:
    """A connection that is kept alive.

    Parameters
    ----------
    url : str
        Of the service.
    """

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._socket = socket.create_connection((address.hostname, address.port), PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb", BUFFER)

    def close(self) -> None:
        """Close it, also under a thread that waits for an answer: that gets a ConnectionError."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def exchange(self, request: Message, *, keep: bool = True) -> Answer:
        """Send a request and read its answer; without ``keep`` the body is read and forgotten."""
        for part in request.parts():
            if part:
                self._socket.sendall(part)
        status, length, chunked = int(self._line().split(None, 2)[1]), 0, False
        while line := self._line():
            name, _, value = line.lower().partition(b":")
            if name == b"content-length":
                length = int(value)
            elif name == b"transfer-encoding":
                chunked = value.strip() == b"chunked"
        parts = self._chunks() if chunked else self._pieces(length)
        return Answer(status, b"".join(part for part in parts if keep))

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._line(), 16):
            yield self._exactly(size)
            self._line()
        self._line()

    def _pieces(self, length: int) -> Iterator[bytes]:
        for start in range(0, length, BUFFER):
            yield self._exactly(min(BUFFER, length - start))

    def _line(self) -> bytes:
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("the service closed the connection")
        return line[:-2]

    def _exactly(self, size: int) -> bytes:
        content = self._file.read(size)
        if len(content) < size:
            raise ConnectionError("the service closed the connection")
        return content


class Clients:
    """Clients that each repeat one request, as soon as the last one is answered.

    Parameters
    ----------
    url : str
    requests : sequence of Message
        One for each client.
    """

    def __init__(self, url: str, requests: Sequence[Message]) -> None:
        self._requests = requests
        self._connections = [Connection(url) for _ in requests]

    def __enter__(self) -> Clients:
        return self

    def __exit__(self, *_: object) -> None:
        for connection in self._connections:
            connection.close()

    def once(self) -> bytes:
        """Let each ask once, so that everything is warm; give the body of the last answer."""
        return [_asked(*pair) for pair in zip(self._connections, self._requests, strict=True)][-1]

    def run(self, seconds: float, least: int) -> Load:
        """Let all ask for some time, and so often together at least."""
        share = math.ceil(least / len(self._requests))
        begin = time.perf_counter()

        def repeat(connection: Connection, request: Message) -> list[float]:
            times: list[float] = []
            while len(times) < share or time.perf_counter() - begin < seconds:
                start = time.perf_counter()
                _asked(connection, request)
                times.append(time.perf_counter() - start)
            return times

        with ThreadPoolExecutor(len(self._requests)) as threads:
            times = list(threads.map(repeat, self._connections, self._requests))
        return Load([one for several in times for one in several], time.perf_counter() - begin)


def _asked(connection: Connection, request: Message) -> bytes:
    answer = connection.exchange(request)
    if answer.status != 200:
        raise RuntimeError(f"answered {answer.status}: {answer.body[:500]!r}")
    return answer.body
