"""What the bench of the service asks of it, and what must be there first."""

from __future__ import annotations

from collections.abc import Iterable

import orjson

from bench.client import MARK, Message, message
from bench.samples import Sample
from tests.support import RunningService

__all__ = ["PATH", "furnish", "listed", "one", "post"]

PATH = "/api/photometric_series"


def furnish(service: RunningService, samples: Iterable[Sample]) -> None:
    """Make the instrument and the sources of some series."""
    with service.client() as admin:
        admin.post("/api/instrument", json={"id": 1, "name": "TESS"}).raise_for_status()
        for obj_id in {sample.metadata["obj_id"] for sample in samples}:
            admin.post("/api/sources", json={"id": obj_id, "ra": 1, "dec": 1}).raise_for_status()


def post(service: RunningService, sample: Sample, container: str) -> Message:
    """Post a series, json or hdf5."""
    return message("POST", PATH, service.token, sample.body(container))


def one(service: RunningService, operation: str, series_id: int) -> Message:
    """Get one series, or change its metadata."""
    path = f"{PATH}/{series_id}"
    if operation == "PATCH":
        return message("PATCH", path, service.token, orjson.dumps({"altdata": {"number": MARK.decode()}}))
    return message("GET", f"{path}?dataFormat={operation.removeprefix('GET ')}", service.token)


def listed(service: RunningService, count: int) -> Message:
    """Get the first page of all series."""
    return message("GET", f"{PATH}?dataFormat=none&numPerPage={count}", service.token)
