"""ECSV: CSV with a header for astropy and TOPCAT."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

import pandas as pd
import yaml

from photseries.formats.astropy_tables import table_of
from photseries.formats.columns import OutputColumn, columns_of, whole_table
from photseries.formats.csv import rows_of_text
from photseries.formats.options import ReadOptions
from photseries.formats.own_files import Note, column_notes, distinct, fields_in, names_series
from photseries.formats.reading import Table
from photseries.lightcurve.table import is_text

__all__ = ["read", "write"]

#: Characters that astropy treats as line ends even in quotes.
_ENDS: Final = "\r\v\f\x1c-\x1e\x85\u2028\u2029"
_ENDS_IN_NAMES: Final = re.compile(f"[\n{_ENDS}]")
#: Text that readers would change: they strip each line, drop empty lines and those that begin with #, and read
#: an empty text as missing.
_CHANGED: Final = re.compile(rf"[{_ENDS}]|^$|^\s|\s$|\s\n|\n[\s#]")

#: The key in a column's ``meta`` that only the client reads.
_NOTE: Final = "photseries"


class _Header(yaml.SafeDumper):
    """A YAML dumper without empty lines, which astropy would drop: unprintable text is quoted and escaped."""


_Header.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"'
    ),
)


def read(content: bytes, options: ReadOptions) -> Table:
    """Read ECSV; from a file of the service, also the fields of the series."""
    from astropy.table import Table as AstropyTable

    table = AstropyTable.read(content.decode(), format="ascii.ecsv")
    notes = {
        name: note for name in table.colnames if isinstance(note := (table[name].info.meta or {}).get(_NOTE), dict)
    }
    fields = fields_in(table.meta) if names_series(table.meta) else {}
    return table_of(table, file_metadata=fields, notes=notes)


def write(frame: pd.DataFrame, metadata: Mapping[str, object]) -> bytes:
    """Write a table as ECSV 1.0: CSV after comments with the metadata and the type, unit and description of columns."""
    columns = columns_of(frame, metadata)
    frame = whole_table(frame)
    names = distinct(_ENDS_IN_NAMES.sub("\ufffd", column.name) for column in columns)
    notes = column_notes(columns, names, _note_of_loss)
    changed = {str(name) for name, column in frame.items() if is_text(column) and _is_changed(column)}
    described = {
        "datatype": [
            _column_header(column, name, notes.get(name), as_json=column.name in changed)
            for column, name in zip(columns, names, strict=True)
        ],
        "delimiter": ",",
        "meta": dict(metadata),
        "schema": "astropy-2.0",
    }
    header = yaml.dump(described, Dumper=_Header, sort_keys=False, default_flow_style=None, width=2**20)
    head = "".join(f"# {line}\n" for line in ("%ECSV 1.0", "---", *header.splitlines()))
    rows = frame.assign(
        **{name: frame[name].map(lambda text: json.dumps(text if isinstance(text, str) else None)) for name in changed}
    ).set_axis(names, axis=1)
    return head.encode() + rows_of_text(rows, b"\n")


def _is_changed(column: pd.Series) -> bool:
    return any(isinstance(text, str) and _CHANGED.search(text) for text in column)


def _note_of_loss(column: OutputColumn) -> Note:
    return {"type": column.values.dtype.name} if column.values.dtype.kind in "mM" else {}


def _column_header(column: OutputColumn, name: str, note: Note | None, *, as_json: bool) -> dict[str, object]:
    kind = column.values.dtype.kind
    about = {
        "name": name,
        "unit": "s" if kind == "m" else column.meaning.unit,
        "datatype": "string" if kind in "OM" else "float64" if kind == "m" else column.values.dtype.name,
        "subtype": "json" if as_json else None,
        "description": column.meaning.description,
        "meta": None if note is None else {_NOTE: note},
    }
    return {key: value for key, value in about.items() if value}
