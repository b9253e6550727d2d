"""Files of the same shape, written from a template: only the rows and the metadata differ between them.

libhdf5 takes far longer for the objects and attributes of a file than for its rows. Where two tables have the same
columns and the same number of rows, and their metadata take the same number of bytes, their files differ in nothing
else; a property test holds the bytes against those that libhdf5 writes.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

import numpy as np

from photseries.hdf5.frames import Writable
from photseries.hdf5.write_hdf5 import Field, Written, fields_of, rows_of, written

__all__ = ["write"]

#: Templates that are kept, those used last; each takes the size of a header.
MOST: Final = 512

#: A file without its rows and attributes: bytes, the name of an attribute, or the number of a chunk.
Part = bytes | str | int
_Shape = tuple[object, ...]

_lock = threading.Lock()
_known: OrderedDict[_Shape, tuple[Part, ...] | None] = OrderedDict()


def write(table: Writable, key: str, attributes: Mapping[str, str | bytes], *, deflate: bool) -> bytes:
    """Write a table as the one key of an HDF5 file: the bytes of :func:`photseries.hdf5.write_hdf5.write`."""
    fields = fields_of(table)
    contents = {name: value.encode() if isinstance(value, str) else value for name, value in attributes.items()}
    shape = _shape_of(table, key, fields, contents)
    if deflate or shape is None:
        return written(table, key, attributes, deflate=deflate).content
    with _lock:
        parts = _known.get(shape)
        if parts is not None:
            _known.move_to_end(shape)
        is_known = shape in _known
    if parts is None:
        file = written(table, key, attributes, deflate=False)
        if not is_known:
            _keep(shape, _parts(file, contents))
        return file.content
    chunks = [content.tobytes() for _, content in rows_of(fields)]
    return b"".join(
        part if isinstance(part, bytes) else contents[part] if isinstance(part, str) else chunks[part] for part in parts
    )


def _shape_of(table: Writable, key: str, fields: list[Field], contents: Mapping[str, bytes]) -> _Shape | None:
    """Return what tables share whose files differ in rows and attributes alone; None for tables with text."""
    if any(field.scalar.kind == "S" for field in fields):
        return None
    columns = tuple((name, values.dtype.str) for name, values in table.columns.items())
    sizes = tuple((name, len(content)) for name, content in contents.items())
    return key, len(table.index), str(table.index.dtype), table.index.name, table.null, columns, sizes


def _keep(shape: _Shape, parts: tuple[Part, ...] | None) -> None:
    with _lock:
        _known[shape] = parts
        if len(_known) > MOST:
            _known.popitem(last=False)


def _parts(file: Written, contents: Mapping[str, bytes]) -> tuple[Part, ...] | None:
    """Cut a file into its parts; None where an attribute cannot be told from other bytes."""
    places: list[tuple[int, int, str | int]] = [
        (start, stop, number) for number, (start, stop) in enumerate(file.chunks)
    ]
    for name, content in contents.items():
        found = [place for place in _occurrences(file.content, content) if not _is_within(place, file.chunks)]
        if len(found) != 1:
            return None
        places.append((found[0], found[0] + len(content), name))
    parts: list[Part] = []
    end = 0
    for start, stop, what in sorted(places):
        if start < end:
            return None
        parts += [file.content[end:start], what]
        end = stop
    return (*parts, file.content[end:])


def _occurrences(content: bytes, wanted: bytes) -> list[int]:
    found, place = [], content.find(wanted)
    while place >= 0:
        found.append(place)
        place = content.find(wanted, place + 1)
    return found


def _is_within(place: int, chunks: list[tuple[int, int]]) -> bool:
    starts = np.array([start for start, _ in chunks])
    before = int(np.searchsorted(np.sort(starts), place, "right"))
    return before > 0 and place < sorted(chunks)[before - 1][1]
