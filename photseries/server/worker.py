"""The background worker: one process per database, which searches for periods of new series.

A thread of every serving process checks the worker's advisory lock and, if it is free, starts a worker as a child, at
the lowest priority and with limits on memory and on the time per series. Each result is one transaction, so the worker
may be killed at any moment: by the stopping service, or by the kernel when the service dies.
"""

from __future__ import annotations

import ctypes
import dataclasses
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

import orjson

from photseries.errors import PhotseriesError
from photseries.server import settings
from photseries.server.archive.period_search import PeriodSearcher, SearchOutcome
from photseries.server.catalogue.engine import Catalogue
from photseries.server.services import Services, unclaimed_store
from photseries.server.settings import Config

__all__ = ["Worker", "main"]

log = logging.getLogger(__name__)

#: Advisory lock of the worker.
ANALYSIS: Final = 7_302_007
#: Delay before the first check for a worker, interval of checks, and maximum interval after failures [s].
BEGIN, RETRY, PATIENCE = 1.0, 5.0, 60.0
#: Polling interval of an idle worker for new series [s].
LOOK: Final = 2.0
#: Maximum number of times a series may kill the worker.
DEATHS: Final = 2

#: The priority is lowered before the imports, which take a second.
_COMMAND: Final = "import os; os.nice(19); from photseries.server.worker import main; main()"
_PR_SET_PDEATHSIG: Final = 1  # https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
_ONE_THREAD: Final = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Worker(threading.Thread):
    """The thread of a service that starts a worker if there is none.

    Parameters
    ----------
    services : Services
    count : callable
        Called with each :class:`~photseries.server.archive.period_search.SearchOutcome`.
    """

    def __init__(self, services: Services, count: Callable[[SearchOutcome], None]) -> None:
        super().__init__(name="analysis", daemon=True)
        self._config, self._catalogue, self._count = services.config, services.catalogue, count
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._killers: dict[int, int] = {}
        #: The series that the worker is searching.
        self.running: int | None = None

    @property
    def pid(self) -> int | None:
        """The id of the worker process; None when this service runs none."""
        process = self._process
        return None if process is None else process.pid

    def run(self) -> None:
        """Check for a worker until the service stops."""
        pause = BEGIN
        while not self._stopping.wait(pause):
            try:
                with self._catalogue.task_lock(ANALYSIS) as is_free:
                    pass
                if is_free:
                    self._work()
                pause = RETRY
            except (PhotseriesError, OSError) as error:
                if self._stopping.is_set():
                    return
                pause = min(2 * max(pause, RETRY), PATIENCE)
                log.warning("the analysis will be tried again: %s", error)

    def stop(self) -> None:
        """Kill the worker; do not wait for it."""
        self._stopping.set()
        with self._lock:
            if self._process is not None:
                self._process.kill()

    def _work(self) -> None:
        """Run one worker process to its end."""
        with self._lock:
            if self._stopping.is_set():
                return
            environment = {name: value for name, value in os.environ.items() if not name.startswith("PROMETHEUS_")}
            self._process = subprocess.Popen(  # noqa: S603  our own command
                [sys.executable, "-c", _COMMAND],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**environment, **_ONE_THREAD},
            )
        with self._process as process:
            given_up = [number for number, deaths in self._killers.items() if deaths >= DEATHS]
            # Through the pipe, because the settings contain secrets.
            values = {**_all_settings(self._config), "database.url": self._catalogue.current_url()}
            self._follow(process, orjson.dumps({"settings": values, "given_up": given_up}))
        running, self.running, self._process = self.running, None, None
        if self._stopping.is_set() or process.returncode == 0:
            return
        if running is not None:
            self._killers[running] = self._killers.get(running, 0) + 1
        log.warning("the analysis worker ended with %d at series %s", process.returncode, running)

    def _follow(self, process: subprocess.Popen[bytes], message: bytes) -> None:
        """Send a worker its settings, and count its outcomes until it ends."""
        if process.stdin is None or process.stdout is None:
            raise AssertionError("The worker has pipes.")
        process.stdin.write(message + b"\n")
        process.stdin.flush()
        for line in process.stdout:
            outcome = orjson.loads(line)
            if isinstance(outcome, int):
                self.running = outcome
                continue
            self.running = None
            searched = SearchOutcome(**outcome)
            self._count(searched)
            if searched.problem is not None:
                log.warning("the period of series %d was not searched: %s", searched.series_id, searched.problem)


def _all_settings(config: Config) -> dict[str, object]:
    """Return all settings in the format of :func:`photseries.server.settings.load`."""
    sections = dataclasses.asdict(config).items()
    return {f"{section}.{key}": value for section, settings in sections for key, value in settings.items()}


def main() -> None:
    """Search the periods of new series until the service ends or the database fails; end if another worker runs."""
    line = sys.stdin.buffer.readline()
    if not line:
        return  # the service has died since it started this process
    message = orjson.loads(line)
    config = settings.load(None, {}, message["settings"])
    _confine(config.analysis.memory)
    try:
        _search(config, message["given_up"])
    except (PhotseriesError, BrokenPipeError) as error:
        sys.exit(f"photseries: {error}")


def _search(config: Config, given_up: Sequence[int]) -> None:
    """Search, and print each id before its search and the outcome after it, as JSON lines."""
    catalogue = Catalogue(str(config.database.url), config.database, connections=2)
    searcher = PeriodSearcher(catalogue, unclaimed_store(config), config.analysis)
    with catalogue.task_lock(ANALYSIS) as require_lock:
        for series_id in given_up:
            searcher.give_up(series_id)
        while require_lock is not None:
            for message in searcher.run_new():
                sys.stdout.buffer.write(orjson.dumps(message) + b"\n")
                sys.stdout.buffer.flush()
                if isinstance(message, SearchOutcome):  # not before a search, whose series would count as the cause
                    require_lock()
            require_lock()
            time.sleep(LOOK)


def _confine(memory: int) -> None:
    """Limit the memory of this process, and make it end with the service."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C also reaches the service, which then ends this process
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    threading.Thread(target=_end_with_the_service, daemon=True).start()


def _end_with_the_service() -> None:
    """End this process when its standard input ends with the service, even before the death signal is set."""
    sys.stdin.buffer.read()
    os._exit(0)
