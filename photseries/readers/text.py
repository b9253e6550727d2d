"""Readers of text: CSV, TSV, columns with spaces between, ECSV."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from photseries.readers.columns import canonical, without_fluxes
from photseries.readers.plain import EXACT
from photseries.readers.reading import Reading, ReadOptions, invalid, needs
from photseries.schemas.metadata import METADATA

__all__ = ["read_csv", "read_ecsv", "read_spaced", "read_tsv"]

#: Before pandas 3.1 decimals are read to the last bit only when asked.
_EXACT: Final[dict[str, Any]] = (
    {"float_precision": "round_trip"} if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1) else {}
)

#: Fields that every file of the service's own names, and hardly another one.
_OWN: Final = ("obj_id", "instrument_id", "series_name", "series_obj_id")

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|nan|inf", re.IGNORECASE)


def read_csv(content: bytes, options: ReadOptions) -> Reading:
    """Read columns with commas between."""
    return canonical(Reading(_table(content, ",")), options)


def read_tsv(content: bytes, options: ReadOptions) -> Reading:
    """Read columns with tabs between."""
    return canonical(Reading(_table(content, "\t")), options)


def read_spaced(content: bytes, options: ReadOptions) -> Reading:
    """Read columns with spaces between."""
    return canonical(Reading(_table(content, r"\s+")), options)


def read_ecsv(content: bytes, options: ReadOptions) -> Reading:
    """Read astropy's CSV with units."""
    needs("astropy")
    from astropy.table import Table

    from photseries.readers.astronomy import from_table

    table = Table.read(content.decode(), format="ascii.ecsv")
    return from_table(table, options, _said(table.meta))


def _said(meta: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a file of the service's own says of the series; of its fluxes the unit of their column does."""
    if not all(name in meta for name in _OWN):
        return {}
    said = {name: meta[name] for name in METADATA if meta.get(name) is not None}
    return {**said, "altdata": without_fluxes(said["altdata"])} if "altdata" in said else said


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
