"""Queries as data: the table of query parameters, and queries parsed from requests.

A query consists of fields, operators and values, independent of SQL and HTTP. Parsing, the SQL of the catalogue, the
error messages, the documentation and the parametrised tests all read the same table.
"""

from photseries.parameters.analysis import ENVELOPE, FOLDED, OWN_PERIODS, PERIODOGRAM, PLOT, SOURCE_PERIODOGRAM
from photseries.parameters.list_request import (
    LISTS,
    MAX_ENTRIES,
    POSITIONS,
    ListRequest,
    asked_parameters,
    parse_list_request,
)
from photseries.parameters.query import (
    Condition,
    Cone,
    Cursor,
    ParameterValues,
    Positions,
    Query,
    likely_mistakes,
    parse,
    parse_criteria,
    read,
    texts_of,
)
from photseries.parameters.series_parameters import (
    APPEND,
    BULK,
    LONG_TABLE,
    ONE_SERIES,
    PART,
    REVISION,
    UPLOAD,
    selection_of,
)
from photseries.parameters.table import (
    CONTROLS,
    CRITERIA,
    MAX_PER_PAGE,
    OF_SOURCE,
    SEPARATION,
    SUMMARY_CRITERIA,
    Criterion,
    Parameter,
    snake_case,
)
from photseries.parameters.value_types import choice

__all__ = [
    "APPEND",
    "BULK",
    "CONTROLS",
    "CRITERIA",
    "ENVELOPE",
    "FOLDED",
    "LISTS",
    "LONG_TABLE",
    "MAX_ENTRIES",
    "MAX_PER_PAGE",
    "OF_SOURCE",
    "ONE_SERIES",
    "OWN_PERIODS",
    "PART",
    "PERIODOGRAM",
    "PLOT",
    "POSITIONS",
    "REVISION",
    "SEPARATION",
    "SOURCE_PERIODOGRAM",
    "SUMMARY_CRITERIA",
    "UPLOAD",
    "Condition",
    "Cone",
    "Criterion",
    "Cursor",
    "ListRequest",
    "Parameter",
    "ParameterValues",
    "Positions",
    "Query",
    "asked_parameters",
    "choice",
    "likely_mistakes",
    "parse",
    "parse_criteria",
    "parse_list_request",
    "read",
    "selection_of",
    "snake_case",
    "texts_of",
]
