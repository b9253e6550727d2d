"""What a file is taken for, in words: the columns and why, times, filters, limits, and what an upload still needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from photseries.errors import InvalidError
from photseries.fields import FIELDS, SETTABLE
from photseries.formats.files import collect
from photseries.formats.options import ReadOptions
from photseries.formats.reading import Reading
from photseries.formats.selection import suggested_filter
from photseries.lightcurve.metadata import infer
from photseries.lightcurve.table import TIME, required_column

__all__ = ["described", "inspect"]

_UNIX_EPOCH = 40_587  # 1970-01-01 as MJD [d]


def inspect(data: Any, options: ReadOptions) -> tuple[tuple[Reading, ...], ReadOptions]:
    """Read a file as an upload would; a file of several filters becomes a series of each.

    Parameters
    ----------
    data : path, or a table in memory
    options : ReadOptions

    Returns
    -------
    tuple of Reading
    ReadOptions
        Those that the upload needs.

    Raises
    ------
    InvalidError
        When it cannot be read with these options.
    """
    try:
        return collect(data, options), options
    except InvalidError as error:
        column = error.details.get("split_by")
        if column is None or options.split_by is not None:
            raise
        values = {name: getattr(options, name) for name in options.__dataclass_fields__}
        split = ReadOptions(**{**values, "split_by": column})
        return collect(data, split), split


def described(reading: Reading, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Describe a series that was read, in plain values.

    Parameters
    ----------
    reading : Reading
    given : mapping, optional
        Fields that the user gives.

    Returns
    -------
    dict
        ``survey``, ``columns`` (role, column and why of each), ``rows``, ``first`` and ``last`` (ISO 8601), ``filters``
        (rows of each in the file), ``fields`` (what the file tells), ``missing`` (required fields that nothing tells),
        ``filter_map`` (a likely entry for the filter of the file), ``warnings``.
    """
    frame = reading.frame
    mjd = frame[required_column(frame, TIME)].to_numpy(np.float64)
    finite = mjd[np.isfinite(mjd)]
    fields = {**infer(frame), **reading.file_metadata, **reading.fields, **(given or {})}
    known = {name: value for name, value in fields.items() if name in SETTABLE}
    missing = [name for name in SETTABLE if FIELDS[name].required and known.get(name) is None]
    value = reading.filter
    likely = None if value is None or "filter" in reading.fields else suggested_filter(value)
    return {
        "survey": reading.survey,
        "columns": [{"role": role, "column": one.column, "why": one.why} for role, one in reading.roles.items()],
        "rows": len(frame),
        "first": _iso(finite.min()),
        "last": _iso(finite.max()),
        "filters": dict(reading.filters),
        "fields": known,
        "missing": missing,
        "known": [value] if value is not None and "filter" in reading.fields else [],
        "filter_map": None if value is None or "filter" in reading.fields else f"{value}={likely or 'FILTER'}",
        "warnings": list(reading.warnings),
    }


def _iso(mjd: float) -> str:
    """Write an MJD as a date, in its own scale."""
    return str(pd.Timestamp((mjd - _UNIX_EPOCH) * 86_400, unit="s").round("s").isoformat())
