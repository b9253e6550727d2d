"""Send long answers in pieces, at the speed of the client and within a memory budget.

A client that reads nothing for ``server.body_timeout`` is disconnected; a slow client is not. Unread answers count
against ``server.unsent``. When this budget is exceeded, the user or address with the most unsent bytes loses the answer
that has waited longest, so that unread answers affect only their own client.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler

from photseries.errors import UnavailableError

__all__ = ["Outbox", "disconnect"]

#: Size of a write to the connection [bytes]; a client must read this much in ``server.body_timeout``.
PIECE: Final = 256 * 1024


@dataclass(eq=False)
class _PendingAnswer:
    """An answer in transit: its user, its length, and the time when the client last read a part."""

    handler: RequestHandler
    client: str
    length: int
    taken_at: float = field(default_factory=time.monotonic)


class Outbox:
    """The answers of a process that clients have not read completely.

    Parameters
    ----------
    budget : int
        The budget of unsent bytes of all answers [bytes].
    timeout : float
        How long a client may read nothing [s].
    """

    def __init__(self, budget: int, timeout: float) -> None:
        self._budget = budget
        self._timeout = timeout
        self._answers: set[_PendingAnswer] = set()

    @property
    def unsent(self) -> int:
        """The total length of incompletely sent answers [bytes], which stay in memory."""
        return sum(answer.length for answer in self._answers)

    @contextmanager
    def held(self, handler: RequestHandler, client: str, length: int) -> Iterator[_PendingAnswer]:
        """Count the bytes of an answer until it is sent.

        Raises
        ------
        UnavailableError
            When this client already has the most unsent bytes, and no more fit.
        """
        self._make_room(client, length)
        answer = _PendingAnswer(handler, client, length)
        self._answers.add(answer)
        try:
            yield answer
        finally:
            self._answers.discard(answer)

    async def send(self, answer: _PendingAnswer, pieces: Sequence[bytes]) -> None:
        """Send pieces of an answer, and return when the client has read them.

        Raises
        ------
        StreamClosedError
            When the client is gone, or was disconnected because it read nothing.
        """
        for piece in pieces:
            for start in range(0, len(piece), PIECE):
                part = piece[start : start + PIECE] if len(piece) > PIECE else piece
                answer.handler.write(part)
                await self._wait_until_taken(answer)

    async def _wait_until_taken(self, answer: _PendingAnswer) -> None:
        flushed = answer.handler.flush()
        await asyncio.wait([flushed], timeout=self._timeout)
        if not flushed.done():
            disconnect(answer.handler)
            raise StreamClosedError
        await flushed
        answer.taken_at = time.monotonic()

    def watch(self, handler: RequestHandler, flushed: asyncio.Future[None]) -> None:
        """Disconnect a client that does not read the end of its answer within the timeout."""
        connection = handler.request.connection
        timer = asyncio.get_running_loop().call_later(
            self._timeout,
            connection.close,  # type: ignore[union-attr]
        )
        flushed.add_done_callback(lambda _: timer.cancel())

    def _make_room(self, client: str, length: int) -> None:
        """Disconnect the clients with the most unsent bytes until an answer of the given size fits."""
        while self._answers and self.unsent + length > self._budget:
            totals: Counter[str] = Counter({client: length})
            for answer in self._answers:
                totals[answer.client] += answer.length
            greediest, _ = totals.most_common(1)[0]
            if greediest == client:
                raise UnavailableError(
                    f"Answers that this client has not read take too much memory (limit {self._budget:,} bytes for "
                    "all clients). Read or close them, then retry."
                )
            theirs = [answer for answer in self._answers if answer.client == greediest]
            stalest = min(theirs, key=lambda answer: answer.taken_at)
            self._answers.discard(stalest)
            disconnect(stalest.handler)


def disconnect(handler: RequestHandler) -> None:
    """Close the connection of a request, so that a partial answer does not look complete."""
    if handler.request.connection is not None:
        handler.request.connection.close()  # type: ignore[attr-defined]
