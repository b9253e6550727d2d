"""The handlers of the registries: one pair for every kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tornado.web import HTTPError

from photseries import criteria
from photseries.criteria import CONTROLS, MOST_PER_PAGE
from photseries.http.base import ANY, BaseHandler
from photseries.http.shared import Shared
from photseries.principal import ADMIN
from photseries.schemas.registries import CHANGES

__all__ = ["EntriesHandler", "EntryHandler"]

_PAGES = tuple(known for known in CONTROLS if known.name in ("pageNumber", "numPerPage"))


class _KindHandler(BaseHandler):
    def initialize(self, shared: Shared, kind: str = "") -> None:
        """Receive the kind of the entries too."""
        super().initialize(shared)
        self.kind = kind


class EntriesHandler(_KindHandler):
    """All entries of a kind: create one, list many."""

    needs: ClassVar = {"GET": ANY, "POST": ADMIN}

    async def post(self) -> None:
        """Create an entry."""
        await self.reply(lambda: self.services.accounts.create(self.principal, self.kind, self.json_body()))

    async def get(self) -> None:
        """List the visible entries."""

        def find() -> Mapping[str, Any]:
            values = criteria.read(self.arguments(), _PAGES)
            page, per_page = values["pageNumber"], min(values["numPerPage"], MOST_PER_PAGE)
            entries, total = self.services.accounts.find(self.principal, self.kind, page, per_page)
            return {self.kind: entries, "totalMatches": total, "numPerPage": per_page, "pageNumber": page}

        await self.reply(find)


class EntryHandler(_KindHandler):
    """One entry of a kind: get, change, delete."""

    needs: ClassVar = {"GET": ANY, "PATCH": ADMIN, "DELETE": ADMIN}

    async def get(self, identity: str) -> None:
        """Give the entry."""
        await self.reply(lambda: self.services.accounts.get(self.principal, self.kind, identity))

    async def patch(self, identity: str) -> None:
        """Rename a group or a stream, or replace its members."""
        if self.kind not in CHANGES:
            raise HTTPError(405)
        await self.reply(lambda: self.services.accounts.change(self.principal, self.kind, identity, self.json_body()))

    async def delete(self, identity: str) -> None:
        """Remove the entry."""
        await self.reply(lambda: self.services.accounts.remove(self.principal, self.kind, identity))
