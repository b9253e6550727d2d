"""The long table as Parquet, sent while it is written; pyarrow is imported on first use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from photseries.formats.long import GROUP, LongLayout, SeriesBlock
from photseries.formats.long_arrow import MANIFEST_KEY, Manifest, Sink, batch_of, schema_of

__all__ = ["long_parquet"]


def long_parquet(
    blocks: Iterable[SeriesBlock | None], layout: LongLayout, manifest: Manifest = None
) -> Iterator[bytes]:
    """Write a long table as Parquet; yield nothing while rows are collected into a group.

    The manifest is metadata in the footer. An interrupted file lacks its footer, so no reader accepts it.
    """
    import pyarrow
    import pyarrow.parquet

    schema, sink = schema_of(layout), Sink()
    # Constants of a series have few distinct values; minimum and maximum per group allow searches by them and by time.
    few = [*layout.shared]
    options = {"compression": "zstd", "use_dictionary": few, "write_statistics": [*few, "mjd"]}
    with pyarrow.parquet.ParquetWriter(sink, schema, **options) as writer:
        waiting: list[pyarrow.RecordBatch] = []
        for block in blocks:
            waiting += [] if block is None else [batch_of(block, layout, schema)]
            if sum(map(len, waiting)) >= GROUP:
                table = pyarrow.Table.from_batches(waiting)
                waiting.clear()
                for start in range(0, len(table), GROUP):
                    writer.write_table(table.slice(start, GROUP))
                    yield sink.take()
            else:
                yield b""
        if waiting:
            writer.write_table(pyarrow.Table.from_batches(waiting))
        if manifest is not None:
            writer.add_key_value_metadata({MANIFEST_KEY: manifest()})
    yield sink.take()
