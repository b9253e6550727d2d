"""ECSV: CSV with a header that astropy and TOPCAT read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import yaml

from photseries.fields import METADATA
from photseries.formats.astropy_tables import from_table
from photseries.formats.columns import Column, columns_of, whole_table
from photseries.formats.csv import rows_of_text
from photseries.formats.reading import Reading, ReadOptions
from photseries.formats.roles import without_fluxes
from photseries.lightcurve.table import is_text

__all__ = ["read", "write"]

#: Fields that every file of the service's own names, and hardly another one.
_OWN: Final = ("obj_id", "instrument_id", "series_name", "series_obj_id")

#: What astropy takes for the end of a line even in quotes, beside the two that text may have; of these, such as have a
#: line after them that would be dropped as a comment.
_ENDS: Final = re.compile("[\v\f\x1c-\x1e\x85\u2028\u2029]|[\r\n](?=\\s*#)")
_ENDS_IN_NAMES: Final = re.compile("[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")


class _Header(yaml.SafeDumper):
    """YAML without empty lines, which astropy would drop: what is not printable stands in quotes, escaped."""


_Header.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"'
    ),
)


def read(content: bytes, options: ReadOptions) -> Reading:
    """Read astropy's CSV with units."""
    from astropy.table import Table

    table = Table.read(content.decode(), format="ascii.ecsv")
    return from_table(table, options, _said(table.meta))


def _said(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a file of the service's own says of the series; of its fluxes the unit of their column does."""
    if not all(name in meta for name in _OWN):
        return {}
    said = {name: meta[name] for name in METADATA if meta.get(name) is not None}
    return {**said, "altdata": without_fluxes(said["altdata"])} if "altdata" in said else said


def write(frame: pd.DataFrame, metadata: Mapping[str, Any]) -> bytes:
    """Write a table as ECSV 1.0: types, units and words for each column, and the metadata, in comments before CSV."""
    frame = _in_lines(whole_table(frame))
    described = {
        "datatype": [_described(column) for column in columns_of(frame, metadata)],
        "delimiter": ",",
        "meta": dict(metadata),
        "schema": "astropy-2.0",
    }
    header = yaml.dump(described, Dumper=_Header, sort_keys=False, default_flow_style=None, width=2**20)
    head = "".join(f"# {line}\n" for line in ("%ECSV 1.0", "---", *header.splitlines()))
    return head.encode() + rows_of_text(frame, b"\n")


def _in_lines(frame: pd.DataFrame) -> pd.DataFrame:
    """Put U+FFFD for what would break the lines of ECSV in names and text."""
    kept = frame.copy(deep=False)
    for name, column in frame.items():
        if is_text(column):
            kept[name] = column.map(lambda text: _ENDS.sub("\ufffd", str(text)), na_action="ignore")
    return kept.rename(columns=lambda name: _ENDS_IN_NAMES.sub("\ufffd", str(name)))


def _described(column: Column) -> dict[str, str]:
    kind = column.values.dtype.kind
    datatype = "string" if kind in "OM" else "float64" if kind == "m" else column.values.dtype.name
    unit = "s" if kind == "m" else column.meaning.unit
    about = {"unit": unit, "datatype": datatype, "description": column.meaning.words}
    return {"name": column.name, **{name: text for name, text in about.items() if text}}
