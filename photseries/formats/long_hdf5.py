"""The long table as HDF5, sent while it is made: a table that h5py, pandas and PyTables read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

import numpy as np

from photseries.errors import InvalidError
from photseries.formats.long import GROUP, SHARED, Extent, Layout, Series, shared
from photseries.hdf5.outline import outline

__all__ = ["TABLE", "long_hdf5", "require_narrow"]

#: The name of the table.
TABLE: Final = "light_curves"

#: What libhdf5 takes to describe a row at most [bytes], and about what it takes for a column beside its name.
_LONGEST_TYPE: Final = 60_000
_COLUMN: Final = 48


def require_narrow(layout: Layout) -> None:
    """Refuse more columns than an HDF5 table can have.

    Raises
    ------
    InvalidError
    """
    if sum(len(name.encode()) + _COLUMN for name in (*SHARED, *layout.measured)) > _LONGEST_TYPE:
        message = f"An HDF5 table cannot have {len(layout.measured):,} columns of these names: name fewer."
        raise InvalidError(message, fields={"columns": [message]})


def long_hdf5(several: Iterable[Series], layout: Layout, extent: Extent) -> Iterator[bytes]:
    """Write the long table of some series as HDF5.

    What breaks off is shorter than its first bytes say, and libhdf5 does not open it.

    Parameters
    ----------
    several : iterable of Series
    layout : Layout
    extent : Extent
        Of all of them, which must be known before.
    """
    kinds = [(name, "<i8" if kind is int else f"S{extent.texts[name]}") for name, kind in SHARED.items()]
    dtype = np.dtype([*kinds, *((name, "<f8") for name in layout.measured)])
    head, tail = outline(TABLE, dtype, extent.rows, {"units": json.dumps(layout.units())})
    yield head
    for series in several:
        yield from _rows(series, layout, dtype)
    yield tail


def _rows(series: Series, layout: Layout, dtype: np.dtype[Any]) -> Iterator[bytes]:
    same = {
        name: value if SHARED[name] is int else (value or "").encode()
        for name, value in shared(series.id, series.metadata).items()
    }
    measured = layout.values(series)
    for start in range(0, len(series.frame), GROUP):
        rows = np.empty(min(GROUP, len(series.frame) - start), dtype)
        for name, value in same.items():
            rows[name] = value
        for name, values in measured.items():
            rows[name] = values[start : start + GROUP]
        yield rows.tobytes()
