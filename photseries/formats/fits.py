"""FITS, through astropy, imported on first use: read light curves and other tables, write a binary table.

The fluxes of TESS and Kepler are electrons per second. They are converted to uJy only with a zero point given by the
caller: an AB magnitude, or TESS's published zero point (:mod:`photseries.formats.zero_points`). The 20.44 mag of the
TESS Instrument Handbook are not an AB zero point, because the TESS system is based on Vega. Kepler publishes no zero
point. Without one the fluxes are kept, ``flux_unit`` states their unit, and there is a warning.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
import pandas as pd

from photseries.extras import quiet
from photseries.fields import FIELDS
from photseries.formats.astropy_tables import table_of
from photseries.formats.columns import Array, OutputColumn, columns_of
from photseries.formats.json_columns import jsonable
from photseries.formats.options import ReadOptions, invalid, list_names, table_index
from photseries.formats.own_files import Note, column_notes, distinct, fields_in, note_of_text, noted_texts, notes_in
from photseries.formats.reading import Table
from photseries.formats.time_frames import frame_of_header
from photseries.lightcurve.barycentre import FRAMES, with_time_frame
from photseries.lightcurve.calibration import calibration_of
from photseries.lightcurve.meaning import TIMES, time_refpos, time_scale
from photseries.lightcurve.table import MAG

if TYPE_CHECKING:
    from astropy.io.fits import BinTableHDU, Header, TableHDU

__all__ = ["read", "write"]

T = TypeVar("T")

#: Names of the time column, in lower case.
_TIMES: Final = frozenset(("time", "t", "mjd", "jd", "bjd", "hjd", "tmid", "tmid_bjd", "bjd_time", "date-obs"))

_UNITS: Final = {"e-/s": "electron/s"}

#: Standard keyword -> field.
_KEYWORDS: Final = (("OBJECT", "obj_id"), ("FILTER", "filter"), ("EXPTIME", "exp_time"), ("RA", "ra"), ("DEC", "dec"))

_NO_CLOCK: Final = "The clock of the spacecraft was not corrected (CLOCKAPP = F): the times may be wrong by seconds."

#: Keywords in files of the service: all metadata, and notes on columns, as JSON.
_METADATA, _NOTES = "PHOTSER", "PHOTCOLS"

#: Text with characters outside FITS's character set, or with trailing spaces.
_ESCAPED: Final = re.compile(r"[^ -~]|[ ]$")

#: Types that FITS lacks.
_OTHER_TYPES: Final = ("int8", "float16", "datetime64[ns]", "timedelta64[ns]")

#: Maximum length of a name, so that its card holds it with a few characters to spare.
_MAX_NAME_LENGTH: Final = 60

_MAX_CARDS: Final = 100_000  # of a header that is read

#: Type -> code in FITS, written type, and TZERO of types that FITS lacks.
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


def read(content: bytes, options: ReadOptions) -> Table:
    """Read a table of a FITS file.

    Parameters
    ----------
    options : ReadOptions
        ``table`` names the extension; default: the first one with rows that has times and brightnesses by name, or the
        first one.

    Raises
    ------
    InvalidError
        When there is no such table.
    """
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning

    with quiet(AstropyWarning), fits.open(io.BytesIO(content), memmap=False) as hdus:
        tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU | fits.TableHDU)]
        if not tables:
            raise invalid("there is no table in it")
        names = [str(hdu.name or number) for number, hdu in enumerate(tables, 1)]
        index = table_index(names, options) if options.table else _first(tables)
        table = tables[index]
        if (longest := max(len(hdu.header) for hdu in (hdus[0], table))) > _MAX_CARDS:
            raise invalid(f"its header has {longest:,} cards; at most {_MAX_CARDS:,} are read.")
        same_columns = [
            name for name, other in zip(names, tables, strict=True) if other.columns.names == table.columns.names
        ]
        table_names = list_names(same_columns)
        warning = f"{len(same_columns)} tables have the same columns, {table_names}; {names[index]} was read (table)."
        from astropy.table import Table as AstropyTable

        # Only astropy writes times as pairs of numbers; other files may use its keywords in another sense.
        pairs = any(column.coord_type and column.dim for column in table.columns)
        rows = AstropyTable.read(table, character_as_bytes=False, astropy_native=pairs)
        # The primary header describes the star and takes precedence over the table, which may describe its software.
        primary, header = dict(hdus[0].header), dict(table.header)
        warnings: tuple[str, ...] = () if options.table or len(same_columns) == 1 else (warning,)
        if {**primary, **header}.get("CLOCKAPP") is False:
            warnings += (_NO_CLOCK,)
        beside = _header_fields({**primary, **header}, table, pairs)
        return table_of(rows, header={**header, **primary}, uses=("table",), warnings=warnings, **beside)


def _first(tables: Sequence[BinTableHDU | TableHDU]) -> int:
    """Return the index of the first table that may be a light curve, not good time intervals or an aperture."""
    likely = (n for n, hdu in enumerate(tables) if len(hdu.data) and _TIMES & set(map(str.lower, hdu.columns.names)))
    return next(likely, 0)


def _header_fields(header: dict[str, Any], table: BinTableHDU | TableHDU, pairs: bool) -> dict[str, object]:
    """Return the content of the header: all fields in a file of the service, else the time frames."""
    fields = fields_in(header.get(_METADATA))
    if fields:
        return {"file_metadata": fields, "notes": notes_in(header.get(_NOTES))}
    if pairs:
        header.pop("TREFPOS", None)  # astropy always writes TOPOCENTER
    texts = {name: _UNITS.get(unit, unit) for name, unit in zip(table.columns.names, table.columns.units, strict=True)}
    return {
        "frames": {name: frame_of_header(header, number) for number, name in enumerate(table.columns.names, 1)},
        "unit_texts": {name: text.replace(" / ", "/") for name, text in texts.items() if text},
    }


def write(frame: pd.DataFrame, metadata: Mapping[str, object]) -> bytes:
    """Write a series as a FITS file: its one table in the first extension, all metadata as JSON in PHOTSER."""
    from astropy.io.fits.verify import VerifyWarning

    columns = columns_of(frame, metadata)
    with quiet(VerifyWarning):  # about column names that other software may not accept
        return _file(columns, metadata)


def _file(columns: list[OutputColumn], metadata: Mapping[str, object]) -> bytes:
    from astropy.io import fits as astropy_fits

    names = distinct(map(_name, columns), str.lower)  # names in FITS ignore case
    notes = column_notes(columns, names, _note_of_loss)
    written = []
    for column, name in zip(columns, names, strict=True):
        code, unit, values, zero = _encode_column(column, notes.get(name, {}))
        written.append(astropy_fits.Column(name, code, unit, array=values, bzero=zero))
    table = astropy_fits.BinTableHDU.from_columns(written, name="PHOTOMETRY")
    header = table.header
    for number, column in enumerate(columns, 1):
        _describe(header, number, column, metadata)
    for keyword, name in _KEYWORDS:
        if name in metadata:
            header[keyword] = (_ascii(metadata[name]), FIELDS[name].sentence)
    header["RADESYS"] = ("ICRS", "of RA and DEC")
    if metadata.get("time_scale"):
        header["TIMESYS"] = (time_scale(metadata), "scale of the times")
    else:
        header["COMMENT"] = "No TIMESYS: the time scale is unknown. It need not be UTC."
    header["TREFPOS"] = (time_refpos(metadata), "where the times are measured")
    header["MJDREF"] = (0.0, "times are MJD")
    header["TIMEUNIT"] = "d"
    system = calibration_of(metadata).system
    if system and any(column.name in (*MAG, "magtot") for column in columns):
        header["MAGSYS"] = (system, "system of the magnitudes")
    header[_METADATA] = _json(metadata)
    if notes:
        header[_NOTES] = _json(notes)
    out = io.BytesIO()
    astropy_fits.HDUList([astropy_fits.PrimaryHDU(), table]).writeto(out)
    return out.getvalue()


def _json(value: object) -> str:
    """Write JSON without single quotes: after one, astropy reads a slash as the end of the text."""
    return json.dumps(value).replace("'", "\\u0027")


def _describe(header: Header, number: int, column: OutputColumn, metadata: Mapping[str, object]) -> None:
    """Describe a column, as a time if its scale is known, because readers assume UTC without a scale."""
    if column.meaning.description:
        header.comments[f"TTYPE{number}"] = column.meaning.description.partition(", scale")[0]
    column_metadata = with_time_frame(column.name, metadata)
    if column.name in FRAMES:
        header.set(f"TRPOS{number}", time_refpos(column_metadata), after=f"TFORM{number}")
    if column.name in TIMES and column_metadata.get("time_scale"):
        header.set(f"TCTYP{number}", time_scale(column_metadata), after=f"TFORM{number}")
        header.set(f"TCUNI{number}", "d", after=f"TCTYP{number}")


def _name(column: OutputColumn) -> str:
    name: str = _ascii(column.name).strip().replace("'", "_")  # as in _json
    return name[:_MAX_NAME_LENGTH].rstrip()  # the truncation may leave a trailing space, which readers drop


def _note_of_loss(column: OutputColumn) -> Note:
    """Note what FITS cannot express: some types, null beside empty text, trailing spaces."""
    if not column.is_text:
        name = column.values.dtype.name
        return {"type": name} if name in _OTHER_TYPES else {}
    return note_of_text(column.values, _ESCAPED)


def _encode_column(column: OutputColumn, note: Note) -> tuple[str, str | None, Array, int | None]:
    """Return the format of a column, its unit, its values as written, and their TZERO."""
    values, unit = column.values, _ascii(column.meaning.unit)
    if values.dtype.kind == "M":
        values = np.array(jsonable(pd.Series(values)), object)
    if values.dtype.kind == "O":
        texts = np.array(noted_texts(values, note), "S")
        return f"{max(1, texts.dtype.itemsize)}A", unit, texts, None
    if values.dtype.kind == "m":
        values, unit = values / np.timedelta64(1, "s"), "s"
    code, kind, zero = _CODES[values.dtype.str[1:]]
    return code, unit, values.astype(kind, copy=False), zero


def _ascii(value: T) -> T | str:
    """Return text in FITS's character set (space to ~); escape other characters as in a Python literal."""
    if not isinstance(value, str) or (value.isascii() and value.isprintable()):
        return value
    return value.encode("unicode_escape").decode("ascii")
