"""CSV: columns with commas, tabs or spaces between are read, commas are written."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import orjson
import pandas as pd

from photseries.formats.columns import whole_table
from photseries.formats.json_columns import jsonable
from photseries.formats.numpy_types import EXACT
from photseries.formats.reading import Reading, ReadOptions, invalid
from photseries.formats.roles import canonical

__all__ = ["read", "read_spaced", "read_tabs", "rows_of_text", "write"]

#: Before pandas 3.1 decimals are read to the last bit only when asked.
_EXACT: Final[dict[str, Any]] = (
    {"float_precision": "round_trip"} if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1) else {}
)

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|nan|inf", re.IGNORECASE)

#: Readers take a line that begins with # for a comment.
_QUOTED: Final = re.compile(r'[",\r\n]|^[\s#]|\s$|^$')

_ODD: Final = {"nan": b"NaN", "inf": b"inf", "-inf": b"-inf"}


def read(content: bytes, options: ReadOptions) -> Reading:
    """Read columns with commas between."""
    return canonical(Reading(_table(content, ",")), options)


def read_tabs(content: bytes, options: ReadOptions) -> Reading:
    """Read columns with tabs between."""
    return canonical(Reading(_table(content, "\t")), options)


def read_spaced(content: bytes, options: ReadOptions) -> Reading:
    """Read columns with spaces between."""
    return canonical(Reading(_table(content, r"\s+")), options)


def write(frame: pd.DataFrame, metadata: Mapping[str, Any]) -> bytes:
    """Write a table as CSV: names in the first line, missing text as nothing, lines that end in CR LF (RFC 4180)."""
    return rows_of_text(whole_table(frame), b"\r\n")


def rows_of_text(frame: pd.DataFrame, end: bytes) -> bytes:
    """Write the names and the rows of a table, each with the end of a line.

    Numbers have the fewest digits that give their type back; truths are True and False. What is missing is nothing
    where it is text and NaN where it is a number; infinities are inf and -inf. Datetimes are ISO 8601, durations
    seconds.
    """
    head = b",".join(_quoted(str(name)) for name in frame.columns)
    columns = [_cells(column) for _, column in frame.items()]
    rows = map(b",".join, zip(*columns, strict=True))
    return end.join((head, *rows, b""))


def _cells(column: pd.Series[Any]) -> list[bytes]:
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


def _quoted(text: str) -> bytes:
    if _QUOTED.search(text):
        text = '"' + text.replace('"', '""') + '"'
    return text.encode()


def _table(content: bytes, separator: str) -> pd.DataFrame:
    """Read a table; its names are in the first line, or else in the last of the lines with # that come before it."""
    lines = io.StringIO(content.decode("utf-8-sig"))
    comments = list(itertools.takewhile(lambda line: line.startswith("#") or not line.strip(), lines))
    lines.seek(0)
    rest = list(itertools.islice(lines, len(comments), None))
    if not rest:
        raise invalid("there is no table in it")
    first = _words(rest[0], separator)
    names = None
    if any(_NUMBER.fullmatch(word) for word in first):
        names = _words(comments[-1].lstrip("#"), separator) if comments else []
        if len(names) != len(first):
            raise invalid("no line names its columns")
    text = "".join(rest)
    frame = _parsed(text, separator, names)
    rounded = [str(name) for name, column in frame.items() if _may_be_rounded(column)]
    if rounded:
        cells = _parsed(text, separator, names, dtype=str)
        frame = frame.assign(**{name: _integers(cells[name], frame[name]) for name in rounded})
    return frame


def _parsed(text: str, separator: str, names: list[str] | None, **more: Any) -> pd.DataFrame:
    frame: pd.DataFrame = pd.read_csv(
        io.StringIO(text),
        sep=separator,
        names=names,
        header=None if names else 0,
        index_col=False,
        skipinitialspace=True,
        **_EXACT,
        **more,
    )
    return frame


def _may_be_rounded(column: pd.Series[Any]) -> bool:
    """Tell whether these may have been written as integers: where a cell is empty, pandas reads them as float64."""
    return column.dtype == np.float64 and bool(column.isna().any() and (column.abs() > EXACT).any())


def _integers(cells: pd.Series[Any], numbers: pd.Series[Any]) -> pd.Series[Any]:
    """Read cells as integers and null; what was written otherwise stays as numbers."""
    there = cells.notna()
    if not cells[there].str.fullmatch("[+-]?[0-9]+").all():
        return numbers
    return pd.Series(
        pd.array([int(cell) if known else None for cell, known in zip(cells, there, strict=True)], "Int64")
    )


def _words(line: str, separator: str) -> list[str]:
    return [word.strip().strip('"') for word in re.split(separator, line.strip())]
