"""Arrow IPC streams, through pyarrow, which is imported on first use."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from photseries.formats.columns import OutputColumn, columns_of
from photseries.formats.numpy_types import frame_of_arrow
from photseries.formats.options import ReadOptions
from photseries.formats.own_files import Note, column_notes, fields_in, notes_in
from photseries.formats.reading import Table

if TYPE_CHECKING:
    import pyarrow

__all__ = ["looks_like_arrow", "read", "table_of", "table_of_arrow", "write"]

#: Keys in files of the service: all metadata, and notes on columns, as JSON.
_METADATA, _NOTES = "photseries", "photseries_columns"

#: The signature of an Arrow file that is not a stream.
_FILE = b"ARROW1"
_STREAM = b"\xff\xff\xff\xff"


def looks_like_arrow(content: bytes) -> bool:
    """Return whether a file begins like an Arrow stream or file."""
    return content.startswith((_FILE, _STREAM))


def read(content: bytes, options: ReadOptions) -> Table:
    """Read an Arrow IPC stream or file."""
    import pyarrow

    opened = pyarrow.ipc.open_file if content.startswith(_FILE) else pyarrow.ipc.open_stream
    alone = pyarrow.ipc.IpcReadOptions(use_threads=False)  # the confined process may not start threads
    with opened(pyarrow.BufferReader(content), options=alone) as batches:
        return table_of_arrow(batches.read_all())


def write(frame: pd.DataFrame, metadata: Mapping[str, object]) -> bytes:
    """Write a series as an Arrow IPC stream."""
    import pyarrow

    out = io.BytesIO()
    table = table_of(columns_of(frame, metadata), metadata, {})
    with pyarrow.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def table_of(columns: list[OutputColumn], metadata: Mapping[str, object], more: Mapping[str, str]) -> pyarrow.Table:
    """Return an Arrow table with the metadata of its series as JSON.

    Parameters
    ----------
    more : mapping of str to str
        Other metadata of the table.
    """
    import pyarrow

    arrays = [_array(column) for column in columns]
    fields = [
        pyarrow.field(column.name, array.type, metadata=_column_metadata(column))
        for column, array in zip(columns, arrays, strict=True)
    ]
    notes = column_notes(columns, [column.name for column in columns], _note_of_loss)
    schema_metadata = {_METADATA: json.dumps(metadata)} | ({_NOTES: json.dumps(notes)} if notes else {})
    schema = pyarrow.schema(fields, metadata={**schema_metadata, **more})
    return pyarrow.table(arrays, schema=schema)


def table_of_arrow(table: pyarrow.Table) -> Table:
    """Return an Arrow table as a reader's table; one of the service has the fields of the series."""
    table.validate(full=True)  # the offsets of a damaged file could point anywhere
    # Not through pandas, because versions before 3 refuse newer versions of pyarrow.
    frame = frame_of_arrow(table)
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    about = table.schema.metadata or {}
    fields = fields_in(about.get(_METADATA.encode()))
    if fields:
        return Table(frame=frame, file_metadata=fields, notes=notes_in(about.get(_NOTES.encode())))
    frame.attrs = {
        key.decode(errors="replace"): value.decode(errors="replace") for key, value in about.items()
    } | frame.attrs
    described = {field.name: field.metadata or {} for field in table.schema}
    texts = {name: (about.get(b"unit") or about.get(b"units", b"")).decode() for name, about in described.items()}
    return Table(frame=frame, units={name: text for name, text in texts.items() if text})


def _note_of_loss(column: OutputColumn) -> Note:
    return {"type": "float16"} if column.values.dtype == np.float16 else {}


def _array(column: OutputColumn) -> pyarrow.Array:
    import pyarrow

    if column.is_text:
        return pyarrow.array(column.values.tolist(), pyarrow.string())
    if column.values.dtype == np.float16:
        return pyarrow.array(column.values.astype(np.float32))
    return pyarrow.array(column.values)


def _column_metadata(column: OutputColumn) -> dict[str, str]:
    meaning = column.meaning
    about = {"unit": meaning.unit, "ucd": meaning.ucd, "description": meaning.description}
    return {name: text for name, text in about.items() if text}
