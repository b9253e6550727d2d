"""Divide an export into partitions: the largest pixels with few enough measurements."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from photseries.lightcurve.sky import ORDER
from photseries.server.catalogue.exporting import Cell
from photseries.server.hats.target import Tile

__all__ = ["partitions", "span"]

#: The order of the smallest partitions (0.9 arcmin), even if they exceed the maximum.
MAX_DEPTH = 12


def partitions(
    cells: Callable[[int, Sequence[int] | None], Iterable[Cell]], max_weight: int
) -> Iterator[tuple[Tile, Cell]]:
    """Divide the sky into partitions.

    Parameters
    ----------
    cells : callable
        Returns the pixels of an order inside pixels of the previous order (None: all), with their contents.
    max_weight : int
        A pixel that weighs more is divided, unless all that it holds lies in one pixel of the deepest order.
    """
    order, heavy = 0, None
    while heavy is None or heavy:
        looked_into, heavy = heavy, []
        for cell in cells(order, looked_into):
            if cell.weight > max_weight and cell.low >> 2 * (ORDER - MAX_DEPTH) != cell.high >> 2 * (ORDER - MAX_DEPTH):
                heavy.append(cell.pixel)
            else:
                yield Tile(order, cell.pixel), cell
        order += 1


def span(tile: Tile) -> tuple[int, int]:
    """Return the first and the last number of order 29 of a pixel."""
    size = 1 << 2 * (ORDER - tile.order)
    return tile.pixel * size, (tile.pixel + 1) * size - 1
