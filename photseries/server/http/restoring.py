"""The handlers that restore earlier states of series."""

from __future__ import annotations

from typing import Any, ClassVar

from photseries.errors import (
    ConflictError,
    DamagedError,
    DuplicateError,
    ExpiredError,
    InDoubtError,
    MissingReferenceError,
    PreconditionFailedError,
    QuotaExceededError,
)
from photseries.server.archive import Restorer
from photseries.server.http.base import BaseHandler
from photseries.server.http.contract import IF_MATCH, Contract
from photseries.server.http.series import number_of
from photseries.server.http.tags import revisions
from photseries.server.principal import requirement_of
from photseries.server.schemas.registries import load_entry
from photseries.server.schemas.restoring import RESTORE

__all__ = ["RestoreHandler"]


class RestoreHandler(BaseHandler):
    """An earlier revision of a series."""

    needs: ClassVar = {"POST": requirement_of(Restorer.restore)}

    @Contract(
        headers=(IF_MATCH,),
        body="Restore",
        gives="Restored",
        fails=(
            *(PreconditionFailedError, ConflictError, InDoubtError),
            *(DuplicateError, MissingReferenceError, ExpiredError, DamagedError, QuotaExceededError),
        ),
    )
    async def post(self, identity: str) -> None:
        """Make an earlier revision the newest, or bring back a deleted series; the sharing of a series stays."""

        def restore() -> dict[str, Any]:
            series_id = number_of(identity)
            asked = load_entry(RESTORE, self.json_body() if self._has_body() else {})
            expected = revisions(self.request.headers, series_id)
            revision = self.services.restorer.restore(self.principal, series_id, asked.get("revision"), expected)
            return {"id": series_id, "revision": revision}

        await self.reply(restore, heavy=True)
