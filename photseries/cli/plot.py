"""Light curves drawn with braille characters, two columns and four rows of dots per cell."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from photseries.lightcurve.photometry import FloatArray

__all__ = ["TerminalAxis", "drawn"]


#: Plotted values are smaller than this, so that their differences are finite.
_MAX_VALUE = 1e300

#: Smaller differences count as zero, because a step between ticks could underflow.
_NARROWEST = 1e-290

_BLANK = 0x2800
#: The bit of each dot in a cell, as Unicode numbers them.
_BITS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], dtype=np.uint8)
_DOWN, _ACROSS = _BITS.shape


@dataclass(frozen=True)
class TerminalAxis:
    """An axis with values at its first and last dot; ``first`` may be the larger one, as for magnitudes."""

    first: float
    last: float
    dots: int

    @classmethod
    def over(cls, values: FloatArray, dots: int, *, margin: float = 0.0, reverse: bool = False) -> TerminalAxis:
        """Make an axis that contains all values with a margin; equal values are in its middle."""
        low, high = float(values.min()) - margin, float(values.max()) + margin
        if not high - low > _NARROWEST:
            margin = max(abs(low) * 1e-6, 1e-6)
            low, high = low - margin, high + margin
        return cls(high, low, dots) if reverse else cls(low, high, dots)

    def dot(self, values: FloatArray) -> NDArray[np.intp]:
        """Return the dots at which values lie, cut to the axis."""
        position = (values - self.first) / (self.last - self.first) * (self.dots - 1)
        return np.rint(np.clip(position, 0, self.dots - 1)).astype(np.intp)

    def ticks(self, limit: int) -> list[tuple[int, str]]:
        """Return the dots of at most ``limit`` round numbers, and the numbers as text."""
        low, high = sorted((self.first, self.last))
        rough = (high - low) / max(limit, 1)
        power = 10.0 ** math.floor(math.log10(rough))
        step = power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
        steps = np.arange(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1, dtype=np.float64)
        numbers = steps * step + 0.0
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        form = f".{decimals}f" if decimals < 10 and abs(high) < 1e9 and abs(low) < 1e9 else ".6g"
        return [(int(dot), f"{number:{form}}") for dot, number in zip(self.dot(numbers), numbers, strict=True)]


def drawn(
    x: FloatArray, y: FloatArray, error: FloatArray, *, width: int, height: int, reverse: bool = False
) -> Iterator[str]:
    """Draw points with their errors.

    Parameters
    ----------
    x, y : ndarray
        The points, shape (n,); those that are not finite are left out.
    error : ndarray
        Half the length of the bar at each point, shape (n,); NaN: none. The axis has room for the median one. Bars are
        drawn when there are no more points than columns of dots.
    width, height : int
        Cells to draw in, axes included.
    reverse : bool
        Whether y grows downwards, as magnitudes do.

    Yields
    ------
    str
        The lines.
    """
    finite = (np.abs(x) < _MAX_VALUE) & (np.abs(y) < _MAX_VALUE)
    x, y, error = x[finite], y[finite], error[finite]
    if not len(x):
        yield "Nothing to draw: no point is finite."
        return
    errors = error[np.abs(error) < _MAX_VALUE]
    margin = float(np.median(errors)) if len(errors) else 0.0
    upwards = TerminalAxis.over(y, max(height - 2, 2) * _DOWN, margin=margin, reverse=not reverse)
    labels = {row // _DOWN: label for row, label in upwards.ticks(max(height // 4, 2))}
    left = max(map(len, labels.values()), default=0)
    across = TerminalAxis.over(x, max(width - left - 1, 8) * _ACROSS)
    for row, cells in enumerate(_cells(x, y, error, across, upwards)):
        label = labels.get(row, "")
        yield f"{label:>{left}}{'┤' if label else '│'}{cells}".rstrip()
    yield from _foot(across, left)


def _cells(
    x: FloatArray, y: FloatArray, error: FloatArray, across: TerminalAxis, upwards: TerminalAxis
) -> Iterator[str]:
    """Set the dots, and give the rows of cells from the top."""
    canvas = np.zeros((upwards.dots, across.dots), dtype=bool)
    columns = across.dot(x)
    canvas[upwards.dot(y), columns] = True
    if len(x) <= across.dots:
        has_error = np.isfinite(error)
        ends = np.sort([upwards.dot((y - error)[has_error]), upwards.dot((y + error)[has_error])], axis=0)
        for column, low, high in zip(columns[has_error], *ends, strict=True):
            canvas[low : high + 1, column] = True
    blocks = canvas.reshape(upwards.dots // _DOWN, _DOWN, across.dots // _ACROSS, _ACROSS)
    codes = (blocks * _BITS[None, :, None, :]).sum(axis=(1, 3)) + _BLANK
    for row in codes:
        yield "".join(map(chr, row)).replace(chr(_BLANK), " ")


def _foot(across: TerminalAxis, left: int) -> Iterator[str]:
    """Draw the lower axis and write its numbers, those that have room."""
    cells = across.dots // _ACROSS
    line, text = ["─"] * cells, ""
    for dot, label in across.ticks(max(cells // 16, 1)):
        position = dot // _ACROSS
        start = max(min(position - len(label) // 2, cells - len(label)), 0)
        if start >= len(text) + 2 * bool(text):
            line[position] = "┬"
            text = text.ljust(start) + label
    yield " " * left + "└" + "".join(line)
    yield " " * (left + 1) + text
