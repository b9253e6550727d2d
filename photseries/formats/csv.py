"""Write CSV; :mod:`photseries.formats.text` reads text with columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import numpy as np
import orjson
import pandas as pd

from photseries.fields import FIELDS
from photseries.formats.calibration import UNIT_COLUMNS, seems_relative
from photseries.formats.columns import whole_table
from photseries.formats.json_columns import coarsest_unit, jsonable
from photseries.formats.options import column_called
from photseries.lightcurve.calibration import SYSTEM_COLUMNS, ZERO_POINT_COLUMNS, calibration_of
from photseries.lightcurve.meaning import meaning
from photseries.lightcurve.table import FLUX, is_numeric
from photseries.lightcurve.units import MICROJANSKY

__all__ = ["rows_of_text", "write"]

#: Readers treat a line that begins with # as a comment.
_QUOTED: Final = re.compile(r'[",\r\n]|^[\s#]|\s$|^$')

#: Cells that are written at a time: each takes about 60 bytes until its line is joined.
_CELLS: Final = 1_000_000

_ODD: Final = {"nan": b"NaN", "inf": b"inf", "-inf": b"-inf"}


def write(frame: pd.DataFrame, metadata: Mapping[str, object]) -> bytes:
    """Write a table as CSV: names in the first line, missing text as nothing, lines that end in CR LF (RFC 4180).

    Columns with one value state the fields without which the numbers would be misread. A column of the table with such
    a name gets the suffix ``_of_table``.
    """
    stated = _stated(frame, metadata)
    table = whole_table(frame).rename(columns={name: f"{name}_of_table" for name in stated})
    return rows_of_text(table.assign(**stated), b"\r\n")


def _stated(frame: pd.DataFrame, metadata: Mapping[str, object]) -> dict[str, str]:
    """Return the fields to state as columns: those without default, or that other columns could contradict."""
    calibration = calibration_of(metadata)
    names = [str(name) for name in frame.columns if name != "mjd_mid"]  # which is of the middle in any case
    meanings = " ".join(meaning(name, metadata).ucd or "" for name in names)
    stated: dict[str, str] = {}
    flux = next((frame[name] for name in FLUX if name in names and is_numeric(frame[name])), None)
    is_usual = (
        calibration.flux_unit.name == MICROJANSKY
        and not column_called(names, (*UNIT_COLUMNS, *ZERO_POINT_COLUMNS))
        and (flux is None or not seems_relative(flux.to_numpy(np.float64)))
    )
    if "phot.flux" in meanings and not is_usual:
        stated["flux_unit"] = calibration.flux_unit.name
    if "phot.mag" in meanings and (calibration.magsys != "ab" or column_called(names, SYSTEM_COLUMNS)):
        stated["magsys"] = calibration.magsys
    alignment = metadata.get("time_stamp_alignment")
    if "time.epoch" in meanings and alignment not in (None, FIELDS["time_stamp_alignment"].default):
        stated["time_stamp_alignment"] = str(alignment)
    return stated


def rows_of_text(frame: pd.DataFrame, end: bytes) -> bytes:
    """Yield the lines of a table, names first, with line ends.

    Numbers have the fewest digits that restore their value; booleans are True and False. A missing value is empty
    for text and NaN for a number; infinities are inf and -inf. Datetimes are ISO 8601, durations
    seconds.
    """
    units = [
        coarsest_unit(column.to_numpy()) if isinstance(column.dtype, np.dtype) and column.dtype.kind == "M" else None
        for _, column in frame.items()
    ]
    blocks = [b",".join(_quoted(str(name)) for name in frame.columns) + end]
    step = max(1, _CELLS // max(1, len(units)))
    for start in range(0, len(frame), step):
        columns = [
            _cells(column, unit)
            for (_, column), unit in zip(frame.iloc[start : start + step].items(), units, strict=True)
        ]
        blocks.append(end.join((*map(b",".join, zip(*columns, strict=True)), b"")))
    return b"".join(blocks)


def _cells(column: pd.Series, unit: object) -> list[bytes]:
    values = jsonable(column, unit)
    if isinstance(values, list):
        return [b"" if value is None else _quoted(str(value)) for value in values]
    if values.dtype.kind == "b":
        return [b"True" if value else b"False" for value in values.tolist()]
    written = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].split(b",")
    if values.dtype.kind == "f":
        for index in np.flatnonzero(~np.isfinite(values)).tolist():
            written[index] = _ODD[str(values[index])]
    return written


def _quoted(text: str) -> bytes:
    if _QUOTED.search(text):
        text = '"' + text.replace('"', '""') + '"'
    return text.encode()
