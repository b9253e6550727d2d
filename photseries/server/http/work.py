"""The work of a request, in threads: each user gets turns in the pools, and few places for heavy requests."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from typing import Final, TypeVar

from tornado.web import HTTPError

from photseries.cancellation import Cancellation, CancelledWorkError
from photseries.errors import PhotseriesError, UnauthorizedError
from photseries.server.http.caller import Caller
from photseries.server.http.shared import SharedState
from photseries.server.http.turns import HeavyWork
from photseries.server.principal import Requirement

__all__ = ["Work"]

#: Pauses between attempts to interrupt a function [s].
_FIRST_PAUSE: Final = 0.01
_LAST_PAUSE: Final = 1.0

#: Interval of checks that a user still has the permissions and memberships of a request [s].
_RIGHTS_INTERVAL: Final = 1.0

T = TypeVar("T")


class Work:
    """Calls the functions of one request in threads.

    Parameters
    ----------
    shared : SharedState
    caller : Caller
    requirement : Requirement, optional
        The requirement to check before the first function is called.
    quick : bool
        Whether the functions wait neither for tables nor for queries; they get threads of their own.
    harmless : bool
        Whether the request changes nothing.
    """

    def __init__(
        self, shared: SharedState, caller: Caller, requirement: Requirement | None, *, quick: bool, harmless: bool
    ) -> None:
        self._shared = shared
        self._caller = caller
        self._requirement = requirement
        self._quick = quick
        self._harmless = harmless
        self._is_identified = False
        self._rights_checked = time.monotonic()
        self._heavy_place: AsyncExitStack | None = None
        self._cancellation = Cancellation()
        self._interrupting: asyncio.Task[None] | None = None
        self.is_cancelled = False

    async def run(self, function: Callable[[], T], *, heavy: bool = False, repeats: bool = True) -> T:
        """Call a function in a thread; the first time, identify the user before it.

        A switch to a thread and back costs as much as a small query, so a request without a body uses one switch.

        Parameters
        ----------
        function : callable
        heavy : bool
            Whether it works on tables: their number is limited, so that small requests do not wait for them.
        repeats : bool
            Whether it may be called again when a connection to the database breaks before COMMIT was sent.
        """
        work = functools.partial(self._retry, function) if repeats else function
        try:
            if self._is_identified or self._caller.credential is None:
                return await self.in_thread(work, heavy=heavy)
            self._is_identified = True
            try:
                return await self.in_thread(functools.partial(self._identify, work), heavy=heavy)
            finally:
                self._caller.remember()
        except HeavyWork:
            self._heavy_place = AsyncExitStack()
            await self._heavy_place.enter_async_context(self._shared.heavy_requests.place(self._caller.key))
            return await self.in_thread(work, heavy=True)

    def weigh(self, is_heavy: bool) -> None:
        """Hold a heavy request until it gets one of its user's places for heavy requests.

        Call it in the thread before the work, in a function that may be called again: :meth:`run` does that when there
        is a place, which the request holds to its end. Heavy are exports, analyses, summaries, queries around
        positions, and lists and files whose tables are read and written in another form and have many rows.
        """
        if is_heavy and self._heavy_place is None:
            raise HeavyWork

    def while_allowed(self, pieces: Iterator[T]) -> Iterator[T]:
        """Yield pieces, whose computation may take hours, until the user loses a permission; call it in a thread."""
        for piece in pieces:
            self.require_rights()
            yield piece

    def require_rights(self) -> None:
        """Check once per interval that the user still has rights; raise like :meth:`~.caller.Caller.check_rights`."""
        if time.monotonic() > self._rights_checked + _RIGHTS_INTERVAL:
            self._retry(lambda: self._caller.check_rights(self._shared.services.accounts))
            self._rights_checked = time.monotonic()

    async def in_thread(self, function: Callable[[], T], *, heavy: bool = False) -> T:
        """Call a function in a thread when the turn of this user comes."""
        shared, heavy = self._shared, heavy or self._heavy_place is not None
        threads = shared.quick_pool if self._quick else shared.table_pool if heavy else shared.query_pool
        try:
            async with threads.turns.place(self._caller.key):
                if not self.is_cancelled:
                    work = functools.partial(self._cancellation.run, function) if self._harmless else function
                    return await threads.call(work)
        except UnauthorizedError:
            self._caller.count_failure()
            raise
        except (PhotseriesError, CancelledWorkError):
            if not self.is_cancelled:
                raise
        raise HTTPError(499)  # as nginx logs a client that has gone

    def cancel(self) -> None:
        """Start no more functions, and interrupt the running function unless it changes data."""
        self.is_cancelled = True
        if self._harmless:
            self._cancellation.is_set = True
            self._interrupting = asyncio.get_running_loop().create_task(self._interrupt())

    async def _interrupt(self) -> None:
        pause = _FIRST_PAUSE
        while self._cancellation.is_awaited and not self._shared.stopping:
            async with self._shared.quick_pool.turns.place(""):
                await self._shared.quick_pool.call(self._cancellation.interrupt)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_PAUSE)

    async def close(self) -> None:
        """Release the place among heavy requests."""
        if self._heavy_place is not None:
            await self._heavy_place.aclose()

    def _retry(self, function: Callable[[], T]) -> T:
        return self._shared.services.catalogue.with_retries(function, harmless=self._harmless)

    def _identify(self, function: Callable[[], T]) -> T:
        """Look up the user, and call a function."""
        self._retry(lambda: self._caller.look_up(self._shared.services.accounts, self._requirement))
        return function()
