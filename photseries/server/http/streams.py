"""Long answers: sent as fast as the client takes them, while they are made, by threads, or as they are."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tornado.iostream import StreamClosedError

from photseries.server.http.base import BaseHandler

__all__ = ["StreamHandler", "gathered", "send_whole"]


_ENOUGH: Final = 64 * 1024


def gathered(pieces: Iterable[str]) -> Iterator[bytes]:
    """Put short pieces of text together: sending one costs more than making it."""
    waiting, length = [], 0
    for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= _ENOUGH:
            yield "".join(waiting).encode()
            waiting, length = [], 0
    yield "".join(waiting).encode()


async def send_whole(handler: BaseHandler, pieces: Sequence[bytes]) -> None:
    """Send an answer that is there already: a short one in one go, the pieces of a long one without a copy.

    A client that takes nothing for ``server.body_timeout`` is cut off.
    """
    length = sum(map(len, pieces))
    if length <= _ENOUGH:
        handler.finish(b"".join(pieces) or None)
        return
    handler.set_header("Content-Length", length)
    for piece in pieces:
        handler.write(piece)
        await _taken(handler)
    handler.finish()


async def _taken(handler: BaseHandler) -> None:
    """Wait until the client has taken what was written, but not for ever: then it is cut off."""
    sent = handler.flush()
    await asyncio.wait([sent], timeout=handler.services.config.server.body_timeout)
    if not sent.done():
        _cut(handler)
        raise StreamClosedError
    await sent


def _cut(handler: BaseHandler) -> None:
    if handler.request.connection is not None:
        handler.request.connection.close()  # type: ignore[attr-defined]


class StreamHandler(BaseHandler):
    """A handler of answers that are long and made piece by piece."""

    async def send(self, pieces: Iterator[bytes], *, heavy: bool = True) -> None:
        """Send pieces; the next one is made when the client has taken the one before.

        What goes wrong before the first piece has an answer of its own. After it nothing can be said, and an end in
        good order would make what is there look whole: the connection is cut, which every client takes for a failure.
        So it is when a client takes nothing for ``server.body_timeout``.

        Parameters
        ----------
        pieces : iterator of bytes
            Each is a bounded piece of work for a thread; an empty one says that there is more to come.
        heavy : bool
            Whether that is work on tables.
        """
        begun = False
        try:
            while (piece := await self.run(lambda: next(pieces, None), heavy=heavy)) is not None:
                if piece:
                    self.write(piece)
                    begun = True
                    await _taken(self)
        except Exception:
            if begun:
                _cut(self)
            raise
        self.finish()
