"""The document as JSON for programs, and as a page for people."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import ClassVar

from photseries.server.http.base import BaseHandler
from photseries.server.http.contract import Contract, Header, Raw

__all__ = ["DocsHandler", "OpenApiHandler"]

_IF_NONE_MATCH = Header("If-None-Match", "Nothing but 304 when it is still this one.", '"5f3c"', {"ETag": "Its name."})


class _DocumentHandler(BaseHandler):
    needs: ClassVar = {"GET": None}

    async def send(self, make: Callable[[], bytes], media: str) -> None:
        """Send a document that stays the same while the process lives, or 304 to one who has it."""
        content = await self.run(make)
        self.set_header("ETag", f'"{hashlib.sha256(content).hexdigest()[:32]}"')
        self.set_header("Cache-Control", "no-cache")
        if self.check_etag_header():
            self.set_status(304)
            self.finish()
            return
        self.set_header("Content-Type", media)
        self.finish(content)


class OpenApiHandler(_DocumentHandler):
    """The interface for programs."""

    @Contract(
        headers=(_IF_NONE_MATCH,),
        gives=Raw(("application/json",), {"type": "object", "required": ["openapi", "info", "paths"]}),
        also={304: "It is still as If-None-Match says."},
    )
    async def get(self) -> None:
        """Give this document: the interface in OpenAPI 3.1."""
        await self.send(lambda: self.shared.documents.json, "application/json; charset=UTF-8")


class DocsHandler(_DocumentHandler):
    """The interface for people."""

    async def get(self) -> None:
        """Show the interface as a page."""
        documents = self.shared.documents
        self.set_header("Content-Security-Policy", documents.policy)
        await self.send(lambda: documents.page, "text/html; charset=UTF-8")
