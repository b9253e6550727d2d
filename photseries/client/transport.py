"""Requests over persistent connections, and retries.

A request is retried if it certainly did not reach the service, or was refused temporarily (429, 503). If its outcome is
unknown because the connection broke, it is retried only if the caller declares it idempotent.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, NoReturn
from urllib.request import getproxies

import httpx

from photseries import __version__
from photseries.client.answers import ApiResponse, File, LostAnswerError, answer_of, file_of
from photseries.client.downloads import partial, require_hash, saved
from photseries.client.payload import Message
from photseries.client.settings import Settings
from photseries.errors import (
    InvalidError,
    OutcomeUnknownError,
    PhotseriesError,
    StartError,
    TooManyRequestsError,
    UnavailableError,
    UnreachableError,
)

__all__ = ["RetryState", "Transport"]

CONNECT_TIMEOUT: Final = 10.0  # [s]
FIRST_PAUSE: Final = 0.5  # [s]
MAX_PAUSE: Final = 30.0  # [s]
#: Maximum Retry-After that is respected [s].
MAX_RETRY_AFTER: Final = 120.0
PIECE: Final = 2**20  # of a body that is sent [bytes]

#: The request was not sent.
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout)


@dataclass
class RetryState:
    """Whether an attempt may have succeeded although its answer was lost."""

    outcome_unknown: bool = False


class Transport:
    """Sends requests to one service with one token. Thread-safe.

    Parameters
    ----------
    settings : Settings
    timeout : float
        Time to wait for each part of an answer [s].
    retries : int
        Maximum number of retries of a request.
    """

    def __init__(self, settings: Settings, timeout: float, retries: int) -> None:
        self.url = settings.url
        self._retries = retries
        try:
            address = httpx.URL(settings.url)
            _ = address.host, address.raw_host.decode().encode("idna")  # as httpx and sockets use it
        except (httpx.InvalidURL, UnicodeError) as error:
            raise StartError(f"{settings.url!r:.200} is not the URL of a service: {error}.") from error
        self._version: str | None = None
        times = httpx.Timeout(timeout, connect=CONNECT_TIMEOUT, pool=None)
        try:
            self._http = httpx.Client(
                # Loading the root certificates takes 30 ms; plain HTTP without a proxy never needs them.
                verify=not settings.url.lower().startswith("http://") or bool(getproxies()),
                headers={"Authorization": f"token {settings.token}", "User-Agent": f"photseries/{__version__}"},
                timeout=times,
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=64, keepalive_expiry=30),
            )
        except (httpx.InvalidURL, ImportError, OSError, ValueError) as error:
            raise StartError(
                "The proxies or certificates in the environment (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY, "
                f"SSL_CERT_FILE) cannot be used: {error!s:.150}"
            ) from error

    def __reduce__(self) -> NoReturn:
        raise TypeError("Connections, of a Client or a Series, cannot be pickled: create a Client in each process.")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def read(self, path: str, params: Mapping[str, object] | None = None) -> Any:
        """GET a JSON object."""
        return self.request("GET", path, params=params)

    def download(self, path: str, params: Mapping[str, object] | None = None) -> File:
        """GET the file of a series."""
        file: File = self.request("GET", path, params=params, read=file_of)
        return file

    def save(
        self, path: str, params: Mapping[str, object], target: Path, stored: Callable[[], str | None] | None = None
    ) -> None:
        """GET a long file, and stream it to a path; an interrupted download is not repeated.

        For a stored file ``stored`` returns its MD5; it is called if the answer does not state the MD5.
        """
        with partial(target) as file:
            read = functools.partial(saved, file=file)
            received, stated = self.request("GET", path, params=params, read=read)
            if stated is not None:
                require_hash(received, stated)
            elif stored is not None:
                require_hash(received, stored())

    def query(self, path: str, message: Message, read: Callable[[httpx.Response], ApiResponse] = answer_of) -> Any:
        """POST a query, which changes nothing."""
        return self.request("POST", path, message, changes=False, read=read)

    def stream(self, path: str, message: Message, file: IO[bytes]) -> None:
        """POST a query whose answer is a long file, and stream it to a path."""
        self.query(path, message, functools.partial(saved, file=file))

    def write(
        self,
        method: str,
        path: str,
        message: Message | None = None,
        **more: Any,
    ) -> Any:
        """Send a change, after checking once that the URL belongs to a compatible service.

        The check avoids sending a large body to the wrong server.
        """
        if self._version is None:
            self.version()
        return self.request(method, path, message, **more)

    def version(self) -> str:
        """Ask the service for its version."""
        self.request("GET", "/healthz")
        return str(self._version)

    def request(  # noqa: PLR0913  the parts of an HTTP request
        self,
        method: str,
        path: str,
        message: Message | None = None,
        *,
        changes: bool | None = None,
        repeatable: bool = False,
        retry_state: RetryState | None = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        read: Callable[[httpx.Response], ApiResponse] = answer_of,
    ) -> Any:
        """Send a request until it is answered, and return the data of the answer.

        Parameters
        ----------
        changes : bool, optional
            Whether it changes something; default: unless it is a GET.
        repeatable : bool
            Whether a change is idempotent.
        retry_state : RetryState, optional
            Records whether an attempt may have succeeded although its answer was lost.
        read : callable
            Decodes a response.

        Raises
        ------
        InvalidError
            When the parameters are too long for a URL, or not Unicode.
        UnreachableError
            When no photseries service answers.
        OutcomeUnknownError
            When it is unknown whether a change was made.
        PhotseriesError
            The exception that the service raised.
        """
        changes = method != "GET" if changes is None else changes
        repeatable = repeatable or not changes
        content: bytes | memoryview | Path | None = None
        query, sent_headers, attempt = {**(params or {})}, {**(headers or {})}, 0
        if message is not None:
            content, query = message.file or message.content, {**message.query, **query}
            sent_headers["Content-Type"] = message.media_type
        while True:
            retry_after = 0.0
            try:
                with (
                    _body_of(content, sent_headers) as sent,
                    self._http.stream(
                        method, self.url + path, content=sent, params=query, headers=sent_headers
                    ) as response,
                ):
                    retry_after = _retry_after(response)
                    answer = read(response)
            except (httpx.InvalidURL, UnicodeEncodeError) as error:
                raise InvalidError(f"The parameters of the request do not fit in a URL: {error!s:.150}.") from error
            except httpx.RequestError as broken:
                failure, again = self._connection_error(broken, changes, repeatable)
            except (TooManyRequestsError, UnavailableError) as refusal:
                failure = refusal
                again = refusal.retry_after is not None and (repeatable or not isinstance(refusal, OutcomeUnknownError))
            else:
                self._version = answer.version or self._version
                return answer.data
            if retry_state is not None and isinstance(failure, OutcomeUnknownError):
                retry_state.outcome_unknown = True
            if not again or attempt >= self._retries:
                raise failure
            time.sleep(_pause(attempt, retry_after))
            attempt += 1

    def _connection_error(
        self, broken: httpx.RequestError, changes: bool, repeatable: bool
    ) -> tuple[PhotseriesError, bool]:
        """Return the error of a broken connection, and whether to retry.

        A URL that has never answered is probably wrong, so the request is not retried.
        """
        is_lost = isinstance(broken, LostAnswerError)
        met = is_lost or self._version is not None
        reason = str(broken) or type(broken).__name__
        if isinstance(broken, _NOT_SENT):
            return UnreachableError(
                f"No service answers at {self.url} ({reason}). Check that it runs, and the URL."
            ), met
        late = isinstance(broken, httpx.TimeoutException)
        problem = "gave no complete answer" if is_lost else "broke the connection"
        summary = f"The service at {self.url} " + ("did not answer in time" if late else f"{problem} ({reason})")
        if not changes:
            return UnreachableError(f"{summary}."), met and not late
        failure = OutcomeUnknownError(
            f"{summary}. The change may or may not have been made: check before you repeat it."
        )
        return failure, repeatable and not late


@contextmanager
def _body_of(
    content: bytes | memoryview | Path | None, headers: dict[str, str]
) -> Iterator[bytes | Iterator[bytes] | None]:
    """Yield a body for httpx: a long one in pieces, with its length in the headers.

    httpcore copies the remainder of a piece after each call of ``send``.
    """
    if isinstance(content, Path):
        headers["Content-Length"] = str(content.stat().st_size)
        with content.open("rb") as file:
            yield iter(functools.partial(file.read, PIECE), b"")
    elif content is not None and len(content) > PIECE:
        headers["Content-Length"] = str(len(content))
        yield (bytes(content[start : start + PIECE]) for start in range(0, len(content), PIECE))
    else:
        yield None if content is None else bytes(content)


def _retry_after(response: httpx.Response) -> float:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0


def _pause(attempt: int, retry_after: float) -> float:
    """Return the pause before a retry: the Retry-After of the service plus an exponential back-off with jitter."""
    growing = float(min(FIRST_PAUSE * 2**attempt, MAX_PAUSE)) * random.uniform(0.5, 1)  # noqa: S311  no secret
    return min(retry_after, MAX_RETRY_AFTER) + growing
