"""The coverage of the archive as a MOC 2.0, from the index of positions."""

from __future__ import annotations

import json
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from photseries.errors import InvalidError

__all__ = ["FORMATS", "MAX_ORDER", "USUAL_ORDER", "cells_of", "parse_parameters", "write"]

#: The order of the smallest pixels: 0.86 deg at 6, 3.4 arcmin at 10, 26 arcsec at 13.
USUAL_ORDER: Final = 10
MAX_ORDER: Final = 13

#: The formats and their media types, the default first.
FORMATS: Final = {"ascii": "text/plain; charset=utf-8", "json": "application/json", "fits": "application/fits"}

_BLOCK: Final = 2880


def parse_parameters(name: str | None, order: str | None) -> tuple[str, int]:
    """Parse the parameters of a request for the map: its format and its order.

    Raises
    ------
    InvalidError
    """
    form = (name or "ascii").strip().lower()
    form = next((key for key, media in FORMATS.items() if form in (key, media.partition(";")[0])), form)
    if form not in FORMATS:
        raise InvalidError(f"RESPONSEFORMAT {form[:40]!r} is not one of: {', '.join(FORMATS)}.")
    text = (order or str(USUAL_ORDER)).strip()
    if not (text.isascii() and text.isdigit() and len(text) < 3 and int(text) <= MAX_ORDER):
        raise InvalidError(f"ORDER {text[:40]!r} must be a whole number from 0 to {MAX_ORDER}.")
    return form, int(text)


def cells_of(pixels: ArrayLike, order: int) -> dict[int, list[int]]:
    """Return the cells of each order, with complete groups of four merged into their parent."""
    by_order: dict[int, list[int]] = {}
    numbers: NDArray[np.int64] = np.unique(np.asarray(pixels, np.int64))
    while order > 0:
        parents = numbers >> 2
        (first,) = np.nonzero(parents[3:] == parents[:-3])  # a complete group of four: numbers are sorted
        inside = np.zeros(len(numbers), bool)
        inside[(first[:, None] + np.arange(4)).ravel()] = True
        full_cells, left = parents[first], numbers[~inside]
        if len(left):
            by_order[order] = left.tolist()
        numbers, order = full_cells, order - 1
    if len(numbers):
        by_order[0] = numbers.tolist()
    return dict(sorted(by_order.items()))


def write(cells: dict[int, list[int]], form: str, order: int) -> bytes:
    """Write a map.

    Parameters
    ----------
    form : str
        A key of :data:`FORMATS`.
    order : int
        The maximum order, which the map states even without cells of that order.
    """
    if form == "json":
        return json.dumps(
            {str(level): numbers for level, numbers in {**cells, order: cells.get(order, [])}.items()}
        ).encode()
    if form == "fits":
        return _fits_table(cells, order)
    parts = [f"{level}/{','.join(_ranges(numbers))}" for level, numbers in cells.items()]
    return " ".join(parts if order in cells else [*parts, f"{order}/"]).encode() + b"\n"


def _ranges(numbers: list[int]) -> list[str]:
    """Write sorted numbers as ranges."""
    values = np.array(numbers, np.int64)
    begins = np.flatnonzero(np.diff(values, prepend=-2) > 1)
    ends = np.append(begins[1:], len(values)) - 1
    pairs = zip(values[begins].tolist(), values[ends].tolist(), strict=True)
    return [str(first) if first == last else f"{first}-{last}" for first, last in pairs]


def _fits_table(cells: dict[int, list[int]], order: int) -> bytes:
    """Write a table of NUNIQ numbers, 4 * 4**order + number (MOC 2.0, section 4.3.1)."""
    numbers = sorted(4 * 4**level + number for level, cell_numbers in cells.items() for number in cell_numbers)
    primary: dict[str, str | int] = {"SIMPLE": "T", "BITPIX": 8, "NAXIS": 0, "EXTEND": "T"}
    table: dict[str, str | int] = {
        "XTENSION": "'BINTABLE'", "BITPIX": 8, "NAXIS": 2, "NAXIS1": 8, "NAXIS2": len(numbers), "PCOUNT": 0,
        "GCOUNT": 1, "TFIELDS": 1, "TFORM1": "'1K      '", "TTYPE1": "'UNIQ    '", "MOCVERS": "'2.0     '",
        "MOCDIM": "'SPACE   '", "ORDERING": "'NUNIQ   '", "COORDSYS": "'C       '", "MOCORD_S": order,
        "MOCTOOL": "'photseries'",
    }  # fmt: skip
    data = np.array(numbers, ">i8").tobytes()
    return _header(primary) + _header(table) + data + b"\0" * (-len(data) % _BLOCK)


def _header(cards: dict[str, str | int]) -> bytes:
    text = "".join(
        f"{name:8}= {value if isinstance(value, str) and value.startswith(chr(39)) else format(value, '>20')}".ljust(80)
        for name, value in cards.items()
    )
    text += "END".ljust(80)
    return text.ljust(-(-len(text) // _BLOCK) * _BLOCK).encode("ascii")
