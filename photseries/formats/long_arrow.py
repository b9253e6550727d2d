"""The long table as an Arrow stream, sent while it is written; pyarrow is imported on first use."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from photseries.formats.long import GROUP, LongLayout, SeriesBlock, parts

if TYPE_CHECKING:
    import pyarrow

__all__ = ["MANIFEST_KEY", "Manifest", "Sink", "batch_of", "long_arrow", "schema_of"]

#: The key of the manifest in the metadata of a file.
MANIFEST_KEY: Final = "photseries.manifest"

#: Returns the manifest as JSON after all rows were written; None without a manifest.
Manifest = Callable[[], bytes] | None


class Sink(io.RawIOBase):
    """A write-only file whose content is consumed while it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._written: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        """Return True, as a file does."""
        return True

    def tell(self) -> int:
        """Return the total length written."""
        return self._length

    def write(self, data: Any) -> int:
        """Store bytes."""
        self._written.append(bytes(data))
        self._length += len(self._written[-1])
        return len(self._written[-1])

    def take(self) -> bytes:
        """Return the bytes written since the last call."""
        content = b"".join(self._written)
        self._written.clear()
        return content


def long_arrow(blocks: Iterable[SeriesBlock | None], layout: LongLayout, manifest: Manifest = None) -> Iterator[bytes]:
    """Write a long table as an Arrow IPC stream.

    The manifest is metadata of a last batch without rows. A stream that breaks off lacks its end, which every reader
    reports as an error.
    """
    import pyarrow

    schema, sink = schema_of(layout), Sink()
    with pyarrow.ipc.new_stream(sink, schema) as writer:
        yield sink.take()
        for part in parts(blocks, GROUP):
            if part is not None:
                writer.write_batch(batch_of(part, layout, schema))
            yield sink.take()
        if manifest is not None:
            last = pyarrow.RecordBatch.from_arrays([pyarrow.array([], field.type) for field in schema], schema=schema)
            writer.write_batch(last, custom_metadata={MANIFEST_KEY: manifest()})
    yield sink.take()


def schema_of(layout: LongLayout) -> pyarrow.Schema:
    """Return the schema of a long table."""
    import pyarrow

    kinds = {int: pyarrow.int64(), float: pyarrow.float64(), str: pyarrow.string()}
    fields = [pyarrow.field(name, kinds[kind]) for name, kind in layout.shared.items()]
    fields += [
        pyarrow.field(name, pyarrow.float64(), metadata=None if unit is None else {"unit": unit})
        for name, unit in layout.units().items()
    ]
    return pyarrow.schema(fields)


def batch_of(block: SeriesBlock, layout: LongLayout, schema: pyarrow.Schema) -> pyarrow.RecordBatch:
    """Return a block as a batch."""
    import pyarrow

    which = pyarrow.array(np.repeat(np.arange(len(block.counts), dtype=np.int32), block.counts))

    def column(name: str) -> pyarrow.Array:
        values = [same[name] for same in block.series]
        kind = schema.field(name).type
        if len(set(values)) == 1:  # much faster, and possible for most columns
            return pyarrow.repeat(pyarrow.scalar(values[0], kind), len(block))
        return pyarrow.array(values, kind).take(which)

    arrays = [*map(column, layout.shared), *map(pyarrow.array, block.values.values())]
    return pyarrow.record_batch(arrays, schema=schema)
