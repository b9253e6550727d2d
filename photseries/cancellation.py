"""Cancel the work of a thread when nobody waits for its result."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

__all__ = ["Cancellation", "CancelledWorkError", "cancellable", "check_cancelled"]

T = TypeVar("T")


class CancelledWorkError(Exception):
    """Nobody waits for the result of this work."""


class Cancellation:
    """Cancels functions that run in other threads.

    Computations call :func:`check_cancelled` between their steps; :func:`cancellable` wraps a wait that another thread
    can interrupt.
    """

    def __init__(self) -> None:
        self.is_set = False
        self._lock = threading.Lock()
        self._interrupts: list[Callable[[], object]] = []

    @property
    def is_awaited(self) -> bool:
        """Whether a function has not yet left all its cancellable blocks."""
        return bool(self._interrupts)

    def run(self, function: Callable[[], T]) -> T:
        """Call a function that this object can cancel.

        Raises
        ------
        CancelledWorkError
        """
        _running.cancellation = self
        try:
            check_cancelled()
            return function()
        finally:
            _running.cancellation = None

    def interrupt(self) -> None:
        """Interrupt the cancellable blocks; repeat while :attr:`is_awaited`, because a block can miss it."""
        with self._lock:
            for interrupt in self._interrupts:
                interrupt()

    @contextmanager
    def _interruptible(self, interrupt: Callable[[], object]) -> Iterator[None]:
        with self._lock:
            check_cancelled()
            self._interrupts.append(interrupt)
        try:
            yield
        finally:
            with self._lock:
                self._interrupts.remove(interrupt)


class _Running(threading.local):
    cancellation: Cancellation | None = None


_running = _Running()


def check_cancelled() -> None:
    """Raise CancelledWorkError if the work of this thread is cancelled."""
    if _running.cancellation is not None and _running.cancellation.is_set:
        raise CancelledWorkError


@contextmanager
def cancellable(interrupt: Callable[[], object]) -> Iterator[None]:
    """Call ``interrupt`` in another thread when the work of this thread is cancelled within the block, never after it.

    Raises
    ------
    CancelledWorkError
        When it is already cancelled.
    """
    if _running.cancellation is None:
        yield
    else:
        with _running.cancellation._interruptible(interrupt):
            yield
