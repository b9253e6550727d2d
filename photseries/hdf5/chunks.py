"""Assemble the rows of a stored HDF5 table from the file image; filters are decoded here, not by libhdf5.

libhdf5 would inflate a chunk to any size that the chunk declares. Here every step has a limit, and a chunk must have
exactly the size of its part of the table.
"""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import blosc
import numpy as np
import numpy.typing as npt

from photseries.errors import UnreadableFileError

__all__ = ["FILTERS", "Filter", "Span", "assemble", "check_filters", "check_spans"]

MAX_FILTERS: Final = 3

blosc.set_nthreads(1)  # the process that reads must not start threads
blosc.set_releasegil(False)


_Bytes = bytes | memoryview


@dataclass(frozen=True)
class Filter:
    """One filter of a dataset's filter pipeline, from its creation properties."""

    code: int
    parameters: tuple[int, ...]


@dataclass(frozen=True)
class Span:
    """A chunk that starts at ``row``; bit i of ``mask`` means that filter i was skipped."""

    row: int
    offset: int  # [bytes]
    size: int  # [bytes]
    mask: int = 0


def check_filters(filters: Sequence[Filter]) -> None:
    """Refuse a filter pipeline that pandas does not write.

    Raises
    ------
    UnreadableFileError
        When a filter is unknown or repeated, or there are more than three.
    """
    codes = [step.code for step in filters]
    for code in codes:
        if code not in FILTERS:
            supported = ", ".join(name for name, _ in FILTERS.values())
            name = f"{code} ({_UNREAD[code]})" if code in _UNREAD else code
            raise UnreadableFileError(f"its table is compressed by the HDF5 filter {name}; known are {supported}")
    if len(codes) > MAX_FILTERS or len(set(codes)) < len(codes):
        raise UnreadableFileError(f"its table has {len(codes)} filters; at most {MAX_FILTERS} different ones are read")


def check_spans(spans: Sequence[Span], starts: Sequence[int], image: int) -> None:
    """Refuse chunks that are missing, repeated, overlapping or outside the file.

    Parameters
    ----------
    spans : sequence of Span
    starts : sequence of int
        The required first rows of the chunks.
    image : int
        Size of the file [bytes].

    Raises
    ------
    UnreadableFileError
        When there is such a chunk.
    """
    if sorted(span.row for span in spans) != list(starts):
        raise UnreadableFileError("its table lacks or repeats chunks")
    end = 0
    for span in sorted(spans, key=lambda span: span.offset):
        if span.offset < end or span.size < 0 or span.offset + span.size > image:
            raise UnreadableFileError("chunks of its table overlap or lie outside the file: it may be truncated")
        end = span.offset + span.size


def assemble(
    image: memoryview,
    spans: Sequence[Span],
    filters: Sequence[Filter],
    dtype: np.dtype[np.generic],
    rows: int,
    chunk: int,
) -> npt.NDArray[np.void]:
    """Assemble the rows.

    Parameters
    ----------
    image : memoryview
        The whole file.
    spans : sequence of Span
        Checked by :func:`check_spans`.
    filters : sequence of Filter
        Checked by :func:`check_filters`.
    dtype : numpy.dtype
        Of one row.
    rows, chunk : int
        Rows of the table, and of each span once inflated; the last span may reach beyond the table.

    Returns
    -------
    numpy.ndarray, shape (rows,)
        A view of the image, if its rows are stored without filters.

    Raises
    ------
    UnreadableFileError
        When a chunk is damaged or does not inflate to exactly its size.
    """
    needed = chunk * dtype.itemsize
    first = min(span.offset for span in spans)
    if not filters and all((span.offset, span.size) == (first + span.row * dtype.itemsize, needed) for span in spans):
        return np.frombuffer(image, dtype, rows, first)
    table = np.empty(rows * dtype.itemsize, np.uint8)
    for span in spans:
        data: _Bytes = image[span.offset : span.offset + span.size]
        for index in reversed(range(len(filters))):
            if not span.mask >> index & 1:
                name, undo = FILTERS[filters[index].code]
                try:
                    data = undo(data, filters[index], 2 * needed + 1024)
                except (ValueError, OSError, EOFError, zlib.error, blosc.blosc_extension.error) as error:
                    raise UnreadableFileError(f"a chunk of its table is damaged ({name})") from error
        if len(data) != needed:
            raise UnreadableFileError(f"a chunk of its table contains {len(data):,} bytes instead of {needed:,}")
        start = span.row * dtype.itemsize
        stop = min(start + needed, table.size)
        table[start:stop] = np.frombuffer(data, np.uint8, stop - start)
    return table.view(dtype)


def _decompress(stream: Any, data: _Bytes, cap: int) -> bytes:
    """Decompress all data by zlib or bz2."""
    inflated: bytes = stream.decompress(data, cap)
    if not stream.eof:
        raise ValueError("larger than its place, or truncated")
    return inflated


def _unblosc(data: _Bytes, step: Filter, cap: int) -> bytes:
    # The header of 16 bytes ends with three little-endian sizes: inflated, of a block, and stored.
    # https://www.blosc.org/c-blosc/c-blosc.html (README_CHUNK_FORMAT)
    if len(data) < 16:
        raise ValueError("shorter than its header")
    inflated, _, stored = np.frombuffer(data, "<u4", 3, 4).tolist()
    if inflated > cap or stored != len(data):
        raise ValueError("larger than its place, or truncated")
    return bytes(blosc.decompress(data))


def _unshuffle(data: _Bytes, step: Filter, cap: int) -> bytes:
    width = step.parameters[0] if step.parameters else 0
    if width < 1:
        raise ValueError("no element size")
    count = len(data) // width
    planes = np.frombuffer(data, np.uint8, count * width).reshape(width, count)
    return planes.T.tobytes() + bytes(data[count * width :])


def _unchecked(data: _Bytes, step: Filter, cap: int) -> _Bytes:
    """Verify and remove the Fletcher-32 checksum."""
    if len(data) < 4:
        raise ValueError("shorter than its checksum")
    body, stored = data[:-4], bytes(data[-4:])
    low, high = fletcher32(body)
    sums = np.frombuffer(stored, "<u2") % 65535
    # libhdf5 before 1.6.3 swapped the bytes of each half; such files are still read.
    swapped = np.frombuffer(stored, ">u2") % 65535
    if [low, high] not in (sums.tolist(), swapped.tolist()):
        raise ValueError("the checksum differs")
    return body


def fletcher32(data: _Bytes) -> tuple[int, int]:
    """Return both halves of the Fletcher-32 checksum of 16-bit big-endian words, modulo 65535 (J. G. Fletcher 1982)."""
    padded = bytes(data) + b"\0" * (len(data) % 2)
    words = np.frombuffer(padded, ">u2").astype(np.int64)
    weights = np.arange(words.size, 0, -1, dtype=np.int64) % 65535
    return int(words.sum() % 65535), int((words * weights).sum() % 65535)


#: Filter code -> name, and decoder: (bytes, step, maximum size) -> bytes.
FILTERS: Final[Mapping[int, tuple[str, Callable[[_Bytes, Filter, int], _Bytes]]]] = {
    1: ("deflate", lambda data, step, cap: _decompress(zlib.decompressobj(), data, cap)),
    2: ("shuffle", _unshuffle),
    3: ("fletcher32", _unchecked),
    307: ("bzip2", lambda data, step, cap: _decompress(bz2.BZ2Decompressor(), data, cap)),
    32001: ("blosc", _unblosc),
}

#: Names of registered but unsupported filters, for messages.
_UNREAD: Final = {32000: "lzf", 32004: "lz4", 32008: "bitshuffle", 32015: "zstd", 32026: "blosc2"}
