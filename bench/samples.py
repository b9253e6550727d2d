"""The series that the bench of the service posts: a small one, a real one, a long one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pybase64

from bench.client import MARK
from photseries.fields import METADATA
from tests.support import TESS, recipe_read, recipe_write

__all__ = ["Sample", "made", "samples"]


@dataclass(frozen=True)
class Sample:
    """A series: its table and metadata, and the bodies of the POSTs that bring them as JSON and as HDF5."""

    name: str
    frame: pd.DataFrame
    metadata: dict[str, Any]
    json: bytes
    hdf5: bytes

    def body(self, container: str) -> bytes:
        """Give the body of a POST, json or hdf5."""
        return self.json if container == "json" else self.hdf5

    def of(self, obj_id: str) -> Sample:
        """Give the same series of another source."""
        old, new = orjson.dumps(self.metadata["obj_id"]), orjson.dumps(obj_id)
        json, hdf5 = (body.replace(old, new, 1) for body in (self.json, self.hdf5))
        return replace(self, metadata={**self.metadata, "obj_id": obj_id}, json=json, hdf5=hdf5)


def samples() -> dict[str, Sample]:
    """Make the series a (1,000 x 4), b (the TESS file, 18,699 x 20) and c (100,000 x 6) by their names."""
    content = TESS.read_bytes()
    real = _sample("b", *recipe_read(content), content, "B before the rest")
    return {"a": made("a", 1_000, 4), "b": real, "c": made("c", 100_000, 6)}


def made(name: str, rows: int, columns: int) -> Sample:
    """Make a series of float64 columns: times, fluxes and their errors, and others."""
    rng = np.random.default_rng(rows)
    frame = pd.DataFrame(rng.normal(100, 3, (rows, columns)), columns=[f"column{n}" for n in range(columns)])
    frame = frame.rename(columns={"column0": "mjd", "column1": "flux", "column2": "fluxerr"})
    frame["mjd"] = 59000 + np.arange(rows) / 4096
    frame["fluxerr"] = rng.uniform(2, 4, rows)
    names = {"series_name": "bench/night", "series_obj_id": name}
    metadata = {**names, "ra": 10.0, "dec": -20.0, "exp_time": 20.0, "filter": "ztfg"}
    return _sample(name, frame, metadata, recipe_write(frame, metadata), "C of the bench")


def _sample(name: str, frame: pd.DataFrame, metadata: dict[str, Any], content: bytes, obj_id: str) -> Sample:
    """Encode the bodies as clients do, columns by ``tolist``: a float32 gets the digits of a float64, NaN is null."""
    around = {"channel": MARK.decode(), "obj_id": obj_id, "instrument_id": 1}
    fields = {key: value for key, value in metadata.items() if key in METADATA}
    columns = {key: column.tolist() for key, column in frame.items()}
    return Sample(
        name,
        frame,
        {**fields, **around},
        orjson.dumps({**around, **fields, "data": columns}),
        orjson.dumps({**around, "data": pybase64.b64encode(content).decode()}),
    )
