"""Parquet, through pyarrow, which is imported on first use."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import pandas as pd

from photseries.extras import needs
from photseries.formats import astropy_tables, votable
from photseries.formats.arrow import table_of, table_of_arrow
from photseries.formats.columns import columns_of
from photseries.formats.numpy_types import plain_frame
from photseries.formats.options import ReadOptions
from photseries.formats.reading import Table

__all__ = ["read", "write"]

#: The VOTable without rows that describes the columns (IVOA note VOParquet), and the header that astropy writes.
_VOTABLE: Final = "IVOA.VOTable-Parquet.content"
_ASTROPY: Final = "table_meta_yaml"


def read(content: bytes, options: ReadOptions) -> Table:
    """Read Apache Parquet; from a file of the service, also the fields of the series.

    Units and times come from the metadata of astropy, TOPCAT and STILTS.
    """
    import pyarrow.parquet

    file = pyarrow.parquet.ParquetFile(pyarrow.BufferReader(content), pre_buffer=False)
    about = {key.decode(errors="replace"): value for key, value in (file.schema_arrow.metadata or {}).items()}
    table = table_of_arrow(file.read(use_threads=False))
    if table.file_metadata or not {_ASTROPY, _VOTABLE} & about.keys():
        return table
    needs("astropy")
    if _ASTROPY in about:
        return _with_astropy_header(table.frame, about[_ASTROPY].decode())
    return replace(votable.read(about[_VOTABLE], ReadOptions()), frame=table.frame, uses=())


def _with_astropy_header(frame: pd.DataFrame, described: str) -> Table:
    """Apply astropy's header to columns; its own reader starts threads, which a confined worker cannot."""
    from astropy.table import Table as AstropyTable
    from astropy.table import meta, serialize

    header = meta.get_header_from_yaml(described.splitlines())
    rows = AstropyTable({str(name): cells.to_numpy() for name, cells in plain_frame(frame)[0].items()})
    for column in header["datatype"]:
        if column["name"] in rows.colnames:
            rows[column["name"]].unit = column.get("unit")
    rows.meta.update(header.get("meta", {}))
    return astropy_tables.table_of(serialize._construct_mixins_from_columns(rows))


def write(frame: pd.DataFrame, metadata: Mapping[str, object]) -> bytes:
    """Write a series as Parquet, with a VOTable of its columns in it (VOParquet) for TOPCAT and astropy."""
    import pyarrow.parquet

    columns = columns_of(frame, metadata)
    about = {"IVOA.VOTable-Parquet.version": "1.0", _VOTABLE: votable.without_data(columns, metadata)}
    out = io.BytesIO()
    pyarrow.parquet.write_table(table_of(columns, metadata, about), out)
    return out.getvalue()
