"""The state that the handlers of a process share: services, threads, budgets, counts."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from tornado.web import RequestHandler

from photseries.server.http.metrics import Metrics
from photseries.server.http.readiness import Readiness
from photseries.server.http.sending import Outbox
from photseries.server.http.spool import SpoolBudget
from photseries.server.http.threads import ThreadPool
from photseries.server.http.throttle import Throttle
from photseries.server.http.turns import Turns
from photseries.server.services import Services, max_connections
from photseries.server.settings import VOSettings

__all__ = ["MAX_WAIT", "SharedState"]

#: How long a heavy request, a bulk upload or an analysis waits for its turn [s]. Bulk uploads and analyses may wait
#: as heavy requests, too, one after the other; the Python client waits 120 s for an answer.
MAX_WAIT: Final = 50.0


class SharedState:
    """The services, the thread pools, and the counters and budgets of the process.

    Parameters
    ----------
    services : Services
    query_pool, table_pool, quick_pool : ThreadPool
        For work that waits for the database; for work on tables and of heavy requests; for quick handlers.
    jobs : ThreadPool, optional
        For TAP jobs, for which no request waits.
    """

    def __init__(
        self,
        services: Services,
        query_pool: ThreadPool,
        table_pool: ThreadPool,
        quick_pool: ThreadPool,
        jobs: ThreadPool | None = None,
    ) -> None:
        settings = services.config.server
        self.services = services
        self.query_pool, self.table_pool, self.quick_pool = query_pool, table_pool, quick_pool
        self.jobs = jobs or table_pool
        self.job_turns = Turns(VOSettings.jobs, max(1, VOSettings.jobs - 1), services.config.vo.jobs_waiting, "jobs")
        self.queued_jobs: dict[str, asyncio.Task[None]] = {}  # queued and running jobs
        self.running_jobs: set[str] = set()  # the running ones of these
        self.in_flight: set[RequestHandler] = set()
        self.stopping = False
        self.scrapers: set[bytes] = set()
        self.heavy_requests = Turns(None, settings.heavy_requests, settings.heavy_waiting, max_wait=MAX_WAIT)
        analyses = max(1, settings.table_threads // 2)
        self.analyses = Turns(analyses, max(1, analyses - 1), what="analyses", max_wait=MAX_WAIT)
        # A client that does not read the answer occupies a reader of bodies; half of them remain for others.
        bodies = max(1, services.config.sandbox.workers // 2)
        self.bulk_turns = Turns(None, bodies, bodies, "bulk uploads", MAX_WAIT)
        self.exports: Counter[str] = Counter()  # running exports by client
        self.spool = SpoolBudget(settings, services.config.directory)
        self.outbox = Outbox(settings.unsent, settings.body_timeout)
        self.throttle = Throttle(settings)
        self.readiness = Readiness(services)
        self.metrics = Metrics(
            services,
            {
                "in_flight": ("Requests being worked on.", lambda: len(self.in_flight)),
                "spool_memory_bytes": ("Request bodies in memory.", lambda: self.spool.held("memory")),
                "spool_disk_bytes": ("Request bodies on disk.", lambda: self.spool.held("disk")),
                "unsent_bytes": ("Answers that clients have not read yet.", lambda: self.outbox.unsent),
                "database_connections_in_use": ("Connections in use.", services.catalogue.connections_in_use),
                "database_connections_max": (
                    "Connections that this service opens at most.",
                    lambda: max_connections(services.config),
                ),
                "threads_waiting": (
                    "Calls that wait for a thread.",
                    lambda: sum(pool.turns.waiting for pool in (query_pool, table_pool, quick_pool)),
                ),
                "heavy_requests_waiting": ("Heavy requests that wait.", lambda: self.heavy_requests.waiting),
            },
        )
