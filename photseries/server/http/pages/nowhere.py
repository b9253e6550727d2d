"""Every path that no route has."""

from __future__ import annotations

from photseries.errors import PhotseriesError
from photseries.server.http.base import BaseHandler
from photseries.server.http.operation import NothingHandler
from photseries.server.http.pages.page import PageHandler

__all__ = ["NowhereHandler"]


class NowhereHandler(PageHandler, NothingHandler):
    """Says that there is nothing: to a person on a page, to a program in JSON."""

    def error_body(self, error: PhotseriesError) -> bytes:
        """Write what a client is told of an error, in the form that it reads."""
        if "text/html" in self.request.headers.get("Accept", "") and not self.request.path.startswith("/api/"):
            return super().error_body(error)
        return BaseHandler.error_body(self, error)
