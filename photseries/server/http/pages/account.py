"""The account page: tokens and groups of the user."""

from __future__ import annotations

from collections.abc import Mapping

from photseries.server.http.pages.page import PageHandler
from photseries.server.principal import PERMISSIONS

__all__ = ["AccountHandler"]


class AccountHandler(PageHandler):
    """The account of the user."""

    async def get(self) -> None:
        """Show the account."""
        await self.show("account.html", self._values)

    def _values(self) -> Mapping[str, object]:
        member = self.principal.as_member()
        return {
            "tokens": self.listed("tokens", member),
            "groups": self.listed("groups", member),
            "permissions": {name: description for name, description in PERMISSIONS.items() if self.principal.may(name)},
        }
