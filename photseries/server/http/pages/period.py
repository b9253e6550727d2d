"""The page on which the period of a series is found, and its light curve folded."""

from __future__ import annotations

from typing import ClassVar

from photseries.server.http.base import ANY
from photseries.server.http.pages.series import SeriesPageHandler
from photseries.server.http.series import number_of

__all__ = ["PeriodPageHandler"]


class PeriodPageHandler(SeriesPageHandler):
    """The periodogram of a series, and its light curve folded."""

    needs: ClassVar = {"GET": ANY}

    async def get(self, identity: str) -> None:
        """Find the period of a series."""
        await self.show("period.html", lambda: self.values(number_of(identity)))
