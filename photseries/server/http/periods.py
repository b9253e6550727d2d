"""The handler of the periods of a series."""

from __future__ import annotations

from typing import ClassVar

from photseries import parameters
from photseries.errors import OutcomeUnknownError
from photseries.parameters import OWN_PERIODS
from photseries.server.archive import Periods
from photseries.server.http.base import ANY, BaseHandler
from photseries.server.http.contract import Contract
from photseries.server.http.series import number_of
from photseries.server.principal import requirement_of
from photseries.server.schemas.periods import PERIOD
from photseries.server.schemas.registries import load_entry

__all__ = ["PeriodsHandler"]


class PeriodsHandler(BaseHandler):
    """The periods of a series."""

    needs: ClassVar = {"GET": ANY, "PUT": requirement_of(Periods.put), "DELETE": requirement_of(Periods.delete)}
    public: ClassVar[bool] = True

    @Contract(gives="Periods")
    async def get(self, identity: str) -> None:
        """List the periods that the service found and users state, the preferred one first."""
        await self.reply(lambda: {"periods": self.services.periods.list(self.principal, number_of(identity))})

    @Contract(body="Period", fails=(OutcomeUnknownError,))
    async def put(self, identity: str) -> None:
        """State a period, in place of one's earlier one of the same method; a preferred one is that of the series."""

        def put() -> None:
            values = load_entry(PERIOD, self.json_body())
            self.services.periods.put(self.principal, number_of(identity), values)

        await self.reply(put)

    @Contract(query=OWN_PERIODS, gives="RemovedPeriods", fails=(OutcomeUnknownError,))
    async def delete(self, identity: str) -> None:
        """Remove one's own periods, all or that of one method."""

        def delete() -> dict[str, object]:
            method = parameters.read(self.arguments(), OWN_PERIODS).get("method")
            return {"deleted": self.services.periods.delete(self.principal, number_of(identity), method)}

        await self.reply(delete)
