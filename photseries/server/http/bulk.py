"""The handler of bulk uploads: one body with many series, and a line of the answer for each series."""

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
from photseries.server.archive.bulk import BulkOptions, BulkUpload, Outcome
from photseries.server.http.answers import failed
from photseries.server.http.base import BaseHandler
from photseries.server.http.contract import Contract, Raw
from photseries.server.http.media import media_type_of
from photseries.server.http.uploads import LONGEST_FIELDS, require_short_fields
from photseries.server.principal import requirement_of

__all__ = ["BulkHandler"]

#: What a body may be, and what the archive calls it.
_MEDIA: Final = {"application/vnd.apache.arrow.stream": "arrow", "application/vnd.apache.parquet": "parquet"}

_ANSWER: Final = "application/x-ndjson"

_COUNTED: Final = ("created", "skipped", "replaced", "failed")


class BulkHandler(BaseHandler):
    """Many series in one body."""

    needs: ClassVar = {"POST": requirement_of(BulkUpload.upload)}
    media_types: ClassVar = tuple(_MEDIA)

    @property
    def longest_body(self) -> int:
        """How long a body may be [bytes]."""
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
        """Create many series from an Arrow IPC stream or Parquet; answer a line per series, and the counts."""
        options = await self.run(self._options)
        self.set_header("Content-Type", _ANSWER)
        self.set_header("Cache-Control", "private, no-store")
        with self._body.descriptor() as body, closing(self._lines(body, options)) as lines:
            await self.stream(lines)

    def _options(self) -> BulkOptions:
        self.weigh()
        arguments = self.arguments()
        known = {parameter.name for parameter in parameters.BULK}
        own = {name: arguments.pop(name) for name in known & arguments.keys()}
        values, fields = parameters.read(own, parameters.BULK), fields_of_texts(arguments)
        require_short_fields(fields, LONGEST_FIELDS * self.services.config.limits.metadata)
        return BulkOptions(
            media=_MEDIA[media_type_of(self.request.headers)],
            by=tuple(values.get("by", ())),
            if_exists=values["ifExists"],
            abort=values["onError"] == "abort",
            dry_run=values["dryRun"],
            fields=fields,
        )

    def _lines(self, body: int, options: BulkOptions) -> Generator[bytes, None, None]:
        """Yield the lines of the answer, those of a portion together; what ends the upload early is a line, too."""
        counts: Counter[str] = Counter()
        began = False
        try:
            with closing(self.services.bulk.upload(self.principal, body, options)) as portions:
                for portion in portions:
                    began = began or bool(portion)
                    counts.update(outcome.status or "failed" for outcome in portion)
                    self.shared.metrics.uploaded(sum(outcome.status == "created" for outcome in portion))
                    yield b"".join(map(_line, portion))
        except PhotseriesError as error:
            if not began:
                raise
            yield _written(failed(error))
            return
        total = {"series": counts.total(), **{name: counts[name] for name in _COUNTED}}
        yield _written({"status": "success", "data": total, "version": __version__})


def _line(outcome: Outcome) -> bytes:
    """Write what became of a series as the answer to its own POST would be, with its place."""
    if outcome.error is not None:
        return _written({**failed(outcome.error), "index": outcome.index})
    data = {"id": outcome.id, "outcome": outcome.status, "warnings": outcome.warnings}
    return _written({"status": "success", "data": data, "version": __version__, "index": outcome.index})


def _written(line: dict[str, object]) -> bytes:
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)
