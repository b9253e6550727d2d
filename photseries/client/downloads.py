"""Downloads: an answer is written to a temporary file, which is renamed when it is complete."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx

from photseries.client.answers import ApiResponse, answer_of
from photseries.errors import AlteredError, UnreachableError

__all__ = ["md5", "partial", "require_hash", "saved"]

_DIGEST = re.compile(r"md5=:([A-Za-z0-9+/]{22}==):")  # of Repr-Digest, RFC 9530


def md5(content: bytes) -> str:
    """Return the MD5 of a file, hexadecimal."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def require_hash(received: str, stored: str | None) -> None:
    """Compare the MD5 of a received file with that of the stored one.

    Raises
    ------
    AlteredError
    """
    if received != stored:
        raise AlteredError(
            f"The downloaded file has the MD5 {received}, the stored file {stored!s:.40}. Either the series has "
            "just changed, or a proxy has altered the file. Nothing was kept; try again."
        )


@contextmanager
def partial(target: Path) -> Iterator[IO[bytes]]:
    """Yield a file to write to; it replaces the target on success and is removed otherwise."""
    path = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with path.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        path.replace(target)
    except OSError as error:
        if error.filename == str(path):
            error.filename = str(target)  # the name that the caller knows
        raise
    finally:
        path.unlink(missing_ok=True)


def saved(response: httpx.Response, file: IO[bytes]) -> ApiResponse:
    """Stream a long answer to a file; its data are the MD5 of the file and the MD5 that the answer states.

    Raises
    ------
    UnreachableError
        When the connection broke; the file is incomplete.
    PhotseriesError
        When the answer is an error; see :func:`~photseries.client.answers.answer_of`.
    """
    if not response.is_success or "Content-Disposition" not in response.headers:
        return answer_of(response)
    digest = hashlib.md5(usedforsecurity=False)
    try:
        for piece in response.iter_bytes():
            digest.update(piece)
            file.write(piece)
    except httpx.RequestError as broken:
        reason = str(broken) or type(broken).__name__
        raise UnreachableError(
            f"The service at {response.url.host} broke off after {file.tell():,} bytes ({reason}). Nothing was kept; "
            "the service's log has the cause."
        ) from broken
    stated = _DIGEST.search(response.headers.get("Repr-Digest", ""))
    return ApiResponse((digest.hexdigest(), b64decode(stated[1]).hex() if stated else None), None)
