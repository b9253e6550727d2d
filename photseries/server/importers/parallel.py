"""Several at a time, in order, and never many in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from photseries.server.importers.report import Outcome

__all__ = ["in_order"]

T = TypeVar("T")


def in_order(take: Callable[[T], Outcome], wanted: Iterable[T | Outcome], readers: int) -> Iterator[Outcome]:
    """Take several at once, and give the outcomes in order.

    Parameters
    ----------
    take : callable
        Called in a thread.
    wanted : iterable
        What to take; outcomes among it are given as they are. Read only as far as there is room.
    readers : int
        How many are taken at once; as many again wait.

    Yields
    ------
    Outcome
        When ``take`` raises, that is raised in its place, and what waits is not begun.
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
