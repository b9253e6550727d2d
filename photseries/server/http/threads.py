"""The threads that requests are worked on in."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import wraps
from typing import ParamSpec, TypeVar

__all__ = ["Threads"]

P = ParamSpec("P")
T = TypeVar("T")


class Threads(ThreadPoolExecutor):
    """A pool whose work ends with a result or an Exception, so that every request has an answer.

    A panic of an extension module in Rust is a BaseException and no Exception: Tornado would let it pass, as what ends
    a process, and leave the client waiting.
    """

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call a function in a thread; instead of what is no Exception the future raises RuntimeError."""
        return super().submit(_without_panic(function), *args, **kwargs)


def _without_panic(function: Callable[P, T]) -> Callable[P, T]:
    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            if isinstance(error, Exception):
                raise
            raise RuntimeError("A native module has panicked.") from error

    return called
