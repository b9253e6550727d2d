"""Requests of benches: threads that each repeat one on a connection that is kept alive.

The client runs in the process of the bench. On a machine of two cores it takes a part of them from the service, whose
processor time is therefore measured apart.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Self
from urllib.parse import urlsplit

import numpy as np

from bench.processes import Tree

__all__ = ["MARK", "Clients", "Connection", "Request", "percentiles"]

#: Stands in a body for the number of the request, which makes it differ from all others.
MARK = b"@number@@@@@"

TIMEOUT = 600.0  # [s]
PIECE = 256 * 1024

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Request:
    """A request; each time it is sent, its body gets another number for the mark."""

    method: str
    path: str
    token: str = ""
    body: bytes = b""


class Connection:
    """A connection that is kept alive.

    Parameters
    ----------
    url : str
        Of the service.
    """

    def __init__(self, url: str) -> None:
        self._http = HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT)
        self.close = self._http.close

    def exchange(self, request: Request, *, keep: bool = True) -> tuple[int, bytes, float]:
        """Send a request; return the status, the body (empty without ``keep``) and the time that it took [s]."""
        body = request.body.replace(MARK, b"%0*d" % (len(MARK), next(_numbers)))
        headers = {"Authorization": f"token {request.token}"}
        if body:
            headers["Content-Type"] = "application/json"
        begin = time.perf_counter()
        self._http.request(request.method, request.path, body or None, headers)
        answer = self._http.getresponse()
        content = answer.read() if keep else b""
        while answer.read(PIECE):
            pass
        return answer.status, content, time.perf_counter() - begin

    def require(self, request: Request, *, keep: bool = True) -> tuple[bytes, float]:
        """Send a request that must succeed; return the body, and the time that it took [s]."""
        status, content, seconds = self.exchange(request, keep=keep)
        if status != 200:
            raise RuntimeError(f"{request.method} {request.path} was answered {status}: {content[:500]!r}")
        return content, seconds


class Clients:
    """Clients that each repeat one request, as soon as the last one was answered.

    Parameters
    ----------
    url : str
    requests : sequence of Request
        One for each client.
    """

    def __init__(self, url: str, requests: Sequence[Request]) -> None:
        self._pairs = [(Connection(url), request) for request in requests]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for connection, _request in self._pairs:
            connection.close()

    def once(self) -> bytes:
        """Let each client ask once; return the body of the last answer."""
        return [connection.require(request)[0] for connection, request in self._pairs][-1]

    def run(self, tree: Tree, seconds: float, min_requests: int) -> tuple[list[float], float]:
        """Send ``min_requests`` or more requests; return their times [s] and the mean CPU of a tree [ms]."""
        used, share, end = tree.cpu(), math.ceil(min_requests / len(self._pairs)), time.perf_counter() + seconds

        def repeat(connection: Connection, request: Request) -> list[float]:
            times: list[float] = []
            while len(times) < share or time.perf_counter() < end:
                times.append(connection.require(request)[1])
            return times

        with ThreadPoolExecutor(len(self._pairs)) as threads:
            times = list(itertools.chain(*threads.map(lambda pair: repeat(*pair), self._pairs)))
        return times, (tree.cpu() - used) / len(times) * 1000


def percentiles(times: Sequence[float], percents: Sequence[float]) -> list[float]:
    """Return percentiles of times [s] in milliseconds."""
    return [float(value) * 1000 for value in np.percentile(times, percents)]
