"""The route table, and the life of a serving process: listen, work, stop without dropping a request."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from photseries.accounts import KINDS
from photseries.errors import PhotseriesError, StartError
from photseries.http.operation import AliveHandler, EnumTypesHandler, MetricsHandler, NothingHandler, ReadyHandler
from photseries.http.registries import EntriesHandler, EntryHandler
from photseries.http.series import (
    HistoryHandler,
    OneSeriesHandler,
    QueryHandler,
    SeriesHandler,
    SourceSeriesHandler,
    SummaryHandler,
)
from photseries.http.shared import Shared
from photseries.services import Services

__all__ = ["ROUTES", "serve"]

log = logging.getLogger(__name__)

#: Path, handler, and what else the handler is given.
ROUTES: tuple[tuple[str, type[RequestHandler], dict[str, Any]], ...] = (
    (r"/api/photometric_series", SeriesHandler, {}),
    (r"/api/photometric_series/query", QueryHandler, {}),
    (r"/api/photometric_series/summary", SummaryHandler, {}),
    (r"/api/photometric_series/([^/]+)", OneSeriesHandler, {}),
    (r"/api/photometric_series/([^/]+)/history", HistoryHandler, {}),
    (r"/api/sources/(.+)/photometric_series", SourceSeriesHandler, {}),
    (r"/api/enum_types", EnumTypesHandler, {}),
    *((rf"/api/{kind}", EntriesHandler, {"kind": kind}) for kind in KINDS),
    *((rf"/api/{kind}/(.+)", EntryHandler, {"kind": kind}) for kind in KINDS),
    (r"/healthz", AliveHandler, {}),
    (r"/readyz", ReadyHandler, {}),
    (r"/metrics", MetricsHandler, {}),
)

# The handlers hold bodies to server.max_body, with an answer; Tornado's own limit would only close the connection.
_UNLIMITED = 2**62
_CHUNK = 256 * 1024
_LONGEST_HEAD = 4 * 1024 * 1024


class _Application(Application):
    """An application that knows which requests are in flight."""

    def __init__(self, shared: Shared) -> None:
        self.in_flight = shared.in_flight
        super().__init__(
            [(path, handler, {"shared": shared, **more}) for path, handler, more in ROUTES],
            default_handler_class=NothingHandler,
            default_handler_args={"shared": shared},
            log_function=lambda _: None,  # the handlers log themselves, with the request's id
        )


def serve(services: Services, announce: Callable[[str], None]) -> None:
    """Serve HTTP until SIGTERM or SIGINT; requests in flight are finished first.

    Parameters
    ----------
    services : Services
    announce : callable
        Called with the service's URL once it answers.

    Raises
    ------
    StartError
        When the address cannot be listened on.
    """
    asyncio.run(_serve(services, announce))


async def _serve(services: Services, announce: Callable[[str], None]) -> None:
    settings = services.config.server
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    with ThreadPoolExecutor(settings.threads, thread_name_prefix="request") as executor:
        application = _Application(Shared(services, executor))
        server = HTTPServer(
            application,
            max_body_size=_UNLIMITED,
            max_header_size=_LONGEST_HEAD,
            chunk_size=_CHUNK,
            idle_connection_timeout=settings.idle_timeout,
            body_timeout=settings.body_timeout,
        )
        try:
            sockets = bind_sockets(settings.port, settings.host)
        except OSError as error:
            raise StartError(f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}.") from error
        server.add_sockets(sockets)
        upkeep = asyncio.create_task(_sweep_regularly(services))
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        announce(f"http://{host}:{sockets[0].getsockname()[1]}")
        await stopping.wait()
        log.info("stopping: %d requests in flight", len(application.in_flight))
        server.stop()
        upkeep.cancel()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(application.in_flight.none(), settings.stop_timeout)
        await server.close_all_connections()


async def _sweep_regularly(services: Services) -> None:
    """Sweep now and then; one process of all does it, by advisory lock."""
    while True:
        await asyncio.sleep(services.config.store.sweep_interval)
        try:
            await asyncio.to_thread(services.upkeep.sweep)
        except PhotseriesError as error:
            log.warning("the sweep will be tried again: %s", error)
