"""The threads of the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from photseries.server.http.turns import Turns

__all__ = ["ThreadPool"]

P = ParamSpec("P")
T = TypeVar("T")

_Call = tuple[Callable[[], object], asyncio.Future[Any]]


class ThreadPool:
    """Threads that call functions for the event loop; the thread that was used last is the next one.

    Its memory is in the caches of the processor, and so is that of the database connection that it used. The executor
    of the standard library uses its threads in turn and makes two futures per call: a quarter of the cost of a small
    request. Use a pool in the event loop only, except for :meth:`end`.

    Parameters
    ----------
    number : int
        The maximum number of threads. Users take turns; one user has at most all but one.
    name : str
    """

    def __init__(self, number: int, name: str = "") -> None:
        self.turns = Turns(number, max(1, number - 1))
        self._number = number
        self._name = name
        self._threads: list[_Thread] = []
        self._idle: list[_Thread] = []
        self._waiting: deque[_Call] = deque()

    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:
        """Call a function in a thread; return the future of its result.

        The future raises RuntimeError for a BaseException that is not an Exception, such as the panic of a Rust
        extension module: Tornado would let it propagate without an answer.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        call = functools.partial(function, *args, **kwargs), future
        if not self._idle and len(self._threads) == self._number:
            self._waiting.append(call)
        else:
            thread = self._idle.pop() if self._idle else self._new_thread()
            thread.calls.put(call)
        return future

    def _new_thread(self) -> _Thread:
        thread = _Thread(self._release, name=f"{self._name}_{len(self._threads)}")
        thread.start()
        self._threads.append(thread)
        return thread

    def _release(self, thread: _Thread) -> None:
        if self._waiting:
            thread.calls.put(self._waiting.popleft())
        else:
            self._idle.append(thread)

    def end(self, deadline: float) -> bool:
        """Discard waiting calls, wait for running ones until a deadline (monotonic clock); return whether they ended.

        Call it after the event loop has ended.
        """
        self._waiting.clear()
        for thread in self._threads:
            thread.calls.put(None)
        for thread in self._threads:
            thread.join(max(0.1, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)


class _Thread(threading.Thread):
    """Calls functions until it gets None."""

    def __init__(self, release: Callable[[_Thread], None], name: str) -> None:
        super().__init__(name=name)
        self.calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._release = release

    def run(self) -> None:
        while self._run_next():
            pass  # a function of its own, so that an idle thread keeps no result alive

    def _run_next(self) -> bool:
        call = self.calls.get()
        if call is None:
            return False
        function, future = call
        result, error = (None, None) if future.cancelled() else _outcome(function)
        with contextlib.suppress(RuntimeError):  # the loop was closed before the call ended
            future.get_loop().call_soon_threadsafe(self._finish, future, result, error)
        del call, future, error  # the traceback of the error refers to this frame
        return True

    def _finish(self, future: asyncio.Future[T], result: T, error: Exception | None) -> None:
        self._release(self)
        if future.cancelled():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)


def _outcome(function: Callable[[], object]) -> tuple[object, Exception | None]:
    """Return the result of a function, or the exception for its future."""
    try:
        return function(), None
    except BaseException as error:
        if isinstance(error, Exception) and not isinstance(error, StopIteration):  # which no future can raise
            return None, error
        return None, _unexpected(error)


def _unexpected(cause: BaseException) -> RuntimeError:
    error = RuntimeError(f"A function in a thread ended with {type(cause).__name__}.")
    error.__cause__ = cause
    return error
