"""Parquet, through pyarrow, which is imported when a file is read or written."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pandas as pd

from photseries.formats.arrow import table_of
from photseries.formats.columns import columns_of
from photseries.formats.reading import Reading, ReadOptions
from photseries.formats.roles import canonical
from photseries.formats.votable import without_data
from photseries.hdf5.limits import Limits
from photseries.hdf5.metadata import from_json

__all__ = ["read", "write"]


def read(content: bytes, options: ReadOptions) -> Reading:
    """Read Apache Parquet; of the service's own files the fields of the series, too."""
    import pyarrow.parquet

    # Not through pandas, whose versions before 3 refuse newer ones of pyarrow.
    long = {pyarrow.int64(): pd.Int64Dtype(), pyarrow.uint64(): pd.UInt64Dtype()}  # null would make them float64
    table = pyarrow.parquet.read_table(io.BytesIO(content))
    frame: pd.DataFrame = table.to_pandas(types_mapper=long.get)
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    own = (table.schema.metadata or {}).get(b"photseries")
    return canonical(Reading(frame, file_metadata={} if own is None else from_json(own, Limits())), options)


def write(frame: pd.DataFrame, metadata: Mapping[str, Any]) -> bytes:
    """Write a series as Parquet, with a VOTable of its columns in it (VOParquet) for TOPCAT and astropy."""
    import pyarrow.parquet

    columns = columns_of(frame, metadata)
    about = {
        "IVOA.VOTable-Parquet.version": "1.0",
        "IVOA.VOTable-Parquet.content": without_data(columns, metadata),
    }
    out = io.BytesIO()
    pyarrow.parquet.write_table(table_of(columns, metadata, about), out)
    return out.getvalue()
