"""The long table as Parquet, sent while it is written; pyarrow is imported when somebody asks for it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from photseries.formats.long import GROUP, SHARED, Layout, Series, shared

if TYPE_CHECKING:
    import pyarrow

__all__ = ["long_parquet"]


class _Sink(io.RawIOBase):
    """A file that is only written to, in order; what was written is taken away."""

    def __init__(self) -> None:
        super().__init__()
        self._written: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._length

    def write(self, data: Any) -> int:
        self._written.append(bytes(data))
        self._length += len(self._written[-1])
        return len(self._written[-1])

    def take(self) -> bytes:
        """Return what was written since the last time."""
        content = b"".join(self._written)
        self._written.clear()
        return content


def long_parquet(several: Iterable[Series], layout: Layout) -> Iterator[bytes]:
    """Write the long table of some series as Parquet; nothing comes while rows are collected to a group.

    What breaks off lacks its footer, which no reader takes for a whole file.
    """
    import pyarrow
    import pyarrow.parquet

    schema = _schema(layout)
    texts = [name for name, kind in SHARED.items() if kind is str]
    sink = _Sink()
    with pyarrow.parquet.ParquetWriter(sink, schema, compression="zstd", use_dictionary=texts) as writer:
        waiting: list[Any] = []
        for series in several:
            waiting.append(_batch(series, layout, schema))
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
    yield sink.take()


def _schema(layout: Layout) -> pyarrow.Schema:
    import pyarrow

    kinds = {int: pyarrow.int64(), str: pyarrow.string()}
    fields = [pyarrow.field(name, kinds[kind]) for name, kind in SHARED.items()]
    fields += [
        pyarrow.field(name, pyarrow.float64(), metadata=None if unit is None else {"unit": unit})
        for name, unit in layout.units().items()
    ]
    return pyarrow.schema(fields)


def _batch(series: Series, layout: Layout, schema: pyarrow.Schema) -> pyarrow.RecordBatch:
    import pyarrow

    rows = len(series.frame)
    same = shared(series.id, series.metadata)
    arrays = [pyarrow.repeat(pyarrow.scalar(same[name], schema.field(name).type), rows) for name in SHARED]
    arrays += map(pyarrow.array, layout.values(series).values())
    return pyarrow.record_batch(arrays, schema=schema)
