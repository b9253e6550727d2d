"""Values and tables as readable text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import orjson
from rich.cells import cell_len

from photseries.cli.options import format_moment, safe
from photseries.fields import FIELDS

__all__ = ["format_field", "table_lines"]

_GAP = "  "


def format_field(value: object, name: str = "") -> str:
    """Format the value of a field; null is a dash."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    field = FIELDS.get(name)
    if field is not None and field.type == "moment" and isinstance(value, str):
        value = format_moment(value)
    if field is not None and field.digits is not None and isinstance(value, int | float):
        return f"{value:.{field.digits}f}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(
            format_field(item["name"] if isinstance(item, Mapping) and "name" in item else item) for item in value
        )
    return safe(orjson.dumps(value).decode() if isinstance(value, Mapping) else str(value))


def table_lines(
    rows: Sequence[Mapping[str, object]],
    columns: Sequence[str],
    width: int | None,
    units: Mapping[str, str | None] = MappingProxyType({}),
) -> Iterator[str]:
    """Write rows as a table.

    Parameters
    ----------
    rows : sequence of mapping
    columns : sequence of str
        The names of the columns, the more important first.
    width : int or None
        Width of the terminal [characters]: as many columns are written as fit, but at least one; None: all.
    units : mapping of str to str or None, optional
        The units of some columns, for the head.

    Yields
    ------
    str
        The lines, the head first; numbers are right-aligned.
    """
    room = width
    chosen: list[list[str]] = []
    for name in columns:
        head = f"{name} [{unit}]" if (unit := units.get(name)) else name
        cells = [head, *(format_field(row.get(name), name) for row in rows)]
        wide = max(map(cell_len, cells))
        if room is not None:
            room -= wide + (len(_GAP) if chosen else 0)
            if room < 0 and chosen:
                break
        number = any(isinstance(row.get(name), int | float) for row in rows)
        spaces = (" " * (wide - cell_len(cell)) for cell in cells)
        chosen.append([space + cell if number else cell + space for cell, space in zip(cells, spaces, strict=True)])
    for line in zip(*chosen, strict=True):
        yield _GAP.join(line).rstrip()
