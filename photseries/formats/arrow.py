"""Parquet, and a stream of Arrow: through pyarrow, which is imported when somebody asks for one of them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from photseries.formats.columns import Column, columns_of
from photseries.formats.votable import without_data

if TYPE_CHECKING:
    import pyarrow

__all__ = ["arrow_stream", "parquet"]


def parquet(frame: pd.DataFrame, metadata: Mapping[str, Any]) -> bytes:
    """Write a series as Parquet, with a VOTable of its columns in it (VOParquet) for TOPCAT and astropy."""
    import pyarrow.parquet

    columns = columns_of(frame, metadata)
    about = {
        "IVOA.VOTable-Parquet.version": "1.0",
        "IVOA.VOTable-Parquet.content": without_data(columns, metadata),
    }
    out = io.BytesIO()
    pyarrow.parquet.write_table(_table(columns, metadata, about), out)
    return out.getvalue()


def arrow_stream(frame: pd.DataFrame, metadata: Mapping[str, Any]) -> bytes:
    """Write a series as a stream of Arrow's IPC format."""
    import pyarrow

    out = io.BytesIO()
    table = _table(columns_of(frame, metadata), metadata, {})
    with pyarrow.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def _table(columns: list[Column], metadata: Mapping[str, Any], more: Mapping[str, str]) -> pyarrow.Table:
    import pyarrow

    arrays = [_array(column) for column in columns]
    fields = [
        pyarrow.field(column.name, array.type, metadata=_about(column))
        for column, array in zip(columns, arrays, strict=True)
    ]
    schema = pyarrow.schema(fields, metadata={"photseries": json.dumps(metadata), **more})
    return pyarrow.table(arrays, schema=schema)


def _array(column: Column) -> pyarrow.Array:
    import pyarrow

    if column.is_text:
        return pyarrow.array(column.values.tolist(), pyarrow.string())
    if column.values.dtype == np.float16:
        return pyarrow.array(column.values.astype(np.float32))
    return pyarrow.array(column.values)


def _about(column: Column) -> dict[str, str]:
    meaning = column.meaning
    about = {"unit": meaning.unit, "ucd": meaning.ucd, "description": meaning.words}
    return {name: text for name, text in about.items() if text}
