"""Read workbooks of Excel and LibreOffice with python-calamine, which is imported on first use."""

from __future__ import annotations

import datetime as dt
import io

import pandas as pd

from photseries.formats.options import ReadOptions, invalid, names_of, numbered, table_index
from photseries.formats.reading import Table

__all__ = ["read"]


def read(content: bytes, options: ReadOptions) -> Table:
    """Read a sheet of a workbook: the only one with cells, or the one named by the options.

    Raises
    ------
    InvalidError
        When it is not a workbook, has several sheets, or a row has more cells than names.
    """
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        book = CalamineWorkbook.from_filelike(io.BytesIO(content))
        sheets = {name: sheet for name in book.sheet_names if (sheet := book.get_sheet_by_name(name)).start is not None}
    except (CalamineError, OSError, ValueError) as error:
        raise invalid(f"it is not a workbook: {error}") from error
    if not sheets:
        raise invalid("there is no table in it")
    names = list(sheets)
    sheet = sheets[names[table_index(names, options)]]
    numbered_rows = enumerate(sheet.to_python(), 1 + (sheet.start or (0,))[0])
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
