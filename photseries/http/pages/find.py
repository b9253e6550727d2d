"""The page on which series are found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from photseries import criteria
from photseries.http.base import ANY
from photseries.http.pages.page import PageHandler

__all__ = ["FindHandler"]


class FindHandler(PageHandler):
    """The search."""

    needs: ClassVar = {"GET": ANY}

    async def get(self) -> None:
        """Find series by a form."""
        await self.show("find.html", self._values)

    def _values(self) -> Mapping[str, Any]:
        query = criteria.parse({name: texts for name, texts in self.arguments().items() if any(texts)})
        page, total = self.services.archive.find(self.principal, query)
        return {"found": [one.fields for one in page.found], "total": total}
