"""The handlers of series: create, find, summarize, get, change, append, delete, history."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import ClassVar

import orjson

from photseries import __version__, parameters
from photseries.errors import (
    BusyError,
    ConflictError,
    DamagedError,
    DuplicateError,
    ForbiddenError,
    NotAdoptedError,
    NotFoundError,
    OutcomeUnknownError,
    PhotseriesError,
    PreconditionFailedError,
    QuotaExceededError,
    UnreadableFileError,
)
from photseries.parameters import (
    CONTROLS,
    CRITERIA,
    OF_SOURCE,
    ONE_SERIES,
    SUMMARY_CRITERIA,
    Condition,
    Query,
    likely_mistakes,
)
from photseries.server.archive import Archive
from photseries.server.archive.reader import SeriesDocument
from photseries.server.catalogue.series_queries import SeriesRecord
from photseries.server.http.answers import success, success_pieces
from photseries.server.http.base import ANY, BaseHandler
from photseries.server.http.contract import IF_MATCH, IF_NONE_MATCH, Contract
from photseries.server.http.etags import is_known, revisions, set_validators, tag_of
from photseries.server.http.turns import MANY_ROWS
from photseries.server.http.uploads import UploadHandler
from photseries.server.principal import requirement_of

__all__ = [
    "AppendHandler",
    "HistoryHandler",
    "OneSeriesHandler",
    "QueryHandler",
    "SeriesHandler",
    "SourceSeriesHandler",
    "SummaryHandler",
    "number_of",
    "restricted_to_source",
]

#: Total file size decoded per batch of a list [bytes]; a larger file is its own batch.
BATCH = 1024 * 1024

_MAX_ID = 2**63 - 1

_LIST = (*CRITERIA, *CONTROLS)

_CHANGE_FAILS = (PreconditionFailedError, ConflictError, OutcomeUnknownError, NotAdoptedError)


class SeriesHandler(UploadHandler):
    """All series: create one, find many."""

    needs: ClassVar = {"GET": ANY, "POST": requirement_of(Archive.create)}
    public: ClassVar[bool] = True

    @Contract(
        query=parameters.UPLOAD,
        body="NewSeries",
        gives={"anyOf": [{"$ref": "#/components/schemas/Created"}, {"$ref": "#/components/schemas/Preview"}]},
        fails=(UnreadableFileError, DuplicateError, OutcomeUnknownError, QuotaExceededError, NotAdoptedError),
    )
    async def post(self) -> None:
        """Create a series."""

        def create() -> object:
            body, options = self.upload(parameters.UPLOAD)
            if options["dryRun"]:
                return self.services.archive.preview(self.principal, body, options.get("maxPoints"))
            created = self.services.archive.create(self.principal, body)
            self.shared.metrics.count_uploads()
            return created

        await self.reply(create, heavy=True)

    @Contract(query=_LIST, gives="SeriesPage", fails=(BusyError,))
    async def get(self) -> None:
        """Find series, optionally with their tables."""
        await self.send_page(lambda: parameters.parse(self.arguments()))

    async def send_page(self, parse: Callable[[], Query]) -> None:
        """Send a page of matching series; the query is parsed in the thread that finds them."""
        parse = functools.cache(parse)  # the body is read only once, but find may be called again

        def find() -> tuple[str, list[SeriesRecord], dict[str, object], bytes]:
            query = parse()
            self.weigh(query.positions is not None or query.data_format != "none")
            page, total = self.services.reader.find(self.principal, query)
            around: dict[str, object] = {
                **({} if total is None else {"totalMatches": total}),
                "numPerPage": query.per_page,
                "pageNumber": query.page,
                "cursor": page.cursor,
            }
            if not page.records and (warnings := likely_mistakes(query, self.services.archive.filters)):
                around["warnings"] = warnings
            listed = [_without_table(record) for record in page.records] if query.data_format == "none" else []
            return query.data_format, page.records, around, success({"series": listed, **around})

        data_format, records, around, content = await self.run(find)
        if data_format == "none":
            await self.send([content])
        else:
            await self.stream(self._pieces(records, around, data_format))

    def _pieces(self, records: list[SeriesRecord], around: dict[str, object], data_format: str) -> Iterator[bytes]:
        """Yield the answer in batches of series, to limit the memory."""
        yield b'{"status":"success","data":{"series":['
        for number, batch in enumerate(_batches(records)):
            yield (b"," if number else b"") + b",".join(
                self._document_with_table(series, data_format) for series in batch
            )
        yield b"]," + orjson.dumps(around)[1:] + b',"version":' + orjson.dumps(__version__) + b"}"

    def _document_with_table(self, record: SeriesRecord, data_format: str) -> bytes:
        try:
            _, document = self.services.reader.document(self.principal, record, data_format)
            return b"".join(document.pieces())
        except PhotseriesError as error:
            return orjson.dumps({**record.fields, "data": None, "data_error": error.message})


def _without_table(record: SeriesRecord) -> orjson.Fragment:
    """Return the JSON of a series without its table."""
    return orjson.Fragment(b"".join(SeriesDocument(record.document).pieces()))


def _batches(records: list[SeriesRecord]) -> Iterator[list[SeriesRecord]]:
    """Group series with small files: each batch waits for its turn in the table pool."""
    batch: list[SeriesRecord] = []
    for record in records:
        if batch and sum(other.blob.size for other in batch) + record.blob.size > BATCH:
            yield batch
            batch = []
        batch.append(record)
    if batch:
        yield batch


class QueryHandler(SeriesHandler):
    """The search with parameters in a body, and around a list of positions."""

    needs: ClassVar = {"POST": ANY}
    takes_files: ClassVar[bool] = False
    reads: ClassVar = ("POST",)

    @Contract(body="Query", gives="SeriesPage", fails=(BusyError,))
    async def post(self) -> None:
        """Find series by a JSON body of query parameters, also around `positions: [[ra, dec], ...]`."""

        def parse() -> Query:
            body = self.json_body()
            positions = body.pop("positions", None)
            return parameters.parse(parameters.texts_of(body), positions)

        await self.send_page(parse)


class SourceSeriesHandler(SeriesHandler):
    """The series of one source."""

    needs: ClassVar = {"GET": ANY}

    @Contract(query=_LIST, gives="SeriesPage", fails=(BusyError,))
    async def get(self, identity: str) -> None:  # type: ignore[override]
        """Find the series of a source, with the search parameters."""

        def parse() -> Query:
            self.services.accounts.get(self.principal, "sources", identity)
            return restricted_to_source(parameters.parse(self.arguments()), identity)

        await self.send_page(parse)


class SummaryHandler(BaseHandler):
    """The counts of many series."""

    needs: ClassVar = {"GET": ANY}
    public: ClassVar[bool] = True

    @Contract(query=SUMMARY_CRITERIA, gives="Summary", fails=(BusyError,))
    async def get(self) -> None:
        """Count the matching series, by instrument, filter, series_name and owner, with sources and time span."""

        def summarize() -> dict[str, object]:
            query = parameters.parse_criteria(self.arguments())
            self.weigh()
            return self.services.reader.summarize(self.principal, query)

        await self.reply(summarize)


class OneSeriesHandler(UploadHandler):
    """One series: get, change, delete."""

    needs: ClassVar = {"GET": ANY, "PATCH": requirement_of(Archive.update), "DELETE": requirement_of(Archive.delete)}
    public: ClassVar[bool] = True

    @Contract(
        query=ONE_SERIES,
        headers=(IF_NONE_MATCH,),
        gives={"anyOf": [{"$ref": "#/components/schemas/Series"}, {"$ref": "#/components/schemas/PastSeries"}]},
        also={304: "Unchanged since the ETag in If-None-Match."},
        fails=(DamagedError, BusyError, ForbiddenError),
    )
    async def get(self, identity: str) -> None:
        """Return the series, with its table as JSON, as HDF5 or without it; optionally an earlier revision."""

        def get() -> tuple[str | None, list[bytes]]:
            values = parameters.read(self.arguments(), ONE_SERIES)
            series_id, data_format = number_of(identity), values["dataFormat"]
            reader = self.services.reader
            if "revision" in values:
                self.weigh(data_format == "json")
                past = reader.revision(self.principal, series_id, values["revision"], data_format)
                return None, success_pieces(past.pieces())
            record = reader.get(self.principal, series_id)
            part = parameters.selection_of(values)
            location = reader.location_mark(record, part)
            tag = tag_of(record, data_format, record.document + location)
            if is_known(self.request.headers, tag):
                return tag, []
            self.weigh(data_format == "json" and record.fields["num_exp"] > MANY_ROWS)
            record, document = reader.document(self.principal, record, data_format, part)
            return tag_of(record, data_format, record.document + location), success_pieces(document.pieces())

        tag, pieces = await self.run(get, heavy=self.get_query_argument("dataFormat", "") != "none")
        if tag is not None:
            set_validators(self, tag)
        if not pieces:
            self.set_status(304)
        await self.send(pieces)

    @Contract(
        headers=(IF_MATCH,),
        body="ChangedSeries",
        gives="Changed",
        fails=(*_CHANGE_FAILS, UnreadableFileError, DuplicateError, DamagedError, QuotaExceededError),
    )
    async def patch(self, identity: str) -> None:
        """Change metadata, sharing or the table; with If-Match only at the given revision."""

        def change() -> dict[str, object]:
            series_id = number_of(identity)
            expected = revisions(self.request.headers, series_id)
            body, _ = self.upload()
            warnings = self.services.archive.update(self.principal, series_id, body, expected)
            return {"id": series_id, "warnings": warnings}

        await self.reply(change, heavy=True)

    @Contract(headers=(IF_MATCH,), fails=_CHANGE_FAILS)
    async def delete(self, identity: str) -> None:
        """Delete the series; with If-Match only at the given revision."""
        await self.reply(_removing(self, identity, self.services.archive.delete))


class AppendHandler(UploadHandler):
    """Appended rows."""

    needs: ClassVar = {"POST": requirement_of(Archive.append)}

    @Contract(
        query=parameters.APPEND,
        headers=(IF_MATCH,),
        body="Rows",
        gives="Changed",
        fails=(*_CHANGE_FAILS, UnreadableFileError, DamagedError, QuotaExceededError),
    )
    async def post(self, identity: str) -> None:
        """Append rows to a series; with If-Match only at the given revision."""

        def append() -> dict[str, object]:
            series_id = number_of(identity)
            expected = revisions(self.request.headers, series_id)
            body, options = self.upload(parameters.APPEND)
            drop = options["repeats"] == "drop"
            warnings = self.services.archive.append(self.principal, series_id, body, expected, drop_repeats=drop)
            return {"id": series_id, "warnings": warnings}

        await self.reply(append, heavy=True)


class HistoryHandler(BaseHandler):
    """The history of a series."""

    needs: ClassVar = {"GET": ANY, "DELETE": requirement_of(Archive.purge)}

    @Contract(gives="History")
    async def get(self, identity: str) -> None:
        """List the changes; owners and tokens that may change the series also see users and values."""
        history = self.services.reader.history
        await self.reply(lambda: {"history": history(self.principal, number_of(identity))})

    @Contract(headers=(IF_MATCH,), fails=_CHANGE_FAILS)
    async def delete(self, identity: str) -> None:
        """Remove the values and files of earlier revisions; the owner may also purge a deleted series."""
        await self.reply(_removing(self, identity, self.services.archive.purge))


def _removing(handler: BaseHandler, identity: str, remove: Callable[..., None]) -> Callable[[], None]:
    """Return the function that removes a series or its history, at the revision in If-Match."""

    def call() -> None:
        series_id = number_of(identity)
        remove(handler.principal, series_id, revisions(handler.request.headers, series_id))

    return call


def restricted_to_source(query: Query, *identities: str) -> Query:
    """Restrict a query to the series of a source, or of several."""
    mine = Condition(OF_SOURCE, OF_SOURCE.field, identities)
    return dataclasses.replace(query, restrictions=(*query.restrictions, mine))


def number_of(identity: str) -> int:
    """Parse the id of a series in a path.

    Raises
    ------
    NotFoundError
        When it cannot be one.
    """
    if not (identity.isascii() and identity.isdigit() and len(identity) < 20 and int(identity) <= _MAX_ID):
        raise NotFoundError(f"No photometric series with ID {identity[:40]}.")
    return int(identity)
