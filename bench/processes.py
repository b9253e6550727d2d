"""What processes cost: the processor time and the memory of a tree of them, and of a function in this one.

The keeper of the embedded PostgreSQL is nobody's child, so neither it nor its server is in the tree of a service.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Cost", "Tree", "timed"]

TICKS = os.sysconf("SC_CLK_TCK")
KIB_PER_MIB = 1024
READINGS, PAUSE = 400, 0.005  # [s]
SAMPLING = 0.003  # [s]
# Places in /proc/PID/stat behind the name: the parent; user and system time, of the process and of its dead children.
PARENT, TIMES = 1, slice(11, 15)


@dataclass(frozen=True)
class Cost:
    """Milliseconds: of the processor, and of the clock on the wall."""

    cpu: float
    wall: float


def timed(act: Callable[[], Any], seconds: float, least: int = 3) -> Cost:
    """Repeat a function for some time, after one try that does not count; give its mean CPU and median wall time."""
    act()
    walls: list[float] = []
    begin, used = time.perf_counter(), time.process_time()
    while len(walls) < least or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        act()
        walls.append(time.perf_counter() - start)
    return Cost((time.process_time() - used) / len(walls) * 1000, statistics.median(walls) * 1000)


class Tree:
    """A process and all its descendants.

    Parameters
    ----------
    root : int
        Its number.
    """

    def __init__(self, root: int) -> None:
        self.root = root

    def cpu(self) -> float:
        """Give the processor seconds that the tree has used, of those that were waited for as well; for a tree at rest.

        A child's time moves to its parent when it is waited for, perhaps between our looks at the two; so a reading
        counts when the next one is the same.
        """
        reading = self._reading()
        for _ in range(READINGS):
            time.sleep(PAUSE)
            before, reading = reading, self._reading()
            if reading == before:
                return sum(reading.values()) / TICKS
        raise RuntimeError("the processes do not come to rest")

    def _reading(self) -> dict[int, int]:
        """Give the ticks of every process of the tree with its dead children."""
        fields = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    fields[int(folder.name)] = (folder / "stat").read_text().rpartition(")")[2].split()
        tree = [self.root]
        for member in tree:
            tree += [pid for pid, values in fields.items() if int(values[PARENT]) == member]
        return {pid: sum(map(int, fields[pid][TIMES])) for pid in tree}

    def forget_peak(self) -> None:
        """Begin anew to keep the peak of every process."""
        for pid in self._reading():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def resident(self, field: str = "VmRSS") -> float:
        """Give the resident memory of the largest process [MiB]; its peak is the field VmHWM."""
        return max(_memory(f"/proc/{pid}/status", field) for pid in self._reading())

    def proportional(self) -> float:
        """Give the resident memory of the whole tree [MiB], each shared page once."""
        return sum(_memory(f"/proc/{pid}/smaps_rollup", "Pss") for pid in self._reading())

    @contextlib.contextmanager
    def watched(self) -> Iterator[list[float]]:
        """Collect the memory of the whole tree [MiB] every few milliseconds."""
        samples: list[float] = []
        over = threading.Event()

        def watch() -> None:
            while not over.wait(SAMPLING):
                samples.append(self.proportional())

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            yield samples
        finally:
            over.set()
            watcher.join()


def _memory(path: str, field: str) -> float:
    """Read a size [MiB] from a file of /proc; zero for a process that has just ended or locked itself up."""
    with contextlib.suppress(FileNotFoundError, PermissionError, ProcessLookupError):
        for line in Path(path).read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) / KIB_PER_MIB
    return 0.0
