"""Downloads: an answer that is written to a file as it comes, and the file that is there when it is whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx

from photseries.client.answers import Answer, answer_of
from photseries.errors import UnreachableError

__all__ = ["partial", "saved"]


@contextmanager
def partial(target: Path) -> Iterator[IO[bytes]]:
    """Give a file to write to, which takes the place of another when all went well, and is removed otherwise."""
    path = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with path.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        path.replace(target)
    finally:
        path.unlink(missing_ok=True)


def saved(response: httpx.Response, file: IO[bytes]) -> Answer:
    """Write an answer that is a long file, as it comes.

    Raises
    ------
    UnreachableError
        When it broke off: what is there is no whole file.
    PhotseriesError
        When the answer is an error; see :func:`~photseries.client.answers.answer_of`.
    """
    if not response.is_success or "Content-Disposition" not in response.headers:
        return answer_of(response)
    try:
        for piece in response.iter_bytes():
            file.write(piece)
    except httpx.RequestError as broken:
        reason = str(broken) or type(broken).__name__
        raise UnreachableError(
            f"The service at {response.url.host} broke off after {file.tell():,} bytes ({reason}). Nothing was kept; "
            "its log says why."
        ) from broken
    return Answer(None, None)
