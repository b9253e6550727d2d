"""Read files written by :mod:`photseries.hdf5.write_hdf5`, recognised by their header, without libhdf5.

libhdf5 always lays out such a file in the same order: the root group, the group of the key with its attributes (the
metadata last), the table's header, the index of its chunks, and the chunks one after the other. The header of the first
file of a kind is stored after the safe reader has read the file. A later file is read here only if its header equals
the stored one, except for the bytes that depend on the number of rows and on the metadata, which must have the right
values.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import orjson

from photseries.hdf5.metadata import from_json
from photseries.hdf5.pandas_table import METADATA, METADATA_JSON
from photseries.hdf5.raw import RawColumn, RawTable

if TYPE_CHECKING:
    from photseries.hdf5.limits import Limits

__all__ = ["learn", "read"]

#: Offset of the key's attributes, after the headers of both groups, and of their length.
_ATTRIBUTES: Final = 2056
_LENGTH: Final = 1024 + 16 + 8 + 8
#: Offset of the file's length, and of the node that names the table.
_END_OF_FILE: Final = 40
_NAMES: Final = 1064 + 32
#: The length of that node, after which the table's header continues.
_NAMES_SIZE: Final = 328

#: Messages of object headers (HDF5 File Format Specification, IV.A.2).
_SPACE, _LAYOUT, _ATTRIBUTE, _CONTINUATION = 0x1, 0x8, 0xC, 0x10
_MESSAGE: Final = struct.Struct("<HHB3x")
_NAMED: Final = struct.Struct("<BxHHH")

#: A scalar dataspace, and text types followed by it: of bytes and of UTF-8.
_ONE_VALUE: Final = b"\1\0\0\0\0\0\0\0"
_TEXTS: Final = (b"\x13\0\0\0", b"\x13\x10\0\0")

#: A leaf of the chunk index, and its maximum number of entries.
_NODE: Final = struct.Struct("<4sBBHqq")
_ENTRY: Final = np.dtype([("size", "<u4"), ("mask", "<u4"), ("row", "<u8"), ("byte", "<u8"), ("place", "<u8")])
_MAX_CHUNKS: Final = 64

#: Maximum number of cached kinds of files, by the attributes of their key, and of table kinds for each.
_MAX_KINDS, _MAX_TABLES = 256, 16


@dataclass(frozen=True)
class _Column:
    """A column: its field in a row, its position in the field, its type, and the facts of :class:`RawColumn`."""

    name: str
    field: str
    place: int
    dtype: np.dtype[np.generic]
    null: str | None
    encoding: str

    def of(self, records: npt.NDArray[np.void]) -> RawColumn:
        values = np.ascontiguousarray(records[self.field][:, self.place])
        values = values.view(np.uint8) != 0 if self.dtype.kind == "b" else values.view(self.dtype)
        return RawColumn(self.name, values, self.null, self.encoding)


@dataclass(frozen=True)
class _Kind:
    """A kind of file.

    Attributes
    ----------
    key : str
    head : bytes
        The bytes before the attributes of the key, without bytes that depend on lengths.
    table : bytes
        The bytes between them and the chunk index, without bytes that depend on rows and lengths.
    places : tuple of tuple of int
        Their offsets and lengths; see :func:`_variable_spans`.
    row : numpy.dtype
    columns : tuple of _Column
    """

    key: str
    head: bytes
    table: bytes
    places: tuple[tuple[int, int], ...]
    row: np.dtype[np.void]
    columns: tuple[_Column, ...]


_kinds: OrderedDict[bytes, tuple[_Kind, ...]] = OrderedDict()
_lock = Lock()


def read(blob: bytes | memoryview, limits: Limits) -> RawTable | None:
    """Read a file whose kind is known.

    Parameters
    ----------
    blob : bytes or memoryview
        The whole file, which may be hostile.
    limits : Limits
        For the metadata.

    Returns
    -------
    RawTable or None
        The result of :func:`photseries.hdf5.plain_hdf5.read`; None if that function has to read the file.
    """
    content = bytes(blob)
    split = _split(content)
    if split is None:
        return None
    attributes, text, table = split
    for kind in _kinds.get(attributes, ()):
        records = _records(content, table, kind)
        if records is not None:
            columns = tuple(column.of(records) for column in kind.columns)
            return RawTable(kind.key, columns, None, _metadata(text, limits))
    return None


def _metadata(text: bytes, limits: Limits) -> dict[str, object]:
    """Parse the output of :func:`photseries.hdf5.metadata.to_json`, three times as fast as the json module."""
    try:
        metadata = orjson.loads(text)
    except ValueError:
        metadata = None
    return metadata if isinstance(metadata, dict) else from_json(text, limits)


def learn(blob: bytes | memoryview, parsed: RawTable) -> None:
    """Cache the kind of a file that the safe reader has read, if it has the layout of our files.

    Parameters
    ----------
    blob : bytes or memoryview
    parsed : RawTable
        The result of the safe reader.
    """
    content = bytes(blob)
    split = _split(content)
    if split is None or parsed.index is not None:
        return
    attributes, _, table = split
    kind = _kind(content, table, parsed)
    if kind is None or not _reads_alike(content, table, kind, parsed):
        return
    with _lock:
        other_kinds = _kinds.pop(attributes, ())
        _kinds[attributes] = (kind, *other_kinds)[:_MAX_TABLES]
        while len(_kinds) > _MAX_KINDS:
            _kinds.popitem(last=False)


def _split(content: bytes) -> tuple[bytes, bytes, int] | None:
    """Return the key's attributes before the metadata, the metadata as JSON, and the offset of the table's header."""
    if len(content) < _ATTRIBUTES or int.from_bytes(content[_END_OF_FILE : _END_OF_FILE + 8], "little") != len(content):
        return None
    end = _ATTRIBUTES + int.from_bytes(content[_LENGTH : _LENGTH + 8], "little")
    start = content.find(METADATA.encode() + b"\0", _ATTRIBUTES, end) - _MESSAGE.size - _NAMED.size
    if start < _ATTRIBUTES:
        return None
    pickled, text = _attribute_text(content, start, METADATA), b""
    if pickled is not None:
        text, last = _attribute_text(content, pickled[1], METADATA_JSON) or (b"", 0)
        if last == end:
            return content[_ATTRIBUTES:start], text, end
    return None


def _attribute_text(content: bytes, start: int, name: str) -> tuple[bytes, int] | None:
    """Return the text of an attribute, and the offset of the next message."""
    if start + _MESSAGE.size + _NAMED.size > len(content):
        return None
    kind, length, flags = _MESSAGE.unpack_from(content, start)
    version, of_name, of_type, of_space = _NAMED.unpack_from(content, start + _MESSAGE.size)
    begin = start + _MESSAGE.size + _NAMED.size
    encoded = name.encode() + b"\0"
    if (kind, flags, version, of_name, of_type, of_space) != (_ATTRIBUTE, 0, 1, len(encoded), 8, 8):
        return None
    described = begin + -(-of_name // 8) * 8
    size = int.from_bytes(content[described + 4 : described + 8], "little")
    value, after = described + 16, start + _MESSAGE.size + length
    if content[begin : begin + of_name] != encoded or content[described + 8 : value] != _ONE_VALUE:
        return None
    if content[described : described + 4] not in _TEXTS:
        return None
    return (content[value : value + size], after) if value + size <= after <= len(content) else None


def _messages(content: bytes, start: int) -> list[tuple[int, int, int]]:
    """List the messages of an object header: type, offset and length of each."""
    messages = []
    waiting = [(start + 16, int.from_bytes(content[start + 8 : start + 12], "little"))]
    while waiting:
        offset, length = waiting.pop(0)
        end = offset + length
        while offset + _MESSAGE.size <= end <= len(content):
            kind, size, _ = _MESSAGE.unpack_from(content, offset)
            offset += _MESSAGE.size
            messages.append((kind, offset, size))
            if kind == _CONTINUATION:
                waiting.append(struct.unpack_from("<QQ", content, offset))
            offset += size
    return messages


def _variable_spans(content: bytes, start: int) -> list[int] | None:
    """Find the bytes that depend on rows and lengths in the header of a table that libhdf5 has read.

    Returns
    -------
    list of int
        The offsets of: the rest of the header, the rows, the chunk index, the rows of a chunk, and the rows again.
    """
    by_kind: dict[int, list[tuple[int, int]]] = {}
    for kind, offset, size in _messages(content, start):
        is_rows = kind == _ATTRIBUTE and content[offset + 8 : offset + 14] == b"NROWS\0"
        if kind in (_SPACE, _LAYOUT, _CONTINUATION) or is_rows:
            by_kind.setdefault(kind, []).append((offset, size))
    if set(map(len, by_kind.values())) != {1} or len(by_kind) != 4:
        return None
    (rest, _), (space, _), (layout, _), (rows, size) = (
        by_kind[kind][0] for kind in (_CONTINUATION, _SPACE, _LAYOUT, _ATTRIBUTE)
    )
    return [rest, space + 8, layout + 3, layout + 11, rows + size - 8]


def _kind(content: bytes, start: int, parsed: RawTable) -> _Kind | None:
    places = _variable_spans(content, start)
    if places is None:
        return None
    rest, _, index, _, _ = places
    chunks = int.from_bytes(content[index : index + 8], "little")
    # The key's entry for the table lies between the two parts of the table's header.
    entry = content.find(b"SNOD", start, int.from_bytes(content[rest : rest + 8], "little")) + 16
    if entry < 16 or chunks <= start:
        return None
    widths = (8, 8, 8, 4, 8, 8)
    relative = tuple((offset - start, width) for offset, width in zip((*places, entry), widths, strict=True))
    row, columns = _columns(parsed)
    return _Kind(parsed.key, _head(content), _masked(content[start:chunks], relative), relative, row, columns)


def _columns(parsed: RawTable) -> tuple[np.dtype[np.void], tuple[_Column, ...]]:
    """Return the type of a row and the positions of its columns; columns of one type, and all text, share a field."""
    fields: dict[object, list[RawColumn]] = {}
    for column in parsed.columns:
        fields.setdefault("S" if column.values.dtype.kind == "S" else column.values.dtype, []).append(column)
    types: list[object] = [("index", "<i8")]
    places = {}
    for number, columns in enumerate(fields.values()):
        name, dtype = f"values_block_{number}", columns[0].values.dtype
        types.append((name, dtype.newbyteorder("<") if dtype.kind not in "mM" else "<i8", (len(columns),)))
        for index, column in enumerate(columns):
            places[column.name] = _Column(column.name, name, index, dtype, column.null, column.encoding)
    return np.dtype(types), tuple(places[column.name] for column in parsed.columns)


def _head(content: bytes) -> bytes:
    return _masked(content[:_ATTRIBUTES], ((_END_OF_FILE, 8), (_NAMES, 8), (_LENGTH, 8)))


def _masked(content: bytes, places: Sequence[tuple[int, int]]) -> bytes:
    cleared = bytearray(content)
    for offset, width in places:
        cleared[offset : offset + width] = bytes(width)
    return bytes(cleared)


def _records(content: bytes, start: int, kind: _Kind) -> npt.NDArray[np.void] | None:
    """Return the rows of a file if its header is that of a kind."""
    stop = start + len(kind.table)
    if _masked(content[start:stop], kind.places) != kind.table or _head(content) != kind.head:
        return None
    rest, rows, index, chunk, again, entry = (
        int.from_bytes(content[start + offset : start + offset + width], "little") for offset, width in kind.places
    )
    data = stop + _NODE.size + _MAX_CHUNKS * _ENTRY.itemsize + 24
    names = start + kind.places[5][0] - 16
    if (rest, index, again, entry) != (names + _NAMES_SIZE, stop, rows, start):
        return None
    if int.from_bytes(content[_NAMES : _NAMES + 8], "little") != names:
        return None
    if not rows or not chunk or not _is_index(content, stop, data, rows, chunk, kind.row.itemsize):
        return None
    records = np.frombuffer(content, kind.row, rows, data)
    return records if np.array_equal(records["index"], np.arange(rows)) else None


def _is_index(content: bytes, start: int, data: int, rows: int, chunk: int, width: int) -> bool:
    """Return whether the chunk index describes contiguous chunks up to the end of the file."""
    number = -(-rows // chunk)
    if number > _MAX_CHUNKS or len(content) != data + number * chunk * width:
        return False
    if _NODE.unpack_from(content, start) != (b"TREE", 1, 0, number, -1, -1):
        return False
    begins = np.arange(number, dtype=np.uint64) * np.uint64(chunk)
    expected = np.zeros(number + 1, _ENTRY)
    expected["size"][:-1], expected["row"][:-1] = chunk * width, begins
    expected["place"][:-1] = data + begins * np.uint64(width)
    # After the entries comes the key that ends the last one for libhdf5.
    expected[-1] = (0, 0, begins[-1] or chunk, width, 0)
    begin = start + _NODE.size
    return content[begin : begin + expected.nbytes - 8] == expected.tobytes()[:-8]  # the last key is of no chunk


def _reads_alike(content: bytes, start: int, kind: _Kind, parsed: RawTable) -> bool:
    """Return whether reading by a kind gives the result of the safe reader."""
    records = _records(content, start, kind)
    if records is None:
        return False
    return all(
        (first := column.of(records)).values.dtype == other.values.dtype
        and first.values.tobytes() == other.values.tobytes()
        for column, other in zip(kind.columns, parsed.columns, strict=True)
    )
