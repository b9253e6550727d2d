"""What Prometheus is told of this process, at ``/metrics``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from photseries.server.services import Services

__all__ = ["Metrics"]

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class _Readers(Collector):
    """What became of the uploaded HDF5 files, counted where they are read."""

    def __init__(self, outcomes: Mapping[str, int]) -> None:
        self._outcomes = outcomes

    def collect(self) -> Iterator[Metric]:
        family = CounterMetricFamily(
            "photseries_hdf5_files", "Uploaded HDF5 files, by what became of them.", labels=["outcome"]
        )
        for outcome, count in self._outcomes.items():
            family.add_metric([outcome], count)
        yield family


class Metrics:
    """The counters of one process, and the gauges that are read when somebody asks.

    Parameters
    ----------
    services : Services
    gauges : dict of str to (str, callable)
        More gauges: name -> sentence, and what gives the value.
    """

    def __init__(self, services: Services, gauges: dict[str, tuple[str, Callable[[], float]]]) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "photseries_requests", "Requests answered.", ("route", "verb", "status"), registry=self.registry
        )
        self._seconds = Histogram(
            "photseries_request_seconds", "Time to answer.", ("route", "verb"), buckets=_SECONDS, registry=self.registry
        )
        self._received = Counter(
            "photseries_received_bytes", "Request bodies read.", ("route",), registry=self.registry
        )
        self._refused = Counter(
            "photseries_refusals", "Requests refused or failed, by code.", ("code",), registry=self.registry
        )
        self._uploads = Counter("photseries_uploads", "Series stored.", registry=self.registry)
        self._series = Gauge("photseries_series", "Series in the archive.", registry=self.registry)
        self._bytes = Gauge("photseries_stored_bytes", "Bytes of the series' files.", registry=self.registry)
        self._services = services
        self.registry.register(_Readers(services.sandbox.outcomes))
        for name, (sentence, value) in gauges.items():
            Gauge(f"photseries_{name}", sentence, registry=self.registry).set_function(value)

    def answered(self, route: str, verb: str, status: int, seconds: float, received: int) -> None:
        """Count an answer."""
        self._requests.labels(route, verb, str(status)).inc()
        self._seconds.labels(route, verb).observe(seconds)
        if received:
            self._received.labels(route).inc(received)

    def refused(self, code: str) -> None:
        """Count an error by its code."""
        self._refused.labels(code).inc()

    def uploaded(self) -> None:
        """Count a series that was stored."""
        self._uploads.inc()

    def text(self) -> bytes:
        """Write everything in Prometheus' format; asks the catalogue for the totals."""
        series, size = self._services.upkeep.totals()
        self._series.set(series)
        self._bytes.set(size)
        return generate_latest(self.registry)
