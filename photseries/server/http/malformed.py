"""Malformed requests, to which Tornado would send a bare 400, get the standard error body."""

from __future__ import annotations

import http.client
import logging
from collections.abc import Awaitable

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

__all__ = ["JsonBadRequestDelegate"]

log = logging.getLogger(__name__)


class JsonBadRequestDelegate(HTTPMessageDelegate):
    """Passes a request on, or answers it if the request line or the headers are malformed.

    This includes more than a thousand query arguments or 200 headers, and an invalid Host.

    Parameters
    ----------
    within : HTTPMessageDelegate
        The delegate that reads the message.
    connection : HTTPConnection
    metrics : Metrics
    """

    def __init__(self, within: HTTPMessageDelegate, connection: HTTPConnection, metrics: Metrics) -> None:
        self._within = within
        self._refused = False
        self._connection = connection
        self._metrics = metrics

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Pass the head of the request on, or answer an error."""
        number = sum(1 for _ in headers.get_all())
        if number > MAX_HEADERS:
            self._refuse(HeadTooLargeError(f"The request has {number:,} headers; at most {MAX_HEADERS} are accepted."))
            return None
        try:
            return self._within.headers_received(start_line, headers)
        except HTTPInputError as error:
            self._refuse(InvalidError(f"{error!s:.200}."))
            return None

    def _refuse(self, error: PhotseriesError) -> None:
        self._refused = True
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
        """Pass a part of the body on."""
        return None if self._refused else self._within.data_received(chunk)

    def finish(self) -> None:
        """Pass on the end of the request."""
        if not self._refused:
            self._within.finish()

    def on_connection_close(self) -> None:
        """Pass on the loss of the connection."""
        if not self._refused:
            self._within.on_connection_close()
