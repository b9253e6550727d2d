"""The metrics for Prometheus, at ``/metrics``.

A scrape reads values in memory and never queries the database, so its cost does not depend on the size of the archive
and it works while the database is down. The processes of a service share their values through files, in a folder made
by :func:`~photseries.server.http.processes.supervise`, so that any process can answer for all.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import threading
from collections.abc import Callable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from photseries import __version__
from photseries.errors import UnavailableError
from photseries.server.archive.period_search import SearchOutcome
from photseries.server.archive.upkeep import VERIFIED, SweepResult
from photseries.server.sandbox.pool import OUTCOMES
from photseries.server.services import Services

__all__ = ["FOLDER", "Metrics"]

#: The environment variable with the folder for the values of several processes.
FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)

#: Metrics of a process from the system, and how the values of several processes are aggregated.
_OF_PROCESS: Mapping[str, tuple[str, str]] = {
    "process_resident_memory_bytes": ("livesum", "Resident memory of all serving processes."),
    "process_open_fds": ("livemax", "Open files of the process with the most."),
    "process_max_fds": ("livemin", "Limit of open files."),
    "process_start_time_seconds": ("livemin", "Start of the oldest process, seconds since the epoch."),
}

#: Metrics of the whole archive and machine, equal in every process: the newest value is used.
_OF_ARCHIVE: Mapping[str, str] = {
    "series": "Series in the archive.",
    "stored_bytes": "Size of the files of the series.",
    "analysis_waiting": "Series in the queue of the period search, counted up to 10,000.",
    "database_up": "Whether the database answered within the last minute.",
    "disk_free_bytes": "Free space on the disk of the data directory.",
    "disk_size_bytes": "Size of the disk of the data directory.",
    "sweep_success_timestamp_seconds": "End of the last sweep, or the start of the service, seconds since the epoch.",
    "verify_timestamp_seconds": "End of the last photseries verify on this machine, seconds since the epoch.",
    "verify_damaged_files": "Missing or altered files found by the last photseries verify.",
}


class Metrics:
    """The metrics of one process, or of all processes that share a folder.

    Parameters
    ----------
    services : Services
    gauges : dict of str to (str, callable)
        Additional gauges: name -> description, and function that returns the value of this process.
    """

    def __init__(self, services: Services, gauges: Mapping[str, tuple[str, Callable[[], float]]]) -> None:
        self._services = services
        self._lock = threading.Lock()
        self._counted: dict[str, float] = {}
        self._registry = CollectorRegistry()
        self._requests = self._counter("requests", "Requests answered.", "route", "verb", "status")
        self._seconds = Histogram(
            "photseries_request_seconds",
            "Time to answer.",
            ("route", "verb"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._labelled = functools.cache(self._of_answer)  # prometheus_client makes many calls to find them
        self._received = self._counter("received_bytes", "Request bodies read.", "route")
        self._refused = self._counter("refusals", "Requests refused or failed, by code.", "code")
        self._refused.labels("damaged")  # initialised to 0, so that alerts see the first increase
        self._uploads = self._counter("uploads", "Series stored.")
        self._files = self._counter("hdf5_files", "Uploaded HDF5 files, by outcome.", "outcome")
        self._swept = self._counter("swept_files", "Files removed by sweeps.")
        self._analysed = self._counter("analysed_series", "Series whose period was searched, by outcome.", "outcome")
        self._analysis = self._counter("analysis_seconds", "Time spent on period searches.")
        self._cpu = Counter("process_cpu_seconds", "CPU time of all serving processes.", registry=self._registry)
        self._own = ProcessCollector(registry=None)
        self._of_process = {name: self._gauge(name, *how) for name, how in _OF_PROCESS.items()}
        self._of_archive = {
            name: self._gauge(f"photseries_{name}", "mostrecent", sentence) for name, sentence in _OF_ARCHIVE.items()
        }
        self._of_archive["sweep_success_timestamp_seconds"].set_to_current_time()
        self._live = [
            (self._gauge(f"photseries_{name}", "livesum", sentence), value)
            for name, (sentence, value) in gauges.items()
        ]
        self._gauge("photseries_build_info", "livemax", "Version of the service.", "version").labels(__version__).set(1)

    def _of_answer(self, route: str, verb: str, status: int) -> tuple[Counter, Histogram]:
        return self._requests.labels(route, verb, str(status)), self._seconds.labels(route, verb)

    def _counter(self, name: str, sentence: str, *labels: str) -> Counter:
        return Counter(f"photseries_{name}", sentence, labels, registry=self._registry)

    def _gauge(self, name: str, mode: str, sentence: str, *labels: str) -> Gauge:
        return Gauge(name, sentence, labels, multiprocess_mode=mode, registry=self._registry)  # type: ignore[arg-type]

    def count_answer(self, route: str, verb: str, status: int, seconds: float, received: int) -> None:
        """Count an answer."""
        answered, took = self._labelled(route, verb, status)
        answered.inc()
        took.observe(seconds)
        if received:
            self._received.labels(route).inc(received)

    def count_error(self, code: str) -> None:
        """Count an error by its code."""
        self._refused.labels(code).inc()

    def count_uploads(self, number: int = 1) -> None:
        """Count stored series."""
        self._uploads.inc(number)

    def swept(self, swept: SweepResult) -> None:
        """Record a sweep."""
        self._swept.inc(swept.removed)
        self._of_archive["sweep_success_timestamp_seconds"].set_to_current_time()

    def count_search(self, searched: SearchOutcome) -> None:
        """Count a period search."""
        self._analysed.labels(searched.outcome).inc()
        self._analysis.inc(searched.seconds)

    def measure(self) -> None:
        """Read the totals from the database, and the outcome of ``photseries verify``."""
        values: dict[str, float] = {"database_up": 1}
        try:
            values["series"], values["stored_bytes"] = self._services.upkeep.totals()
            values["analysis_waiting"] = self._services.periods.number_waiting()
        except UnavailableError:
            values["database_up"] = 0
        with contextlib.suppress(OSError, ValueError, TypeError):  # verify never ran here, or in another version
            verified = dict(json.loads((self._services.config.directory / VERIFIED).read_text("utf-8")))
            values |= {name: float(value) for name, value in verified.items() if name in self._of_archive}
        for name, value in values.items():
            self._of_archive[name].set(value)

    def refresh(self) -> None:
        """Update the gauges of this process, which other processes see."""
        disk = shutil.disk_usage(self._services.config.directory)
        with self._lock:
            self._of_archive["disk_free_bytes"].set(disk.free)
            self._of_archive["disk_size_bytes"].set(disk.total)
            for gauge, value in self._live:
                gauge.set(value())
            sandboxes = self._services.sandbox, self._services.file_sandbox
            for outcome in OUTCOMES:  # all outcomes, because a counter that appears late has no first increase
                self._advance(
                    self._files.labels(outcome), outcome, sum(sandbox.outcomes[outcome] for sandbox in sandboxes)
                )
            for family in self._own.collect():
                if family.name == "process_cpu_seconds":
                    self._advance(self._cpu, family.name, family.samples[0].value)
                elif family.name in self._of_process:
                    self._of_process[family.name].set(family.samples[0].value)

    def _advance(self, counter: Counter, name: str, total: float) -> None:
        counter.inc(total - self._counted.get(name, 0))
        self._counted[name] = total

    def text(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        self.refresh()
        if FOLDER not in os.environ:
            return generate_latest(self._registry)
        everything = CollectorRegistry()
        MultiProcessCollector(everything)  # type: ignore[no-untyped-call]
        return generate_latest(everything)
