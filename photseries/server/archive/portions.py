"""Cut the series that the reader of a bulk body returns into portions, and read the fields of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from photseries.errors import InvalidError
from photseries.fields import FIELDS
from photseries.fields.texts import fields_of_texts
from photseries.lightcurve.blocks import Block
from photseries.lightcurve.calibration import with_fields_of_altdata
from photseries.server.archive.uploads import InBlock, Upload
from photseries.server.sandbox.bulk_wire import Slab

__all__ = ["PORTION", "UploadedSeries", "portions_of"]

#: Maximum size of a portion, unless one series is larger: series, and bytes of their tables.
PORTION: Final = 250
PORTION_BYTES: Final = 16 * 1024 * 1024

#: Rows of the tables of a block together, unless one table is longer: with more, temporary arrays leave the caches, and
#: each is mapped again, which doubles the time of the statistics.
BLOCK: Final = 65_536


@dataclass(frozen=True)
class UploadedSeries:
    """A series of a body: its index, its table and its fields."""

    index: int
    upload: Upload


def portions_of(received: Iterator[Slab], shared: Mapping[str, object]) -> Iterator[list[UploadedSeries]]:
    """Group series into portions for one transaction each."""
    portion: list[UploadedSeries] = []
    size = index = 0
    for slab in received:
        blocks = _blocks(slab)
        for position, frame in enumerate(_frames(slab)):
            fields = {name: values[position] for name, values in slab.fields.items()}
            portion.append(UploadedSeries(index, _uploaded(frame, fields, shared, slab.error, blocks.get(position))))
            index += 1
            size += 8 * frame.size
            if len(portion) == PORTION or size > PORTION_BYTES:
                yield portion
                portion, size = [], 0
    if portion:
        yield portion


def _frames(slab: Slab) -> Iterator[pd.DataFrame]:
    """Yield the table of each series; cut from one frame, which takes a tenth of the time, where there is no text."""
    if any(kind == "text" for kind, _ in slab.columns.values()):
        yield from map(pd.DataFrame, slab.tables())
        return
    slab_frame = pd.DataFrame({name: buffers[0] for name, (_, buffers) in slab.columns.items()})
    stop = 0
    for rows in slab.rows:
        start, stop = stop, stop + rows
        frame = slab_frame.iloc[start:stop]
        frame.index = pd.RangeIndex(rows)
        yield frame


def _blocks(slab: Slab) -> dict[int, InBlock]:
    """Put tables of equal length together, if they have nothing but numbers."""
    if slab.error is not None or any(kind == "text" for kind, _ in slab.columns.values()):
        return {}
    flat = {name: buffers[0] for name, (_, buffers) in slab.columns.items()}
    rows, starts = np.array(slab.rows), np.concatenate(([0], np.cumsum(slab.rows)))
    by_index: dict[int, InBlock] = {}
    for length in np.unique(rows).tolist():
        places = np.flatnonzero(rows == length)
        step = max(1, BLOCK // max(1, length))
        for some in np.split(places, range(step, places.size, step)):
            first, last = starts[some[0]], starts[some[-1]] + length
            if last - first == some.size * length:
                block = Block({name: values[first:last].reshape(-1, length) for name, values in flat.items()})
            else:
                chosen = starts[some][:, None] + np.arange(length)
                block = Block({name: values[chosen] for name, values in flat.items()})
            by_index |= {index: InBlock(block, number) for number, index in enumerate(some.tolist())}
    return by_index


def _uploaded(
    frame: pd.DataFrame,
    fields: Mapping[str, object],
    shared: Mapping[str, object],
    error: str | None,
    block: InBlock | None,
) -> Upload:
    stated: dict[str, object] = {}
    for name, value in fields.items():
        parsed = _parse_value(name, value)
        if parsed is not None:
            stated[name] = parsed
    metadata = with_fields_of_altdata(stated)
    if error is not None:
        return Upload(None, metadata, shared, InvalidError.of_field("data", error))
    return Upload(frame, metadata, shared, block=block)


def _parse_value(name: str, value: object) -> object:
    """Read the value of a field: text as in a query; null, and NaN, are not given."""
    if isinstance(value, float):
        if math.isnan(value):
            return None
        if FIELDS[name].type == "id" and value.is_integer():  # of a column with nulls
            return int(value)
    return fields_of_texts({name: [value]})[name] if isinstance(value, str) else value
