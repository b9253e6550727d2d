"""Fair scheduling: users take turns, so that many requests of one user do not delay others."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from photseries.errors import BusyError, UnavailableError

__all__ = ["MANY_ROWS", "HeavyWork", "Turns"]

#: A table with more rows is a heavy answer.
MANY_ROWS = 100_000


class HeavyWork(Exception):  # noqa: N818  no error, but a signal of a thread to the event loop
    """A request turned out to be heavy without holding a place among the heavy requests of its user."""


class Turns:
    """A semaphore that serves users round robin, regardless of the number of their waiting requests.

    A free place goes to the user who holds the fewest; among equals, a user who has just released a place comes last.
    Not thread-safe; use it in the event loop only, except for :meth:`check`.

    Parameters
    ----------
    places : int, optional
        The number of places; None: no limit.
    each : int
        Maximum number of places per user.
    max_waiting : int, optional
        Maximum number of waiting requests per user; None: no limit.
    what : str, optional
        The requests, for errors.
    max_wait : float, optional
        Maximum duration of a wait [s]; None: no limit.
    """

    def __init__(
        self,
        places: int | None,
        each: int,
        max_waiting: int | None = None,
        what: str = "heavy requests",
        max_wait: float | None = None,
    ) -> None:
        self._what = what
        self._max_wait = max_wait
        self._places = places
        self._each = each
        self._max_waiting = max_waiting
        self._held: Counter[str] = Counter()
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}  # in round-robin order

    @property
    def waiting(self) -> int:
        """The number of waiting requests."""
        return sum(map(len, self._queues.values()))

    @asynccontextmanager
    async def place(self, user: str) -> AsyncIterator[None]:
        """Wait for a place, and hold it.

        Raises
        ------
        BusyError
            When too many requests of this user already wait, or this one has waited too long for them.
        UnavailableError
            When it has waited too long for requests of other users.
        """
        turn = self._join(user)
        try:
            if turn is not None:
                await self._wait_for(turn, user)
            yield
        finally:
            if turn is not None and turn.cancelled():
                self._leave(turn, user)
            else:
                self._release(user)

    def check(self, user: str) -> None:
        """Raise an error if a further request of a user could not wait for a place; thread-safe.

        Raises
        ------
        BusyError
        """
        waiting = len(self._queues.get(user, ()))
        is_full = self._max_waiting is not None and waiting >= self._max_waiting
        if is_full and (waiting or self._held[user] >= self._each):
            raise self._busy_error(waiting)

    def _busy_error(self, waiting: int) -> BusyError:
        return BusyError(
            f"You have reached the maximum of {self._what} per user: {self._each} running and {waiting} waiting. "
            "Wait for some to end, then retry."
        )

    def _join(self, user: str) -> asyncio.Future[None] | None:
        """Take a place if one is free and nobody waits, without the cost of a future; else return one for the turn."""
        if not self._queues and self._is_free and self._held[user] < self._each:
            self._held[user] += 1
            return None
        self.check(user)
        turn = asyncio.get_running_loop().create_future()
        self._queues.setdefault(user, deque()).append(turn)
        self._call_next()
        return turn

    async def _wait_for(self, turn: asyncio.Future[None], user: str) -> None:
        try:
            async with asyncio.timeout(self._max_wait):
                await turn
        except TimeoutError:
            if self._held[user] < self._each:
                raise UnavailableError(f"Too many {self._what} of other users are running; try again.") from None
            raise self._busy_error(len(self._queues.get(user, ()))) from None

    def _leave(self, turn: asyncio.Future[None], user: str) -> None:
        """Remove a request that no longer waits from its queue, unless its turn has come meanwhile."""
        queue = self._queues.get(user, deque())
        if turn in queue:
            queue.remove(turn)
            if not queue:
                del self._queues[user]

    @property
    def _is_free(self) -> bool:
        """Whether a place is free."""
        return self._places is None or self._held.total() < self._places

    def _release(self, user: str) -> None:
        """Free a place, and call the next user; this one comes last among equals."""
        self._held[user] -= 1
        if not self._held[user]:
            del self._held[user]
        if queue := self._queues.pop(user, None):
            self._queues[user] = queue  # at the end of the order
        self._call_next()

    def _call_next(self) -> None:
        """Assign the free places."""
        while self._queues and self._is_free:
            users = [user for user in self._queues if self._held[user] < self._each]
            if not users:
                return
            user = min(users, key=lambda user: self._held[user])
            queue = self._queues[user]
            turn = queue.popleft()
            if not queue:
                del self._queues[user]
            if not turn.cancelled():  # cancelled, but not yet in _leave
                self._held[user] += 1
                turn.set_result(None)
