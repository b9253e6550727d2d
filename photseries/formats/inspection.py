"""Describe how a file is read: columns with reasons, times, filters, limits, and fields that an upload needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from photseries.errors import InvalidError
from photseries.fields import FIELDS, SETTABLE
from photseries.formats.description import Description
from photseries.formats.moments import UNIX_EPOCH
from photseries.formats.options import ReadOptions
from photseries.formats.reading import Reading
from photseries.formats.selection import suggested_filter
from photseries.lightcurve.metadata import infer
from photseries.lightcurve.table import TIME, required_column

__all__ = ["describe", "inspect", "selecting"]


def inspect(
    read: Callable[[ReadOptions], tuple[Reading, ...]], options: ReadOptions
) -> tuple[tuple[Reading, ...], ReadOptions]:
    """Read a file as an upload would; a file with several filters becomes a series per filter.

    Parameters
    ----------
    read : callable
        Reads the file with options.

    Returns
    -------
    tuple of Reading
    ReadOptions
        The options that the upload needs.

    Raises
    ------
    InvalidError
        When it cannot be read with these options.
    """
    try:
        return read(options), options
    except InvalidError as error:
        column = error.details.get("split_by")
        if column is None or options.split_by is not None:
            raise
        split = replace(options, split_by=column)
        return read(split), split


def selecting(reading: Reading, options: ReadOptions) -> ReadOptions:
    """Return the options that select one series of a file."""
    if reading.part is None:
        return options
    where = [options.where] if isinstance(options.where, str) else list(options.where or ())
    column = options.filter_col or options.split_by
    return replace(options, where=[*where, f"{options.split_by}={reading.part}"], split_by=None, filter_col=column)


def describe(reading: Reading, overrides: Mapping[str, object] | None = None) -> Description:
    """Describe a series in plain values.

    Parameters
    ----------
    overrides : mapping, optional
        Fields given by the user.
    """
    frame = reading.frame
    mjd = frame[required_column(frame, TIME)].to_numpy(np.float64)
    finite = mjd[np.isfinite(mjd)]
    fields = {**infer(frame), **reading.file_metadata, **reading.fields, **(overrides or {})}
    settable = {name: value for name, value in fields.items() if name in SETTABLE}
    missing = [name for name in SETTABLE if FIELDS[name].required and settable.get(name) is None]
    unknown_filter = None if "filter" in reading.fields else reading.filter
    return {
        "survey": reading.survey,
        "columns": [
            {"role": role, "column": assigned.column, "why": assigned.why} for role, assigned in reading.roles.items()
        ],
        "rows": len(frame),
        "first": _iso(finite.min()),
        "last": _iso(finite.max()),
        "filters": dict(reading.filters),
        "filter": reading.filter,
        "names": list(reading.names),
        "fields": settable,
        "missing": missing,
        "filter_map": unknown_filter and f"{unknown_filter}={suggested_filter(unknown_filter) or 'FILTER'}",
        "warnings": list(reading.warnings),
    }


def _iso(mjd: float) -> str:
    """Format an MJD as a date in its own scale; an MJD outside the calendar stays a number."""
    try:
        return str(pd.Timestamp((float(mjd) - UNIX_EPOCH) * 86_400, unit="s").round("s").isoformat())
    except (ValueError, OverflowError):
        return f"MJD {mjd:.6g}"
