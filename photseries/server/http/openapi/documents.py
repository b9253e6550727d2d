"""The documents of a process, each made when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import orjson

__all__ = ["Documents"]


class Documents:
    """The description of the interface, as JSON and as a page.

    What makes them is imported on the way: few processes are ever asked.

    Parameters
    ----------
    routes : sequence of (str, type, mapping)
        The route table.
    filters : sequence of str
        The allowed filters.
    """

    #: The page loads nothing and runs nothing.
    policy = "; ".join(
        ["style-src 'unsafe-inline'", *(f"{name} 'none'" for name in ("default-src", "base-uri", "form-action"))]
    )

    def __init__(self, routes: Sequence[tuple[str, type[Any], Mapping[str, Any]]], filters: Sequence[str]) -> None:
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
