"""The parameters of requests about tables: how one comes, which part of it, how it is stored or grows; many at once."""

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

#: The parameters that ask for a part of one table.
PART: tuple[Parameter, ...] = (
    Parameter(name="columns", kind=TEXTS, sentence="These columns, in this order."),
    Parameter(name="mjdMin", kind=NUMBER, sentence="Rows from this time on [d]."),
    Parameter(name="mjdMax", kind=NUMBER, sentence="Rows up to this time [d]."),
    Parameter(name="rowMin", kind=COUNT, sentence="Rows from this number on, counted from 0."),
    Parameter(name="rowMax", kind=COUNT, sentence="Rows up to this number."),
    Parameter(
        name="maxPoints",
        kind=POINTS,
        sentence="At most so many rows, for a plot: the first, the last, and the extremes of each run of equally many.",
    ),
    Parameter(
        name="derive",
        kind=choices(*DERIVED),
        sentence=f"More columns: {'; '.join(f'{name}, {what}' for name, what in DERIVED.items())}.",
    ),
    Parameter(
        name="bin",
        kind=BIN,
        sentence="Means in bins of this width, or of each night, instead of the rows: mjd, the brightness, its errors "
        "from the errors and from the scatter, and the count.",
    ),
    Parameter(
        name="detrend",
        kind=DURATION,
        sentence="Two more columns: the running median in a window of this width, as flux_trend or mag_trend; and the "
        "brightness less this trend plus its median, as flux_detrended or mag_detrended.",
    ),
    Parameter(
        name="clip",
        kind=SIGMAS,
        sentence="One more column, clipped: whether the brightness, without the trend if that is asked for, lies "
        "farther from the median than so many times 1.4826 median absolute deviations.",
    ),
)

_OF_PART = {known.name: known for known in PART}

#: The parameters that say which columns the long table of many series has.
LONG_TABLE: tuple[Parameter, ...] = (
    replace(
        _OF_PART["columns"],
        sentence="These columns of a long table, in this order, beside those that say which series a row is of; * is "
        "the light curve and every column of numbers that all the tables have. Default: the light curve.",
    ),
    _OF_PART["derive"],
    replace(
        _OF_PART["bin"],
        sentence="Means in bins of this width, or of each night, instead of the rows: a long table has three more "
        "columns, fluxerr_scatter, magerr_scatter and count; the files of a zip are those of one series in bins.",
    ),
)

#: The parameter that asks for an earlier revision.
REVISION = Parameter(
    name="revision",
    kind=POSITIVE,
    sentence="The series as it was at this revision, while the file of that time is kept; earlier ones are for "
    "the owner and tokens that may change the series.",
)

#: The parameters of a request for one series.
ONE_SERIES: tuple[Parameter, ...] = (
    Parameter(name="dataFormat", kind=choice(*FORMATS), default="json", sentence="How the table comes."),
    REVISION,
    *PART,
)

#: The parameters of an upload.
UPLOAD: tuple[Parameter, ...] = (
    Parameter(
        name="dryRun",
        kind=FLAG,
        default=False,
        sentence="Tell what would be stored, from where each value would come, and what is odd; store nothing.",
    ),
    Parameter(
        name="maxPoints",
        kind=POINTS,
        sentence="With dryRun: give the light curve as well, in at most so many rows.",
    ),
)

#: The parameters of a bulk upload.
BULK: tuple[Parameter, ...] = (
    Parameter(
        name="by",
        kind=TEXTS,
        sentence="The body is long, one row a measurement, and these columns tell its series apart. Without it the "
        "body is nested: one row a series, with lists as the columns of its table.",
    ),
    Parameter(
        name="ifExists",
        kind=choice("error", "skip", "replace"),
        default="error",
        sentence="What to do with a series that exists already.",
    ),
    Parameter(
        name="onError",
        kind=choice("continue", "abort"),
        default="continue",
        sentence="Whether a series that is refused stops no other one, or nothing is stored then.",
    ),
    Parameter(name="dryRun", kind=FLAG, default=False, sentence="Check everything and store nothing."),
)

#: The parameters of rows that are added to a series.
APPEND: tuple[Parameter, ...] = (
    Parameter(
        name="repeats",
        kind=choice("refuse", "drop"),
        default="refuse",
        sentence="What to do with new rows that exist already, equal in every column.",
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
    """Return the part that parameters ask for."""
    return Selection(**{_FIELDS[known.name]: values[known.name] for known in PART if known.name in values})
