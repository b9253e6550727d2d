"""What is told about series beside them: the numbers of many, the past of one."""

from __future__ import annotations

from typing import ClassVar

from photseries import parameters
from photseries.parameters import SUMMED_UP
from photseries.server.http.base import ANY, BaseHandler
from photseries.server.http.contract import Contract
from photseries.server.http.series import number_of

__all__ = ["HistoryHandler", "SummaryHandler"]


class SummaryHandler(BaseHandler):
    """What an archive holds."""

    needs: ClassVar = {"GET": ANY}
    public: ClassVar[bool] = True

    @Contract(query=SUMMED_UP, gives="Summary")
    async def get(self) -> None:
        """Count the series that match: by instrument, filter, series_name and owner, their sources and time span."""
        await self.reply(
            lambda: self.services.archive.summary(self.principal, parameters.parse_criteria(self.arguments()))
        )


class HistoryHandler(BaseHandler):
    """What was done to a series."""

    needs: ClassVar = {"GET": ANY}

    @Contract(gives="History")
    async def get(self, identity: str) -> None:
        """List who changed what, and when; also of a series that was deleted, to its owner."""
        events = self.services.archive.history
        await self.reply(lambda: {"history": events(self.principal, number_of(identity))})
