"""The answers of the reader of a bulk upload: frames of a JSON header and raw buffers, without pickles.

The service treats every answer as hostile: anything but a slab within the limits is an error.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from photseries.errors import InvalidError, UnreadableFileError
from photseries.lightcurve.photometry import Array
from photseries.server.sandbox.wire import MAX_TEXT_LENGTH, not_an_answer, pack_header, receive_header, require

__all__ = ["Slab", "pack", "pack_end", "pack_error", "pack_number", "receive"]

_DTYPE: Final = re.compile(r"[|<](b1|[iu][1248]|f[248]|[mM]8\[(s|ms|us|ns)\])")


@dataclass(frozen=True)
class Slab:
    """Consecutive series with the same columns, or one that is refused.

    Parameters
    ----------
    rows : list of int
        The length of each table.
    columns : dict of str to (str, list of ndarray)
        By name: the dtype, or "text", and the buffers: the values of all tables one after the other; of text the length
        of each cell in bytes, -1 for null, and all cells as UTF-8.
    fields : dict of str to list
        The value of each series by field; None without a value.
    error : str or None
        Why the one series is refused.
    """

    rows: list[int]
    columns: dict[str, tuple[str, list[Array]]]
    fields: dict[str, list[object]]
    error: str | None = None

    def tables(self) -> Iterator[dict[str, Array]]:
        """Yield the columns of each series; text as objects, NaN for null."""
        starts = np.concatenate(([0], np.cumsum(self.rows))).tolist()
        columns = {
            name: _texts(*buffers) if kind == "text" else buffers[0] for name, (kind, buffers) in self.columns.items()
        }
        for start, stop in itertools.pairwise(starts):
            yield {name: values[start:stop] for name, values in columns.items()}


def _texts(lengths: Array, joined: Array) -> Array:
    content, offset = joined.tobytes(), 0
    cells = np.empty(lengths.size, object)
    for row, length in enumerate(lengths.tolist()):
        cells[row] = np.nan if length < 0 else content[offset : offset + length].decode()
        offset += max(length, 0)
    return cells


def pack_number(series: int, missing: tuple[str, ...]) -> Iterator[bytes | memoryview]:
    """Yield the first frame: the number of series, and the sandbox layers that this system lacks."""
    yield pack_header({"series": series, "missing": missing})


def pack(slab: Slab) -> Iterator[bytes | memoryview]:
    """Yield the buffers of a slab."""
    described = [
        {"name": name, "kind": kind, "sizes": [buffer.nbytes for buffer in buffers]}
        for name, (kind, buffers) in slab.columns.items()
    ]
    yield pack_header({"rows": slab.rows, "columns": described, "fields": slab.fields, "error": slab.error})
    for _, buffers in slab.columns.values():
        for buffer in buffers:
            yield np.ascontiguousarray(buffer).view(np.uint8).data


def pack_error(error: InvalidError) -> Iterator[bytes | memoryview]:
    """Yield the frame that ends an answer with an error about the body."""
    yield pack_header({"failed": error.message, "unreadable": isinstance(error, UnreadableFileError)})


def pack_end() -> Iterator[bytes | memoryview]:
    """Yield the frame that ends a complete answer."""
    yield pack_header({"end": True})


def receive(read: Callable[[int], bytearray], max_size: int) -> int | Slab | None:
    """Read and check a frame.

    Parameters
    ----------
    read : callable
        Returns an exact number of bytes, or raises EOFError.
    max_size : int
        Maximum size of a slab [bytes].

    Returns
    -------
    int, Slab or None
        The number of series, a slab, or None at the end.

    Raises
    ------
    EOFError
        When the answer ends early.
    ValueError
        When it is not an answer.
    InvalidError
        When the body is refused.
    """
    match receive_header(read):
        case {"failed": str(message), "unreadable": bool(unreadable)}:
            raise (UnreadableFileError if unreadable else InvalidError)(message[:MAX_TEXT_LENGTH])
        case {"end": True}:
            return None
        case {"series": int(series)}:
            require(series >= 0)
            return series
        case {"rows": [_, *_] as rows, "columns": list(described), "fields": dict(fields), "error": error}:
            require(all(type(count) is int and count >= (error is None) for count in rows))
            require(all(isinstance(values, list) for values in fields.values()))
            require(error is None or (isinstance(error, str) and len(rows) == 1))
            require(all(len(values) == len(rows) for values in fields.values()))
            columns = dict(_columns(described, read, sum(rows), max_size))
            require(len(columns) == len(described) and (bool(columns) or error is not None))
            return Slab(rows, columns, fields, None if error is None else error[:MAX_TEXT_LENGTH])
    raise not_an_answer()


def _columns(
    described: list[object], read: Callable[[int], bytearray], rows: int, remaining: int
) -> Iterator[tuple[str, tuple[str, list[Array]]]]:
    for about in described:
        match about:
            case {"name": str(name), "kind": "text", "sizes": [int(first), int(second)]}:
                require(first == 8 * rows and second >= 0 and first + second <= remaining)
                remaining -= first + second
                lengths, joined = np.frombuffer(read(first), "<i8"), np.frombuffer(read(second), np.uint8)
                require(bool(((lengths >= -1) & (lengths <= second)).all()))
                require(int(np.maximum(lengths, 0).sum()) == second)
                yield name, ("text", [lengths, joined])
            case {"name": str(name), "kind": str(kind), "sizes": [int(size)]} if _DTYPE.fullmatch(kind):
                dtype: np.dtype[np.generic] = np.dtype(kind)
                require(size == rows * dtype.itemsize and size <= remaining)
                remaining -= size
                values = np.frombuffer(read(size), dtype)
                yield name, (kind, [values.view(np.uint8) != 0 if dtype.kind == "b" else values])
            case _:
                raise not_an_answer()
