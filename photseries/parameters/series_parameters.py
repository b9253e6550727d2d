"""The parameters of requests for tables: format, part of a table, upload, append, bulk upload and long tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from photseries.lightcurve.selection import DERIVED, Selection
from photseries.parameters.table import FORMATS, Parameter
from photseries.parameters.value_types import (
    BIN,
    COUNT,
    DURATION,
    FLAG,
    NUMBER,
    POINTS,
    POSITIVE,
    SIGMAS,
    TEXTS,
    choice,
    choices,
)

__all__ = ["APPEND", "BULK", "LONG_TABLE", "ONE_SERIES", "PART", "REVISION", "UPLOAD", "selection_of"]

#: The parameters that select a part of one table.
PART: tuple[Parameter, ...] = (
    Parameter(name="columns", kind=TEXTS, sentence="Return these columns, in this order."),
    Parameter(name="mjdMin", kind=NUMBER, sentence="Rows from this time [MJD]."),
    Parameter(name="mjdMax", kind=NUMBER, sentence="Rows up to this time [MJD]."),
    Parameter(name="rowMin", kind=COUNT, sentence="Rows from this number, counted from 0."),
    Parameter(name="rowMax", kind=COUNT, sentence="Rows up to this number."),
    Parameter(
        name="maxPoints",
        kind=POINTS,
        sentence="Maximum number of rows, for a plot: the first, the last, and the extremes of equal-sized groups.",
    ),
    Parameter(
        name="derive",
        kind=choices(*DERIVED),
        sentence=f"Add columns: {'; '.join(f'{name}, {what}' for name, what in DERIVED.items())}.",
    ),
    Parameter(
        name="bin",
        kind=BIN,
        sentence="Return means in bins of this width, or per night, in place of rows: mjd, the brightness, its errors "
        "from the errors and from the scatter, and the count.",
    ),
    Parameter(
        name="detrend",
        kind=DURATION,
        sentence="Add two columns: the running median in a window of this width (flux_trend or mag_trend), and the "
        "brightness minus this trend plus its median (flux_detrended or mag_detrended).",
    ),
    Parameter(
        name="clip",
        kind=SIGMAS,
        sentence="Add the column clipped: whether the brightness, detrended if detrend is given, is more than this "
        "many times 1.4826 median absolute deviations from the median.",
    ),
)

_OF_PART = {parameter.name: parameter for parameter in PART}

#: The parameters that select the columns of a long table.
LONG_TABLE: tuple[Parameter, ...] = (
    replace(
        _OF_PART["columns"],
        sentence="Columns of a long table, in this order, after those that identify the series. * means the light "
        "curve and every numeric column that all tables have. Default: the light curve.",
    ),
    _OF_PART["derive"],
    replace(
        _OF_PART["bin"],
        sentence="Return means in bins of this width, or per night, in place of rows. A long table gets the columns "
        "fluxerr_scatter, magerr_scatter and count; each file of a zip is a binned series.",
    ),
)

#: The parameter that selects an earlier revision.
REVISION = Parameter(
    name="revision",
    kind=POSITIVE,
    sentence="The series at this revision, while its file is kept. Only the owner and tokens that may change the "
    "series can read earlier revisions.",
)

#: The parameters of a request for one series.
ONE_SERIES: tuple[Parameter, ...] = (
    Parameter(name="dataFormat", kind=choice(*FORMATS), default="json", sentence="Format of the table."),
    REVISION,
    *PART,
)

#: The parameters of an upload.
UPLOAD: tuple[Parameter, ...] = (
    Parameter(
        name="dryRun",
        kind=FLAG,
        default=False,
        sentence="Store nothing; report what would be stored, the origin of each value, and warnings.",
    ),
    Parameter(
        name="maxPoints",
        kind=POINTS,
        sentence="With dryRun: also return the light curve, in at most this many rows.",
    ),
)

#: The parameters of a bulk upload.
BULK: tuple[Parameter, ...] = (
    Parameter(
        name="by",
        kind=TEXTS,
        sentence="The body is a long table, one row per measurement, and these columns identify the series. Without "
        "this parameter the body is nested: one row per series, with a list for each column of its table.",
    ),
    Parameter(
        name="ifExists",
        kind=choice("error", "skip", "replace"),
        default="error",
        sentence="What to do with a series that already exists.",
    ),
    Parameter(
        name="onError",
        kind=choice("continue", "abort"),
        default="continue",
        sentence="When a series is refused: continue with the others, or abort and store nothing.",
    ),
    Parameter(name="dryRun", kind=FLAG, default=False, sentence="Check everything and store nothing."),
)

#: The parameters of rows that are added to a series.
APPEND: tuple[Parameter, ...] = (
    Parameter(
        name="repeats",
        kind=choice("refuse", "drop"),
        default="refuse",
        sentence="What to do with new rows that equal existing ones in every column.",
    ),
)

_FIELDS = {
    "columns": "columns",
    "mjdMin": "mjd_min",
    "mjdMax": "mjd_max",
    "rowMin": "row_min",
    "rowMax": "row_max",
    "maxPoints": "max_points",
    "derive": "derive",
    "bin": "bin",
    "detrend": "detrend",
    "clip": "clip",
}


def selection_of(values: Mapping[str, Any]) -> Selection:
    """Return the selection in parameter values."""
    return Selection(
        **{_FIELDS[parameter.name]: values[parameter.name] for parameter in PART if parameter.name in values}
    )
