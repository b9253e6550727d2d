"""Run an import: one at a time per archive, several series at once, outcomes in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from photseries.errors import StartError
from photseries.server.catalogue.engine import Catalogue
from photseries.server.importers.report import ImportOutcome

__all__ = ["import_lock", "in_order"]

T = TypeVar("T")

#: The advisory lock of imports.
IMPORT = 7_302_005


@contextmanager
def import_lock(catalogue: Catalogue) -> Iterator[Callable[[], object]]:
    """Exclude other imports, because the slower of two concurrent imports would fail on the series of the other.

    Yield the function of :meth:`Catalogue.task_lock`, which ends the block when the lock was lost.

    Raises
    ------
    StartError
        When another import runs.
    """
    with catalogue.task_lock(IMPORT) as require_lock:
        if require_lock is None:
            raise StartError("Another import into this archive is running. Wait until it ends.")
        yield require_lock


def in_order(
    store: Callable[[T], ImportOutcome], items: Iterable[T | ImportOutcome], workers: int
) -> Generator[ImportOutcome, None, None]:
    """Import several series at once, and yield the outcomes in order.

    Parameters
    ----------
    store : callable
        Called in a thread.
    items : iterable
        The series to import, and outcomes, which are yielded unchanged. Only a few items are read ahead.
    workers : int
        The number of threads; at most twice as many series wait.

    Yields
    ------
    ImportOutcome
        An exception of ``store`` is raised in place of its outcome, and waiting series are not begun.
    """
    with ThreadPoolExecutor(workers) as threads:
        waiting: deque[Future[ImportOutcome] | ImportOutcome] = deque()
        try:
            for item in items:
                waiting.append(item if isinstance(item, ImportOutcome) else threads.submit(store, item))
                if len(waiting) > 2 * workers:
                    yield _result(waiting.popleft())
            while waiting:
                yield _result(waiting.popleft())
        finally:
            for future in waiting:
                if isinstance(future, Future):
                    future.cancel()


def _result(outcome: Future[ImportOutcome] | ImportOutcome) -> ImportOutcome:
    return outcome.result() if isinstance(outcome, Future) else outcome
