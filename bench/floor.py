"""The floor: what a step cannot do without, each part by the best means known, in one process; their sum.

Nothing is checked here: no token, no limit, no sandbox, no schema, no content hash. A service that does all that
and is near this sum wastes nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import orjson
import pandas as pd
import pybase64

from bench.recipe import store
from bench.rows import Rows
from bench.samples import Sample
from photseries.formats import json_arrays
from photseries.hdf5 import stored_file
from photseries.hdf5.limits import Limits
from photseries.lightcurve.statistics import summarize

__all__ = ["parts"]

Parts = dict[str, Callable[[], object]]


def parts(operation: str, sample: Sample, series_id: int, rows: Rows, folder: Path) -> Parts:
    """Return the parts of a step, to be timed, without the null handler, which depends on the bytes alone."""
    kind, _, word = operation.partition(" ")
    if kind == "list":
        return {"SELECT": rows.page(int(word.removeprefix("of ")))}
    if kind == "POST":
        decode, frame = (_json_parts if word == "json" else _hdf5_parts)(sample)
        return {**decode, "statistics": lambda: summarize(frame), **_kept(frame, sample, series_id, rows, folder)}
    select: Parts = {"SELECT": rows.select_one(series_id)}
    if word == "none":
        return select
    content = stored_file.encode(sample.frame, sample.metadata)
    reading: Parts = {**select, "file read": store(content, folder).read_bytes}
    if word == "hdf5":
        return {**reading, "base64": lambda: pybase64.b64encode(content)}
    reading["HDF5 read"] = lambda: read(content)
    if kind == "PATCH":
        return {**reading, **_kept(sample.frame, sample, series_id, rows, folder)}
    columns = {name: np.ascontiguousarray(column) for name, column in sample.frame.items()}
    return {**reading, "JSON dump": lambda: orjson.dumps(columns, option=orjson.OPT_SERIALIZE_NUMPY)}


def _kept(frame: pd.DataFrame, sample: Sample, series_id: int, rows: Rows, folder: Path) -> Parts:
    content = stored_file.encode(frame, sample.metadata)
    return {
        "encode": lambda: stored_file.encode(frame, sample.metadata),
        "MD5": lambda: hashlib.md5(content).digest(),
        "file": lambda: store(content, folder),
        "commit": rows.commit(series_id),
    }


def _json_parts(sample: Sample) -> tuple[Parts, pd.DataFrame]:
    body, limits = sample.json, Limits()
    listed = orjson.loads(body)["data"]
    frame = pd.DataFrame(arrays(listed))
    # Straight from the text to arrays where possible; the parser leaves short bodies alone.
    if json_arrays.parse(body, limits) is not None:
        return {"JSON to arrays": lambda: json_arrays.parse(body, limits)}, frame
    return {"JSON parse": lambda: orjson.loads(body), "arrays": lambda: arrays(listed)}, frame


def _hdf5_parts(sample: Sample) -> tuple[Parts, pd.DataFrame]:
    text = orjson.loads(sample.hdf5)["data"]
    content = pybase64.b64decode(text)
    decode: Parts = {"JSON parse": lambda: orjson.loads(sample.hdf5), "base64": lambda: pybase64.b64decode(text)}
    return {**decode, "HDF5 read": lambda: read(content)}, sample.frame


def arrays(columns: dict[str, list[Any]]) -> dict[str, np.ndarray[Any, Any]]:
    """Make arrays of JSON columns of numbers, null as NaN."""
    return {
        name: np.array(values, np.int64 if set(map(type, values)) == {int} else np.float64)
        for name, values in columns.items()
    }


def read(content: bytes) -> list[np.ndarray[Any, Any]]:
    """Read the columns of the one table of a file, trusting it."""
    with h5py.File(h5py.h5f.open_file_image(content)) as file:
        (group,) = file.values()
        records = group["table"][()]
    return [np.ascontiguousarray(column) for name in records.dtype.names for column in np.atleast_2d(records[name].T)]
