"""The handlers of the API description: JSON and a page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar

import orjson

from photseries.server.http.base import BaseHandler
from photseries.server.http.contract import Contract, Header, Raw, Route
from photseries.server.http.etags import send_document

__all__ = ["DocsHandler", "Documents", "OpenApiHandler"]

_IF_NONE_MATCH = Header("If-None-Match", "Return only 304 if this ETag is current.", '"5f3c"', {"ETag": "Its name."})


class Documents:
    """The description of the API as JSON and as a page, each generated on first request.

    Their modules are imported then, because apispec is slow to import and few processes need it.

    Parameters
    ----------
    routes : sequence of Route
        The routes of the API.
    filters : sequence of str
        The allowed filters.
    """

    #: The page loads no resources and runs no scripts.
    policy = "style-src 'unsafe-inline'; default-src 'none'; base-uri 'none'; form-action 'none'"

    def __init__(self, routes: Sequence[Route], filters: Sequence[str]) -> None:
        self._routes = routes
        self._filters = filters

    @cached_property
    def json(self) -> bytes:
        """The OpenAPI document."""
        from photseries.server.http.openapi.document import document

        return orjson.dumps(document(self._routes, self._filters))

    @cached_property
    def page(self) -> bytes:
        """The document as HTML."""
        from photseries.server.http.openapi.page import page

        return page(orjson.loads(self.json))


class _DocumentHandler(BaseHandler):
    needs: ClassVar = {"GET": None}
    quick: ClassVar[bool] = True

    @property
    def documents(self) -> Documents:
        """The documents of the application."""
        documents: Documents = self.settings["documents"]
        return documents


class OpenApiHandler(_DocumentHandler):
    """The routes of the API."""

    @Contract(
        headers=(_IF_NONE_MATCH,),
        gives=Raw(("application/json",), {"type": "object", "required": ["openapi", "info", "paths"]}),
        also={304: "Unchanged since the ETag in If-None-Match."},
    )
    async def get(self) -> None:
        """Return this document: the API in OpenAPI 3.1."""
        await send_document(self, await self.run(lambda: self.documents.json), "application/json; charset=UTF-8")


class DocsHandler(_DocumentHandler):
    """The API description as a page."""

    async def get(self) -> None:
        """Show the API description as a page."""
        self.set_header("Content-Security-Policy", Documents.policy)
        await send_document(self, await self.run(lambda: self.documents.page), "text/html; charset=UTF-8")
