"""The account page: tokens and groups of the user."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from photseries.server.http.base import ANY
from photseries.server.http.pages.page import PageHandler
from photseries.server.principal import PERMISSIONS

__all__ = ["AccountHandler"]

_MAX_LISTED = 500


class AccountHandler(PageHandler):
    """The account of the user."""

    needs: ClassVar = {"GET": ANY}

    async def get(self) -> None:
        """Show the account."""
        await self.show("account.html", self._values)

    def _values(self) -> Mapping[str, object]:
        find = self.services.accounts.find
        tokens = find(self.principal, "tokens", 1, _MAX_LISTED)[0]
        return {
            "tokens": [entry for entry in tokens if entry["user_id"] == self.principal.user_id],
            "groups": [
                entry
                for entry in find(self.principal, "groups", 1, _MAX_LISTED)[0]
                if entry["id"] in self.principal.group_ids
            ],
            "permissions": {name: description for name, description in PERMISSIONS.items() if self.principal.may(name)},
        }
