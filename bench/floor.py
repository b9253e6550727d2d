"""The floor: what a step cannot do without, each part by the best means known, in one process; their sum.

Nothing is checked here: no token, no limit, no sandbox, no schema, no content hash. A service that does all that
and is near this sum wastes nothing.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import orjson
import pandas as pd
import pybase64

from bench.rows import Rows
from bench.samples import Sample
from photseries.formats import json_arrays
from photseries.hdf5 import stored_file
from photseries.lightcurve.statistics import summarize

__all__ = ["Floor"]

Parts = dict[str, Callable[[], Any]]


class Floor:
    """The parts of every step, to be timed; the null handler's, which depends on the bytes alone, is not among them.

    Parameters
    ----------
    rows : Rows
    folder : Path
        On the disk of the store.
    """

    def __init__(self, rows: Rows, folder: Path) -> None:
        self._rows = rows
        self._folder = folder

    def parts(self, operation: str, sample: Sample, series_id: int) -> Parts:
        """Give the parts of a step; of a list, by the number in its name."""
        kind, _, word = operation.partition(" ")
        match kind:
            case "POST":
                decode, frame = (_json_parts if word == "json" else _hdf5_parts)(sample)
                summary: Parts = {"statistics": lambda: summarize(frame)}
                return {**decode, **summary, **self._kept(frame, sample, series_id)}
            case "GET":
                content = stored_file.encode(sample.frame, sample.metadata)
                path = self._folder / "stored.h5"
                path.write_bytes(content)
                select: Parts = {"SELECT": self._rows.one(series_id)}
                if word == "none":
                    return select
                reading: Parts = {"file read": path.read_bytes}
                if word == "hdf5":
                    return {**select, **reading, "base64": lambda: pybase64.b64encode(content)}
                columns = {name: np.ascontiguousarray(column) for name, column in sample.frame.items()}
                dump: Parts = {"JSON dump": lambda: orjson.dumps(columns, option=orjson.OPT_SERIALIZE_NUMPY)}
                return {**select, **reading, "HDF5 read": lambda: read(content), **dump}
            case "PATCH":
                stored = self.parts("GET json", sample, series_id)
                del stored["JSON dump"]
                return {**stored, **self._kept(sample.frame, sample, series_id)}
            case _:
                return {"SELECT": self._rows.page(int(word.removeprefix("of ")))}

    def _kept(self, frame: pd.DataFrame, sample: Sample, series_id: int) -> Parts:
        content = stored_file.encode(frame, sample.metadata)
        return {
            "encode": lambda: stored_file.encode(frame, sample.metadata),
            "MD5": lambda: hashlib.md5(content).digest(),
            "file": lambda: self._write(content),
            "commit": self._rows.commit(series_id),
        }

    def _write(self, content: bytes) -> None:
        """Write a file durably under a name that it has only when it is complete."""
        name = secrets.token_hex(8)
        partial = self._folder / f".{name}"
        with partial.open("wb", buffering=0) as file:
            file.write(content)
            os.fsync(file.fileno())
        partial.rename(self._folder / f"{name}.h5")
        folder = os.open(self._folder, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


def _json_parts(sample: Sample) -> tuple[Parts, pd.DataFrame]:
    body = sample.body("json")
    listed = orjson.loads(body)["data"]
    frame = pd.DataFrame(arrays(listed))
    # Straight from the text to arrays, where that is to be had; it leaves short bodies alone.
    if json_arrays.parse(body, sys.maxsize) is not None:
        return {"JSON to arrays": lambda: json_arrays.parse(body, sys.maxsize)}, frame
    return {"JSON parse": lambda: orjson.loads(body), "arrays": lambda: arrays(listed)}, frame


def _hdf5_parts(sample: Sample) -> tuple[Parts, pd.DataFrame]:
    body = sample.body("hdf5")
    text = orjson.loads(body)["data"]
    content = pybase64.b64decode(text)
    parts: Parts = {
        "JSON parse": lambda: orjson.loads(body),
        "base64": lambda: pybase64.b64decode(text, validate=True),
        "HDF5 read": lambda: read(content),
    }
    return parts, sample.frame


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
