"""The series of a long body: one row per measurement, where the columns that ``by`` names identify the series."""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from photseries.errors import InvalidError
from photseries.lightcurve.photometry import Array, IntArray
from photseries.server.sandbox.bulk_request import BulkRequest
from photseries.server.sandbox.bulk_slabs import (
    EMPTY,
    bounded_runs,
    count_fields,
    estimate_width,
    explain_refusal,
    uniform_slabs,
)
from photseries.server.sandbox.bulk_source import (
    ArrowBody,
    Layout,
    ParquetBody,
    is_list,
    too_large_error,
    too_many_error,
)
from photseries.server.sandbox.bulk_wire import Slab

__all__ = ["long_slabs"]


def long_slabs(source: ArrowBody | ParquetBody, layout: Layout, request: BulkRequest) -> Iterator[int | Slab]:
    """Yield the number of series in a long body first, then the series, ordered by their first rows."""
    plan = _plan(source, layout, request)
    yield plan.series
    used = sorted({*layout.table, *layout.fields})
    places = {index: position for position, index in enumerate(used)}
    batches = source.batches(used)
    if plan.is_scattered:
        batches = iter([_sorted(batches, plan, request)])
    table = {layout.names[index]: places[index] for index in layout.table}
    fields = {layout.names[index]: places[index] for index in layout.fields}
    width = sum(estimate_width(source.schema.types[index]) for index in layout.table)
    pending = _Pending(batches, request)
    refused = (plan.rows > request.rows) | (plan.rows * width > request.table)
    metadata = 0
    for start, stop in bounded_runs(refused[None, :], plan.rows * width, refused):
        rows = plan.rows[start:stop]
        part = pending.take(int(rows.sum()))
        if refused[start]:
            yield Slab([0], {}, {}, explain_refusal({"": int(rows[0])}, request))
            continue
        constants = {name: _constant(part.column(position), rows) for name, position in fields.items()}
        metadata = count_fields(metadata, [values for values, _ in constants.values()], request)
        odd = {name: constant[1] for name, constant in constants.items() if constant[1].any()}
        for first, last in _runs_around(odd, rows.size):
            values = {name: constant[0][first:last].to_pylist() for name, constant in constants.items()}
            skipped, count = int(rows[:first].sum()), int(rows[first:last].sum())
            if any(has[first] for has in odd.values()):
                name = next(name for name, has in odd.items() if has[first])
                yield Slab([0], {}, {}, f"The field {name!r} has more than one value in the rows of the series.")
                continue
            flat = {name: part.column(position).slice(skipped, count) for name, position in table.items()}
            yield from uniform_slabs(flat, rows[first:last], values, request)


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


def _plan(source: ArrowBody | ParquetBody, layout: Layout, request: BulkRequest) -> _Plan:
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
                raise too_many_error(request)
        runs.append(numbers[inverse.ravel()])
        lengths.append(np.diff(np.append(starts, batch.num_rows)))
        run_count += starts.size
        if run_count > request.series + len(runs) and total > request.table:
            raise _rows_apart_error(request)
    if not runs:
        raise InvalidError(EMPTY)
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
                raise too_large_error(self._request)
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
    if is_list(column.type):
        texts = [json.dumps(value) for value in column.to_pylist()]
        codes = np.unique(texts, return_inverse=True)[1].ravel()
    else:
        codes = _codes(column)
    changes = np.concatenate(([False], codes[1:] != codes[:-1]))
    changes[starts] = False
    return column.take(pa.array(starts)), np.logical_or.reduceat(changes, starts)
