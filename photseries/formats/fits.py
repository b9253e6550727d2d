"""A series as a FITS binary table, through astropy, which is imported when somebody asks for one."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from photseries.extras import quiet
from photseries.formats.columns import Array, Column, columns_of
from photseries.formats.json_columns import jsonable
from photseries.lightcurve.meaning import TIMES, time_refpos, time_scale

__all__ = ["fits"]

#: Standard keywords, the fields that they give, and what they say.
_KEYWORDS: Final = (
    ("OBJECT", "obj_id", "the source"),
    ("FILTER", "filter", "the bandpass"),
    ("EXPTIME", "exp_time", "exposure time [s]"),
    ("RA", "ra", "right ascension, ICRS [deg]"),
    ("DEC", "dec", "declination, ICRS [deg]"),
)


def fits(frame: pd.DataFrame, metadata: Mapping[str, Any]) -> bytes:
    """Write a series as a FITS file: its one table in the first extension, all metadata as JSON in PHOTSER."""
    from astropy.io.fits.verify import VerifyWarning

    columns = columns_of(frame, metadata)
    with quiet(VerifyWarning):  # that others may not like the names of some columns
        return _file(columns, metadata)


def _file(columns: list[Column], metadata: Mapping[str, Any]) -> bytes:
    from astropy.io import fits as astropy_fits

    table = astropy_fits.BinTableHDU.from_columns(
        [
            astropy_fits.Column(name, code, unit, array=values, bzero=zero)
            for name, (code, unit, values, zero) in zip(_names(columns), map(_written, columns), strict=True)
        ],
        name="PHOTOMETRY",
    )
    header = table.header
    for number, column in enumerate(columns, 1):
        _describe(header, number, column, metadata)
    for keyword, field, words in _KEYWORDS:
        if field in metadata:
            header[keyword] = (_ascii(metadata[field]), words)
    header["RADESYS"] = ("ICRS", "of RA and DEC")
    if metadata.get("time_scale"):
        header["TIMESYS"] = (time_scale(metadata), "scale of the times")
    else:
        header["COMMENT"] = "No TIMESYS: nobody said what the scale of the times is. It need not be UTC."
    header["TREFPOS"] = (time_refpos(metadata), "where the times are measured")
    header["MJDREF"] = (0.0, "times are MJD")
    header["TIMEUNIT"] = "d"
    header["PHOTSER"] = json.dumps(metadata)
    out = io.BytesIO()
    astropy_fits.HDUList([astropy_fits.PrimaryHDU(), table]).writeto(out)
    return out.getvalue()


def _describe(header: Any, number: int, column: Column, metadata: Mapping[str, Any]) -> None:
    """Say what a column means, and that it is a time where the scale is known: readers take a missing one for UTC."""
    if column.meaning.words:
        header.comments[f"TTYPE{number}"] = column.meaning.words.partition(", scale")[0]
    if column.name in TIMES and metadata.get("time_scale"):
        header.set(f"TCTYP{number}", time_scale(metadata), after=f"TFORM{number}")
        header.set(f"TCUNI{number}", "d", after=f"TCTYP{number}")


def _names(columns: Iterable[Column]) -> list[str]:
    """Give each column a name of its own: in FITS ``flux`` and ``FLUX`` are the same."""
    given: dict[str, str] = {}
    for column in columns:
        name = _ascii(column.name) or "_"
        while len(name) + name.count("'") > _LONGEST_NAME:
            name = name[:-1]
        while name.lower() in given:
            name += "_"
        given[name.lower()] = name
    return list(given.values())


def _written(column: Column) -> tuple[str, str | None, Array, int | None]:
    """Give the format of a column, its unit, its values as they are written, and what stands for their zero."""
    values, unit = column.values, _ascii(column.meaning.unit)
    if values.dtype.kind == "M":
        values = np.array(jsonable(pd.Series(values)), object)
    if values.dtype.kind == "O":
        texts = np.array(["" if text is None else _ascii(text) for text in values.tolist()], "S")
        return f"{max(1, texts.dtype.itemsize)}A", unit, texts, None
    if values.dtype.kind == "m":
        values, unit = values / np.timedelta64(1, "s"), "s"
    code, kind, zero = _CODES[values.dtype.str[1:]]
    return code, unit, values.astype(kind, copy=False), zero


#: What fits into one card, with a few characters to spare.
_LONGEST_NAME: Final = 60

#: The code of FITS for each type, the type that is written, and what stands for zero where FITS has no such type.
_CODES: Final[Mapping[str, tuple[str, str, int | None]]] = {
    "b1": ("L", "?", None),
    "i1": ("I", "i2", None),
    "u1": ("B", "u1", None),
    "i2": ("I", "i2", None),
    "u2": ("I", "u2", 2**15),
    "i4": ("J", "i4", None),
    "u4": ("J", "u4", 2**31),
    "i8": ("K", "i8", None),
    "u8": ("K", "u8", 2**63),
    "f2": ("E", "f4", None),
    "f4": ("E", "f4", None),
    "f8": ("D", "f8", None),
}


def _ascii(value: Any) -> Any:
    """Give what FITS can hold, the characters from space to ~; a text with others is written as Python would."""
    if not isinstance(value, str) or (value.isascii() and value.isprintable()):
        return value
    return value.encode("unicode_escape").decode("ascii")
