"""The admin pages: users, groups, streams, instruments, tokens, usage and account history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from photseries.server.http.pages.page import PageHandler
from photseries.server.principal import CHANGE_REGISTRIES, PERMISSIONS

__all__ = ["AdminHandler"]

#: The registries, with the columns on the page and the labels of the form for a new entry.
_KINDS: Mapping[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "users": ("Users", ("username", "active", "created_at"), ("username",)),
    "groups": ("Groups", ("name", "members"), ("name",)),
    "streams": ("Streams", ("name", "members"), ("name",)),
    "instrument": ("Instruments", ("name", "telescope", "filters", "longitude", "latitude"), ("name", "telescope")),
    "tokens": ("Tokens", ("name", "user", "permissions", "last_used_at", "expires_at"), ()),
}
_EVENTS = 50


class AdminHandler(PageHandler):
    """The admin page."""

    needs: ClassVar = {"GET": CHANGE_REGISTRIES}

    async def get(self) -> None:
        """Show the registries, the usage and the history."""
        await self.show("admin.html", self._values)

    def _values(self) -> Mapping[str, object]:
        accounts = self.services.accounts
        entries = {kind: self.listed(kind) for kind in _KINDS}
        names = {item["id"]: item["username"] for item in entries["users"]}
        for item in (*entries["groups"], *entries["streams"]):
            item["members"] = [names.get(number, str(number)) for number in item["user_ids"]]
        for item in entries["tokens"]:
            item["user"] = names.get(item["user_id"], str(item["user_id"]))
        return {
            "kinds": _KINDS,
            "entries": entries,
            "names": names,
            "permissions": PERMISSIONS,
            "usage": self.services.reader.usage(self.principal),
            "quotas": self.services.config.quotas,
            "events": accounts.audit(self.principal, 1, _EVENTS)[0],
        }
