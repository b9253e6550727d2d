"""Convert files and tables to the frame and the fields of a series."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from photseries.errors import InvalidError, StartError
from photseries.formats import text
from photseries.formats.astropy_tables import is_astropy, table_of
from photseries.formats.decoding import MAX_INFLATED_BYTES, SUFFIXES, decompress
from photseries.formats.numpy_types import plain_column
from photseries.formats.options import ReadOptions, invalid
from photseries.formats.reading import Reading, Table
from photseries.formats.registry import READERS, Format, first_line, with_suffix
from photseries.formats.series import series_of
from photseries.text import escape_unprintable

__all__ = ["collect", "format_of", "one_of", "read", "read_bytes"]


#: The text formats, which have no signature.
_TEXTS: Final = ("csv", "tsv", "text")


def read(path: str | os.PathLike[str], options: ReadOptions | None = None) -> Reading:
    """Read the one series of a file.

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
        When the file cannot be read, contradicts its name, or lacks a column; the message begins with its name.
    StartError
        When a package that the format needs is not installed.
    """
    return one_of(collect(Path(path), options or ReadOptions()))


def collect(data: object, options: ReadOptions) -> tuple[Reading, ...]:
    """Read the series in any data that can be uploaded.

    Parameters
    ----------
    data : DataFrame, mapping of arrays, array, astropy Table or TimeSeries, lightkurve LightCurve, or path
        A mapping may contain Quantities and Times of astropy; a numpy array must be structured.

    Returns
    -------
    tuple of Reading
        One, or one for each value of ``split_by``.

    Raises
    ------
    InvalidError
        When the type is unsupported, or a column is invalid.
    """
    if isinstance(data, str | os.PathLike):
        file = Path(data).expanduser()
        try:
            content = file.read_bytes()
        except OSError as error:
            raise invalid(f"{file.name}: {error.strerror or error}.") from error
        return read_bytes(content, file.name, options)
    return series_of(_table(data), options)


def _table(data: Any) -> Table:
    if isinstance(data, pd.DataFrame):
        return Table(frame=data)
    try:
        if is_astropy(data):
            return table_of(data)
        if isinstance(data, Mapping):
            return Table(frame=pd.DataFrame(dict(data)))
        if isinstance(data, np.ndarray) and data.dtype.names:
            return Table(frame=pd.DataFrame({name: plain_column(data[name]) for name in data.dtype.names}))
    except (TypeError, ValueError) as error:
        raise invalid(f"The columns do not form a table: {str(error).rstrip('.')}.") from error
    raise invalid(
        f"Cannot read a table from an object of type {type(data).__name__}: give a DataFrame, a dict of arrays, a "
        "structured array, an astropy table or time series, a lightkurve light curve, or the path of a file."
    )


def read_bytes(
    content: bytes,
    name: str,
    options: ReadOptions,
    *,
    most_inflated: int = MAX_INFLATED_BYTES,
    formats: Mapping[str, Format] = READERS,
) -> tuple[Reading, ...]:
    """Read the series in the content of a file.

    Parameters
    ----------
    content : bytes
        Also compressed with gzip, bzip2 or xz.
    name : str
        The name of the file, for messages, and for the format if the content has no signature.
    most_inflated : int
        Maximum decompressed size [bytes].
    formats : mapping of str to Format
        The formats to accept.

    Raises
    ------
    InvalidError
        When it is not a table in a known format; the message begins with the name.
    """
    form = None
    try:
        plain = decompress(content, most_inflated)
        form = _format_to_read(Path(name), plain, options, formats)
        return series_of(form.read(plain, options), options)
    except InvalidError as error:
        raise invalid(escape_unprintable(f"{name}: {error.message}"), error.details) from error
    except StartError:
        raise
    except MemoryError as error:
        raise invalid(f"{name} cannot be read: that takes more memory than is available.") from error
    except Exception as error:
        # Each package has its own exceptions for damaged files, and raises many others.
        kind = "a light curve" if form is None else form.name
        message = f"{name} cannot be read as {kind}: {first_line(error)}. Check that it is complete."
        raise invalid(escape_unprintable(message)) from error


def one_of(readings: tuple[Reading, ...]) -> Reading:
    """Return the only series of a file.

    Raises
    ------
    InvalidError
        When there are several.
    """
    if len(readings) > 1:
        raise invalid(f"split_by makes {len(readings)} series: upload_many() stores them.")
    return readings[0]


def format_of(path: Path, formats: Mapping[str, Format]) -> str:
    """Return the format for the name of a file to write.

    Raises
    ------
    InvalidError
        When no format has its suffix.
    """
    matching = with_suffix(path.suffix, formats)
    if matching is None:
        suffixes = ", ".join(file_format.suffixes[0] for file_format in formats.values())
        raise InvalidError(
            f"The name {path.name!r:.80} does not identify a format: end it in one of {suffixes}, or name a format."
        )
    return matching.name


def _format_to_read(file: Path, content: bytes, options: ReadOptions, formats: Mapping[str, Format]) -> Format:
    """Choose the format by option, content or name."""
    form = _chosen_format(file, content, options)
    if form.name not in formats:
        raise invalid(
            f"the service does not read the format {form.name}. Upload the file with the command photseries upload."
        )
    return form


def _chosen_format(file: Path, content: bytes, options: ReadOptions) -> Format:
    if options.format is not None:
        if options.format not in READERS:
            raise invalid(f"Unknown format {options.format!r:.40}. Use one of {', '.join(READERS)}.")
        return READERS[options.format]
    if file.suffix.lower() == ".zip" and content.startswith(b"PK"):
        raise invalid("it is a zip: extract its files, and upload each.")
    by_name = with_suffix((file.with_suffix("") if file.suffix in SUFFIXES else file).suffix, READERS)
    certain = next((reader for reader in READERS.values() if reader.name not in _TEXTS and reader.is_of(content)), None)
    if certain is not None:
        return certain
    is_text = text.looks_like_text(content)
    if by_name is not None and not (is_text and by_name.name == "excel"):  # AstroImageJ names text files .xls
        return by_name
    if not is_text:
        raise invalid(f"its format is unknown; name it (format): {', '.join(READERS)}.")
    return READERS["text"]
