"""CSV, and ECSV: the same with a header that astropy and TOPCAT read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import orjson
import pandas as pd
import yaml

from photseries.formats.columns import Column, columns_of, whole_table
from photseries.formats.json_columns import jsonable
from photseries.lightcurve.table import is_text

__all__ = ["cells", "csv", "ecsv"]

#: Readers take a line that begins with # for a comment.
_QUOTED: Final = re.compile(r'[",\r\n]|^[\s#]|\s$|^$')

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


def csv(frame: pd.DataFrame, metadata: Mapping[str, Any]) -> bytes:
    """Write a table as CSV: names in the first line, missing text as nothing, lines that end in CR LF (RFC 4180)."""
    return _lines(whole_table(frame), b"\r\n")


def ecsv(frame: pd.DataFrame, metadata: Mapping[str, Any]) -> bytes:
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
    return head.encode() + _lines(frame, b"\n")


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


def _lines(frame: pd.DataFrame, end: bytes) -> bytes:
    head = b",".join(_quoted(str(name)) for name in frame.columns)
    columns = [cells(column) for _, column in frame.items()]
    rows = map(b",".join, zip(*columns, strict=True))
    return end.join((head, *rows, b""))


def cells(column: pd.Series[Any]) -> list[bytes]:
    """Write the values of a column: numbers with the fewest digits that give their type back, True and False.

    What is missing is nothing where it is text and NaN where it is a number; infinities are inf and -inf. Datetimes
    are ISO 8601, durations seconds.
    """
    values = jsonable(column)
    if isinstance(values, list):
        return [b"" if value is None else _quoted(str(value)) for value in values]
    if values.dtype.kind == "b":
        return [b"True" if value else b"False" for value in values.tolist()]
    written = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    if values.dtype.kind == "f":
        for place in np.flatnonzero(~np.isfinite(values)).tolist():
            written[place] = _ODD[str(values[place])]
    return written


_ODD: Final = {"nan": b"NaN", "inf": b"inf", "-inf": b"-inf"}


def _quoted(text: str) -> bytes:
    if _QUOTED.search(text):
        text = '"' + text.replace('"', '""') + '"'
    return text.encode()
