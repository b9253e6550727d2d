"""The null handler: a bare Tornado application in a process of its own, which reads a body and answers some bytes."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
from typing import Self

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from bench.client import Clients, Request
from bench.processes import Tree

__all__ = ["NullServer"]


class NullServer:
    """The process, for as long as it is used."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([sys.executable, "-m", "bench.null"], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self._url = self._process.stdout.readline().strip()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def cost(self, sent: int, received: int, seconds: float) -> float:
        """Return the processor time of this process for a request of so many bytes [ms]."""
        request = Request("POST" if sent else "GET", f"/{received}", body=b" " * sent)
        with Clients(self._url, [request]) as clients:
            clients.once()
            return clients.run(Tree(self._process.pid), seconds, 3)[1]


class NullHandler(RequestHandler):
    """Answers what it holds already."""

    def compute_etag(self) -> None:
        """Leave out the hash of the whole answer, which a good service does without."""

    def get(self, size: str) -> None:
        self.finish(_answer(int(size)))

    post = get


@functools.cache
def _answer(size: int) -> bytes:
    return b" " * size


async def _serve() -> None:
    application = Application([(r"/(\d+)", NullHandler)], log_function=lambda _: None)
    server = HTTPServer(application, chunk_size=256 * 1024)
    sockets = bind_sockets(0, "127.0.0.1")
    server.add_sockets(sockets)
    print(f"http://127.0.0.1:{sockets[0].getsockname()[1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
