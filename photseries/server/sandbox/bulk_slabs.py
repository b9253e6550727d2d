"""Put consecutive series of a bulk upload that have the same columns into slabs of bounded size."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from photseries.lightcurve.photometry import Array, BoolArray, IntArray
from photseries.server.sandbox.bulk_request import BulkRequest, fields_too_large_error
from photseries.server.sandbox.bulk_source import is_list, is_text
from photseries.server.sandbox.bulk_wire import Slab

__all__ = ["EMPTY", "bounded_runs", "count_fields", "estimate_width", "explain_refusal", "uniform_slabs"]

#: Maximum size of a slab, unless one series is larger: series, bytes of tables, bytes of fields as JSON.
MAX_SERIES: Final = 500
MAX_TABLE_BYTES: Final = 8 * 1024 * 1024
MAX_FIELD_BYTES: Final = 4 * 1024 * 1024

EMPTY: Final = "Must supply a non-empty DataFrame. A table has at least one row and one column."


def count_fields(metadata: int, fields: Sequence[pa.Array], request: BulkRequest) -> int:
    """Add the size of fields to that of earlier ones [bytes]; raise InvalidError beyond the limit."""
    metadata += sum(map(_size_of_field, fields))
    if metadata > request.metadata:
        raise fields_too_large_error(request.metadata)
    return metadata


def _size_of_field(column: pa.Array) -> int:
    """Return the size of the values of a field [bytes]; equal values of a dictionary count each time."""
    values = column.flatten() if is_list(column.type) else column
    return int(pc.sum(_lengths(values)).as_py() or 0) if is_text(values.type) else 8 * len(values)


def _lengths(texts: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(texts.type):
        return _lengths(texts.dictionary).take(texts.indices)
    return pc.binary_length(texts.cast(pa.large_string())).cast(pa.int64())


def explain_refusal(lengths: dict[str, int], request: BulkRequest) -> str:
    """Explain why a series cannot be read by the lengths of its columns, -1 where it has none."""
    present = {name: length for name, length in lengths.items() if length >= 0}
    longest = max(present.values(), default=0)
    if longest == 0:
        return EMPTY
    if len(set(present.values())) > 1:
        sizes = ", ".join(f"{name[:80]!r} {length:,}" for name, length in list(present.items())[:10])
        return f"The columns differ in length: {sizes}."
    if longest > request.rows:
        return f"The table has {longest:,} rows; the limit is {request.rows:,} rows (limits.rows)."
    return f"The table takes more than the limit of {request.table} bytes (limits.table)."


def estimate_width(kind: pa.DataType) -> int:
    """Estimate the size of a value [bytes]."""
    return 16 if is_text(kind) or pa.types.is_null(kind) else max(1, kind.bit_width // 8)


def bounded_runs(
    signs: BoolArray | npt.NDArray[np.uint8], sizes: IntArray, alone: BoolArray
) -> Iterator[tuple[int, int]]:
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


def uniform_slabs(
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
    if is_text(kind):
        texts = values.cast(pa.large_string())
        lengths = pc.binary_length(texts).fill_null(-1).to_numpy(False).astype("<i8")
        joined = "".join(text for text in texts.to_pylist() if text is not None).encode()
        return "text", [lengths, np.frombuffer(joined, np.uint8)]
    if pa.types.is_integer(kind) and values.null_count:
        values = values.cast(pa.float64(), safe=False)
    array = np.ascontiguousarray(values.to_numpy(zero_copy_only=False))
    return array.dtype.newbyteorder("<").str, [array]
