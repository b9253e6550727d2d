"""The long table as HDF5, sent while it is written, for h5py, pandas and PyTables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import numpy as np

from photseries.errors import InvalidError
from photseries.formats.long import GROUP, Extent, LongLayout, SeriesBlock, parts
from photseries.hdf5.outline import outline

__all__ = ["TABLE", "long_hdf5", "require_narrow"]

#: The name of the table.
TABLE: Final = "light_curves"

#: Maximum size of the row type in libhdf5, and the approximate size of a column in it without its name [bytes].
_MAX_TYPE_BYTES: Final = 60_000
_COLUMN: Final = 48

_NOTHING: Final[Mapping[str, bytes]] = {}


def require_narrow(layout: LongLayout) -> None:
    """Refuse more columns than an HDF5 table can have.

    Raises
    ------
    InvalidError
    """
    if sum(len(name.encode()) + _COLUMN for name in (*layout.shared, *layout.measured)) > _MAX_TYPE_BYTES:
        message = f"An HDF5 table cannot have {len(layout.measured):,} columns of these names: name fewer."
        raise InvalidError.of_field("columns", message)


def long_hdf5(
    blocks: Iterable[SeriesBlock | None], layout: LongLayout, extent: Extent, manifest: Mapping[str, bytes] = _NOTHING
) -> Iterator[bytes]:
    """Write a long table as HDF5.

    An interrupted file is shorter than its header states, so libhdf5 does not open it.

    Parameters
    ----------
    extent : Extent
        Of all rows; must be known in advance.
    manifest : mapping of str to bytes
        Texts stored next to the table, by the names of their datasets.
    """
    kinds = {int: "<i8", float: "<f8"}
    types = [(name, kinds.get(kind) or f"S{extent.texts[name]}") for name, kind in layout.shared.items()]
    dtype = np.dtype([*types, *((name, "<f8") for name in layout.measured)])
    head, tail = outline(TABLE, dtype, extent.rows, {"units": json.dumps(layout.units())}, manifest)
    yield head
    for part in parts(blocks, GROUP):
        yield b"" if part is None else _rows(part, layout, dtype)
    yield tail


def _rows(block: SeriesBlock, layout: LongLayout, dtype: np.dtype[np.void]) -> bytes:
    rows = np.empty(len(block), dtype)
    for name, kind in layout.shared.items():
        same = [series[name] for series in block.series]
        if kind is str:
            same = [(text or "").encode() for text in same]
        rows[name] = np.repeat(np.array(same, dtype[name]), block.counts)
    for name, values in block.values.items():
        rows[name] = values
    return rows.tobytes()
