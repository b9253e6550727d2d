"""The table of readers, and the one way in for whatever is to be uploaded."""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from photseries.errors import InvalidError
from photseries.readers import binary, fits, text
from photseries.readers.columns import canonical
from photseries.readers.reading import Reading, ReadOptions, invalid

__all__ = ["READERS", "Reader", "collect", "read"]


@dataclass(frozen=True)
class Reader:
    """A format of files.

    Parameters
    ----------
    name : str
    suffixes : tuple of str
        How the names of such files end; ``.gz`` may follow.
    sentence : str
        For the documentation.
    read : callable
        Makes a reading of a file's content; raises one of ``errors``, or InvalidError, when the content is something
        else.
    signature : bytes
        How the content of such a file begins.
    errors : tuple of exception types
    """

    name: str
    suffixes: tuple[str, ...]
    sentence: str
    read: Callable[[bytes, ReadOptions], Reading]
    signature: bytes = b""
    errors: tuple[type[Exception], ...] = (ValueError,)


#: The formats that can be read.
READERS: Final[tuple[Reader, ...]] = (
    Reader("csv", (".csv",), "columns with commas between, names in the first line", text.read_csv),
    Reader("tsv", (".tsv",), "columns with tabs between, names in the first line", text.read_tsv),
    Reader(
        "text",
        (".txt", ".dat", ".mjd", ".lc"),
        "columns with spaces between; names in the first line or in the last one that begins with #",
        text.read_spaced,
    ),
    Reader(
        "ecsv", (".ecsv",), "astropy's CSV with units", text.read_ecsv, b"# %ECSV", (ValueError, KeyError, TypeError)
    ),
    Reader(
        "fits",
        (".fits", ".fit", ".fts"),
        "light curves of TESS, Kepler and K2, or the first table of the file",
        fits.read_fits,
        b"SIMPLE  =",
        (OSError, ValueError, KeyError, TypeError, IndexError),
    ),
    Reader(
        "hdf5", (".h5", ".hdf5", ".hdf"), "one table that pandas wrote, metadata included", binary.read_hdf5, b"\x89HDF"
    ),
    Reader("parquet", (".parquet", ".pq"), "Apache Parquet", binary.read_parquet, b"PAR1", (ValueError, OSError)),
    Reader(
        "votable",
        (".vot", ".votable", ".xml"),
        "the first table of a VOTable",
        binary.read_votable,
        b"",
        (ValueError, OSError, IndexError, KeyError, TypeError),
    ),
)


def read(path: str | os.PathLike[str], options: ReadOptions | None = None) -> Reading:
    """Read a file.

    Parameters
    ----------
    path : path
    options : ReadOptions, optional

    Returns
    -------
    Reading

    Raises
    ------
    InvalidError
        When the file cannot be read, is not what its name says, or lacks a column; the message begins with its name.
    StartError
        When a package that the format needs is not installed.
    """
    options = options or ReadOptions()
    file = Path(path)
    try:
        content = file.read_bytes()
        if file.suffix == ".gz":
            content = _inflated(content)
        reader = _reader(file, content, options)
    except OSError as error:
        raise invalid(f"{file.name}: {error.strerror or error}.") from error
    except InvalidError as error:
        raise invalid(f"{file.name}: {error.message}") from error
    if not content.startswith(reader.signature):
        raise invalid(f"{file.name} is no {reader.name} file.")
    try:
        return reader.read(content, options)
    except InvalidError as error:
        raise invalid(f"{file.name}: {error.message}") from error
    except reader.errors as error:
        raise invalid(f"{file.name} cannot be read as {reader.name}: {_first_line(error)}.") from error


def collect(data: Any, options: ReadOptions) -> Reading:
    """Make a reading of whatever can be uploaded.

    Parameters
    ----------
    data : DataFrame, mapping of arrays, astropy Table or TimeSeries, lightkurve LightCurve, or path
    options : ReadOptions

    Raises
    ------
    InvalidError
        When it is something else, or its columns are not as they should be.
    """
    if isinstance(data, str | os.PathLike):
        return read(data, options)
    if isinstance(data, pd.DataFrame):
        return canonical(Reading(data), options)
    tables = sys.modules.get("astropy.table")  # who has such a table has imported it
    if tables is not None and isinstance(data, tables.Table):
        from photseries.readers.astronomy import from_table

        return from_table(data, options)
    if isinstance(data, Mapping):
        try:
            frame = pd.DataFrame(dict(data))
        except ValueError as error:
            raise invalid(f"The columns make no table: {error}.") from error
        return canonical(Reading(frame), options)
    raise invalid(
        f"A {type(data).__name__} is no table: give a DataFrame, a dict of arrays, an astropy table or time series, a "
        "lightkurve light curve, or the path of a file."
    )


def _reader(file: Path, content: bytes, options: ReadOptions) -> Reader:
    """Choose the reader by option, name or content."""
    if options.format is not None:
        named = [reader for reader in READERS if reader.name == options.format]
        if not named:
            raise invalid(f"There is no format {options.format!r:.40}; there are {_listed()}.")
        return named[0]
    suffix = (file.with_suffix("") if file.suffix == ".gz" else file).suffix.lower()
    by_name = [reader for reader in READERS if suffix in reader.suffixes]
    by_content = [reader for reader in READERS if reader.signature and content.startswith(reader.signature)]
    for reader in (*by_name, *by_content):
        return reader
    raise invalid(f"its name does not tell its format; name it (format): {_listed()}.")


def _listed() -> str:
    return ", ".join(reader.name for reader in READERS)


def _inflated(content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error) as error:
        raise invalid(f"it is damaged, or no gzip file: {error}.") from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300].rstrip(".")
