"""The route table, and the life cycle of a serving process: listen, serve, and stop without dropping a request."""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from typing import cast

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPMessageDelegate
from tornado.netutil import bind_sockets
from tornado.web import Application

from photseries.errors import PhotseriesError, StartError
from photseries.server.accounts import RESOURCES
from photseries.server.http.analysis import (
    EnvelopeHandler,
    FoldedHandler,
    PeriodogramHandler,
    PlotHandler,
    SourcePeriodogramHandler,
)
from photseries.server.http.bulk import BulkHandler
from photseries.server.http.connections import MAX_HEAD_SIZE, Connections, raise_descriptor_limit
from photseries.server.http.contract import Route
from photseries.server.http.early_answers import PatientConnection, PatientDelegate
from photseries.server.http.exports import ExportHandler
from photseries.server.http.file_uploads import FileUploadHandler, InspectHandler
from photseries.server.http.files import EXTENSIONS, ExtensionHandler, FileHandler
from photseries.server.http.memory import return_freed_memory
from photseries.server.http.openapi.handlers import Documents, OpenApiHandler
from photseries.server.http.operation import (
    EnumTypesHandler,
    LivenessHandler,
    MetricsHandler,
    ReadyHandler,
    UsageHandler,
    WhoAmIHandler,
)
from photseries.server.http.pages import PAGES, NotFoundPageHandler
from photseries.server.http.periods import PeriodsHandler
from photseries.server.http.registries import (
    AuditHandler,
    EntriesHandler,
    EntryHandler,
    MembersHandler,
    SourcesHandler,
    TokenHandler,
    TokensHandler,
)
from photseries.server.http.restoring import RestoreHandler, UndoHandler
from photseries.server.http.series import (
    AppendHandler,
    HistoryHandler,
    OneSeriesHandler,
    QueryHandler,
    SeriesHandler,
    SourceSeriesHandler,
    SummaryHandler,
)
from photseries.server.http.shared import SharedState
from photseries.server.http.tap import TAP_ROUTES
from photseries.server.http.threads import ThreadPool
from photseries.server.http.vo import VO_ROUTES
from photseries.server.schemas.registries import CHANGES
from photseries.server.services import Services
from photseries.server.settings import ServerSettings, VOSettings
from photseries.server.worker import Worker

__all__ = ["API", "ROUTES", "listen", "serve", "url_of"]

log = logging.getLogger(__name__)

_ENTRIES = {"sources": SourcesHandler, "tokens": TokensHandler}
_ENTRY = {**dict.fromkeys(CHANGES, MembersHandler), "tokens": TokenHandler}

#: The routes for programs; every method has a contract (:mod:`photseries.server.http.contract`).
API: tuple[Route, ...] = (
    (r"/api/photometric_series", SeriesHandler, {}),
    (r"/api/photometric_series/query", QueryHandler, {}),
    (r"/api/photometric_series/summary", SummaryHandler, {}),
    (r"/api/photometric_series/export", ExportHandler, {}),
    (r"/api/photometric_series/bulk", BulkHandler, {}),
    (r"/api/photometric_series/undo", UndoHandler, {}),
    (r"/api/photometric_series/inspect", InspectHandler, {}),
    (r"/api/photometric_series/file", FileUploadHandler, {}),
    (rf"/api/photometric_series/([^/]+)\.({EXTENSIONS})", ExtensionHandler, {}),
    (r"/api/photometric_series/([^/]+)", OneSeriesHandler, {}),
    (r"/api/photometric_series/([^/]+)/history", HistoryHandler, {}),
    (r"/api/photometric_series/([^/]+)/append", AppendHandler, {}),
    (r"/api/photometric_series/([^/]+)/restore", RestoreHandler, {}),
    (r"/api/photometric_series/([^/]+)/data", FileHandler, {}),
    (r"/api/photometric_series/([^/]+)/periodogram", PeriodogramHandler, {}),
    (r"/api/photometric_series/([^/]+)/periods", PeriodsHandler, {}),
    (r"/api/photometric_series/([^/]+)/folded", FoldedHandler, {}),
    (r"/api/photometric_series/([^/]+)/envelope", EnvelopeHandler, {}),
    (r"/api/photometric_series/([^/]+)/plot\.png", PlotHandler, {}),
    (r"/api/sources/(.+)/photometric_series", SourceSeriesHandler, {}),
    (r"/api/sources/(.+)/periodogram", SourcePeriodogramHandler, {}),
    (r"/api/enum_types", EnumTypesHandler, {}),
    (r"/api/whoami", WhoAmIHandler, {}),
    (r"/api/usage", UsageHandler, {}),
    (r"/api/audit", AuditHandler, {}),
    *((rf"/api/{kind}", _ENTRIES.get(kind, EntriesHandler), {"kind": kind}) for kind in RESOURCES),
    *((rf"/api/{kind}/(.+)", _ENTRY.get(kind, EntryHandler), {"kind": kind}) for kind in RESOURCES),
    (r"/healthz", LivenessHandler, {}),
    (r"/readyz", ReadyHandler, {}),
    (r"/metrics", MetricsHandler, {}),
    (r"/api/openapi.json", OpenApiHandler, {}),
)

#: All routes; standards describe the protocols of the Virtual Observatory.
ROUTES: tuple[Route, ...] = (*API, *VO_ROUTES, *TAP_ROUTES, *PAGES)

# The handlers enforce server.max_body with an answer; Tornado's own limit would only close the connection.
_UNLIMITED = 2**62
_CHUNK = 256 * 1024

#: Interval of gauge updates [s], and the number of updates between reads of the totals: each minute.
MEASURE = 12
REFRESH = 5.0


class _Application(Application):
    """The application, which also answers malformed requests."""

    def __init__(self, shared: SharedState) -> None:
        self._metrics = shared.metrics
        super().__init__(
            [(path, handler, {"shared": shared, **more}) for path, handler, more in ROUTES],
            default_handler_class=NotFoundPageHandler,
            default_handler_args={"shared": shared},
            documents=Documents(API, shared.services.archive.filters),
            cors_origins=shared.services.config.server.cors_origins,
            log_function=lambda _: None,  # the handlers log with the request's id
        )

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Return the delegate of a request; Tornado calls this before it reads the request."""
        connection = PatientConnection(cast("HTTP1Connection", request_conn))  # HTTPServer makes no other kind
        return PatientDelegate(super().start_request(server_conn, connection), connection, self._metrics)


def listen(settings: ServerSettings) -> list[socket.socket]:
    """Listen on the configured address, with a socket for each IP version.

    Raises
    ------
    StartError
    """
    try:
        return bind_sockets(settings.port, settings.host)
    except OSError as error:
        raise StartError(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. Choose another --host or --port."
        ) from error


def url_of(sockets: Sequence[socket.socket]) -> str:
    """Return the URL of the service."""
    host, port, *_ = sockets[0].getsockname()
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(
    services: Services, sockets: list[socket.socket], announce: Callable[[], None], orphaned: int | None = None
) -> bool:
    """Serve HTTP until SIGTERM or SIGINT; requests in flight are finished first.

    Parameters
    ----------
    services : Services
    sockets : list of socket
        That listen.
    announce : callable
        Called when the service is ready.
    orphaned : int, optional
        A descriptor whose end of file also stops the service.

    Returns
    -------
    bool
        Whether all work has ended; False if a thread is still running after ``server.stop_timeout``.
    """
    settings = services.config.server
    return_freed_memory()
    pools = (
        ThreadPool(settings.threads, "light"),
        ThreadPool(settings.table_threads, "heavy"),
        ThreadPool(settings.quick_threads, "quick"),
        ThreadPool(VOSettings.jobs, "jobs"),
        ThreadPool(2, "upkeep"),
    )
    deadline = 0.0
    try:
        deadline = asyncio.run(_serve(services, sockets, announce, orphaned, pools))
    finally:
        ended = [pool.end(deadline) for pool in pools]
    return all(ended)


async def _serve(
    services: Services,
    sockets: list[socket.socket],
    announce: Callable[[], None],
    orphaned: int | None,
    pools: tuple[ThreadPool, ThreadPool, ThreadPool, ThreadPool, ThreadPool],
) -> float:
    """Serve until stopped; return the deadline for threads, on the monotonic clock."""
    settings = services.config.server
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    if orphaned is not None:
        loop.add_reader(orphaned, stopping.set)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    *of_requests, own_pool = pools
    shared = SharedState(services, *of_requests)
    server = HTTPServer(
        _Application(shared),
        max_body_size=_UNLIMITED,
        max_header_size=MAX_HEAD_SIZE,
        chunk_size=_CHUNK,
        idle_connection_timeout=settings.idle_timeout,
        body_timeout=settings.body_timeout,
    )
    connections = Connections(server, sockets, raise_descriptor_limit())
    upkeep = [
        asyncio.create_task(_sweep_regularly(shared, own_pool)),
        asyncio.create_task(_measure_regularly(shared, own_pool)),
    ]
    worker = Worker(services, shared.metrics.count_search)
    gc.collect()
    gc.freeze()  # existing objects stay, so full collections can skip them
    announce()
    if services.config.analysis.worker:
        worker.start()
    await stopping.wait()
    worker.stop()
    if orphaned is not None:
        loop.remove_reader(orphaned)
    log.info("stopping: %d requests in flight", len(shared.in_flight))
    deadline = loop.time() + settings.stop_timeout
    shared.stopping = True
    for task in upkeep:
        task.cancel()
    await connections.drain(settings.stop_timeout)
    if worker.is_alive():
        await own_pool.call(worker.join, settings.stop_timeout)
    return deadline


async def _sweep_regularly(shared: SharedState, threads: ThreadPool) -> None:
    """Sweep at intervals, in the one process that holds the advisory lock."""
    services = shared.services
    while True:
        await asyncio.sleep(services.config.store.sweep_interval)
        try:
            swept = await threads.call(services.upkeep.sweep)
        except PhotseriesError as error:
            log.warning("the sweep will be tried again: %s", error)
        except Exception:
            log.exception("the sweep failed unexpectedly and will be tried again")
        else:
            if swept is not None:
                shared.metrics.swept(swept)


async def _measure_regularly(shared: SharedState, threads: ThreadPool) -> None:
    """Update the gauges of this process, and read the totals of the archive at intervals."""
    for step in itertools.count():
        try:
            shared.metrics.refresh()
            if step % MEASURE == 0:
                await threads.call(shared.metrics.measure)
        except Exception:
            log.exception("the metrics could not be updated")
        await asyncio.sleep(REFRESH)
