"""Query results in each RESPONSEFORMAT, as a stream."""

from __future__ import annotations

import base64
import csv
import dataclasses
import io
import math
import re
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from photseries.errors import InvalidError
from photseries.extras import require
from photseries.formats.xml import FOOT, HEAD, clean, element, escaped, field, identities
from photseries.server.vo.tables import PACKED, TapColumn

if TYPE_CHECKING:
    from astropy.io import fits

__all__ = ["FORMATS", "QueryResult", "ResultFormat", "error_document", "parse_format", "votable", "with_database_types"]

#: OID of a database type -> VOTable type; others are text.
_TYPES: Final[Mapping[int, str]] = {
    16: "boolean", 20: "long", 21: "short", 23: "int", 700: "float", 701: "double", 1700: "double",
    1082: "char", 1114: "char", 1184: "char",
}  # fmt: skip
_TIMES: Final = (1082, 1114, 1184)

#: Maximum number of cells of a result in a format that needs all rows in memory.
MAX_CELLS: Final = 20_000_000

#: Maximum size of a text column in FITS, where each cell has the length of the longest [bytes].
MAX_TEXTS: Final = 256 * 1024 * 1024

#: Maximum number of columns of a table in FITS (FITS 4.0, section 7.3.1).
MAX_FITS_COLUMNS: Final = 999

_ATTRIBUTES: Final = ("datatype", "unit", "ucd", "utype", "xtype")

_NO_NAME: Final = re.compile(r"[^A-Za-z0-9_]")

Row = Sequence[object]


@dataclass
class QueryResult:
    """The input of a format: columns and batches of rows.

    Parameters
    ----------
    columns : sequence of TapColumn
    batches : iterable of sequence of rows
    query : str
        In ADQL.
    standard : str
        The identifier of the standard that defines the columns.
    services : str
        Service descriptors, as XML.
    overflow : bool
        Whether rows are missing; known after the last batch.
    """

    columns: Sequence[TapColumn]
    batches: Iterable[Sequence[Row]] = ()
    query: str = ""
    standard: str = ""
    services: str = ""
    overflow: bool = False

    def limit(self, batches: Iterable[Sequence[Row]], max_rows: int) -> None:
        """Set the batches, cut off after a number of rows."""
        self.batches = self._limit_batches(batches, max_rows)

    def _limit_batches(self, batches: Iterable[Sequence[Row]], left: int) -> Iterator[Sequence[Row]]:
        for batch in batches:
            self.overflow = len(batch) > left
            yield batch[:left]
            if self.overflow:
                return
            left -= len(batch)


@dataclass(frozen=True)
class ResultFormat:
    """A format of results: its media type, its names in RESPONSEFORMAT, and its writer."""

    media_type: str
    names: tuple[str, ...]
    write: Callable[[QueryResult], Iterator[bytes]]
    package: str | None = None


def with_database_types(columns: Sequence[TapColumn], codes: Sequence[int]) -> list[TapColumn]:
    """Return columns with the types of the database; ASCII and int keep their declared types."""
    typed_columns = []
    for column, code in zip(columns, codes, strict=True):
        datatype = _TYPES.get(code, "char" if column.datatype == "char" else "unicodeChar")
        datatype = "int" if (datatype, column.datatype) == ("short", "int") else datatype
        xtype = "timestamp" if code in _TIMES else column.xtype
        typed_columns.append(dataclasses.replace(column, datatype=datatype, xtype=xtype, arraysize=None))
    return typed_columns


def parse_format(name: str | None) -> ResultFormat:
    """Return the format that RESPONSEFORMAT names; VOTable by default.

    Raises
    ------
    InvalidError
    NotInstalledError
        When its package is not installed.
    """
    if name is None or not name.strip():
        return FORMATS["votable"]
    plain = name.lower().replace(" xml", "+xml").replace(" ", "")  # a URL may leave the plus unescaped
    for called, result_format in FORMATS.items():
        if plain in (called, result_format.media_type.lower(), *result_format.names):
            require(result_format.package, called)
            return result_format
    raise InvalidError(f"RESPONSEFORMAT {name[:60]!r} is not one of: {', '.join(FORMATS)}.")


def error_document(message: str) -> bytes:
    """Write an error as a VOTable, as DALI 1.1 describes it."""
    status = element("INFO", escaped(message), name="QUERY_STATUS", value="ERROR")
    return f'{HEAD}<RESOURCE type="results">\n{status}</RESOURCE>\n{FOOT}'.encode()


def _json_value(value: object) -> object:
    """Convert a value of the database to JSON; times are in UTC."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime):
        moment = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return moment.isoformat(timespec="milliseconds")
    return value.isoformat() if isinstance(value, date) else value


_LOOKS_PLAIN: Final = (int, float, str, bool, type(None))


def _values(batch: Sequence[Row]) -> Iterator[list[object]]:
    for row in batch:
        yield [value if type(value) in _LOOKS_PLAIN else _json_value(value) for value in row]


# VOTable


def _votable_head(answer: QueryResult) -> str:
    status = element("INFO", name="QUERY_STATUS", value="OK")
    infos = {"QUERY": answer.query, "standardID": answer.standard}
    status += "".join(element("INFO", name=name, value=value) for name, value in infos.items() if value)
    system = element("COOSYS", ID="icrs", system="ICRS")
    xml_names = identities((column.name for column in answer.columns), ["icrs"])
    fields = "".join(
        field(
            column.description,
            ID=identity,
            name=clean(column.name) or "value",
            arraysize=column.size,
            ref="icrs" if (column.ucd or "").startswith("pos.eq") and column.unit == "deg" else None,
            **{name: getattr(column, name) for name in _ATTRIBUTES},
        )
        for column, identity in zip(answer.columns, xml_names, strict=True)
    )
    return f'{HEAD}<RESOURCE type="results">\n{status}{system}<TABLE name="result">\n{fields}<DATA>'


def _votable_foot(answer: QueryResult) -> str:
    overflow = element("INFO", name="QUERY_STATUS", value="OVERFLOW") if answer.overflow else ""
    return f"</DATA>\n</TABLE>\n{overflow}</RESOURCE>\n{answer.services}{FOOT}"


def _cell(value: object) -> str:
    if value is None:
        return "<TD/>"
    if type(value) is float:
        return f"<TD>{value}</TD>" if math.isfinite(value) else f"<TD>{_NOT_FINITE[str(value)]}</TD>"
    if type(value) is str:
        return f"<TD>{escaped(value)}</TD>"
    return f"<TD>{str(value).lower() if type(value) is bool else value}</TD>"


_NOT_FINITE: Final = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}


def votable(answer: QueryResult) -> Iterator[bytes]:
    """Write a VOTable of TABLEDATA in pieces."""
    yield f"{_votable_head(answer)}<TABLEDATA>\n".encode()
    for batch in answer.batches:
        yield "".join(f"<TR>{''.join(map(_cell, row))}</TR>\n" for row in _values(batch)).encode()
    yield f"</TABLEDATA>{_votable_foot(answer)}".encode()


def _packer(datatype: str) -> Callable[[object], bytes]:
    """Return the BINARY2 writer of a column; a bit before the row marks a missing value, whose content is arbitrary."""
    if datatype in PACKED:
        packed = PACKED[datatype]
        empty = packed.pack(0)
        return lambda value: empty if value is None else packed.pack(value)
    if datatype == "boolean":
        return lambda value: b"?" if value is None else b"T" if value else b"F"
    encoding, width = ("utf-16-be", 2) if datatype == "unicodeChar" else ("ascii", 1)
    length = struct.Struct(">I")

    def text(value: object) -> bytes:
        content = str("" if value is None else value).encode(encoding, "replace")
        return length.pack(len(content) // width) + content

    return text


def _binary2(answer: QueryResult) -> Iterator[bytes]:
    yield f'{_votable_head(answer)}<BINARY2><STREAM encoding="base64">'.encode()
    packers = [_packer(column.datatype) for column in answer.columns]
    width = -(-len(packers) // 8)
    remainder = b""
    for batch in answer.batches:
        parts = [remainder]
        for row in _values(batch):
            missing = sum(1 << (8 * width - 1 - index) for index, value in enumerate(row) if value is None)
            parts.append(missing.to_bytes(width, "big"))
            parts += [pack(value) for pack, value in zip(packers, row, strict=True)]
        content = b"".join(parts)
        length = len(content) - len(content) % 3
        remainder = content[length:]
        yield base64.b64encode(content[:length])
    yield base64.b64encode(remainder) + f"</STREAM></BINARY2>{_votable_foot(answer)}".encode()


# Text


def _with_small_booleans(row: Row) -> Row:
    return [str(value).lower() if type(value) is bool else value for value in row]


def _separated(separator: str) -> Callable[[QueryResult], Iterator[bytes]]:
    def write(answer: QueryResult) -> Iterator[bytes]:
        names: list[Sequence[object]] = [[column.name for column in answer.columns]]
        for rows in chain([names], map(_values, answer.batches)):
            text = io.StringIO()
            csv.writer(text, delimiter=separator, lineterminator="\n").writerows(map(_with_small_booleans, rows))
            yield text.getvalue().encode()

    return write


def _json(answer: QueryResult) -> Iterator[bytes]:
    names = (*_ATTRIBUTES, "description")
    metadata = [
        {"name": column.name, "arraysize": column.size, **{name: getattr(column, name) for name in names}}
        for column in answer.columns
    ]
    documents = [{name: value for name, value in column.items() if value is not None} for column in metadata]
    yield b'{"metadata":' + orjson.dumps(documents) + b',"data":['
    comma = b""
    for batch in answer.batches:
        if batch:
            yield comma + orjson.dumps(list(_values(batch)))[1:-1]
            comma = b","
    yield b'],"overflow":true}' if answer.overflow else b"]}"


# Formats that need all rows


def _gathered(answer: QueryResult) -> list[list[object]]:
    """Return the values of each column."""
    rows: list[list[object]] = []
    for batch in answer.batches:
        rows += _values(batch)
        if len(rows) * len(answer.columns) > MAX_CELLS:
            raise InvalidError(f"The result has more than {MAX_CELLS:,} cells: choose votable, csv or json for it.")
    return [list(column) for column in zip(*rows, strict=True)] or [[] for _ in answer.columns]


def _distinct(names: Iterable[str]) -> list[str]:
    """Return the names, with a number after one that an earlier name equals except for case."""
    unique: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for given in names:
        name = plain = given or "value"
        while plain.lower() in unique:
            counts[name.lower()] += 1
            plain = f"{name}_{counts[name.lower()] + 1}"
        unique[plain.lower()] = plain
    return list(unique.values())


#: The numbers of VOTable in FITS and in numpy.
_FITS_NUMBERS: Final = {
    "short": ("I", "i2"), "int": ("J", "i4"), "long": ("K", "i8"), "float": ("E", "f4"), "double": ("D", "f8"),
}  # fmt: skip


def _fits_texts(name: str, values: Iterable[object]) -> NDArray[np.bytes_]:
    """Encode the texts of a column with the length of the longest."""
    texts = [("" if value is None else str(value)).encode("ascii", "backslashreplace") for value in values]
    width = max(map(len, texts), default=0) or 1
    if width * len(texts) > MAX_TEXTS:
        raise InvalidError(f"The texts of {name[:40]!r} take too much space in FITS: choose votable, csv or json.")
    return np.array(texts, f"S{width}")


def _fits_column(name: str, column: TapColumn, values: Sequence[object]) -> fits.Column:
    from astropy.io import fits

    if column.is_text:
        texts = _fits_texts(name, values)
        return fits.Column(name, f"{texts.itemsize}A", column.unit, array=texts)
    if column.datatype == "boolean":
        return fits.Column(name, "L", array=np.array(list(map(bool, values)), "?"))
    code, kind = _FITS_NUMBERS[column.datatype]
    is_float = kind.startswith("f")
    missing = math.nan if is_float else np.iinfo(kind).min
    array = np.array([missing if value is None else value for value in values], kind)
    null = {} if is_float or None not in values else {"null": missing}
    return fits.Column(name, code, column.unit, array=array, **null)


def _fits_table(answer: QueryResult) -> Iterator[bytes]:
    from astropy.io import fits

    if len(answer.columns) > MAX_FITS_COLUMNS:
        raise InvalidError(f"FITS holds at most {MAX_FITS_COLUMNS} columns: choose votable, csv or json.")
    names = _distinct(_NO_NAME.sub("_", column.name) for column in answer.columns)
    described = list(zip(names, answer.columns, _gathered(answer), strict=True))
    table = fits.BinTableHDU.from_columns([_fits_column(*column) for column in described])
    for name, column, values in described:
        if column.datatype == "boolean":
            is_unknown = np.array([value is None for value in values], bool)
            table.data.view(np.ndarray)[name][is_unknown] = 0  # an invalid boolean is neither T nor F
    for number, column in enumerate(answer.columns, 1):
        if column.ucd:
            table.header[f"TUCD{number}"] = column.ucd
    if answer.overflow:
        table.header["OVERFLOW"] = (True, "there are more rows")
    content = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(content)
    yield content.getvalue()


def _parquet(answer: QueryResult) -> Iterator[bytes]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "short": pa.int16(), "int": pa.int32(), "long": pa.int64(), "float": pa.float32(), "double": pa.float64(),
        "boolean": pa.bool_(),
    }  # fmt: skip
    arrays, fields = [], []
    names = _distinct(column.name for column in answer.columns)
    for name, column, values in zip(names, answer.columns, _gathered(answer), strict=True):
        kind = types.get(column.datatype, pa.string())
        attributes = {"unit": column.unit, "ucd": column.ucd, "description": column.description}
        arrays.append(pa.array(values, kind))
        fields.append(pa.field(name, kind, metadata={key: text for key, text in attributes.items() if text}))
    content = io.BytesIO()
    metadata = {"overflow": str(answer.overflow).lower()}
    pq.write_table(pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=metadata)), content)
    yield content.getvalue()


#: Every format by its name, the default first.
FORMATS: Final[Mapping[str, ResultFormat]] = {
    "votable": ResultFormat(
        "application/x-votable+xml",
        ("votable/td", "votable/tabledata", "text/xml", "application/xml",
         "application/x-votable+xml;serialization=tabledata"),
        votable,
    ),
    "votable/b2": ResultFormat(
        "application/x-votable+xml;serialization=BINARY2", ("votable/binary2", "votable/b"), _binary2
    ),
    "csv": ResultFormat("text/csv;header=present", ("text/csv",), _separated(",")),
    "tsv": ResultFormat("text/tab-separated-values", (), _separated("\t")),
    "fits": ResultFormat("application/fits", ("image/fits",), _fits_table, "astropy"),
    "parquet": ResultFormat(
        "application/vnd.apache.parquet", ("application/parquet", "application/x-parquet"), _parquet, "pyarrow"
    ),
    "json": ResultFormat("application/json", (), _json),
}  # fmt: skip
