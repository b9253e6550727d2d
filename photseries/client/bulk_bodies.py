"""The bodies of bulk uploads: tables of many series as Arrow streams, and Arrow and Parquet files.

pyarrow is imported when a body is written.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import pandas as pd

from photseries.client.payload import json_of
from photseries.errors import InvalidError
from photseries.fields import FIELDS
from photseries.fields.texts import without_ignored
from photseries.formats import Reading
from photseries.lightcurve.table import is_text

if TYPE_CHECKING:
    import pyarrow

__all__ = [
    "ARROW",
    "Item",
    "TablePart",
    "arrow_stream",
    "compact",
    "content_of",
    "grouped",
    "is_body",
    "media_of",
    "nested_table",
    "parts_of",
]

ARROW: Final = "application/vnd.apache.arrow.stream"
PARQUET: Final = "application/vnd.apache.parquet"

#: Maximum size of a body that the client writes: series, and bytes of their tables.
MAX_SERIES: Final = 500
MAX_TABLE_BYTES: Final = 16 * 1024 * 1024
#: Maximum size of a slice of a long table; the service accepts more, but a lost answer then costs more.
MAX_SLICE_BYTES: Final = 64 * 1024 * 1024
MAX_SLICE_SERIES: Final = 10_000

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


def grouped(items: Iterable[Item]) -> Iterator[list[Item]]:
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


def nested_table(items: Sequence[Item]) -> pyarrow.Table:
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


def compact(table: pyarrow.Table, by: Sequence[str]) -> pyarrow.Table:
    """Return a table as one batch, with dictionaries of the texts in ``by``: the service reads it 10 times faster."""
    from pyarrow import types

    for index, column in enumerate(table.schema):
        if column.name in by and (types.is_string(column.type) or types.is_large_string(column.type)):
            table = table.set_column(index, column.name, table.column(index).dictionary_encode())
    return table.combine_chunks()


def arrow_stream(table: pyarrow.Table) -> memoryview:
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


@dataclass(frozen=True)
class TablePart:
    """A part of a table with many series: the index of the first one, the rows, and the item of each series."""

    start: int
    rows: pyarrow.Table
    items: Sequence[object]


def parts_of(table: object, by: Sequence[str], *, is_one: bool) -> Generator[TablePart, None, None]:
    """Split a table between series into parts of bounded size; an atomic upload has a single part.

    The item of a series is a dict of its identifying values, or its index in a nested table.
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
            part = arrow_table.slice(start, step)
            yield TablePart(start, part, range(start, start + part.num_rows))
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
        yield TablePart(first, arrow_table.slice(starts[first], ends[last - 1] - starts[first]), names[first:last])
        first = last


def media_of(path: Path) -> str:
    """Return the media type of an Arrow or Parquet file."""
    head = _head(path)
    return next((media for magic, media in _MAGIC.items() if head.startswith(magic)), ARROW)


def content_of(path: Path) -> memoryview | Path:
    """Return the body of a file: Arrow files become a stream, others are sent unchanged."""
    if not _head(path).startswith(b"ARROW1"):
        return path
    import pyarrow

    with pyarrow.memory_map(str(path)) as source, pyarrow.ipc.open_file(source) as opened:
        return arrow_stream(opened.read_all())
