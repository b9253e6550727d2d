"""Write one partition on any machine with access to the store and the target, without the database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from photseries.server.archive.blobs import read_table
from photseries.server.catalogue.exporting import Member, fingerprint
from photseries.server.hats.layout import Layout, Row
from photseries.server.hats.target import FINGERPRINT, Target, Tile
from photseries.server.storage.contract import Store

__all__ = ["Partition", "WrittenPartition", "write"]

#: Number of measurements per row group, which is in memory as a whole.
TOGETHER = 200_000
#: zstd level. Level 15 of HATS makes files 4 % smaller, but takes most of the time of an export.
LEVEL = 3


@dataclass(frozen=True)
class Partition:
    """A partition to write: its target and its series."""

    target: Target
    store: Store
    layout: Layout
    tile: Tile
    members: Sequence[Member]


@dataclass(frozen=True)
class WrittenPartition:
    """The written partition: numbers of rows, series and measurements."""

    rows: int
    series: int
    measurements: int


def write(partition: Partition) -> WrittenPartition:
    """Write a partition atomically.

    Raises
    ------
    DamagedError
        When the blob of a series is missing or altered, perhaps because of a concurrent change.
    UnavailableError
        When the store or the target does not work.
    """
    import pyarrow.parquet as pq
    from hats.io.file_io.file_io import get_parquet_write_table_kwargs

    layout, target = partition.layout, partition.target
    made_from = str(fingerprint(member.mark for member in partition.members))
    schema = layout.schema({FINGERPRINT: made_from.encode()})
    options = get_parquet_write_table_kwargs(schema, write_table_kwargs={"compression_level": LEVEL})
    size = options.pop("row_group_size")
    rows = measurements = 0
    with target.replaced(target.path(partition.tile)) as name, pq.ParquetWriter(name, schema, **options) as writer:
        tables = layout.rows(partition.members, lambda member: read_table(partition.store, member.blob).frame)
        for together in _batches(tables):
            writer.write_table(layout.table(together, schema), row_group_size=size)
            rows += len(together)
            measurements += sum(row.length for row in together)
    return WrittenPartition(rows, len(partition.members), measurements)


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    length = 0
    for row in rows:
        batch.append(row)
        length += row.length
        if length >= TOGETHER:
            yield batch
            batch, length = [], 0
    if batch:
        yield batch
