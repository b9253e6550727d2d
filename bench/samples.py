"""The series that benches post, and what must exist before: a small series, a real one, a long one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pybase64

from bench.client import MARK, Connection, Request
from photseries.fields import METADATA
from tests.support import TESS, RunningService, recipe_read, recipe_write

__all__ = ["PATH", "Sample", "create_references", "make_sample", "posted", "samples", "single_request"]

PATH = "/api/photometric_series"


@dataclass(frozen=True)
class Sample:
    """A series: its table and metadata, and the bodies of the POSTs that bring them as JSON and as HDF5."""

    name: str
    frame: pd.DataFrame
    metadata: dict[str, Any]
    json: bytes
    hdf5: bytes

    def post(self, token: str, container: str = "hdf5") -> Request:
        """Return the request that posts the series, as json or hdf5."""
        return Request("POST", PATH, token, self.json if container == "json" else self.hdf5)


def samples() -> dict[str, Sample]:
    """Make the series a (1,000 x 4), b (the TESS file, 18,699 x 20) and c (100,000 x 6) by their names."""
    content = TESS.read_bytes()
    frame, metadata = recipe_read(content)
    real = _sample("b", frame, metadata, content, "B before the rest")
    return {"a": make_sample("a", 1_000, 4), "b": real, "c": make_sample("c", 100_000, 6)}


def make_sample(name: str, rows: int, columns: int) -> Sample:
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
    json = orjson.dumps({**around, **fields, "data": columns})
    hdf5 = orjson.dumps({**around, "data": pybase64.b64encode(content).decode()})
    return Sample(name, frame, {**fields, **around}, json, hdf5)


def create_references(service: RunningService, samples: Iterable[Sample]) -> None:
    """Create the instrument and the sources of some series, where the series are."""
    with service.client() as admin:
        admin.post("/api/instrument", json={"id": 1, "name": "TESS"}).raise_for_status()
        for about in {sample.metadata["obj_id"]: sample.metadata for sample in samples}.values():
            source = {"id": about["obj_id"], "ra": about["ra"], "dec": about["dec"]}
            admin.post("/api/sources", json=source).raise_for_status()


def posted(service: RunningService, connection: Connection, sample: Sample) -> int:
    """Post a series as HDF5; return its id."""
    return int(orjson.loads(connection.require(sample.post(service.token))[0])["data"]["id"])


def single_request(service: RunningService, operation: str, series_id: int) -> Request:
    """Return the request that gets one series, or changes its metadata."""
    path = f"{PATH}/{series_id}"
    if operation == "PATCH":
        return Request("PATCH", path, service.token, orjson.dumps({"altdata": {"number": MARK.decode()}}))
    return Request("GET", f"{path}?dataFormat={operation.removeprefix('GET ')}", service.token)
