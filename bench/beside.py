"""What others notice: a small GET, repeated during other work."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import Self

from bench.client import Connection, Request
from bench.processes import Tree
from tests.support import RunningService

__all__ = ["Beside"]

LOOK = 20  # requests per measurement of the memory, which takes as long as ten requests


class Beside:
    """Repeats a small request in a thread for as long as it is used, and looks at the memory of the service.

    Parameters
    ----------
    service : RunningService
    request : Request
    pause : float
        Between two requests [s].
    """

    def __init__(self, service: RunningService, request: Request, pause: float) -> None:
        self._service, self._request, self._pause = service, request, pause
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.times: list[float] = []  # of each request [s]
        self.memory = 0.0  # the most of all processes of the service [MiB]

    def _ask(self) -> None:
        tree = Tree(self._service.process.pid)
        with closing(Connection(self._service.url)) as connection:
            while not self._ended.wait(self._pause) or not self.times:
                self.times.append(connection.require(self._request)[1])
                if len(self.times) % LOOK == 1:
                    self.memory = max(self.memory, tree.proportional())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
