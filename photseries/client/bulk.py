"""Bulk uploads: many series in one Arrow or Parquet body, and the outcome of each.

pyarrow is imported when a body is written.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import httpx
import numpy as np
import orjson
import pandas as pd

from photseries.client.answers import ApiResponse, answer_of, error_of
from photseries.client.keys import key_of
from photseries.client.many import ManyUploader
from photseries.client.payload import Message, json_of, query_of
from photseries.client.search import SERIES
from photseries.client.threads import ahead
from photseries.client.transport import Transport
from photseries.client.uploads import FATAL, Outcome, Uploaded, data_and_fields
from photseries.errors import DuplicateError, InvalidError, OutcomeUnknownError, PhotseriesError
from photseries.extras import is_installed
from photseries.fields import FIELDS
from photseries.fields.texts import without_ignored
from photseries.formats import Reading, ReadOptions, is_astropy
from photseries.lightcurve.table import is_text

if TYPE_CHECKING:
    import pyarrow

__all__ = [
    "BatchedUpload",
    "BulkUploader",
    "as_items",
    "is_body",
    "is_table",
    "is_unparsed",
    "with_metadata",
]

ARROW: Final = "application/vnd.apache.arrow.stream"
PARQUET: Final = "application/vnd.apache.parquet"

#: Maximum size of a body that the client writes: series, and bytes of their tables.
MAX_SERIES: Final = 500
MAX_TABLE_BYTES: Final = 16 * 1024 * 1024
#: Maximum size of a slice of a long table; the service accepts more, but a lost answer then costs more.
MAX_SLICE_BYTES: Final = 64 * 1024 * 1024
MAX_SLICE_SERIES: Final = 10_000

#: Number of items from which tables are sent together.
MANY: Final = 32

#: Maximum values of a table that is sent with others; a larger one is as fast alone.
MAX_BATCHED_VALUES: Final = 100_000

#: Bodies in flight; the next one is written meanwhile.
IN_FLIGHT: Final = 2

_MAGIC: Final = {b"PAR1": PARQUET, b"\xff\xff\xff\xff": ARROW, b"ARROW1": ARROW}


@dataclass(frozen=True)
class Item:
    """A series to send: its index, its item, the table, and the fields, also as query arguments of the service."""

    index: int
    item: object
    reading: Reading
    fields: Mapping[str, object]
    texts: Mapping[str, str]

    @classmethod
    def of(cls, index: int, item: object, reading: Reading, fields: Mapping[str, object]) -> Self:
        """Return a series with all its fields; fields of the file have the lowest precedence.

        Raises
        ------
        InvalidError
            When a field cannot be serialised.
        """
        merged = {**without_ignored(reading.file_metadata), **fields}
        given = {name: value for name, value in merged.items() if value is not None}
        return cls(index, item, reading, given, {name: _query_text(name, value) for name, value in given.items()})

    @property
    def size(self) -> int:
        """The approximate size of the table [bytes]."""
        return 8 * self.reading.frame.size


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


def as_items(items: Any) -> Iterable[object]:
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
        if not self._files and not (isinstance(items, Sized) and len(items) >= MANY):
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
    default = isinstance(frame.index, pd.RangeIndex) and frame.columns.is_unique
    return is_installed("pyarrow") and plain and default and 0 < frame.size <= MAX_BATCHED_VALUES


def is_body(path: object) -> bool:
    """Return whether an object is the path of an Arrow or Parquet file."""
    if not isinstance(path, str | os.PathLike):
        return False
    try:
        return _head(Path(path)).startswith(tuple(_MAGIC))
    except OSError:
        return False


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(8)


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
        yield from itertools.chain.from_iterable(ahead(self._sent_items, _bodies(items), IN_FLIGHT))

    def file(self, path: str | os.PathLike[str], by: Sequence[str], fields: Mapping[str, object]) -> Iterator[Outcome]:
        """Send an Arrow or Parquet file unparsed; its series are numbered from 0, and the path is their item."""
        for line in self._send(_content_of(Path(path)), _media_of(Path(path)), by, fields):
            yield _outcome(line, line["index"], path, ())

    def table(self, table: object, by: Sequence[str], fields: Mapping[str, object]) -> Iterator[Outcome]:
        """Send a table with many series: a DataFrame or an Arrow table, long or nested.

        The item of an outcome is a dict of the identifying columns, or the index of the series in a nested table.
        """
        start = 0
        for part, names in _parts(table, by, is_one=self._query["onError"] == "abort"):
            for line in self._send(_arrow_stream(_compact(part, by)), ARROW, by, fields):
                index = line["index"]
                yield _outcome(line, start + index, names[index] if names else start + index, ())
            start += len(names) if names else part.num_rows

    def _sent_items(self, items: Sequence[Item]) -> list[Outcome]:
        try:
            lines = self._send(_arrow_stream(_nested(items)), ARROW, (), {})
        except FATAL:
            raise
        except PhotseriesError as error:
            return [Outcome(item.index, item.item, error=error) for item in items]
        return [
            _outcome(line, item.index, item.item, item.reading.warnings)
            for item, line in zip(items, lines, strict=True)
        ]

    def _send(
        self, content: memoryview | Path, media: str, by: Sequence[str], fields: Mapping[str, object]
    ) -> list[dict[str, Any]]:
        """Send a body; return the lines of the answer, one per series.

        Raises
        ------
        OutcomeUnknownError
            When the answer was truncated: series that it does not name may be stored.
        PhotseriesError
            When the service refuses the whole body.
        """
        shared = query_of(fields)
        if shared is None:
            raise InvalidError("The fields that all series share are too long: give them as columns of the table.")
        named = {"by": ",".join(by)} if by else {}
        query = {**shared, **self._query, **named}
        message = Message(b"", media, query, content) if isinstance(content, Path) else Message(content, media, query)
        outcomes: list[dict[str, object]] = self._transport.write(
            "POST", f"{SERIES}/bulk", message, repeatable=self._repeatable, changes=not self.is_dry_run, read=_lines_of
        )
        return outcomes


def _lines_of(response: httpx.Response) -> ApiResponse:
    """Read the lines of an answer.

    Raises
    ------
    OutcomeUnknownError
        When the last one is missing, or one is incomplete.
    PhotseriesError
        When the service refuses the body, or cannot continue with it.
    """
    if response.status_code != 200:
        return answer_of(response)
    lines: list[dict[str, object]] = []
    for text in response.iter_lines():
        try:
            line = orjson.loads(text)
        except orjson.JSONDecodeError:
            break
        if "index" in line:
            lines.append(line)
        elif line["status"] == "success":
            return ApiResponse(lines, line.get("version"))
        else:
            raise error_of(500, line)
    raise OutcomeUnknownError("The answer was cut short: upload again with if_exists='skip' to complete it.")


def _outcome(line: Mapping[str, Any], index: int, item: object, warnings: tuple[str, ...]) -> Outcome:
    if line["status"] != "success":
        return Outcome(index, item, error=error_of(400, dict(line)))
    data = line["data"]
    return Outcome(index, item, Uploaded(data["id"], data["outcome"], (*warnings, *data["warnings"])))


def _bodies(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Group series whose columns have the same types."""
    held: list[Item] = []
    types: dict[str, object] = {}
    size = 0
    for item in items:
        column_types = {
            str(name): "text" if is_text(column) else column.dtype for name, column in item.reading.frame.items()
        }
        fits = all(types.get(name, kind) == kind for name, kind in column_types.items())
        if held and (not fits or len(held) == MAX_SERIES or size + item.size > MAX_TABLE_BYTES):
            yield held
            held, types, size = [], {}, 0
        held.append(item)
        types |= column_types
        size += item.size
    if held:
        yield held


def _nested(items: Sequence[Item]) -> pyarrow.Table:
    """Write each series as one row: fields as text, columns of the table as lists, null if absent."""
    import pyarrow

    names = list(dict.fromkeys(name for item in items for name in item.texts))
    arrays = [pyarrow.array([item.texts.get(name) for item in items], pyarrow.large_string()) for name in names]
    columns = list(dict.fromkeys(str(name) for item in items for name in item.reading.frame))
    lists = [_lists([item.reading.frame.get(name) for item in items]) for name in columns]
    schema = pyarrow.schema(
        [(name, array.type) for name, array in zip((*names, *columns), (*arrays, *lists), strict=True)]
    )
    return pyarrow.Table.from_arrays([*arrays, *lists], schema=schema)


def _query_text(name: str, value: object) -> str:
    """Format a field as a query argument of the service."""
    field, text = FIELDS.get(name), json_of(name, value).decode()
    return value if isinstance(value, str) and (field is None or field.is_text) else text


def _lists(columns: Sequence[pd.Series | None]) -> pyarrow.Array:
    """Return a column of each table as a list; null if a table lacks it."""
    import pyarrow

    present = [column for column in columns if column is not None]
    lengths = [0 if column is None else len(column) for column in columns]
    if is_text(present[0]):
        cells = [cell if isinstance(cell, str) else None for column in present for cell in column]
        values = pyarrow.array(cells, pyarrow.large_string())
    else:
        joined = np.concatenate([column.to_numpy() for column in present])
        values = pyarrow.array(joined.astype("M8[ns]") if joined.dtype.kind == "M" else joined)
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    mask = pyarrow.array([column is None for column in columns])
    return pyarrow.LargeListArray.from_arrays(pyarrow.array(offsets, pyarrow.int64()), values, mask=mask)


def _compact(table: pyarrow.Table, by: Sequence[str]) -> pyarrow.Table:
    """Return a table as one batch, with dictionaries of the texts in ``by``: the service reads it 10 times faster."""
    from pyarrow import types

    for index, column in enumerate(table.schema):
        if column.name in by and (types.is_string(column.type) or types.is_large_string(column.type)):
            table = table.set_column(index, column.name, table.column(index).dictionary_encode())
    return table.combine_chunks()


def _arrow_stream(table: pyarrow.Table) -> memoryview:
    """Write a table as an Arrow IPC stream; measure its size first, because growing the buffer is 5 times slower."""
    import pyarrow

    measured = pyarrow.MockOutputStream()
    _write(table, measured)
    content = pyarrow.allocate_buffer(measured.size())
    _write(table, pyarrow.FixedSizeBufferWriter(content))
    return memoryview(content)


def _write(table: pyarrow.Table, out: pyarrow.NativeFile) -> None:
    import pyarrow

    with pyarrow.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)


def _parts(
    table: object, by: Sequence[str], *, is_one: bool
) -> Iterator[tuple[pyarrow.Table, list[dict[str, object]]]]:
    """Split a table between series into parts of bounded size, each with the identifying values of its series.

    An atomic upload has a single part.
    """
    import pyarrow

    arrow_table = pyarrow.Table.from_pandas(table, preserve_index=False) if isinstance(table, pd.DataFrame) else table
    if not isinstance(arrow_table, pyarrow.Table):
        arrow_table = pyarrow.table(arrow_table)
    all_rows = max(1, arrow_table.num_rows)
    rows = all_rows if is_one else max(1, int(MAX_SLICE_BYTES / max(1, arrow_table.nbytes / all_rows)))
    count = all_rows if is_one else MAX_SLICE_SERIES
    if not by:
        step = min(rows, count)
        for start in range(0, arrow_table.num_rows, step):
            yield arrow_table.slice(start, step), []
        return
    absent = [name for name in by if name not in arrow_table.column_names]
    if absent:
        raise InvalidError(f"The table has no column {absent[0]!r:.80} (by).")
    if not arrow_table.num_rows:
        return
    keys = arrow_table.select(list(by)).to_pandas()
    series = keys.groupby(list(by), sort=False, dropna=False).ngroup().to_numpy()
    if (series[1:] < series[:-1]).any():
        order = np.argsort(series, kind="stable")
        arrow_table, keys, series = arrow_table.take(pyarrow.array(order)), keys.iloc[order], series[order]
    starts = np.flatnonzero(np.concatenate(([True], series[1:] != series[:-1])))
    names = keys.iloc[starts].to_dict("records")
    ends = np.append(starts[1:], len(series))
    first = 0
    while first < len(starts):
        last = max(first + 1, min(int(np.searchsorted(ends, starts[first] + rows, "right")), first + count))
        yield arrow_table.slice(starts[first], ends[last - 1] - starts[first]), names[first:last]
        first = last


def _media_of(path: Path) -> str:
    head = _head(path)
    return next((media for magic, media in _MAGIC.items() if head.startswith(magic)), ARROW)


def _content_of(path: Path) -> memoryview | Path:
    """Return the body of a file: Arrow files become a stream, others are sent unchanged."""
    if not _head(path).startswith(b"ARROW1"):
        return path
    import pyarrow

    with pyarrow.memory_map(str(path)) as source, pyarrow.ipc.open_file(source) as opened:
        return _arrow_stream(opened.read_all())
