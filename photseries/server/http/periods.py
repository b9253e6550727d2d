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
        """List the periods found by the service and stored by users, the preferred one first."""
        await self.reply(lambda: {"periods": self.services.periods.list(self.principal, number_of(identity))})

    @Contract(body="Period", fails=(OutcomeUnknownError,))
    async def put(self, identity: str) -> None:
        """Store a period, replacing your earlier one of the same method; a preferred one is used in searches."""

        def put() -> None:
            values = load_entry(PERIOD, self.json_body())
            self.services.periods.put(self.principal, number_of(identity), values)

        await self.reply(put)

    @Contract(query=OWN_PERIODS, gives="RemovedPeriods", fails=(OutcomeUnknownError,))
    async def delete(self, identity: str) -> None:
        """Remove your own periods: all, or one method's."""

        def delete() -> dict[str, object]:
            method = parameters.read(self.arguments(), OWN_PERIODS).get("method")
            return {"deleted": self.services.periods.delete(self.principal, number_of(identity), method)}

        await self.reply(delete)
