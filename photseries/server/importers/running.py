"""Run an import: one at a time per archive, several series at once, outcomes in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from photseries.errors import StartError
from photseries.server.catalogue.engine import Catalogue
from photseries.server.importers.report import Outcome

__all__ = ["import_lock", "in_order"]

T = TypeVar("T")

#: The advisory lock of imports.
IMPORT = 7_302_005


@contextmanager
def import_lock(catalogue: Catalogue) -> Iterator[None]:
    """Keep other imports out: two imports would take the same series, and the slower one would fail on the other's.

    Raises
    ------
    StartError
        When another import runs.
    """
    with catalogue.elected(IMPORT) as won:
        if not won:
            raise StartError("Another import into this archive is running. Wait until it ends.")
        yield


def in_order(take: Callable[[T], Outcome], wanted: Iterable[T | Outcome], readers: int) -> Iterator[Outcome]:
    """Import several series at once, and yield the outcomes in order.

    Parameters
    ----------
    take : callable
        Called in a thread.
    wanted : iterable
        The series to import, and outcomes, which are yielded as they are. It is read only a few items ahead.
    readers : int
        The number of threads; twice as many series wait at most.

    Yields
    ------
    Outcome
        An exception of ``take`` is raised in place of its outcome, and waiting series are not begun.
    """
    with ThreadPoolExecutor(readers) as threads:
        waiting: deque[Future[Outcome] | Outcome] = deque()
        try:
            for one in wanted:
                waiting.append(one if isinstance(one, Outcome) else threads.submit(take, one))
                if len(waiting) > 2 * readers:
                    yield _result(waiting.popleft())
            while waiting:
                yield _result(waiting.popleft())
        finally:
            for left in waiting:
                if isinstance(left, Future):
                    left.cancel()


def _result(one: Future[Outcome] | Outcome) -> Outcome:
    return one.result() if isinstance(one, Future) else one
