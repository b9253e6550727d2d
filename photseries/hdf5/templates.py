"""Write files of the same shape from a template; only rows, their number and the metadata differ.

libhdf5 takes far longer for the objects and attributes of a file than for its rows. If two tables have the same
columns, and metadata of the same length, their files do not differ otherwise. Comparing two files that differ by one
row shows which numbers depend on the number of rows; a property test compares the bytes with those that libhdf5 writes.
"""

from __future__ import annotations

import struct
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from photseries.hdf5 import write_hdf5
from photseries.hdf5.frames import Writable
from photseries.hdf5.write_hdf5 import RowField, WrittenFile, fields_of, max_chunk_rows, rows_of

__all__ = ["write"]

#: Number of cached templates, the most recently used ones; each has the size of a header.
MAX_TEMPLATES: Final = 512

#: A file without its rows and attributes: bytes, the name of an attribute, or the number of a chunk.
Part = bytes | str | int
_Shape = tuple[object, ...]

_NUMBER: Final = struct.Struct("<I")


@dataclass(frozen=True)
class _Template:
    """A file in parts, its number of rows, and the numbers that grow with it: part, offset and growth per row."""

    rows: int
    parts: tuple[Part, ...]
    counts: tuple[tuple[int, int, int], ...] | None = None


_lock = threading.Lock()
_known: OrderedDict[_Shape, _Template | None] = OrderedDict()


def write(table: Writable, key: str, attributes: Mapping[str, str | bytes], *, deflate: bool) -> bytes:
    """Write a table as the one key of an HDF5 file: the bytes of :func:`photseries.hdf5.write_hdf5.write`."""
    fields = fields_of(table)
    contents = _contents_of(attributes)
    shape = _shape_of(table, key, fields, contents)
    if deflate or shape is None:
        return write_hdf5.write(table, key, attributes, deflate=deflate).content
    with _lock:
        is_known, template = shape in _known, _known.get(shape)
        if is_known:
            _known.move_to_end(shape)
    rows = len(table.index)
    if template is not None and template.rows != rows and template.counts is None:
        template = _counted(template, table, key, attributes, max_chunk_rows(fields))
        _keep(shape, template)
    if template is None:
        file = write_hdf5.write(table, key, attributes, deflate=False)
        if not is_known:
            parts = _parts(file, contents)
            _keep(shape, None if parts is None else _Template(rows, parts))
        return file.content
    chunks = [content for _, content in rows_of(fields)]
    return b"".join(
        part if isinstance(part, bytes) else contents[part] if isinstance(part, str) else chunks[part].data
        for part in _grown(template, rows)
    )


def _contents_of(attributes: Mapping[str, str | bytes]) -> dict[str, bytes]:
    return {name: value.encode() if isinstance(value, str) else value for name, value in attributes.items()}


def _shape_of(table: Writable, key: str, fields: list[RowField], contents: Mapping[str, bytes]) -> _Shape | None:
    """Return the key of a table's template; None for tables with text, which have no template."""
    if any(field.scalar.kind == "S" for field in fields):
        return None
    columns = tuple((name, values.dtype.str) for name, values in table.columns.items())
    sizes = tuple((name, len(content)) for name, content in contents.items())
    rows = len(table.index)
    chunks = None if rows <= max_chunk_rows(fields) else rows  # several chunks lie between other objects
    return key, chunks, str(table.index.dtype), table.index.name, table.null, columns, sizes


def _keep(shape: _Shape, template: _Template | None) -> None:
    with _lock:
        _known[shape] = template
        if len(_known) > MAX_TEMPLATES:
            _known.popitem(last=False)


def _counted(
    template: _Template, table: Writable, key: str, attributes: Mapping[str, str | bytes], max_rows: int
) -> _Template | None:
    """Find the numbers that depend on the number of rows, by comparison with a file of one row more or less."""
    step = 1 if template.rows < max_rows else -1
    rows = template.rows + step
    columns = {name: np.zeros(rows, values.dtype) for name, values in table.columns.items()}
    other = replace(table, columns=columns, index=table.index[:1].repeat(rows))
    contents = _contents_of(attributes)
    parts = _parts(write_hdf5.write(other, key, attributes, deflate=False), contents)
    if parts is None or len(parts) != len(template.parts):
        return None
    counts = []
    for number, (part, other_part) in enumerate(zip(template.parts, parts, strict=True)):
        if isinstance(part, bytes) and isinstance(other_part, bytes) and len(part) == len(other_part):
            for offset in _places_of_numbers(part, other_part):
                if offset + _NUMBER.size > len(part):
                    return None
                (before,), (after,) = _NUMBER.unpack_from(part, offset), _NUMBER.unpack_from(other_part, offset)
                counts.append((number, offset, step * (after - before)))
        elif part != other_part:
            return None
    return replace(template, counts=tuple(counts))


def _places_of_numbers(first: bytes, second: bytes) -> Iterator[int]:
    """Yield the offsets of the numbers that differ between two equally long files."""
    end = 0
    for offset in np.flatnonzero(np.frombuffer(first, np.uint8) != np.frombuffer(second, np.uint8)).tolist():
        if offset >= end:
            yield offset
            end = offset + _NUMBER.size


def _grown(template: _Template, rows: int) -> list[Part]:
    """Return the parts of a file with a number of rows."""
    parts, more = list(template.parts), rows - template.rows
    for number, offset, growth in template.counts or () if more else ():
        part = parts[number]
        if isinstance(part, bytes):
            (value,) = _NUMBER.unpack_from(part, offset)
            parts[number] = part[:offset] + _NUMBER.pack(value + growth * more) + part[offset + _NUMBER.size :]
    return parts


def _parts(file: WrittenFile, contents: Mapping[str, bytes]) -> tuple[Part, ...] | None:
    """Cut a file into its parts; None if the bytes of an attribute occur elsewhere, too."""
    places: list[tuple[int, int, str | int]] = [
        (start, stop, number) for number, (start, stop) in enumerate(file.chunks)
    ]
    for name, content in contents.items():
        occurrences = [offset for offset in _occurrences(file.content, content) if not _is_within(offset, file.chunks)]
        if len(occurrences) != 1:
            return None
        places.append((occurrences[0], occurrences[0] + len(content), name))
    parts: list[Part] = []
    end = 0
    for start, stop, part in sorted(places):
        if start < end:
            return None
        parts += [file.content[end:start], part]
        end = stop
    return (*parts, file.content[end:])


def _occurrences(content: bytes, part: bytes) -> list[int]:
    occurrences, offset = [], content.find(part)
    while offset >= 0:
        occurrences.append(offset)
        offset = content.find(part, offset + 1)
    return occurrences


def _is_within(offset: int, chunks: list[tuple[int, int]]) -> bool:
    return any(start <= offset < stop for start, stop in chunks)
