"""The handlers that restore earlier states of series."""

from __future__ import annotations

from typing import ClassVar

from photseries.errors import (
    ConflictError,
    DamagedError,
    DuplicateError,
    ExpiredError,
    MissingReferenceError,
    NotAdoptedError,
    NotFoundError,
    OutcomeUnknownError,
    PreconditionFailedError,
    QuotaExceededError,
)
from photseries.server.archive import BatchUndo, Restorer
from photseries.server.http.base import BaseHandler
from photseries.server.http.contract import IF_MATCH, Contract
from photseries.server.http.etags import revisions
from photseries.server.http.series import number_of
from photseries.server.principal import requirement_of
from photseries.server.schemas.registries import load_entry
from photseries.server.schemas.restoring import RESTORE, UNDO

__all__ = ["RestoreHandler", "UndoHandler"]


class RestoreHandler(BaseHandler):
    """An earlier revision of a series."""

    needs: ClassVar = {"POST": requirement_of(Restorer.restore)}

    @Contract(
        headers=(IF_MATCH,),
        body="Restore",
        gives="Restored",
        fails=(
            *(PreconditionFailedError, ConflictError, OutcomeUnknownError, NotAdoptedError),
            *(DuplicateError, MissingReferenceError, ExpiredError, DamagedError, QuotaExceededError),
        ),
    )
    async def post(self, identity: str) -> None:
        """Make an earlier revision the newest, or restore a deleted series; the sharing does not change."""

        def restore() -> dict[str, object]:
            series_id = number_of(identity)
            body = load_entry(RESTORE, self.json_body() if self._has_body() else {})
            expected = revisions(self.request.headers, series_id)
            revision = self.services.restorer.restore(self.principal, series_id, body.get("revision"), expected)
            return {"id": series_id, "revision": revision}

        await self.reply(restore, heavy=True)


class UndoHandler(BaseHandler):
    """The series of an upload batch."""

    needs: ClassVar = {"POST": requirement_of(BatchUndo.undo)}

    @Contract(body="Undo", gives="Undone", fails=(NotFoundError, OutcomeUnknownError, NotAdoptedError))
    async def post(self) -> None:
        """Delete the series that a batch created, and restore the others to their revision before it."""

        def undo() -> dict[str, object]:
            body = load_entry(UNDO, self.json_body())
            dry_run, after = body.get("dryRun", False), body.get("after", 0)
            return self.services.batch_undo.undo(self.principal, body["batch"], dry_run=dry_run, after=after)

        await self.reply(undo, heavy=True)
