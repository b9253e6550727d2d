"""Read the body of a bulk upload, Arrow IPC stream or Parquet, into slabs of series; runs in a sandboxed process.

A body is *nested*, one row per series with lists as the columns of its table, or *long*, one row per measurement, where
the columns named by ``by`` identify the series. Both become :class:`~photseries.server.sandbox.bulk_wire.Slab`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from photseries.errors import UnreadableFileError
from photseries.server.sandbox.bulk_long import long_slabs
from photseries.server.sandbox.bulk_request import BulkRequest
from photseries.server.sandbox.bulk_slabs import (
    bounded_runs,
    count_fields,
    estimate_width,
    explain_refusal,
    uniform_slabs,
)
from photseries.server.sandbox.bulk_source import ArrowBody, Layout, ParquetBody, too_large_error, too_many_error
from photseries.server.sandbox.bulk_wire import Slab

__all__ = ["slabs", "warm_up"]


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
        source = ArrowBody(image) if request.media == "arrow" else ParquetBody(image, request)
        layout = Layout.of(source.schema, request)
        if request.by:
            yield from long_slabs(source, layout, request)
        else:
            yield from _nested(source, layout, request)
    except (pa.ArrowException, ValueError, OSError, NotImplementedError, OverflowError) as error:
        file_kind = "Arrow IPC stream" if request.media == "arrow" else "Parquet file"
        why = " ".join(str(error).split())[:150]
        raise UnreadableFileError(f"The body is not a complete {file_kind}, or it is damaged: {why}") from error


def _nested(source: ArrowBody | ParquetBody, layout: Layout, request: BulkRequest) -> Iterator[int | Slab]:
    counted = layout.fields[:1] or layout.table[:1]
    number = 0
    for batch in source.batches(counted):
        number += batch.num_rows
        if number > request.series:
            raise too_many_error(request)
    yield number
    used = sorted((*layout.table, *layout.fields))
    places = {index: position for position, index in enumerate(used)}
    total = metadata = 0
    for batch in source.batches(used):
        total += batch.nbytes
        if total > request.size:
            raise too_large_error(request)
        metadata = count_fields(metadata, [batch.column(places[index]) for index in layout.fields], request)
        yield from _nested_slabs(
            {layout.names[index]: batch.column(places[index]) for index in layout.table},
            {layout.names[index]: batch.column(places[index]) for index in layout.fields},
            batch.num_rows,
            request,
        )


def _nested_slabs(
    table: dict[str, pa.Array], fields: dict[str, pa.Array], series: int, request: BulkRequest
) -> Iterator[Slab]:
    lengths = np.array([pc.list_value_length(lists).fill_null(-1).to_numpy(False) for lists in table.values()])
    rows = lengths.max(axis=0, initial=0)
    uneven = ((lengths >= 0) & (lengths != rows)).any(axis=0)
    width = sum(estimate_width(lists.type.value_type) for lists in table.values())
    refused = uneven | (rows == 0) | (rows > request.rows) | (rows * width > request.table)
    signs = np.packbits(np.vstack((lengths >= 0, refused)), axis=0)
    for start, stop in bounded_runs(signs, rows * width, refused):
        slab_fields = {name: lists.slice(start, stop - start).to_pylist() for name, lists in fields.items()}
        if refused[start]:
            yield Slab(
                [0],
                {},
                slab_fields,
                explain_refusal(dict(zip(table, lengths[:, start].tolist(), strict=True)), request),
            )
            continue
        flat = {
            name: lists.slice(start, stop - start).flatten()
            for index, (name, lists) in enumerate(table.items())
            if lengths[index, start] >= 0
        }
        yield from uniform_slabs(flat, rows[start:stop], slab_fields, request)


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
