"""Uploaded tables of queries: the first table of a VOTable, read without expanding XML entities.

The reader supports TABLEDATA, BINARY and BINARY2 with numbers, booleans and texts. It limits rows and columns while
reading, so that the memory is bounded by these limits and the length of the document.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Final
from xml.parsers import expat

import numpy as np

from photseries.errors import InvalidError, TooLargeError
from photseries.lightcurve import sky
from photseries.server.catalogue.vo_queries import TemporaryTable
from photseries.server.vo.adql import UploadCone, UploadedTable
from photseries.server.vo.tables import MAX_TEXT, PACKED, TapColumn
from photseries.text import escape_unprintable

__all__ = ["read_votable", "temporary_table"]

MAX_COLUMNS: Final = 200
MAX_CELLS: Final = 3_000_000

#: Maximum nesting, number of names of elements and attributes, and length of a tag or a comment [bytes]: expat keeps
#: all of these in memory, and reads the last without a pause for other threads.
_MAX_DEPTH: Final = 100
_MAX_NAMES: Final = 1000
_MAX_TOKEN: Final = 2**20

#: Number of bytes that expat reads before other threads have a turn.
_CHUNK: Final = 2**16

#: The types of columns in the database.
_TYPES: Final[Mapping[str, str]] = {
    "boolean": "boolean", "unsignedByte": "smallint", "short": "smallint", "int": "integer", "long": "bigint",
    "float": "real", "double": "float8", "char": "text", "unicodeChar": "text",
}  # fmt: skip
_BOOLEANS: Final[Mapping[str, bool | None]] = {
    **dict.fromkeys(("t", "true", "1"), True), **dict.fromkeys(("f", "false", "0"), False),
    **dict.fromkeys(("", " ", "?", "\0"), None),
}  # fmt: skip


@dataclass
class _ReadState:
    """The state of reading a VOTable.

    ``path`` are the open elements, ``data`` the element with the rows, after its start; ``nulls`` are the text and the
    value that mean null in each column.
    """

    name: str
    max_rows: int
    max_cells: int
    columns: list[TapColumn] = field(default_factory=list)
    nulls: list[tuple[str | None, object]] = field(default_factory=list)
    rows: list[list[object]] = field(default_factory=list)
    data: str = ""
    encoding: str = ""
    row: list[object] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    stream: list[str] = field(default_factory=list)
    done: bool = False
    path: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def refused(self, message: str) -> InvalidError:
        """Return the error about this table."""
        return InvalidError(escape_unprintable(f"UPLOAD {self.name}: {message}")[:290])

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """Handle the start of an element."""
        self._limit(tag, attributes)
        tag = tag.rpartition(":")[2]
        self.path.append(tag)
        if self.done:
            return
        if tag == "FIELD":
            self._field(attributes)
        elif self.path[-2:] == ["FIELD", "VALUES"] and "null" in attributes:
            with suppress(*_INVALID):
                self.nulls[-1] = attributes["null"], None
                self.nulls[-1] = attributes["null"], _PARSERS[self.columns[-1].datatype](attributes["null"])
        elif tag in ("TABLEDATA", "BINARY", "BINARY2"):
            self.data = tag
        elif tag == "FITS":
            raise self.refused("FITS inside a VOTable is not accepted: use TABLEDATA or BINARY2.")
        elif tag == "STREAM":
            if "href" in attributes:
                raise self.refused("external data (href of STREAM) is not accepted.")
            self.encoding = attributes.get("encoding", "")
        elif tag in ("TR", "TD"):
            self.row, self.text = [] if tag == "TR" else self.row, []

    def characters(self, text: str) -> None:
        """Handle text."""
        (self.stream if self.data.startswith("BINARY") else self.text).append(text)

    def end(self, tag: str) -> None:
        """Handle the end of an element."""
        tag = self.path.pop()
        if self.done:
            return
        if tag == "TD" and self.data == "TABLEDATA":
            self._cell("".join(self.text))
        elif tag == "TR" and self.data == "TABLEDATA":
            if len(self.row) != len(self.columns):
                raise self.refused(
                    f"row {len(self.rows) + 1} has {len(self.row)} cells for {len(self.columns)} fields."
                )
            self.add(self.row)
        elif tag == "STREAM" and self.data.startswith("BINARY"):
            self._binary()
        elif tag == "TABLE":
            self.done = True

    def add(self, row: list[object]) -> None:
        """Add a row, with None for values that mean null.

        Raises
        ------
        TooLargeError
        """
        if len(self.rows) >= self.max_rows:
            raise TooLargeError(f"UPLOAD {self.name}: the table has more than {self.max_rows:,} rows.")
        if (len(self.rows) + 1) * len(self.columns) > self.max_cells:
            raise TooLargeError(f"UPLOAD {self.name}: the tables have more than {MAX_CELLS:,} cells.")
        if any(isinstance(value, str) and len(value) > MAX_TEXT for value in row):
            raise self.refused(f"row {len(self.rows) + 1} has a text of more than {MAX_TEXT:,} characters.")
        if self.data != "BINARY2":  # whose flags mark nulls
            row = [None if value == null else value for value, (_, null) in zip(row, self.nulls, strict=True)]
        self.rows.append(row)

    def described(self, index: int) -> TapColumn:
        """Return a column; ``char``, which binary results write as ASCII, is ``unicodeChar`` if its texts need it."""
        column = self.columns[index]
        if column.datatype == "char" and not all(str(row[index] or "").isascii() for row in self.rows):
            return replace(column, datatype="unicodeChar")
        return column

    def _limit(self, tag: str, attributes: dict[str, str]) -> None:
        self.names.add(tag)
        self.names.update(attributes)
        if len(self.path) >= _MAX_DEPTH or len(self.names) > _MAX_NAMES:
            raise self.refused(f"more than {_MAX_DEPTH} nested elements or {_MAX_NAMES:,} names are not accepted.")

    def _field(self, attributes: dict[str, str]) -> None:
        name, datatype = attributes.get("name") or attributes.get("ID") or "", attributes.get("datatype", "")
        size = attributes.get("arraysize")
        if len(self.columns) >= MAX_COLUMNS:
            raise self.refused(f"the table has more than {MAX_COLUMNS} columns.")
        if datatype not in _TYPES or not name or len(name) > 200:
            raise self.refused(f"the column {name[:40]!r} of type {datatype[:40]!r} is not accepted.")
        if size not in (None, "1") and (not datatype.endswith("har") or "x" in (size or "")):
            raise self.refused(f"the column {name[:40]!r} is an array; only text columns may be arrays.")
        if any(earlier.name.lower() == name.lower() for earlier in self.columns):
            raise self.refused(f"two columns are called {name[:40]!r}.")
        unit, ucd, utype, xtype = (attributes.get(key) for key in ("unit", "ucd", "utype", "xtype"))
        column = TapColumn(name=name, datatype=datatype, arraysize=size, unit=unit, ucd=ucd, utype=utype, xtype=xtype)
        self.columns.append(column)
        self.nulls.append((None, None))

    def _cell(self, text: str) -> None:
        index = len(self.row)
        if index >= len(self.columns):
            raise self.refused(f"row {len(self.rows) + 1} has more cells than fields.")
        column = self.columns[index]
        try:
            value = None if text == self.nulls[index][0] else _PARSERS[column.datatype](text)
        except _INVALID:
            where = f"row {len(self.rows) + 1}, column {column.name[:40]!r}"
            raise self.refused(f"{where}: {text[:40]!r} is not a valid {column.datatype}.") from None
        self.row.append(value)

    def _binary(self) -> None:
        if self.encoding != "base64":
            raise self.refused("the encoding of STREAM must be base64.")
        try:
            content = base64.b64decode("".join(self.stream))
            for row in self._unpacked(memoryview(content)):
                self.add(row)
        except (binascii.Error, struct.error, UnicodeDecodeError, KeyError, IndexError) as error:
            raise self.refused("the STREAM is damaged.") from error

    def _unpacked(self, content: memoryview) -> Iterator[list[object]]:
        flags = -(-len(self.columns) // 8) if self.data == "BINARY2" else 0
        readers = [_reader(column) for column in self.columns]
        offset = 0
        while offset < len(content) and readers:
            missing = int.from_bytes(content[offset : offset + flags], "big")
            offset += flags
            row = []
            for number, read in enumerate(readers):
                value, offset = read(content, offset)
                is_null = flags and missing >> (8 * flags - 1 - number) & 1
                row.append(None if is_null or value != value else value)
            yield row


#: What a parser raises for an invalid text.
_INVALID: Final = (KeyError, ValueError, OverflowError)


def _parse_integer(text: str) -> int | None:
    plain = text.strip()
    if not plain:
        return None
    value = int(plain, 16) if plain[:2].lower() == "0x" else int(plain)
    if not -(2**63) <= value < 2**63:
        raise ValueError
    return value


def _real(text: str) -> float | None:
    value = float(text) if text.strip() else math.nan
    return None if math.isnan(value) else value


def _single(text: str) -> float | None:
    """Parse a number of 32 bits, with the value that it has in binary data."""
    value, packed = _real(text), PACKED["float"]
    return None if value is None else float(packed.unpack(packed.pack(value))[0])


_PARSERS: Final[Mapping[str, Callable[[str], object]]] = {
    **dict.fromkeys(("unsignedByte", "short", "int", "long"), _parse_integer),
    "float": _single,
    "double": _real,
    **dict.fromkeys(("char", "unicodeChar"), lambda text: text.replace("\0", "") or None),
    "boolean": lambda text: _BOOLEANS[text.strip().lower()],
}


def _reader(column: TapColumn) -> Callable[[memoryview, int], tuple[object, int]]:
    """Return a function that decodes a BINARY value at an offset, and returns the next offset."""
    if column.datatype in PACKED:
        packed = PACKED[column.datatype]
        return lambda content, offset: (packed.unpack_from(content, offset)[0], offset + packed.size)
    if column.datatype == "boolean":
        return lambda content, offset: (_BOOLEANS[chr(content[offset]).lower()], offset + 1)
    width, encoding = (2, "utf-16-be") if column.datatype == "unicodeChar" else (1, "utf-8")
    size = column.arraysize or "1"
    fixed = int(size) if size.isascii() and size.isdigit() else None

    def text(content: memoryview, offset: int) -> tuple[str | None, int]:
        length = fixed
        if length is None:
            length, offset = struct.unpack_from(">I", content, offset)[0], offset + 4
        end = offset + length * width
        if end > len(content):
            raise IndexError
        return bytes(content[offset:end]).decode(encoding).rstrip("\0 ") or None, end

    return text


def read_votable(name: str, content: bytes, max_rows: int, max_cells: int = MAX_CELLS) -> UploadedTable:
    """Read the first table of a VOTable.

    Parameters
    ----------
    name : str
        The name of the table in queries, after TAP_UPLOAD.
    max_rows, max_cells : int

    Raises
    ------
    InvalidError
        When it is not a VOTable, or declares entities or a document type.
    TooLargeError
        When it has too many rows or cells.
    """
    reading = _ReadState(name, max_rows, max_cells)
    parser = expat.ParserCreate()

    def refuse(*_: object) -> None:
        raise reading.refused("a document type or entities are not accepted.")

    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    parser.StartElementHandler = reading.start
    parser.EndElementHandler = reading.end
    parser.CharacterDataHandler = reading.characters
    try:
        for end in range(_CHUNK, len(content) + _CHUNK, _CHUNK):
            parser.Parse(content[end - _CHUNK : end], False)
            if end - parser.CurrentByteIndex > _MAX_TOKEN:
                raise reading.refused(f"it has a tag or a comment of more than {_MAX_TOKEN:,} bytes.")
        parser.Parse(b"", True)
    except (expat.ExpatError, LookupError, ValueError) as error:  # the last two: unknown encodings
        raise reading.refused(f"this is not XML: {error}.") from error
    if not reading.columns:
        raise reading.refused("the VOTable has no table with fields.")
    return UploadedTable(name, tuple(map(reading.described, range(len(reading.columns)))), reading.rows)


def temporary_table(number: int, upload: UploadedTable) -> TemporaryTable:
    """Return an upload as a table of the database, with the ranges of the query's cones."""
    columns = {f"c{index}": _TYPES[column.datatype] for index, column in enumerate(upload.columns)}
    ranges: list[Sequence[str]] = []
    for index, cone in enumerate(upload.cones):
        columns |= {f"low{index}": "bigint[]", f"high{index}": "bigint[]"}
        ranges += _ranges(upload, cone)
    rows = ((*row, *(column[number] for column in ranges)) if ranges else row for number, row in enumerate(upload.rows))
    return TemporaryTable(f"vo_upload_{number}", columns, rows)


def _ranges(upload: UploadedTable, cone: UploadCone) -> tuple[list[str], list[str]]:
    """Return the first and last HEALPix numbers of the ranges around each row, as arrays of the database."""
    values = [[row[index] for row in upload.rows] for index in (cone.ra, cone.dec)]
    try:
        ra, dec = (np.array(value, dtype=float) for value in values)
    except ValueError as error:
        raise InvalidError(f"UPLOAD {upload.name}: the columns of a position must be numbers.") from error
    good = np.flatnonzero(np.isfinite(ra) & (np.abs(dec) <= 90))
    ranges = sky.cover(ra[good] % 360, dec[good], cone.radius, fineness=1.0)
    bounds = np.searchsorted(ranges.position, np.arange(len(good) + 1))
    low, high = ["{}"] * len(ra), ["{}"] * len(ra)
    for index, (first, last) in zip(
        good.tolist(), zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True), strict=True
    ):
        low[index] = f"{{{','.join(map(str, ranges.low[first:last].tolist()))}}}"
        high[index] = f"{{{','.join(map(str, ranges.high[first:last].tolist()))}}}"
    return low, high
