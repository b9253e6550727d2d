"""Read workbooks of Excel and LibreOffice with python-calamine, which is imported on first use."""

from __future__ import annotations

import datetime as dt
import fnmatch
import functools
import io
import re
import zipfile
from typing import Final

import pandas as pd

from photseries.formats.options import ReadOptions, invalid, names_of, numbered, table_index
from photseries.formats.reading import Table

__all__ = ["read"]

#: The reference of a cell in the XML of a sheet.
_CELL: Final = re.compile(rb'<(?:\w+:)?c\s[^<>]*?\br="([A-Z]{1,3})([0-9]{1,7})"')
_MAX_CELLS: Final = 2**26  # of 32 bytes
_PIECE: Final = 2**20  # of the XML read at once [bytes]


def read(content: bytes, options: ReadOptions) -> Table:
    """Read a sheet of a workbook: the only one with cells, or the one named by the options.

    Raises
    ------
    InvalidError
        When it is not a workbook, has several sheets, or a row has more cells than names.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        _require_few_cells(content)
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheets = {name: sheet for name in book.sheet_names if (sheet := book.get_sheet_by_name(name)).start is not None}
    except (CalamineError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise invalid(f"it is not a workbook: {error}") from error
    names = list(sheets)
    chosen = sheets[names[table_index(names, options)]] if names else None
    numbered_rows = () if chosen is None else enumerate(chosen.to_python(), 1 + (chosen.start or (0,))[0])
    rows = {number: row for number, row in numbered_rows if any(cell != "" for cell in row)}
    if not rows:
        raise invalid("there is no table in it")
    head = names_of(options.names) or [str(cell).strip() for cell in rows.pop(min(rows))]
    while head and not head[-1]:
        head.pop()
    for number, row in rows.items():
        if len(row) < len(head) or any(cell != "" for cell in row[len(head) :]):
            raise invalid(f"line {number} has {len(row)} cells, but there are {len(head)} names.")
    columns = {name: _column([row[n] for row in rows.values()]) for n, name in enumerate(numbered(head))}
    return Table(frame=pd.DataFrame(columns), uses=("table", *(("names",) if options.names else ())))


def _require_few_cells(content: bytes) -> None:
    """Refuse a sheet of Excel with distant cells: calamine allocates all cells between them."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        for name in fnmatch.filter(book.namelist(), "xl/worksheets/*.xml"):
            letters, row, rest = b"A", 1, b""
            with book.open(name) as sheet:
                while piece := sheet.read(_PIECE):
                    cells = _CELL.findall(rest + piece)
                    letters = max({letters, *(column for column, _ in cells)}, key=lambda column: (len(column), column))
                    row, rest = int(cells[-1][1]) if cells else row, piece[-100:]
            column = functools.reduce(lambda number, letter: 26 * number + letter - 64, letters, 0)
            if row * column > _MAX_CELLS:
                raise invalid(f"its cells reach to column {letters.decode()} and row {row:,}: delete the distant ones.")


#: The types of cells in python-calamine.
_Cell = int | float | str | bool | dt.time | dt.date | dt.datetime | dt.timedelta


def _column(cells: list[_Cell]) -> list[object] | pd.Series:
    """Return numbers as numbers, dates as datetimes, and everything else as text."""
    filled = [cell for cell in cells if cell != ""]
    if filled and all(isinstance(cell, int | float) and not isinstance(cell, bool) for cell in filled):
        return [cell if isinstance(cell, int | float) else float("nan") for cell in cells]
    if filled and all(isinstance(cell, dt.datetime | dt.date) for cell in filled):
        return pd.Series([pd.Timestamp(cell) if isinstance(cell, dt.date) else pd.NaT for cell in cells])
    return pd.Series([None if cell == "" else str(cell) for cell in cells], dtype=object)
