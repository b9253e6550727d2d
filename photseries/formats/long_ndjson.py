"""The long table as NDJSON, one line per row, sent while it is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import orjson

from photseries.formats.long import LongLayout, SeriesBlock, parts
from photseries.formats.long_arrow import Manifest

__all__ = ["long_ndjson"]

#: Maximum number of rows written at a time.
ROWS: Final = 4096


def long_ndjson(blocks: Iterable[SeriesBlock | None], layout: LongLayout, manifest: Manifest = None) -> Iterator[bytes]:
    """Write a long table as lines of JSON; non-finite values are null.

    The manifest is the last line, an object with the only member ``manifest``; without it the answer was truncated.
    """
    for part in parts(blocks, ROWS):
        yield b"" if part is None else _lines(part, layout)
    if manifest is not None:
        yield b'{"manifest":%b}\n' % manifest()


def _lines(block: SeriesBlock, layout: LongLayout) -> bytes:
    """Write rows; encode the constants of a series once."""
    columns = np.array([*block.values.values()]).T.tolist()
    lines: list[bytes] = []
    start = 0
    for same, count in zip(block.series, block.counts.tolist(), strict=True):
        head = orjson.dumps({name: same[name] for name in layout.shared})[:-1] + b","
        for row in columns[start : start + count]:
            measured = orjson.dumps(dict(zip(block.values, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE)
            lines += (head, measured[1:])
        start += count
    return b"".join(lines)
