"""The handlers of ``/api/photometric_series``."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import orjson

from photseries import __version__, criteria
from photseries.catalogue.finding import Found
from photseries.criteria import CONTROLS, OF_SOURCE, Query, Restriction
from photseries.errors import NotFoundError, PhotseriesError
from photseries.http.base import ANY, BaseHandler
from photseries.principal import UPLOAD

__all__ = ["OneSeriesHandler", "QueryHandler", "SeriesHandler", "SourceSeriesHandler", "SummaryHandler"]

_LARGEST_ID = 2**63 - 1

#: The parameters of a request for one series: the table of the lists, with another default.
_ONE = tuple(dataclasses.replace(known, default="json") for known in CONTROLS if known.name == "dataFormat")


class SeriesHandler(BaseHandler):
    """All series: create one, find many."""

    needs: ClassVar = {"GET": ANY, "POST": UPLOAD}

    async def post(self) -> None:
        """Create a series."""

        def create() -> dict[str, Any]:
            created = self.services.archive.create(self.principal, self.json_body())
            return {"id": created.id, **({"warnings": created.warnings} if created.warnings else {})}

        await self.reply(create)

    async def get(self) -> None:
        """Find series; with their tables, one at a time."""
        await self.send_page(criteria.parse(self.arguments()))

    async def send_page(self, query: Query) -> None:
        """Send a page of the series that match a query."""
        page, total = await self.run(self.services.archive.find, self.principal, query)
        around = {
            **({} if total is None else {"totalMatches": total}),
            "numPerPage": query.per_page,
            "pageNumber": query.page,
            "cursor": page.cursor,
        }
        if query.data_format == "none":
            await self.reply(lambda: {"series": [one.fields for one in page.found], **around})
        else:
            await self._stream(page.found, around, query.data_format)

    async def _stream(self, found: list[Found], around: dict[str, Any], data_format: str) -> None:
        """Send the series one by one, so that one table at a time is in memory."""
        self.write(b'{"status":"success","data":{"series":[')
        for number, one in enumerate(found):
            self.write(b"," if number else b"")
            self.write(await self.run(self._one, one, data_format))
            await self.flush()
        self.write(b"]," + orjson.dumps(around)[1:] + b',"version":' + orjson.dumps(__version__) + b"}")
        self.finish()

    def _one(self, found: Found, data_format: str) -> bytes:
        try:
            return orjson.dumps(self.services.archive.shown(found, data_format))
        except PhotseriesError as error:
            return orjson.dumps({**found.fields, "data": None, "data_error": error.message})


class QueryHandler(SeriesHandler):
    """The same search with its parameters in a body, and around a list of positions."""

    needs: ClassVar = {"POST": ANY}

    async def post(self) -> None:
        """Find series by a JSON body of query parameters, and near `positions: [[ra, dec], ...]` within `radius`."""

        def parse() -> Query:
            body = self.json_body()
            positions = body.pop("positions", None)
            return criteria.parse(criteria.texts_of(body), positions)

        await self.send_page(await self.run(parse))


class SummaryHandler(BaseHandler):
    """What an archive holds."""

    needs: ClassVar = {"GET": ANY}

    async def get(self) -> None:
        """Count the series that match: by instrument, filter, series_name and owner, their sources and time span."""
        await self.reply(self.services.archive.summary, self.principal, criteria.parse_criteria(self.arguments()))


class SourceSeriesHandler(SeriesHandler):
    """The series of one source."""

    needs: ClassVar = {"GET": ANY}

    async def get(self, identity: str) -> None:  # type: ignore[override]
        """Find the series of a source, with the parameters of the lists."""
        await self.run(self.services.accounts.get, self.principal, "sources", identity)
        query = criteria.parse(self.arguments())
        mine = Restriction(OF_SOURCE, OF_SOURCE.field, (identity,))
        await self.send_page(dataclasses.replace(query, restrictions=(*query.restrictions, mine)))


class OneSeriesHandler(BaseHandler):
    """One series: get, change, delete."""

    needs: ClassVar = {"GET": ANY, "PATCH": ANY, "DELETE": ANY}

    async def get(self, identity: str) -> None:
        """Give the series, with its table as JSON columns, as HDF5 or without."""
        data_format = criteria.read(self.arguments(), _ONE)["dataFormat"]
        await self.reply(self.services.archive.get, self.principal, _number(identity), data_format)

    async def patch(self, identity: str) -> None:
        """Change metadata, sharing or the table."""

        def change() -> dict[str, int]:
            series_id = _number(identity)
            self.services.archive.update(self.principal, series_id, self.json_body())
            return {"id": series_id}

        await self.reply(change)

    async def delete(self, identity: str) -> None:
        """Remove the series."""
        await self.reply(self.services.archive.delete, self.principal, _number(identity))


def _number(identity: str) -> int:
    if not (identity.isascii() and identity.isdigit() and len(identity) < 20 and int(identity) <= _LARGEST_ID):
        raise NotFoundError(f"No photometric series with ID {identity[:40]}.")
    return int(identity)
