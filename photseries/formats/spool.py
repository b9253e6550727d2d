"""Blocks of a long table on disk, for formats whose header states the number of rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import numpy as np
import orjson

from photseries.formats.long import Extent, LongLayout, SeriesBlock

__all__ = ["BlockSpool"]


class BlockSpool:
    """Stores blocks in a file, and returns them in order.

    Parameters
    ----------
    file : file
        Empty, open for reading and writing.
    layout : LongLayout
        Of the blocks.

    Attributes
    ----------
    extent : Extent
        Of all blocks.
    """

    def __init__(self, file: IO[bytes], layout: LongLayout) -> None:
        self._file = file
        self._layout = layout
        self.extent = Extent()

    def add(self, block: SeriesBlock) -> None:
        """Append a block."""
        counts = block.counts.tolist()
        for same, count in zip(block.series, counts, strict=True):
            self.extent.add(count, same)
        self._file.write(orjson.dumps([block.series, counts], option=orjson.OPT_APPEND_NEWLINE))
        for values in block.values.values():
            self._file.write(np.ascontiguousarray(values, np.float64).data)

    def blocks(self) -> Iterator[SeriesBlock]:
        """Yield all blocks."""
        self._file.seek(0)
        while line := self._file.readline():
            series, counts = orjson.loads(line)
            rows = sum(counts)
            values = {name: np.frombuffer(self._file.read(8 * rows)) for name in self._layout.measured}
            yield SeriesBlock(series, np.array(counts, np.int64), values)
