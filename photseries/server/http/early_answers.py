"""Answers that are complete before the request is, such as a refusal of its headers or of a malformed head.

Tornado closes a connection whose answer ends before the body of the request was read. A client that is still sending
would lose the answer to the reset, and every other client would lose a connection that it could use again. Therefore
an early answer is sent at once, but ends for Tornado only when the request has ended, within bounds.
"""

from __future__ import annotations

import http.client
import logging
from asyncio import Future
from collections.abc import Awaitable, Callable
from typing import Final

from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)

from photseries.errors import HeadTooLargeError, InvalidError, PhotseriesError
from photseries.server.http.answers import failure
from photseries.server.http.connections import MAX_HEADERS
from photseries.server.http.metrics import Metrics

__all__ = ["PatientConnection", "PatientDelegate"]

log = logging.getLogger(__name__)

#: How much of a body is read after its answer before the connection is closed [bytes].
_LINGER_BYTES: Final = 64 * 1024 * 1024


class PatientConnection(HTTPConnection):
    """The connection of one request, which ends an early answer only when the request has ended.

    Parameters
    ----------
    connection : HTTP1Connection
    """

    def __init__(self, connection: HTTP1Connection) -> None:
        self._connection = connection
        self._waits = False
        self.is_answered = False
        #: Where Tornado finds the address of the client.
        self.context = connection.context

    def wait_for_request(self) -> None:
        """Let an answer end only at :meth:`end_request`."""
        self._waits = True

    def end_request(self) -> None:
        """End the answer if it is complete, and the next answer as soon as it is complete."""
        if self._waits:
            self._waits = False
            if self.is_answered:
                self._connection.finish()

    def finish(self) -> None:
        """End the answer; a handler calls this after the last write."""
        self.is_answered = True
        if not self._waits:
            self._connection.finish()

    def write_headers(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders, chunk: bytes | None = None
    ) -> Future[None]:
        """Send the head of the answer."""
        return self._connection.write_headers(start_line, headers, chunk)

    def write(self, chunk: bytes) -> Future[None]:
        """Send a part of the answer."""
        return self._connection.write(chunk)

    def set_close_callback(self, callback: Callable[[], None] | None) -> None:
        """Call a function when the client goes away before the answer has ended."""
        self._connection.set_close_callback(callback)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class PatientDelegate(HTTPMessageDelegate):
    """Passes a request on up to its answer, and ignores what the client sends after that.

    A malformed head, to which Tornado would send a bare 400, gets the standard error body: for example more than a
    thousand query arguments or 200 headers, or an invalid Host.

    Parameters
    ----------
    within : HTTPMessageDelegate
        The delegate that reads the request.
    connection : PatientConnection
        The connection that the answer goes to.
    metrics : Metrics
    """

    def __init__(self, within: HTTPMessageDelegate, connection: PatientConnection, metrics: Metrics) -> None:
        self._within = within
        self._connection = connection
        self._metrics = metrics
        self._is_refused = False
        self._ignored = 0

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Pass on the head of the request, or answer an error."""
        number = sum(1 for _ in headers.get_all())
        if number > MAX_HEADERS:
            self._refuse(HeadTooLargeError(f"The request has {number:,} headers; at most {MAX_HEADERS} are accepted."))
            return None
        # With this header a client waits for 100 Continue, which Tornado sends unless the answer has ended.
        if headers.get("Expect", "").lower() != "100-continue":
            self._connection.wait_for_request()
        try:
            return self._within.headers_received(start_line, headers)
        except HTTPInputError as error:
            self._refuse(InvalidError(f"{error!s:.200}."))
            return None

    def _refuse(self, error: PhotseriesError) -> None:
        """Answer an error at once, and close the connection."""
        self._is_refused = True
        self._connection.end_request()
        content = failure(error)
        fields = {"Content-Type": "application/json; charset=UTF-8", "Content-Length": str(len(content))}
        self._connection.write_headers(
            ResponseStartLine("HTTP/1.1", error.status, http.client.responses[error.status]),
            HTTPHeaders({**fields, "Server": "photseries", "Connection": "close"}),
            content,
        )
        self._connection.finish()
        self._metrics.count_error(error.code)
        log.info("malformed request: %s", error)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Pass on a part of the body, or ignore it."""
        if not self._connection.is_answered:
            self._connection.wait_for_request()
            return self._within.data_received(chunk)
        self._ignored += len(chunk)
        if self._ignored > _LINGER_BYTES:
            self._connection.end_request()
        return None

    def finish(self) -> None:
        """Pass on that the request is complete; after an answer there is nothing left to do."""
        if self._is_refused:
            return
        if self._connection.is_answered:
            self._within.on_connection_close()  # else Tornado would now call the method of the verb
        else:
            self._within.finish()
        self._connection.end_request()

    def on_connection_close(self) -> None:
        """Pass on that the client has gone."""
        if not self._is_refused:
            self._within.on_connection_close()
