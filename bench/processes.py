"""What processes cost: the processor time and the memory of a tree of them, and of a function in this one.

The keeper of the embedded PostgreSQL and its server are not in the tree of a service.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable

import psutil

from tests.support import RunningService

__all__ = ["Tree", "database_of", "timed"]

READINGS, PAUSE = 400, 0.005  # [s]


def timed(act: Callable[[], object], seconds: float, min_tries: int = 3) -> float:
    """Repeat a function for some time, after one try that does not count; return its mean processor time [ms]."""
    act()
    tries, begin, used = 0, time.perf_counter(), time.process_time()
    while tries < min_tries or time.perf_counter() - begin < seconds:
        act()
        tries += 1
    return (time.process_time() - used) / tries * 1000


class Tree:
    """A process and all its descendants.

    Parameters
    ----------
    root : int
        Its number.
    """

    def __init__(self, root: int) -> None:
        self._root = psutil.Process(root)

    @property
    def _members(self) -> list[psutil.Process]:
        return [self._root, *self._root.children(recursive=True)]

    def cpu(self) -> float:
        """Return the processor seconds that the tree has used, with its ended children; the tree must be at rest.

        A child's time moves to its parent when the parent waits for it, perhaps between our looks at the two; so a
        reading counts when the next one is the same.
        """
        reading = self._times()
        for _ in range(READINGS):
            time.sleep(PAUSE)
            before, reading = reading, self._times()
            if reading == before:
                return sum(reading.values())
        raise RuntimeError("the processes do not come to rest")

    def _times(self) -> dict[int, float]:
        """Return the seconds of every process, with its ended children."""
        times = {}
        for process in self._members:
            with contextlib.suppress(psutil.NoSuchProcess):
                times[process.pid] = sum(process.cpu_times()[:4])
        return times

    def proportional(self) -> float:
        """Return the resident memory of the whole tree [MiB], each shared page once."""
        total = 0
        for process in self._members:
            with contextlib.suppress(psutil.AccessDenied, psutil.NoSuchProcess):  # a sandbox locks itself up
                total += process.memory_full_info().pss
        return total / 2**20


def database_of(service: RunningService) -> Tree:
    """Return the processes of the service's PostgreSQL."""
    postmaster = service.directory / "postgres" / "cluster" / "data" / "postmaster.pid"
    return Tree(int(postmaster.read_text().split()[0]))
