"""Bulk uploads: many series in one Arrow or Parquet body, and the outcome of each."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np
import orjson
import pandas as pd

from photseries.client.answers import ApiResponse, LostAnswerError, answer_of, error_of
from photseries.client.bulk_bodies import (
    ARROW,
    Item,
    TablePart,
    arrow_stream,
    compact,
    content_of,
    grouped,
    is_body,
    media_of,
    nested_table,
    parts_of,
)
from photseries.client.keys import key_of
from photseries.client.many import ManyUploader
from photseries.client.payload import Message, query_of
from photseries.client.search import SERIES
from photseries.client.threads import ahead
from photseries.client.transport import Transport
from photseries.client.uploads import FATAL, Outcome, Uploaded, data_and_fields
from photseries.errors import DuplicateError, InvalidError, PhotseriesError, UnavailableError
from photseries.extras import is_installed
from photseries.formats import Reading, ReadOptions, is_astropy
from photseries.lightcurve.table import is_default, is_text

__all__ = ["BatchedUpload", "BulkUploader", "as_items", "is_table", "is_unparsed", "with_metadata"]

#: The outcome of a series, a line of the answer.
_Line = dict[str, Any]

#: Number of items from which tables are sent together.
MANY: Final = 32

#: Maximum values of a table that is sent with others; a larger one is as fast alone.
MAX_BATCHED_VALUES: Final = 100_000

#: Bodies in flight; the next one is written meanwhile.
IN_FLIGHT: Final = 2


def is_unparsed(items: object, options: ReadOptions | None, metadata: object) -> bool:
    """Return whether an object is an Arrow or Parquet file that can be sent unchanged."""
    return is_body(items) and (options or ReadOptions()) == ReadOptions() and not isinstance(metadata, pd.DataFrame)


def is_table(items: object) -> bool:
    """Return whether something is one table, of pandas or of anything that shares its columns through Arrow."""
    return (
        isinstance(items, pd.DataFrame)
        or hasattr(items, "__arrow_c_stream__")
        or (isinstance(items, Mapping) and not is_astropy(items))
    )


def as_items(items: Iterable[object] | os.PathLike[str]) -> Iterable[object]:
    """Return the items to upload: one path is one, and so is one table whose columns have units of astropy."""
    return [items] if isinstance(items, str | os.PathLike) or is_astropy(items) else items


def with_metadata(table: Any, by: Sequence[str], metadata: object) -> object:
    """Return a table with the fields of each series; a DataFrame also has the columns that identify the series.

    Raises
    ------
    InvalidError
        When there are no such columns, or the fields of a series differ between its rows.
    """
    if isinstance(table, Mapping):
        table = pd.DataFrame(dict(table))
    if not isinstance(metadata, pd.DataFrame):
        return table
    if not by or not set(by) <= set(metadata.columns):
        raise InvalidError("A DataFrame as metadata needs 'by', and the columns that it names.")
    frame = table if isinstance(table, pd.DataFrame) else table.to_pandas()
    twice = sorted((set(frame.columns) & set(metadata.columns)) - set(by))
    if twice:
        raise InvalidError(f"Both the table and the metadata have a column {twice[0]!r:.80}.")
    unique = metadata[~metadata.astype(str).duplicated()]
    if (repeated := unique.duplicated(list(by))).any():
        series = unique.loc[repeated, list(by)].iloc[0].to_dict()
        raise InvalidError(f"The metadata have several rows with different fields for the series {series!r:.80}.")
    return frame.merge(unique, on=list(by), how="left", sort=False)


class BatchedUpload:
    """Uploads items; many small tables share a request. See :meth:`photseries.Client.upload_many`.

    Parameters
    ----------
    sender : BulkUploader
    uploader : ManyUploader
        Reads the items, and uploads those that are not sent with others.
    in_flight : int
        Number of its simultaneous uploads.
    bulk : bool, optional
        Whether to send small series together; default: small tables in memory, unless it is a dry run.
    """

    def __init__(self, sender: BulkUploader, uploader: ManyUploader, in_flight: int, bulk: bool | None) -> None:
        self._sender = sender
        self._uploader = uploader
        self._alone = partial(uploader.upload, in_flight=in_flight)
        self._files = bool(bulk)
        self._is_off = bulk is False or sender.is_dry_run
        self._settled: list[Outcome] = []
        self._single: list[tuple[int, object]] = []

    def upload(self, items: Iterable[object]) -> Iterator[Outcome]:
        """Yield the outcome of each series."""
        if self._is_off:
            yield from self._alone(items)
            return
        numbered = enumerate(items)
        if not (self._files or self._uploader.columns or (isinstance(items, Sized) and len(items) >= MANY)):
            yield from self._alone(item for _, item in itertools.islice(numbered, MANY))
        for outcome in self._sender.items(self._series(numbered)):
            yield from self._settled
            self._settled.clear()
            if outcome.uploaded is not None and outcome.uploaded.id is not None:
                self._uploader.reached.add(outcome.uploaded.id)
            yield outcome
        yield from self._settled

    def _series(self, numbered: Iterable[tuple[int, object]]) -> Iterator[Item]:
        """Yield the series to send together; send the others alone, and record errors."""
        for index, item in numbered:
            try:
                data, item_fields = data_and_fields(item)
                is_single = isinstance(data, str | os.PathLike) and not self._files
                series_items = (
                    []
                    if is_single
                    else [Item.of(index, item, *series) for series in self._uploader.read(data, item_fields)]
                )
            except PhotseriesError as error:
                self._settled.append(Outcome(index, item, error=error))
                continue
            if not is_single and all(is_possible(series.reading) for series in series_items):
                yield from (series for series in series_items if self._is_new(series))
            else:
                self._single.append((index, item))
            if len(self._single) == MANY:
                self._send_single()
        self._send_single()

    def _send_single(self) -> None:
        places = [index for index, _ in self._single]
        outcomes = self._alone([item for _, item in self._single])
        self._settled.extend(replace(outcome, index=places[outcome.index]) for outcome in outcomes)
        self._single.clear()

    def _is_new(self, item: Item) -> bool:
        """Return whether the key of an item is new; otherwise record the error."""
        try:
            with self._uploader.reached.held(key_of(item.fields, item.reading)):
                return True
        except DuplicateError as error:
            self._settled.append(Outcome(item.index, item.item, error=error))
            return False


def is_possible(reading: Reading) -> bool:
    """Return whether a table can be sent with others and is small enough to benefit."""
    frame = reading.frame
    plain = all(
        isinstance(name, str)
        and (is_text(column) or (isinstance(column.dtype, np.dtype) and column.dtype.kind in "biufM"))
        for name, column in frame.items()
    )
    default = is_default(frame.index) and frame.columns.is_unique
    return is_installed("pyarrow") and plain and default and 0 < frame.size <= MAX_BATCHED_VALUES


class BulkUploader:
    """Sends many series in one body.

    Parameters
    ----------
    transport : Transport
    if_exists : {"error", "skip", "replace"}
    on_error : {"continue", "abort"}
    dry_run : bool
    """

    def __init__(self, transport: Transport, if_exists: str, on_error: str = "continue", dry_run: bool = False) -> None:
        self._transport = transport
        self._query = {"ifExists": if_exists, "onError": on_error, "dryRun": str(dry_run).lower()}
        self._repeatable = if_exists != "error"
        self.is_dry_run = dry_run

    def items(self, items: Iterable[Item]) -> Iterator[Outcome]:
        """Send series, many per body; yield the outcomes of each body."""
        for outcomes, error in ahead(self._sent_items, grouped(items), IN_FLIGHT):
            yield from outcomes
            if isinstance(error, FATAL):
                raise error

    def file(self, path: str | os.PathLike[str], by: Sequence[str], fields: Mapping[str, object]) -> Iterator[Outcome]:
        """Send an Arrow or Parquet file unparsed; its series are numbered from 0, and the path is their item."""
        lines, error = self._send(content_of(Path(path)), media_of(Path(path)), by, fields)
        for line in lines:
            yield _outcome(line, line["index"], path, ())
        if error is not None:
            raise error

    def table(self, table: object, by: Sequence[str], fields: Mapping[str, object]) -> Iterator[Outcome]:
        """Send a table with many series, in parts: a DataFrame or an Arrow table, long or nested.

        The item of an outcome is a dict of the identifying columns, or the index of the series in a nested table. No
        part is sent after an error, which is raised after the outcomes of those that were in flight.
        """
        failure: PhotseriesError | None = None
        parts = parts_of(table, by, is_one=self._query["onError"] == "abort")
        for outcomes, error in ahead(partial(self._sent_part, by=by, fields=fields), parts, IN_FLIGHT):
            yield from outcomes
            if error is not None:
                failure = failure or error
                parts.close()
        if failure is not None:
            raise failure

    def _sent_part(
        self, part: TablePart, by: Sequence[str], fields: Mapping[str, object]
    ) -> tuple[list[Outcome], PhotseriesError | None]:
        """Send a part of a table; return its outcomes, and the error that ended the upload."""
        lines, error = self._send(arrow_stream(compact(part.rows, by)), ARROW, by, fields)
        return [_outcome(line, part.start + line["index"], part.items[line["index"]], ()) for line in lines], error

    def _sent_items(self, items: Sequence[Item]) -> tuple[list[Outcome], PhotseriesError | None]:
        """Send series in one body; return their outcomes, and the error that ended the upload."""
        lines, error = self._send(arrow_stream(nested_table(items)), ARROW, (), {})
        sent = [(line, items[line["index"]]) for line in lines]
        outcomes = [_outcome(line, item.index, item.item, item.reading.warnings) for line, item in sent]
        if error is not None and not isinstance(error, FATAL):
            left = {*range(len(items))} - {line["index"] for line in lines}
            outcomes += [Outcome(items[index].index, items[index].item, error=error) for index in sorted(left)]
        return outcomes, error

    def _send(
        self, content: memoryview | Path, media: str, by: Sequence[str], fields: Mapping[str, object]
    ) -> tuple[list[_Line], PhotseriesError | None]:
        """Send a body.

        Returns
        -------
        lines : list of dict
            The lines of the answer, one per series; certain even if there is an error.
        error : PhotseriesError or None
            Why the service refuses the whole body, or the other series. OutcomeUnknownError: the answer was lost or cut
            short, and any of the other series may be stored.

        Raises
        ------
        InvalidError
            When the fields that all series share are too long.
        """
        shared = query_of(fields)
        if shared is None:
            raise InvalidError("The fields that all series share are too long: give them as columns of the table.")
        named = {"by": ",".join(by)} if by else {}
        query = {**shared, **self._query, **named}
        message = Message(b"", media, query, content) if isinstance(content, Path) else Message(content, media, query)
        lines: list[_Line] = []
        try:
            self._transport.write(
                "POST",
                f"{SERIES}/bulk",
                message,
                repeatable=self._repeatable,
                changes=not self.is_dry_run,
                read=partial(_read_lines, lines),
            )
        except PhotseriesError as error:
            return lines, error
        return lines, None


def _read_lines(lines: list[_Line], response: httpx.Response) -> ApiResponse:
    """Read the lines of an answer into a list.

    Raises
    ------
    LostAnswerError
        When the last one is missing, one is incomplete, or the service failed after some series.
    PhotseriesError
        When the service refuses the body, or cannot continue with it.
    """
    if response.status_code != 200:
        return answer_of(response)
    lines.clear()  # those of an earlier attempt
    for text in response.iter_lines():
        try:
            line = orjson.loads(text)
        except orjson.JSONDecodeError:
            break
        if "index" in line:
            lines.append(line)
        elif line["status"] == "success":
            return ApiResponse(None, line.get("version"))
        else:
            error = error_of(500, line)
            if lines and isinstance(error, UnavailableError):  # some series may be stored
                raise LostAnswerError(f"it ended after {len(lines):,} series: {error.message}")
            raise error
    raise LostAnswerError("the last line is missing")


def _outcome(line: _Line, index: int, item: object, warnings: tuple[str, ...]) -> Outcome:
    if line["status"] != "success":
        return Outcome(index, item, error=error_of(400, line))
    data = line["data"]
    return Outcome(index, item, Uploaded(data["id"], data["outcome"], (*warnings, *data["warnings"])))
