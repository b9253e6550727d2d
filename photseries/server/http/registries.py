"""The handlers of the registries: a pair for each kind."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from photseries import parameters
from photseries.errors import DuplicateError, ForbiddenError, InUseError, OutcomeUnknownError
from photseries.parameters import CONTROLS, MAX_PER_PAGE
from photseries.server.accounts import Accounts
from photseries.server.http.base import ANY, BaseHandler
from photseries.server.http.contract import Contract
from photseries.server.http.shared import SharedState
from photseries.server.principal import requirement_of

__all__ = [
    "AuditHandler",
    "EntriesHandler",
    "EntryHandler",
    "MembersHandler",
    "SourcesHandler",
    "TokenHandler",
    "TokensHandler",
]

_PAGES = tuple(known for known in CONTROLS if known.name in ("pageNumber", "numPerPage"))


def _page(handler: BaseHandler, name: str, find: Callable[..., tuple[list[dict[str, Any]], int]]) -> dict[str, object]:
    """Return the page of entries or events that the query asks for; call it in a thread."""
    values = parameters.read(handler.arguments(), _PAGES)
    page, per_page = values["pageNumber"], min(values["numPerPage"], MAX_PER_PAGE)
    found, total = find(handler.principal, page=page, per_page=per_page)
    return {name: found, "totalMatches": total, "numPerPage": per_page, "pageNumber": page}


class _KindHandler(BaseHandler):
    def initialize(self, shared: SharedState, kind: str = "") -> None:
        """Store the kind of the entries."""
        super().initialize(shared)
        self.kind = kind

    @property
    def public(self) -> bool:  # type: ignore[override]
        """Whether public series can refer to these entries."""
        return self.kind in ("sources", "instrument")


class EntriesHandler(_KindHandler):
    """All entries of a kind: create one, list many."""

    needs: ClassVar = {"GET": ANY, "POST": requirement_of(Accounts.create)}

    @Contract(body="New{kind}", gives="Created{kind}", fails=(ForbiddenError, DuplicateError, OutcomeUnknownError))
    async def post(self) -> None:
        """Create an entry."""
        await self.reply(lambda: self.create(self.json_body()))

    def create(self, body: Mapping[str, object]) -> dict[str, object]:
        """Call the use case that ``needs`` names for POST."""
        return self.services.accounts.create(self.principal, self.kind, body)

    @Contract(query=_PAGES, gives="{kind}Page")
    async def get(self) -> None:
        """List the visible entries."""
        find = functools.partial(self.services.accounts.find, kind=self.kind)
        await self.reply(lambda: _page(self, self.kind, find))


class SourcesHandler(EntriesHandler):
    """All sources, which uploaders may create."""

    needs: ClassVar = {**EntriesHandler.needs, "POST": requirement_of(Accounts.create_source)}

    def create(self, body: Mapping[str, object]) -> dict[str, object]:
        """Call the use case that ``needs`` names for POST."""
        return self.services.accounts.create_source(self.principal, body)


class TokensHandler(EntriesHandler):
    """The visible tokens; all users may create tokens of their own."""

    needs: ClassVar = {**EntriesHandler.needs, "POST": requirement_of(Accounts.create_token)}

    def create(self, body: Mapping[str, object]) -> dict[str, object]:
        """Call the use case that ``needs`` names for POST."""
        return self.services.accounts.create_token(self.principal, body)


class EntryHandler(_KindHandler):
    """One entry of a kind: get, delete."""

    needs: ClassVar = {"GET": ANY, "DELETE": requirement_of(Accounts.remove)}

    @Contract(gives="{kind}")
    async def get(self, identity: str) -> None:
        """Return the entry."""
        await self.reply(lambda: self.services.accounts.get(self.principal, self.kind, identity))

    @Contract(fails=(ForbiddenError, InUseError, OutcomeUnknownError))
    async def delete(self, identity: str) -> None:
        """Remove the entry."""
        await self.reply(lambda: self.remove(identity))

    def remove(self, identity: str) -> None:
        """Call the use case that ``needs`` names for DELETE."""
        self.services.accounts.remove(self.principal, self.kind, identity)


class TokenHandler(EntryHandler):
    """One token; all users may delete their own."""

    needs: ClassVar = {**EntryHandler.needs, "DELETE": requirement_of(Accounts.remove_token)}

    def remove(self, identity: str) -> None:
        """Call the use case that ``needs`` names for DELETE."""
        self.services.accounts.remove_token(self.principal, identity)


class MembersHandler(EntryHandler):
    """One user, group, stream or instrument: get, change, delete."""

    needs: ClassVar = {**EntryHandler.needs, "PATCH": requirement_of(Accounts.change)}

    @Contract(body="Changed{kind}", fails=(DuplicateError, InUseError, OutcomeUnknownError))
    async def patch(self, identity: str) -> None:
        """Change names, members of groups and streams, or locations; deactivate or reactivate a user."""
        await self.reply(lambda: self.services.accounts.change(self.principal, self.kind, identity, self.json_body()))


class AuditHandler(BaseHandler):
    """The changes of accounts, tokens and sharing."""

    needs: ClassVar = {"GET": requirement_of(Accounts.audit)}

    @Contract(query=_PAGES, gives="AuditPage")
    async def get(self) -> None:
        """List changes of accounts, tokens and sharing, newest first."""
        await self.reply(lambda: _page(self, "events", self.services.accounts.audit))
