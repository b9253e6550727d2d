"""Read the body of a bulk upload, Arrow IPC stream or Parquet, into slabs of series; runs in a sandboxed process.

A body is *nested*, one row per series with lists as the columns of its table, or *long*, one row per measurement, where
the columns named by ``by`` identify the series. Both become :class:`Slab`: consecutive series whose tables have the
same columns.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from photseries.errors import InvalidError, UnreadableFileError
from photseries.lightcurve.photometry import Array, BoolArray, IntArray
from photseries.server.sandbox.bulk_request import BulkRequest, fields_too_large_error

__all__ = ["Slab", "slabs", "warm_up"]

#: Maximum size of a slab, unless one series is larger: series, bytes of tables, bytes of fields as JSON.
MAX_SERIES: Final = 500
MAX_TABLE_BYTES: Final = 8 * 1024 * 1024
MAX_FIELD_BYTES: Final = 4 * 1024 * 1024

#: Rows decoded at a time of a long Parquet file, and series of a nested one.
LONG_ROWS, NESTED_ROWS = 65_536, 256

_THRIFT: Final = 32 * 1024 * 1024
_INDEX_OF_PANDAS: Final = re.compile(r"__index_level_\d+__")
_EMPTY: Final = "Must supply a non-empty DataFrame. A table has at least one row and one column."


@dataclass(frozen=True)
class Slab:
    """Consecutive series with the same columns, or one that is refused.

    Parameters
    ----------
    rows : list of int
        The length of each table.
    columns : dict of str to (str, list of ndarray)
        By name: the dtype, or "text", and the buffers: the values of all tables one after the other; of text the length
        of each cell in bytes, -1 for null, and all cells as UTF-8.
    fields : dict of str to list
        The value of each series by field; None without a value.
    error : str or None
        Why the one series is refused.
    """

    rows: list[int]
    columns: dict[str, tuple[str, list[Array]]]
    fields: dict[str, list[object]]
    error: str | None = None


def slabs(image: memoryview, request: BulkRequest) -> Generator[int | Slab, None, None]:
    """Yield the number of series of a body, and then the series in order.

    Raises
    ------
    UnreadableFileError
        When the body is damaged or cut short.
    InvalidError
        When its columns cannot belong to series, or it exceeds a limit.
    """
    try:
        source = _ArrowBody(image) if request.media == "arrow" else _ParquetBody(image, request)
        layout = _Layout.of(source.schema, request)
        if request.by:
            yield from _long(source, layout, request)
        else:
            yield from _nested(source, layout, request)
    except (pa.ArrowException, ValueError, OSError, NotImplementedError, OverflowError) as error:
        file_kind = "Arrow IPC stream" if request.media == "arrow" else "Parquet file"
        why = " ".join(str(error).split())[:150]
        raise UnreadableFileError(f"The body is not a complete {file_kind}, or it is damaged: {why}") from error


class _ArrowBody:
    """The record batches of an Arrow IPC stream, without copies where it is not compressed."""

    def __init__(self, image: memoryview) -> None:
        self._buffer = pa.py_buffer(image)
        self.schema = self._open(None).schema

    def batches(self, indexes: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """Yield the batches with these columns, in the order of the schema."""
        with self._open(indexes) as stream:
            for batch in stream:
                batch.validate(full=True)  # untrusted offsets could point anywhere
                yield batch

    def _open(self, indexes: Sequence[int] | None) -> pa.RecordBatchStreamReader:
        options = pa.ipc.IpcReadOptions(use_threads=False, included_fields=None if indexes is None else list(indexes))
        return pa.ipc.open_stream(pa.BufferReader(self._buffer), options=options)


class _ParquetBody:
    """The rows of a Parquet file, a bounded number at a time."""

    def __init__(self, image: memoryview, request: BulkRequest) -> None:
        self._file = pq.ParquetFile(
            pa.BufferReader(pa.py_buffer(image)),
            thrift_string_size_limit=_THRIFT,
            thrift_container_size_limit=_THRIFT // 16,
        )
        about = self._file.metadata
        groups = [about.row_group(number) for number in range(about.num_row_groups)]
        values = sum(group.column(number).num_values for group in groups for number in range(group.num_columns))
        # A float64 column of n values takes 8 n bytes; texts and small numbers are not that far from it.
        if values > request.size or about.num_rows > request.size:
            raise _too_large(request)
        self.schema = self._file.schema_arrow
        self._rows = LONG_ROWS if request.by else NESTED_ROWS

    def batches(self, indexes: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """Yield the rows with these columns, in the order of the schema."""
        names = [self.schema.names[index] for index in indexes]
        for batch in self._file.iter_batches(self._rows, columns=names, use_threads=False):
            batch.validate(full=True)
            yield batch.select(names)


@dataclass(frozen=True)
class _Layout:
    """The places of the columns of a body by their meaning; ``names`` are the names of all columns."""

    names: list[str]
    table: list[int]
    fields: list[int]
    by: list[int]

    @classmethod
    def of(cls, schema: pa.Schema, request: BulkRequest) -> _Layout:
        names = list(schema.names)
        if len(names) > request.columns + len(request.fields) + len(request.ignored):
            raise InvalidError(f"The body has {len(names):,} columns; the limit is {request.columns} (limits.columns).")
        absent = [name for name in request.by if name not in names]
        if absent:
            raise InvalidError(f"The body has no column {absent[0]!r:.80}, which 'by' names.")
        layout = cls(names, [], [], [names.index(name) for name in request.by])
        unknown = []
        for index, (name, kind) in enumerate(zip(names, schema.types, strict=True)):
            is_field = name in request.fields and not (request.by and name in request.measured)
            if name in request.ignored or _INDEX_OF_PANDAS.fullmatch(name):
                continue
            if is_field and (request.by or not _is_list(kind) or name in request.lists):
                _require_field(name, kind, name in request.lists)
                layout.fields.append(index)
            elif bool(request.by) is _is_list(kind):
                unknown.append(name)
            else:
                _require_column(name, kind.value_type if _is_list(kind) else kind)
                layout.table.append(index)
        layout.require(unknown, request)
        return layout

    def require(self, unknown: list[str], request: BulkRequest) -> None:
        """Refuse columns that are neither a field nor a column of the table, and names that occur twice."""
        if unknown and request.by:
            raise InvalidError(f"The column {unknown[0]!r:.80} contains lists; in a long body a cell is one value.")
        if unknown:
            raise InvalidError(
                f"Unknown keys in metadata: {unknown[:10]}. In a nested body each column is a field of the series, or "
                "contains lists; send 'by' for a long body."
            )
        for kind in (self.table, self.fields):
            called = [self.names[index] for index in kind]
            twice = next((name for name in called if called.count(name) > 1), None)
            if twice is not None:
                raise InvalidError(f"The column name {twice!r:.80} occurs more than once.")
        if not self.table:
            raise InvalidError("Must supply a non-empty DataFrame. The body has no column of measurements.")
        if len(self.table) > request.columns:
            raise InvalidError(
                f"The tables have {len(self.table):,} columns; the limit is {request.columns} (limits.columns)."
            )


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _require_field(name: str, kind: pa.DataType, is_list: bool) -> None:
    value = kind.value_type if is_list and _is_list(kind) else kind
    if not (_is_text(value) or _is_number(value) or pa.types.is_null(value)):
        raise InvalidError(f"The field {name!r} is of type {kind}; use text, numbers or true and false, JSON as text.")


def _require_column(name: str, kind: pa.DataType) -> None:
    is_time = pa.types.is_duration(kind) or (pa.types.is_timestamp(kind) and kind.tz is None)
    if not (_is_text(kind) or _is_number(kind) or is_time or pa.types.is_null(kind)):
        raise InvalidError(
            f"The column {name!r:.80} is of type {kind}; use bool, integers, floats, text, or datetimes without time "
            "zone."
        )


def _too_large(request: BulkRequest) -> InvalidError:
    return InvalidError(f"The tables in the body take more than {request.size:,} bytes (limits.bulk). Send several.")


def _too_many(request: BulkRequest) -> InvalidError:
    return InvalidError(f"The body has more than {request.series:,} series. Send several bodies.")


def _nested(source: _ArrowBody | _ParquetBody, layout: _Layout, request: BulkRequest) -> Iterator[int | Slab]:
    counted = layout.fields[:1] or layout.table[:1]
    number = 0
    for batch in source.batches(counted):
        number += batch.num_rows
        if number > request.series:
            raise _too_many(request)
    yield number
    used = sorted((*layout.table, *layout.fields))
    places = {index: position for position, index in enumerate(used)}
    total = metadata = 0
    for batch in source.batches(used):
        total += batch.nbytes
        if total > request.size:
            raise _too_large(request)
        metadata = _counted(metadata, [batch.column(places[index]) for index in layout.fields], request)
        yield from _nested_slabs(
            {layout.names[index]: batch.column(places[index]) for index in layout.table},
            {layout.names[index]: batch.column(places[index]) for index in layout.fields},
            batch.num_rows,
            request,
        )


def _counted(metadata: int, fields: Sequence[pa.Array], request: BulkRequest) -> int:
    """Add the size of fields to that of earlier ones [bytes]; raise InvalidError beyond the limit."""
    metadata += sum(map(_size_of_field, fields))
    if metadata > request.metadata:
        raise fields_too_large_error(request.metadata)
    return metadata


def _size_of_field(column: pa.Array) -> int:
    """Return the size of the values of a field [bytes]; equal values of a dictionary count each time."""
    values = column.flatten() if _is_list(column.type) else column
    return int(pc.sum(_lengths(values)).as_py() or 0) if _is_text(values.type) else 8 * len(values)


def _lengths(texts: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(texts.type):
        return _lengths(texts.dictionary).take(texts.indices)
    return pc.binary_length(texts.cast(pa.large_string())).cast(pa.int64())


def _nested_slabs(
    table: dict[str, pa.Array], fields: dict[str, pa.Array], series: int, request: BulkRequest
) -> Iterator[Slab]:
    lengths = np.array([pc.list_value_length(lists).fill_null(-1).to_numpy(False) for lists in table.values()])
    rows = lengths.max(axis=0, initial=0)
    uneven = ((lengths >= 0) & (lengths != rows)).any(axis=0)
    width = sum(_width(lists.type.value_type) for lists in table.values())
    refused = uneven | (rows == 0) | (rows > request.rows) | (rows * width > request.table)
    signs = np.packbits(np.vstack((lengths >= 0, refused)), axis=0)
    for start, stop in _runs(signs, rows * width, refused):
        slab_fields = {name: lists.slice(start, stop - start).to_pylist() for name, lists in fields.items()}
        if refused[start]:
            yield Slab(
                [0], {}, slab_fields, _refusal(dict(zip(table, lengths[:, start].tolist(), strict=True)), request)
            )
            continue
        flat = {
            name: lists.slice(start, stop - start).flatten()
            for index, (name, lists) in enumerate(table.items())
            if lengths[index, start] >= 0
        }
        yield from _uniform(flat, rows[start:stop], slab_fields, request)


def _refusal(lengths: dict[str, int], request: BulkRequest) -> str:
    """Explain why a series cannot be read by the lengths of its columns, -1 where it has none."""
    present = {name: length for name, length in lengths.items() if length >= 0}
    longest = max(present.values(), default=0)
    if longest == 0:
        return _EMPTY
    if len(set(present.values())) > 1:
        sizes = ", ".join(f"{name[:80]!r} {length:,}" for name, length in list(present.items())[:10])
        return f"The columns differ in length: {sizes}."
    if longest > request.rows:
        return f"The table has {longest} rows; the limit is {request.rows} rows (limits.rows)."
    return f"The table takes more than the limit of {request.table} bytes (limits.table)."


def _width(kind: pa.DataType) -> int:
    """Estimate the size of a value [bytes]."""
    return 16 if _is_text(kind) or pa.types.is_null(kind) else max(1, kind.bit_width // 8)


def _runs(signs: BoolArray | npt.NDArray[np.uint8], sizes: IntArray, alone: BoolArray) -> Iterator[tuple[int, int]]:
    """Split series into runs of equal signs and bounded size; a series that is ``alone`` is a run."""
    count = signs.shape[-1]
    changes = np.flatnonzero((signs[:, 1:] != signs[:, :-1]).any(axis=0) | alone[1:]) + 1
    for first, last in itertools.pairwise((0, *changes.tolist(), count)):
        start = first
        while start < last:
            within = int(np.searchsorted(np.cumsum(sizes[start:last]), MAX_TABLE_BYTES, "right"))
            stop = min(start + max(1, min(within, MAX_SERIES)), last)
            yield start, stop
            start = stop


def _uniform(
    flat: dict[str, pa.Array], rows: IntArray, fields: dict[str, list[object]], request: BulkRequest
) -> Iterator[Slab]:
    """Yield series with the same columns as slabs: null makes floats of integers, in its own series alone."""
    bounds = np.concatenate(([0], np.cumsum(rows)))
    holed = {
        name: np.logical_or.reduceat(values.is_null().to_numpy(False), bounds[:-1])
        for name, values in flat.items()
        if values.null_count and (pa.types.is_integer(values.type) or pa.types.is_boolean(values.type))
    }
    signs = np.packbits(np.vstack(list(holed.values()) or [np.zeros(rows.size, bool)]), axis=0)
    changes = np.flatnonzero((signs[:, 1:] != signs[:, :-1]).any(axis=0)) + 1
    for start, stop in itertools.pairwise((0, *changes.tolist(), rows.size)):
        slab_fields = {name: values[start:stop] for name, values in fields.items()}
        bad = [name for name, has in holed.items() if has[start] and pa.types.is_boolean(flat[name].type)]
        if bad:
            message = f"The column {bad[0]!r:.80} contains nulls among true and false; a bool column has no null."
            yield from (
                Slab([0], {}, {name: values[index : index + 1] for name, values in slab_fields.items()}, message)
                for index in range(stop - start)
            )
            continue
        first, last = int(bounds[start]), int(bounds[stop])
        columns = {name: _column_buffers(values.slice(first, last - first)) for name, values in flat.items()}
        yield from _halved(Slab(rows[start:stop].tolist(), columns, slab_fields), request)


def _halved(slab: Slab, request: BulkRequest) -> Iterator[Slab]:
    """Refuse one series with fields that are far too long, and cut a slab whose fields are."""
    size = len(json.dumps(slab.fields, default=str))
    if size <= MAX_FIELD_BYTES:
        yield slab
    elif len(slab.rows) == 1:
        yield Slab([0], {}, {}, f"The fields besides data take {size:,} bytes as JSON. Shorten them.")
    else:
        for index, rows in enumerate(slab.rows):
            first = sum(slab.rows[:index])
            columns = {
                name: _slice_buffers(kind, buffers, first, rows) for name, (kind, buffers) in slab.columns.items()
            }
            fields = {name: values[index : index + 1] for name, values in slab.fields.items()}
            yield from _halved(Slab([rows], columns, fields), request)


def _slice_buffers(kind: str, buffers: list[Array], first: int, rows: int) -> tuple[str, list[Array]]:
    if kind != "text":
        return kind, [buffers[0][first : first + rows]]
    before, length = (np.maximum(buffers[0][part], 0).sum() for part in (slice(first), slice(first, first + rows)))
    return kind, [buffers[0][first : first + rows], buffers[1][before : before + length]]


def _column_buffers(values: pa.Array) -> tuple[str, list[Array]]:
    """Return the dtype of a column and its buffers, as a slab has them."""
    kind = values.type
    if pa.types.is_null(kind):
        return "<f8", [np.full(len(values), np.nan)]
    if _is_text(kind):
        texts = values.cast(pa.large_string())
        lengths = pc.binary_length(texts).fill_null(-1).to_numpy(False).astype("<i8")
        joined = "".join(text for text in texts.to_pylist() if text is not None).encode()
        return "text", [lengths, np.frombuffer(joined, np.uint8)]
    if pa.types.is_integer(kind) and values.null_count:
        values = values.cast(pa.float64(), safe=False)
    array = np.ascontiguousarray(values.to_numpy(zero_copy_only=False))
    return array.dtype.newbyteorder("<").str, [array]


def _long(source: _ArrowBody | _ParquetBody, layout: _Layout, request: BulkRequest) -> Iterator[int | Slab]:
    plan = _plan(source, layout, request)
    yield plan.series
    used = sorted({*layout.table, *layout.fields})
    places = {index: position for position, index in enumerate(used)}
    batches = source.batches(used)
    if plan.is_scattered:
        batches = iter([_sorted(batches, plan, request)])
    table = {layout.names[index]: places[index] for index in layout.table}
    fields = {layout.names[index]: places[index] for index in layout.fields}
    width = sum(_width(source.schema.types[index]) for index in layout.table)
    pending = _Pending(batches, request)
    refused = (plan.rows > request.rows) | (plan.rows * width > request.table)
    metadata = 0
    for start, stop in _runs(refused[None, :], plan.rows * width, refused):
        rows = plan.rows[start:stop]
        part = pending.take(int(rows.sum()))
        if refused[start]:
            yield Slab([0], {}, {}, _refusal({"": int(rows[0])}, request))
            continue
        constants = {name: _constant(part.column(position), rows) for name, position in fields.items()}
        metadata = _counted(metadata, [values for values, _ in constants.values()], request)
        odd = {name: constant[1] for name, constant in constants.items() if constant[1].any()}
        for first, last in _runs_around(odd, rows.size):
            values = {name: constant[0][first:last].to_pylist() for name, constant in constants.items()}
            skipped, count = int(rows[:first].sum()), int(rows[first:last].sum())
            if any(has[first] for has in odd.values()):
                name = next(name for name, has in odd.items() if has[first])
                yield Slab([0], {}, {}, f"The field {name!r} has more than one value in the rows of the series.")
                continue
            flat = {name: part.column(position).slice(skipped, count) for name, position in table.items()}
            yield from _uniform(flat, rows[first:last], values, request)


def _runs_around(odd: dict[str, Array], count: int) -> Iterator[tuple[int, int]]:
    """Split series into runs in order; an odd series is a run."""
    alone = np.logical_or.reduce(list(odd.values())) if odd else np.zeros(count, bool)
    changes = np.flatnonzero(alone[1:] | alone[:-1]) + 1
    yield from itertools.pairwise((0, *changes.tolist(), count))


@dataclass(frozen=True)
class _Plan:
    """The series of a long body: how many, the rows of each, and of each run of rows the series and the length."""

    series: int
    rows: IntArray
    runs: IntArray
    lengths: IntArray

    @property
    def is_scattered(self) -> bool:
        """Whether the rows of a series are not adjacent."""
        return bool(self.runs.size > self.series)


def _plan(source: _ArrowBody | _ParquetBody, layout: _Layout, request: BulkRequest) -> _Plan:
    """Find the series by first appearance, and their rows."""
    numbers_by_key: dict[tuple[object, ...], int] = {}
    runs: list[IntArray] = []
    lengths: list[IntArray] = []
    total = run_count = 0
    used = sorted(layout.by)
    for batch in source.batches(used):
        if not batch.num_rows:
            continue
        total += batch.num_rows
        columns = [batch.column(used.index(index)) for index in layout.by]
        codes = np.vstack([_codes(column) for column in columns])
        starts = np.concatenate(([0], np.flatnonzero((codes[:, 1:] != codes[:, :-1]).any(axis=0)) + 1))
        different, first, inverse = np.unique(codes[:, starts], axis=1, return_index=True, return_inverse=True)
        numbers = np.empty(different.shape[1], np.int64)
        for group in np.argsort(first).tolist():
            row = int(starts[first[group]])
            key = tuple(column[row].as_py() for column in columns)
            numbers[group] = numbers_by_key.setdefault(key, len(numbers_by_key))
            if len(numbers_by_key) > request.series:
                raise _too_many(request)
        runs.append(numbers[inverse.ravel()])
        lengths.append(np.diff(np.append(starts, batch.num_rows)))
        run_count += starts.size
        if run_count > request.series + len(runs) and total > request.table:
            raise _rows_apart_error(request)
    if not runs:
        raise InvalidError(_EMPTY)
    series, counts = np.concatenate(runs), np.concatenate(lengths)
    rows = np.bincount(series, counts, len(numbers_by_key)).astype(np.int64)
    heads = np.flatnonzero(np.concatenate(([True], series[1:] != series[:-1])))  # a run may continue in the next batch
    return _Plan(len(numbers_by_key), rows, series[heads], np.add.reduceat(counts, heads))


def _codes(column: pa.Array) -> IntArray:
    encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    codes: IntArray = encoded.indices.fill_null(-1).to_numpy(False).astype(np.int64)
    return codes


def _sorted(batches: Iterator[pa.RecordBatch], plan: _Plan, request: BulkRequest) -> pa.RecordBatch:
    """Sort the rows by series; the rows of a series keep their order."""
    held, size = [], 0
    for batch in batches:
        held.append(batch)
        size += batch.nbytes
        if size > request.table:
            raise _rows_apart_error(request)
    table = pa.Table.from_batches(held).combine_chunks()
    order = np.argsort(np.repeat(plan.runs, plan.lengths), kind="stable")
    return table.take(pa.array(order)).combine_chunks().to_batches()[0]


def _rows_apart_error(request: BulkRequest) -> InvalidError:
    return InvalidError(
        f"The rows of a series must be adjacent in a body of more than {request.table:,} bytes (limits.table): sort "
        "the table by the columns in 'by'."
    )


class _Pending:
    """Decoded rows that were not taken yet."""

    def __init__(self, batches: Iterator[pa.RecordBatch], request: BulkRequest) -> None:
        self._batches = batches
        self._held: deque[pa.RecordBatch] = deque()
        self._rows = self._size = 0
        self._request = request

    def take(self, rows: int) -> pa.RecordBatch:
        """Return the next rows."""
        while self._rows < rows:
            batch = next(self._batches)
            self._size += batch.nbytes
            if self._size > self._request.size:
                raise _too_large(self._request)
            self._held.append(batch)
            self._rows += batch.num_rows
        batches, missing = [], rows
        while missing:
            batch = self._held.popleft()
            batches.append(batch.slice(0, missing))
            if batch.num_rows > missing:
                self._held.appendleft(batch.slice(missing))
            missing -= batches[-1].num_rows
        self._rows -= rows
        return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def _constant(column: pa.Array, rows: IntArray) -> tuple[pa.Array, Array]:
    """Return the first value of each series, and whether it has others."""
    starts = np.concatenate(([0], np.cumsum(rows)[:-1]))
    if _is_list(column.type):
        texts = [json.dumps(value) for value in column.to_pylist()]
        codes = np.unique(texts, return_inverse=True)[1].ravel()
    else:
        codes = _codes(column)
    changes = np.concatenate(([False], codes[1:] != codes[:-1]))
    changes[starts] = False
    return column.take(pa.array(starts)), np.logical_or.reduceat(changes, starts)


def warm_up(read: Callable[[memoryview, BulkRequest], Iterator[int | Slab]], request: BulkRequest) -> None:
    """Read small bodies of every kind: pyarrow loads and starts much of itself only when it is first used."""
    texts = pa.array(["a", "a", "b"])
    long = pa.table(
        {"name": texts.dictionary_encode(), "obj_id": texts, "mjd": [1.0, 2.0, None], "n": [1, None, 3], "note": texts}
    )
    nested = pa.table({"obj_id": ["a", "b"], "mjd": [[1.0, 2.0], [3.0]], "n": [[1, None], [2]], "t": [["x", None], []]})
    for table, by in ((long, ("name",)), (nested, ()), (long.take([0, 2, 1]), ("obj_id",))):
        for media, image in _bodies(table):
            for _ in read(memoryview(image), BulkRequest(**{**vars(request), "media": media, "by": by})):
                pass


def _bodies(table: pa.Table) -> Iterator[tuple[str, bytes]]:
    for codec in (None, "lz4", "zstd"):
        out = pa.BufferOutputStream()
        with pa.ipc.new_stream(out, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as writer:
            writer.write_table(table)
        yield "arrow", out.getvalue().to_pybytes()
    for name in ("none", "snappy", "gzip", "zstd", "lz4", "brotli"):
        out = pa.BufferOutputStream()
        pq.write_table(table, out, compression=name)
        yield "parquet", out.getvalue().to_pybytes()
