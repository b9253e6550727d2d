"""Fetch tables that UPLOAD names by URL, from public addresses only, with limits on time and length."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final
from urllib.parse import urlsplit

from photseries.errors import InvalidError, TooLargeError

__all__ = ["fetch", "fetch_deadline"]

_DEADLINE: Final = 20.0  # [s]
_TIMEOUT: Final = 5.0  # [s], of a step
_PIECE: Final = 64 * 1024


def fetch(url: str, limit: int, deadline: float | None = None) -> bytes:
    """Return the content at a URL without following redirects.

    Parameters
    ----------
    url : str
        http or https.
    limit : int
        The maximum length [bytes].
    deadline : float, optional
        When to give up, of ``time.monotonic`` [s]; see :func:`fetch_deadline`. Default: a new one.

    The address is looked up once and checked before the connection is made to that address, so that no name can resolve
    into the network of the service.

    Raises
    ------
    InvalidError
        When it is unavailable, or its address is not public.
    TooLargeError
        When it is longer than ``limit`` bytes.
    """
    try:
        return _fetch(url, limit, (fetch_deadline() if deadline is None else deadline) - time.monotonic())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise InvalidError(f"UPLOAD: the table at {url[:100]!r} cannot be fetched. Send it in the form.") from error


def fetch_deadline() -> float:
    """Return the deadline of all fetches of a request that begins now, of ``time.monotonic`` [s]."""
    return time.monotonic() + _DEADLINE


def _fetch(url: str, limit: int, seconds: float) -> bytes:
    if seconds <= 0:
        raise TimeoutError
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][4][0]
    if not ipaddress.ip_address(address).is_global:
        raise InvalidError(f"UPLOAD: {host[:100]!r} is not a public address. Send the table in the form.")
    with socket.create_connection((str(address), port), _TIMEOUT) as plain, _ended(plain, seconds) as is_late:
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT)
        secured = parts.scheme == "https"
        connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=host) if secured else plain
        connection.request("GET", f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}")
        answer = connection.getresponse()
        if answer.status != 200:
            raise ValueError
        content = bytearray()
        while piece := answer.read(_PIECE):
            content += piece
            if len(content) > limit:
                raise TooLargeError(f"UPLOAD: the table at {url[:100]!r} has more than {limit:,} bytes.")
        if is_late():
            raise TimeoutError
        return bytes(content)


@contextmanager
def _ended(connection: socket.socket, seconds: float) -> Iterator[Callable[[], bool]]:
    """End a connection after some time, even during a read: the timeout of a socket applies to each byte only."""
    late = threading.Event()
    with connection.dup() as same:  # TLS takes the descriptor of the connection

        def end() -> None:
            late.set()
            with suppress(OSError):
                same.shutdown(socket.SHUT_RDWR)

        timer = threading.Timer(seconds, end)
        timer.start()
        try:
            yield late.is_set
        finally:
            timer.cancel()
