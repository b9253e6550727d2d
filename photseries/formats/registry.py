"""THE TABLE of formats: name, reader and writer of each, for one series and for many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd

from photseries.extras import is_installed, needs, recorded, require
from photseries.formats import arrow, csv, ecsv, excel, fits, hdf5, json_columns, parquet, text, votable
from photseries.formats.options import ReadOptions, invalid
from photseries.formats.reading import Table
from photseries.text import escape_unprintable

__all__ = [
    "EXPORTS",
    "FORMATS",
    "HDF5",
    "READERS",
    "WRITERS",
    "Export",
    "Format",
    "Reader",
    "Writer",
    "first_line",
    "with_suffix",
]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """The reader of a format.

    Parameters
    ----------
    read : callable
        Reads a table from the content of a file; raises InvalidError, or the error of the package that parses it,
        when the content is something else.
    sentence : str
        For the documentation.
    package : str, optional
        The required package.
    signatures : tuple of bytes
        The possible first bytes of a file.
    is_of : callable, optional
        Recognises the content of formats without a signature.
    """

    read: Callable[[bytes, ReadOptions], Table]
    sentence: str
    package: str | None = None
    signatures: tuple[bytes, ...] = ()
    is_of: Callable[[bytes], bool] | None = None


@dataclass(frozen=True, kw_only=True)
class Writer:
    """The writer of a format.

    Parameters
    ----------
    write : callable
        Writes a table and the metadata of its series as bytes.
    types, units, metadata, loses : str
        For the documentation: the kept types, units and metadata, and the losses.
    warning : str
        A warning for users who save a series: an upload of the file does not restore it.
    """

    write: Callable[[pd.DataFrame, Mapping[str, object]], bytes]
    types: str
    units: str
    metadata: str
    loses: str
    warning: str = ""


@dataclass(frozen=True, kw_only=True)
class Export:
    """A file of many series, for the documentation."""

    holds: str
    readers: str


@dataclass(frozen=True, kw_only=True)
class Format:
    """A file format.

    Parameters
    ----------
    name : str
        The value of the parameter ``format``.
    suffixes : tuple of str
        The suffixes of its files, the default first.
    media_type : str
        The value of Content-Type.
    package : str, optional
        The package required to write it.
    reader : Reader, optional
        Present if the client and the command line can upload the format.
    writer : Writer, optional
        Present if the service can return a series in the format.
    export : Export, optional
        Present if the service can export many series in the format.
    """

    name: str
    suffixes: tuple[str, ...]
    media_type: str
    package: str | None = None
    reader: Reader | None = None
    writer: Writer | None = None
    export: Export | None = None

    @property
    def extension(self) -> str:
        """The default suffix without the dot; part of the route."""
        return self.suffixes[0].removeprefix(".")

    @property
    def plain_type(self) -> str:
        """The media type without parameters."""
        return self.media_type.partition(";")[0]

    @property
    def is_installed(self) -> bool:
        """Whether this service can write it."""
        return self.package is None or is_installed(self.package)

    def require_package(self) -> None:
        """Refuse a format that this service cannot write; see :func:`photseries.extras.require`."""
        require(self.package, self.name)

    def is_of(self, content: bytes) -> bool:
        """Return whether the beginning of a file has the signature of this format; some formats have none."""
        reader = self.reader
        if reader is None:
            return False
        return content.startswith(reader.signatures) if reader.is_of is None else reader.is_of(content)

    def read(self, content: bytes, options: ReadOptions) -> Table:
        """Read a file; translate any exception of a parser.

        Raises
        ------
        InvalidError
            When the content is something else, or lacks a column.
        StartError
            When the required package is not installed.
        """
        reader = self.reader
        if reader is None:
            raise ValueError(f"{self.name} cannot be read")
        if reader.signatures and not content.startswith(reader.signatures):
            raise invalid(f"it is not in the format {self.name}.")
        if reader.package is not None:
            needs(reader.package)
        with recorded(UserWarning, RuntimeWarning, pd.errors.ParserWarning) as caught:
            reading = reader.read(content, options)
        messages = (escape_unprintable(first_line(warning.message)) for warning in caught)
        return replace(reading, warnings=tuple(dict.fromkeys((*reading.warnings, *messages))))

    def write(self, frame: pd.DataFrame, metadata: Mapping[str, object]) -> bytes:
        """Write a series.

        Parameters
        ----------
        frame : DataFrame
            Its table, or a part of it.
        metadata : mapping
            The metadata in the stored file.

        Raises
        ------
        NotInstalledError
            When the required package is not installed.
        """
        if self.writer is None:
            raise ValueError(f"{self.name} cannot contain one series")
        self.require_package()
        return self.writer.write(frame, metadata)


def first_line(error: Exception | Warning | str) -> str:
    """Return the first line of an exception's message, preceded by the type for a mere name."""
    text = repr(error) if isinstance(error, LookupError) else str(error)
    return (text.strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")


def with_suffix(suffix: str, formats: Mapping[str, Format]) -> Format | None:
    """Return the format with a suffix, ignoring case."""
    return next((file_format for file_format in formats.values() if suffix.lower() in file_format.suffixes), None)


HDF5: Final = Format(
    name="hdf5",
    suffixes=(".h5", ".hdf5", ".hdf"),
    media_type="application/x-hdf5",
    reader=Reader(
        read=hdf5.read,
        sentence="a table that pandas wrote, metadata included, or astropy or h5py",
        signatures=(b"\x89HDF",),
    ),
    writer=Writer(
        write=hdf5.write,
        types="all",
        units="no",
        metadata="as a dict, and as JSON",
        loses="nothing that was stored",
    ),
    export=Export(
        holds="one long table, `light_curves`",
        readers='`pandas.read_hdf(path, "light_curves")`, h5py, PyTables, of HDF5 1.10 and later',
    ),
)

#: Every format by its name, the default first.
FORMATS: Final[Mapping[str, Format]] = {
    one.name: one
    for one in (
        HDF5,
        Format(
            name="json",
            suffixes=(".json",),
            media_type="application/json",
            writer=Writer(
                write=json_columns.write,
                types="number, text, true and false",
                units="no",
                metadata="as members beside `data`",
                loses="widths of numbers; NaN and infinities are null; datetimes are text, durations seconds; "
                "the index",
            ),
        ),
        Format(
            name="csv",
            suffixes=(".csv",),
            media_type="text/csv; charset=utf-8; header=present",
            reader=Reader(read=text.read, sentence="columns separated by commas or semicolons"),
            writer=Writer(
                write=csv.write,
                types="no",
                units="columns `flux_unit`, `magsys` unless `uJy`, `ab`",
                metadata="no",
                loses="all types (readers guess); datetimes are text, durations seconds; many readers take empty text "
                "for missing text",
                warning="CSV contains only the columns of the table: no source, filter, instrument, time scale, "
                "reference position or other metadata, and no types. To upload the series again, save it as "
                "hdf5, parquet, arrow, ecsv, fits or votable.",
            ),
        ),
        Format(
            name="tsv",
            suffixes=(".tsv",),
            media_type="text/tab-separated-values; charset=utf-8",
            reader=Reader(read=text.read, sentence="columns separated by tabs, also VizieR's"),
        ),
        Format(
            name="text",
            suffixes=(".txt", ".dat", ".mjd", ".lc", ".tbl", ".mrt", ".asc"),
            media_type="text/plain; charset=utf-8",
            reader=Reader(
                read=text.read,
                sentence="columns separated by spaces, of fixed width, tables of IPAC, CDS and AAS; names in the first "
                "line or in a line before it that begins with #",
            ),
        ),
        Format(
            name="ecsv",
            suffixes=(".ecsv",),
            media_type="text/x-ecsv; charset=utf-8",
            reader=Reader(
                read=ecsv.read,
                sentence="astropy's CSV with units",
                package="astropy",
                signatures=(b"# %ECSV",),
            ),
            writer=Writer(
                write=ecsv.write,
                types="all except datetimes and durations",
                units="yes",
                metadata="as `meta`",
                loses="datetimes are text, durations seconds [s]; ends of lines in names are U+FFFD; a column of text "
                "that CSV would change (empty, spaces at the ends of lines, empty lines) is JSON in its cells",
            ),
        ),
        Format(
            name="parquet",
            suffixes=(".parquet", ".pq"),
            media_type="application/vnd.apache.parquet",
            package="pyarrow",
            reader=Reader(
                read=parquet.read,
                sentence="Apache Parquet",
                package="pyarrow",
                signatures=(b"PAR1",),
            ),
            writer=Writer(
                write=parquet.write,
                types="all except float16",
                units="yes",
                metadata="as JSON in `photseries`, as PARAMs of the VOTable in it",
                loses="float16 becomes float32; durations are integers unless a reader knows Arrow's schema in it",
            ),
            export=Export(
                holds="one long table, in groups of at most 65,536 rows, zstd",
                readers="pandas, pyarrow, polars, DuckDB, Spark, R, Julia",
            ),
        ),
        Format(
            name="arrow",
            suffixes=(".arrows",),
            media_type="application/vnd.apache.arrow.stream",
            package="pyarrow",
            reader=Reader(
                read=arrow.read,
                sentence="an Apache Arrow stream or file",
                package="pyarrow",
                is_of=arrow.looks_like_arrow,
            ),
            writer=Writer(
                write=arrow.write,
                types="all except float16",
                units="yes",
                metadata="as JSON in `photseries`",
                loses="float16 becomes float32",
            ),
            export=Export(
                holds="one long table, in batches of whole series, or of 65,536 rows",
                readers="pyarrow, pandas, polars, DuckDB, R, Julia",
            ),
        ),
        Format(
            name="votable",
            suffixes=(".vot", ".votable", ".xml"),
            media_type="application/x-votable+xml",
            reader=Reader(
                read=votable.read,
                sentence="a table of a VOTable",
                package="astropy",
                is_of=votable.looks_like_votable,
            ),
            writer=Writer(
                write=votable.write,
                types="most",
                units="yes",
                metadata="as PARAMs, TIMESYS, COOSYS, photometric calibration",
                loses="int8, uint16 and uint32 widen, float16 becomes float32; uint64 of 2⁶³ and more and datetimes "
                "are text, durations seconds [s]; control characters of names and metadata; readers may take empty "
                "text for missing text",
            ),
        ),
        Format(
            name="fits",
            suffixes=(".fits", ".fit", ".fts"),
            media_type="application/fits",
            package="astropy",
            reader=Reader(
                read=fits.read,
                sentence="light curves of missions and their pipelines, and other tables",
                package="astropy",
                signatures=(b"SIMPLE  =",),
            ),
            writer=Writer(
                write=fits.write,
                types="all except int8, float16, datetimes and durations",
                units="yes",
                metadata="as standard keywords, and as JSON in `PHOTSER`",
                loses="text that is missing is empty; in a column with characters beyond ASCII or spaces at the end of "
                "text these are written \\xe9 and \\x20; int8 becomes int16, float16 float32; "
                "datetimes are text, durations seconds [s]",
            ),
        ),
        Format(
            name="excel",
            suffixes=(".xlsx", ".xls", ".xlsm", ".xlsb", ".ods"),
            media_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            reader=Reader(
                read=excel.read,
                sentence="a sheet of an Excel or LibreOffice workbook",
                package="python_calamine",
                signatures=(b"PK\x03\x04", b"\xd0\xcf\x11\xe0"),
            ),
        ),
        Format(
            name="ndjson",
            suffixes=(".ndjson", ".jsonl"),
            media_type="application/x-ndjson",
            export=Export(
                holds="one long table, a line of JSON for each row; non-finite values are null",
                readers="jq, pandas (`read_json(lines=True)`), polars, DuckDB",
            ),
        ),
        Format(
            name="zip",
            suffixes=(".zip",),
            media_type="application/zip",
            export=Export(
                holds="a file for each series, as it is stored; at the end `series.jsonl`, the fields of each, a line "
                "each",
                readers="any zip program, and [each file](#reading-them)",
            ),
        ),
    )
}

#: The formats that the client and the command line can upload.
READERS: Final[Mapping[str, Format]] = {name: one for name, one in FORMATS.items() if one.reader is not None}

#: The formats of a series in answers, the default first.
WRITERS: Final[Mapping[str, Format]] = {name: one for name, one in FORMATS.items() if one.writer is not None}

#: The formats of exports of many series, the default first.
EXPORTS: Final[Mapping[str, Format]] = {name: one for name, one in FORMATS.items() if one.export is not None}
