"""A stream of Arrow, through pyarrow, which is imported when somebody asks for one."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from photseries.formats.columns import Column, columns_of

if TYPE_CHECKING:
    import pyarrow

__all__ = ["table_of", "write"]


def write(frame: pd.DataFrame, metadata: Mapping[str, Any]) -> bytes:
    """Write a series as a stream of Arrow's IPC format."""
    import pyarrow

    out = io.BytesIO()
    table = table_of(columns_of(frame, metadata), metadata, {})
    with pyarrow.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def table_of(columns: list[Column], metadata: Mapping[str, Any], more: Mapping[str, str]) -> pyarrow.Table:
    """Make a table of Arrow, with the metadata of its series as JSON.

    Parameters
    ----------
    columns : list of Column
    metadata : mapping
    more : mapping of str to str
        Other metadata of the table.
    """
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
