"""Requests so odd that Tornado would close the connection after a bare 400: they get the one error body too."""

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

from photseries.errors import InvalidError
from photseries.server.http.answers import failure
from photseries.server.http.metrics import Metrics

__all__ = ["Courteous"]

log = logging.getLogger(__name__)

_STATUS = InvalidError.status


class Courteous(HTTPMessageDelegate):
    """Passes a request on, and answers it when the request line or the headers cannot be made sense of.

    Among these are more than a thousand query arguments, and a Host that is none.

    Parameters
    ----------
    within : HTTPMessageDelegate
        Whoever makes sense of it.
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
        """Pass the head of the request on, or answer."""
        try:
            return self._within.headers_received(start_line, headers)
        except HTTPInputError as error:
            self._refused = True
            content = failure(InvalidError(f"{error}."))
            fields = {"Content-Type": "application/json; charset=UTF-8", "Content-Length": str(len(content))}
            self._connection.write_headers(
                ResponseStartLine("HTTP/1.1", _STATUS, http.client.responses[_STATUS]),
                HTTPHeaders({**fields, "Server": "photseries", "Connection": "close"}),
                content,
            )
            self._connection.finish()
            self._metrics.refused(InvalidError.code)
            log.info("malformed request: %s", error)
            return None

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Pass a part of the body on."""
        return None if self._refused else self._within.data_received(chunk)

    def finish(self) -> None:
        """Pass on that the request is complete."""
        if not self._refused:
            self._within.finish()

    def on_connection_close(self) -> None:
        """Pass on that the client has gone."""
        if not self._refused:
            self._within.on_connection_close()
