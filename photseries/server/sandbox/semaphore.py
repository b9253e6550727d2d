"""A FIFO semaphore with a short timeout."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Final

__all__ = ["FairSemaphore"]


class FairSemaphore:
    """Admits a few threads at once.

    A released place goes to the longest waiting caller, so that callers that return at once cannot starve others (as
    with ``threading.Semaphore``).

    Parameters
    ----------
    places : int
    patience : float
        Maximum wait [s]. If all holders have held their places for longer, callers do not wait at all.
    """

    def __init__(self, places: int, patience: float) -> None:
        self._places: Final = places
        self._patience: Final = patience
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._inside: dict[object, float] = {}  # place -> since when, of time.monotonic [s]
        self._promised = 0  # places assigned to threads that are still waking up

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """Hold a place.

        Raises
        ------
        TimeoutError
            When no place became free.
        """
        turn = self._ask()
        if turn is not None and not turn.wait(self._patience):
            self._give_up(turn)
        slot = object()  # not the thread, because another thread may release the place
        with self._lock:
            self._promised -= 1
            self._inside[slot] = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                del self._inside[slot]
                if self._waiting:
                    self._promised += 1
                    self._waiting.popleft().set()

    def _ask(self) -> threading.Event | None:
        """Take a free place, or join the queue."""
        with self._lock:
            if len(self._inside) + self._promised < self._places:
                self._promised += 1
                return None
            if len(self._inside) == self._places and time.monotonic() - max(self._inside.values()) > self._patience:
                raise TimeoutError
            turn = threading.Event()
            self._waiting.append(turn)
            return turn

    def _give_up(self, turn: threading.Event) -> None:
        with self._lock:
            if not turn.is_set():  # else the place was assigned at the same moment
                self._waiting.remove(turn)
                raise TimeoutError
