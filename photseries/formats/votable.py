"""VOTable: read the first table, and write version 1.4 with TIMESYS, COOSYS and photometric calibration."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from photseries.extras import quiet
from photseries.formats.astropy_tables import table_of
from photseries.formats.columns import Array, OutputColumn, columns_of, field_meaning
from photseries.formats.json_columns import jsonable
from photseries.formats.options import ReadOptions, table_index
from photseries.formats.own_files import Note, column_notes, distinct, fields_in, note_of_text, noted_texts, notes_in
from photseries.formats.reading import Table
from photseries.formats.votable_metadata import (
    fields_of_params,
    header_of_params,
    params_of,
    position_in_icrs,
    time_systems,
)
from photseries.formats.xml import FOOT, HEAD, clean, element, field, identities, param
from photseries.lightcurve.bandpasses import profile_of
from photseries.lightcurve.barycentre import FRAMES, with_time_frame
from photseries.lightcurve.calibration import Calibration, calibration_of
from photseries.lightcurve.meaning import TIMES, time_refpos, time_scale
from photseries.lightcurve.photometry import AB_ZERO_POINT
from photseries.lightcurve.table import FLUX, FLUXERR, MAG, MAGERR

if TYPE_CHECKING:
    from astropy.io.votable.tree import TableElement, VOTableFile
    from astropy.table import Table as AstropyTable

__all__ = ["looks_like_votable", "read", "without_data", "write"]

_COOSYS, _TIMESYS = "_icrs", "_times"

#: Names in files of the service: all metadata, and notes on columns, as JSON.
_METADATA, _NOTES = "photseries", "photseries_columns"

#: Types that VOTable lacks.
_OTHER_TYPES: Final = ("int8", "uint16", "uint32", "uint64", "float16", "datetime64[ns]", "timedelta64[ns]")

_FLUXES: Final = (*FLUX, FLUXERR)
_MAGNITUDES: Final = (*MAG, MAGERR, "magtot", "e_magtot")

_FRAMES: Final = {name: f"_{name}" for name in FRAMES}
_REFERENCES: Final = {**dict.fromkeys(TIMES, _TIMESYS), **_FRAMES, **dict.fromkeys(("ra", "dec"), _COOSYS)}

#: numpy type -> type in VOTable, and the numpy type to write.
_TYPES: Final[Mapping[str, tuple[str, str]]] = {
    "u1": ("unsignedByte", "u1"),
    "i1": ("short", ">i2"),
    "i2": ("short", ">i2"),
    "u2": ("int", ">i4"),
    "i4": ("int", ">i4"),
    "u4": ("long", ">i8"),
    "i8": ("long", ">i8"),
    "u8": ("long", ">i8"),
    "f2": ("float", ">f4"),
    "f4": ("float", ">f4"),
    "f8": ("double", ">f8"),
    "m8": ("double", ">f8"),
}


def looks_like_votable(content: bytes) -> bool:
    """Return whether a file begins like a VOTable."""
    return b"<VOTABLE" in content[:4096].upper()


def read(content: bytes, options: ReadOptions) -> Table:
    """Read a table of a VOTable: the only one with rows, or the one named by the options."""
    from astropy.io.votable import parse
    from astropy.io.votable.exceptions import VOWarning

    # Most VOTables violate some irrelevant rule of the standard.
    with quiet(VOWarning):
        file = parse(io.BytesIO(content))
        tables = [candidate for candidate in file.iter_tables() if len(candidate.array)]
        names = [str(candidate.name or candidate.ID or number) for number, candidate in enumerate(tables, 1)]
        parsed = tables[table_index(names, options)] if tables else file.get_first_table()
        table = parsed.to_table(use_names_over_ids=True)
    return table_of(table, uses=("table",), **_file_fields(file, parsed, table))


def _file_fields(file: VOTableFile, parsed: TableElement, table: AstropyTable) -> dict[str, object]:
    """Return the metadata of the file: all fields if it is from the service, else the systems and PARAMs."""
    own = {str(param.name): param.value for param in parsed.params}
    own_metadata = fields_in(own.get(_METADATA))
    if own_metadata:
        return {"file_metadata": own_metadata, "notes": notes_in(own.get(_NOTES))}
    params = params_of(file, parsed)
    fields, warnings = fields_of_params(params)
    frames = time_systems(file, parsed)
    icrs, doubts = position_in_icrs(file, [*params, *parsed.fields], fields, table)
    time = next(iter(frames), None)
    return {
        "header": header_of_params(params),
        "fields": {**fields, **icrs},
        "frames": frames,
        "time": time,
        "warnings": (*warnings, *doubts),
    }


def write(frame: pd.DataFrame, metadata: Mapping[str, object]) -> bytes:
    """Write a series as a VOTable, its metadata as PARAMs."""
    columns = columns_of(frame, metadata)
    types = [_typed(column) for column in columns]
    head, foot = _series_elements(metadata, columns, types, _private_params(metadata, columns))
    stream = base64.b64encode(_rows(columns, [values for _, values in types])).decode("ascii")
    return f'{head}<DATA><BINARY2><STREAM encoding="base64">{stream}</STREAM></BINARY2></DATA>\n{foot}'.encode()


def without_data(columns: Sequence[OutputColumn], metadata: Mapping[str, object]) -> str:
    """Write the VOTable of a series without rows, for formats that store these differently."""
    return "".join(_series_elements(metadata, columns, [_typed(column) for column in columns]))


def _private_params(metadata: Mapping[str, object], columns: Sequence[OutputColumn]) -> str:
    """Write the PARAMs that only the client reads, for a lossless round trip."""
    notes = column_notes(columns, _names(columns), _note_of_loss)
    documents = {_METADATA: ("all metadata", metadata), **({_NOTES: ("notes on columns", notes)} if notes else {})}
    return "".join(
        param(json.dumps(document), f"{words}, as JSON", name=name) for name, (words, document) in documents.items()
    )


def _names(columns: Sequence[OutputColumn]) -> list[str]:
    return distinct(clean(column.name) for column in columns)


def _series_elements(
    metadata: Mapping[str, object],
    columns: Sequence[OutputColumn],
    types: Sequence[tuple[dict[str, object], Array]],
    fields_of_table: str = "",
) -> tuple[str, str]:
    """Write the elements before and after the data of a series: systems, calibration, metadata, fields."""
    xml_names = identities((column.name for column in columns), (_COOSYS, _TIMESYS, *_FRAMES.values()))
    described = zip(columns, _names(columns), xml_names, types, strict=True)
    fields = "".join(
        _field(column, {"name": name, "ID": identity, **attributes})
        for column, name, identity, (attributes, _) in described
    )
    systems = element("COOSYS", ID=_COOSYS, system="ICRS") + _time_system(_TIMESYS, metadata)
    for column in columns:
        if column.name in _FRAMES:
            systems += _time_system(_FRAMES[column.name], with_time_frame(column.name, metadata))
    params = "".join(_metadata(name, value) for name, value in metadata.items())
    table = f'<TABLE name="photometric_series">\n{_calibration(metadata, columns)}{params}{fields_of_table}{fields}'
    return f'{HEAD}<RESOURCE type="results">\n{systems}{table}', f"</TABLE>\n</RESOURCE>\n{FOOT}"


def _time_system(identity: str, metadata: Mapping[str, object]) -> str:
    scale, refpos = time_scale(metadata), time_refpos(metadata)
    return element("TIMESYS", ID=identity, timeorigin="MJD-origin", timescale=scale, refposition=refpos)


def _metadata(name: str, value: object) -> str:
    meaning = field_meaning(name)
    about = {"name": name, "unit": meaning.unit, "ucd": meaning.ucd, "ref": _REFERENCES.get(name)}
    plain = value if isinstance(value, str | int | float) else json.dumps(value)
    return param(plain, meaning.description, **about)


def _calibrated(calibration: Calibration) -> tuple[str, ...]:
    """Return the columns with a photometric calibration; instrumental magnitudes have none."""
    return (
        *(_FLUXES if calibration.converts else ()),
        *(_MAGNITUDES if calibration.system in ("AB", "Vega") else ()),
    )


def _calibration(metadata: Mapping[str, object], columns: Iterable[OutputColumn]) -> str:
    """Write the photometric calibration in terms of the photometry data model."""
    calibration = calibration_of(metadata)
    calibrated = _calibrated(calibration)
    about = [column.name for column in columns if column.name in calibrated]
    if not about:
        return ""
    zero, bandpass = "photDM:PhotCal.zeroPoint", str(metadata.get("filter", ""))
    flux = param(10 ** (AB_ZERO_POINT / 2.5) / 1e6, name="zeroPointFlux", unit="Jy", utype=f"{zero}.flux.value")
    parts = (
        param(
            profile_of(bandpass) or bandpass,
            name="filterIdentifier",
            ucd="meta.id;instr.filter",
            utype="photDM:PhotometryFilter.identifier",
        ),
        param(calibration.system, name="magnitudeSystem", ucd="meta.code", utype="photDM:PhotCal.magnitudeSystem.type"),
        *((flux,) if calibration.magsys == "ab" else ()),
        param(0.0, name="zeroPointReferenceMagnitude", unit="mag", utype=f"{zero}.referenceMagnitude.value"),
        *(element("FIELDref", ref=name) for name in about),
    )
    return element("GROUP", "".join(parts), name="photcal")


def _field(column: OutputColumn, attributes: Mapping[str, object]) -> str:
    return field(
        column.meaning.description,
        unit="s" if column.values.dtype.kind == "m" else column.meaning.unit,
        ucd=column.meaning.ucd,
        ref=_REFERENCES.get(column.name),
        **attributes,
    )


def _note_of_loss(column: OutputColumn) -> Note:
    """Note what readers of VOTable lose: some types, and the distinction of null from empty text."""
    if column.is_text:
        return note_of_text(column.values)
    name = column.values.dtype.name
    return {"type": name} if name in _OTHER_TYPES else {}


def _typed(column: OutputColumn) -> tuple[dict[str, object], Array]:
    """Return the type of a column, and its values as written."""
    values = column.values
    if values.dtype.kind == "b":
        return {"datatype": "boolean"}, np.where(values, b"T", b"F")
    if values.dtype.kind == "M":
        return _encode_texts(jsonable(pd.Series(values)), xtype="timestamp")
    if column.is_text:
        return _encode_texts(noted_texts(values, _note_of_loss(column)))
    if values.dtype.kind == "m":
        values = values / np.timedelta64(1, "s")
    datatype, written = _TYPES[f"{values.dtype.kind}{values.dtype.itemsize}"]
    if values.dtype == np.uint64 and values.max(initial=0) >= 2**63:
        return _encode_texts(map(str, values.tolist()))
    return {"datatype": datatype}, values.astype(written)


def _encode_texts(texts: Iterable[str | None], **attributes: object) -> tuple[dict[str, object], Array]:
    present = ["" if text is None else text for text in texts]
    plain = all(map(str.isascii, present))
    encoded = [text.encode("ascii" if plain else "utf-16-be") for text in present]
    width = max(1, *map(len, encoded))
    return {
        "datatype": "char" if plain else "unicodeChar",
        "arraysize": width if plain else -(-width // 2),
        **attributes,
    }, np.array(encoded, f"S{width if plain else width + width % 2}")


def _rows(columns: list[OutputColumn], values: list[Array]) -> bytes:
    """Write the rows in order: a bit per missing value, then the values."""
    missing = np.zeros((len(values[0]), len(columns)), bool)
    for number, column in enumerate(columns):
        if column.values.dtype.kind in "OMm":
            missing[:, number] = pd.isna(column.values)
    flags = np.packbits(missing, axis=1)
    kinds = [("flags", "u1", (flags.shape[1],)), *((f"f{index}", value.dtype) for index, value in enumerate(values))]
    rows = np.zeros(len(flags), kinds)
    rows["flags"] = flags
    for index, value in enumerate(values):
        rows[f"f{index}"] = value
    return rows.tobytes()
