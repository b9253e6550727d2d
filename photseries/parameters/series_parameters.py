"""The parameters of requests for tables: format, part of a table, upload, append, bulk upload and long tables."""

from __future__ import annotations

from dataclasses import replace

from photseries.lightcurve.selection import DERIVED, Selection
from photseries.parameters.query import ParameterValues
from photseries.parameters.table import FORMATS, Parameter, snake_case
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
    Parameter("columns", TEXTS, "Return these columns, in this order."),
    Parameter("mjdMin", NUMBER, "Rows from this time [MJD]."),
    Parameter("mjdMax", NUMBER, "Rows up to this time [MJD]."),
    Parameter("rowMin", COUNT, "Rows from this number, counted from 0."),
    Parameter("rowMax", COUNT, "Rows up to this number."),
    Parameter(
        "maxPoints",
        POINTS,
        "Maximum number of rows, for a plot: the first, the last, and the extremes of equal-sized groups.",
    ),
    Parameter(
        "derive", choices(*DERIVED), f"Add columns: {'; '.join(f'{name}, {what}' for name, what in DERIVED.items())}."
    ),
    Parameter(
        "bin",
        BIN,
        "Return means in bins of this width, or per night, in place of rows: mjd, the brightness, its errors "
        "from the errors and from the scatter, and the count.",
    ),
    Parameter(
        "detrend",
        DURATION,
        "Add two columns: the running median in a window of this width (flux_trend or mag_trend), and the "
        "brightness minus this trend plus its median (flux_detrended or mag_detrended).",
    ),
    Parameter(
        "clip",
        SIGMAS,
        "Add the column clipped: whether the brightness, detrended if detrend is given, is more than this "
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
    "revision",
    POSITIVE,
    "The series at this revision, while its file is kept. Only the owner and tokens that may change the "
    "series can read earlier revisions.",
)

#: The parameters of a request for one series.
ONE_SERIES: tuple[Parameter, ...] = (
    Parameter("dataFormat", choice(*FORMATS), "Format of the table.", default="json"),
    REVISION,
    *PART,
)

#: The parameters of an upload.
UPLOAD: tuple[Parameter, ...] = (
    Parameter(
        "dryRun",
        FLAG,
        "Store nothing; report what would be stored, the origin of each value, and warnings.",
        default=False,
    ),
    Parameter("maxPoints", POINTS, "With dryRun: also return the light curve, in at most this many rows."),
)

#: The parameters of a bulk upload.
BULK: tuple[Parameter, ...] = (
    Parameter(
        "by",
        TEXTS,
        "The body is a long table, one row per measurement, and these columns identify the series. Without "
        "this parameter the body is nested: one row per series, with a list for each column of its table.",
    ),
    Parameter(
        "ifExists", choice("error", "skip", "replace"), "What to do with a series that already exists.", default="error"
    ),
    Parameter(
        "onError",
        choice("continue", "abort"),
        "When a series is refused: continue with the others, or abort and store nothing.",
        default="continue",
    ),
    Parameter("dryRun", FLAG, "Check everything and store nothing.", default=False),
)

#: The parameters of rows that are added to a series.
APPEND: tuple[Parameter, ...] = (
    Parameter(
        "repeats",
        choice("refuse", "drop"),
        "What to do with new rows that equal existing ones in every column.",
        default="refuse",
    ),
)


def selection_of(values: ParameterValues) -> Selection:
    """Return the selection in parameter values."""
    return Selection(
        **{snake_case(parameter.name): values[parameter.name] for parameter in PART if parameter.name in values}
    )
