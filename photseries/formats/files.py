"""Files and tables as they come, made into the frame and the fields of a series."""

from __future__ import annotations

import gzip
import os
import sys
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from photseries.errors import InvalidError
from photseries.formats.astropy_tables import from_table
from photseries.formats.reading import Reading, ReadOptions, invalid
from photseries.formats.registry import READERS, Format, with_suffix
from photseries.formats.roles import canonical

__all__ = ["collect", "format_of", "read"]


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
        form = _format_to_read(file, content, options)
    except OSError as error:
        raise invalid(f"{file.name}: {error.strerror or error}.") from error
    except InvalidError as error:
        raise invalid(f"{file.name}: {error.message}") from error
    return form.read(content, options, file.name)


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


def format_of(path: Path, formats: Mapping[str, Format]) -> str:
    """Tell the format from the name of a file that is to be written.

    Raises
    ------
    InvalidError
        When it ends as none of these do.
    """
    found = with_suffix(path.suffix, formats)
    if found is None:
        usual = ", ".join(one.suffixes[0] for one in formats.values())
        raise InvalidError(
            f"The name {path.name!r:.80} does not say which format is meant: end it in one of {usual}, or name a "
            "format."
        )
    return found.name


def _format_to_read(file: Path, content: bytes, options: ReadOptions) -> Format:
    """Choose the format by option, name or content."""
    listed = ", ".join(READERS)
    if options.format is not None:
        if options.format not in READERS:
            raise invalid(f"There is no format {options.format!r:.40}; there are {listed}.")
        return READERS[options.format]
    by_name = with_suffix((file.with_suffix("") if file.suffix == ".gz" else file).suffix, READERS)
    by_content = next((one for one in READERS.values() if one.is_of(content)), None)
    found = by_name or by_content
    if found is None:
        raise invalid(f"its name does not tell its format; name it (format): {listed}.")
    return found


def _inflated(content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (EOFError, zlib.error) as error:
        raise invalid(f"it is damaged, or no gzip file: {error}.") from error
