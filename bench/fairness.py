"""Fairness: small requests while eight clients take lists with all their tables and eight others post long series.

The crowd are threads of the process that measures; sending and receiving, they use some hundredths of a processor.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import orjson

from bench.client import Clients, Connection, Message, message
from bench.figures import Fairness, Plan
from bench.samples import Sample
from bench.world import PATH, one, post
from tests.support import RunningService

__all__ = ["measure"]

CROWD = 8
QUIET_SHARE = 0.2


class _Crowd:
    """Clients that repeat a request until they are sent away."""

    def __init__(self, url: str, request: Message) -> None:
        self._connections = [Connection(url) for _ in range(CROWD)]
        self._request = request
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(CROWD)
        self._begin = time.perf_counter()
        self.answered = self.refused = 0
        self._futures = [self._threads.submit(self._repeat, connection) for connection in self._connections]

    def _repeat(self, connection: Connection) -> None:
        try:
            while not self._over.is_set():
                status = connection.exchange(self._request).status
                with self._lock:
                    self.answered += status == 200
                    self.refused += status != 200
        except (ConnectionError, OSError, ValueError):
            if not self._over.is_set():
                raise

    def leave(self) -> float:
        """Send all away, in the middle of what they do; give how many requests were answered a second."""
        rate = self.answered / (time.perf_counter() - self._begin)
        self._over.set()
        for connection in self._connections:
            connection.close()
        for future in self._futures:
            future.result()
        self._threads.shutdown()
        return rate


def measure(directory: Path, small: Sample, long: Sample, plan: Plan) -> Fairness:
    """Post small series, of the source that lists begin with; ask for one of them, alone and in the crowd."""
    count = max(plan.listed)
    with RunningService(directory) as service, ExitStack() as stack:
        filling = [post(service, small, "hdf5")] * CROWD
        with Clients(service.url, filling) as clients:
            series_id = orjson.loads(clients.once())["data"]["id"]
            clients.run(0, count)
        request = one(service, "GET none", series_id)
        client = stack.enter_context(Clients(service.url, [request]))
        quiet = _milliseconds(client, int(plan.tries * QUIET_SHARE), plan.patience)
        lists = message("GET", f"{PATH}?dataFormat=json&numPerPage={count}", service.token)
        crowds = [_Crowd(service.url, lists), _Crowd(service.url, post(service, long, "hdf5"))]
        time.sleep(plan.ramp)
        times = _milliseconds(client, plan.tries, plan.patience)
        lists_rate, posts_rate = (crowd.leave() for crowd in crowds)
    p50, p99 = np.percentile(times, (50, 99)).tolist()
    quiet_p50, quiet_p99 = np.percentile(quiet, (50, 99)).tolist()
    refused = sum(crowd.refused for crowd in crowds)
    return Fairness(len(times), p50, p99, max(times), quiet_p50, quiet_p99, lists_rate, posts_rate, refused)


def _milliseconds(client: Clients, tries: int, patience: float) -> list[float]:
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < tries and time.perf_counter() - begin < patience:
        start = time.perf_counter()
        client.once()
        times.append((time.perf_counter() - start) * 1000)
    return times
