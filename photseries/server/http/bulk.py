"""The handler of bulk uploads: a body with many series, and an answer with a line per series."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import closing
from typing import ClassVar, Final

import orjson

from photseries import __version__, parameters
from photseries.errors import (
    AbortedError,
    BusyError,
    DuplicateError,
    NotAdoptedError,
    OutcomeUnknownError,
    PhotseriesError,
    QuotaExceededError,
    UnreadableFileError,
)
from photseries.fields.texts import fields_of_texts
from photseries.server.archive.bulk import BulkOptions, BulkUpload
from photseries.server.archive.bulk_writer import BulkOutcome
from photseries.server.http.answers import error_envelope
from photseries.server.http.base import BaseHandler
from photseries.server.http.contract import Contract, Raw
from photseries.server.http.media import media_type_of
from photseries.server.http.uploads import MAX_FIELDS_SIZE, require_short_fields
from photseries.server.principal import requirement_of

__all__ = ["BulkHandler"]

#: Media type of a body -> format in the archive.
_MEDIA: Final = {"application/vnd.apache.arrow.stream": "arrow", "application/vnd.apache.parquet": "parquet"}

_ANSWER: Final = "application/x-ndjson"

_COUNTED: Final = ("created", "skipped", "replaced", "failed")


class BulkHandler(BaseHandler):
    """Many series in one body."""

    needs: ClassVar = {"POST": requirement_of(BulkUpload.upload)}
    media_types: ClassVar = tuple(_MEDIA)

    @property
    def max_body_length(self) -> int:
        """The maximum length of a body [bytes]."""
        return self.services.config.limits.bulk

    @Contract(
        query=parameters.BULK,
        gives=Raw((_ANSWER,)),
        fails=(
            *(UnreadableFileError, DuplicateError, OutcomeUnknownError, QuotaExceededError, NotAdoptedError),
            *(AbortedError, BusyError),
        ),
    )
    async def post(self) -> None:
        """Create many series from an Arrow IPC stream or Parquet; answer with a line per series, and the counts."""
        options = await self.run(self._options)
        self.set_header("Content-Type", _ANSWER)
        with self._body.descriptor() as body:
            lines = self._lines(body, options)
            try:
                async with self.shared.bulk_turns.place(self.caller.key):
                    await self.stream(lines)
            finally:  # waits for threads, and removes files if the client has gone
                await self.shared.table_pool.call(lines.close)

    def _options(self) -> BulkOptions:
        self.shared.bulk_turns.check(self.caller.key)
        self.weigh()
        arguments = self.arguments()
        names = {parameter.name for parameter in parameters.BULK}
        options = {name: arguments.pop(name) for name in names & arguments.keys()}
        values, fields = parameters.read(options, parameters.BULK), fields_of_texts(arguments)
        require_short_fields(fields, MAX_FIELDS_SIZE * self.services.config.limits.metadata)
        return BulkOptions(
            media=_MEDIA[media_type_of(self.request.headers)],
            by=tuple(values.get("by", ())),
            if_exists=values["ifExists"],
            abort=values["onError"] == "abort",
            dry_run=values["dryRun"],
            fields=fields,
        )

    def _lines(self, body: int, options: BulkOptions) -> Generator[bytes, None, None]:
        """Yield the lines of the answer, grouped by portion; an error that ends the upload early is also a line."""
        counts: Counter[str] = Counter()
        began = False
        try:
            with closing(self.services.bulk.upload(self.principal, body, options)) as portions:
                for portion in portions:
                    began = began or bool(portion)
                    counts.update(outcome.status or "failed" for outcome in portion)
                    self.shared.metrics.count_uploads(sum(outcome.status == "created" for outcome in portion))
                    yield b"".join(map(_line, portion))
                    self.work.require_rights()  # not before, because the portion is stored
        except PhotseriesError as error:
            if not began:
                raise
            yield _encode_line(error_envelope(error))
            return
        total = {"series": counts.total(), **{name: counts[name] for name in _COUNTED}}
        yield _encode_line({"status": "success", "data": total, "version": __version__})


def _line(outcome: BulkOutcome) -> bytes:
    """Encode the outcome for a series like the answer to a single POST, with its position."""
    if outcome.error is not None:
        return _encode_line({**error_envelope(outcome.error), "index": outcome.index})
    data = {"id": outcome.id, "outcome": outcome.status, "warnings": outcome.warnings}
    return _encode_line({"status": "success", "data": data, "version": __version__, "index": outcome.index})


def _encode_line(line: dict[str, object]) -> bytes:
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
