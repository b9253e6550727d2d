"""Parquet, through pyarrow, which is imported when a file is read or written."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pandas as pd

from photseries.formats.arrow import table_of, table_of_arrow
from photseries.formats.columns import columns_of
from photseries.formats.options import ReadOptions
from photseries.formats.reading import Table
from photseries.formats.votable import without_data

__all__ = ["read", "write"]


def read(content: bytes, options: ReadOptions) -> Table:
    """Read Apache Parquet; of the service's own files the fields of the series, too."""
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(content), pre_buffer=False)
    return table_of_arrow(file.read(use_threads=False))


def write(frame: pd.DataFrame, metadata: Mapping[str, object]) -> bytes:
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
