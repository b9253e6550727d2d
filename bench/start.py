"""The start of a service on a warm data directory, its memory at rest, and what one upload takes beyond that."""

from __future__ import annotations

import time
from pathlib import Path

from bench.client import Connection, message
from bench.figures import Plan, Start, Upload
from bench.processes import Tree
from bench.samples import Sample
from tests.support import RunningService

__all__ = ["measure"]

SETTLING = 0.5  # [s]


def measure(directory: Path, sample: Sample, plan: Plan) -> Start:
    """Start a service several times; the first ones get an upload each, as their second request."""
    found = Start()
    uploads = ["json", "hdf5"][: plan.starts]
    for number in range(plan.starts):
        begin = time.perf_counter()
        with RunningService(directory) as service:
            found.ready.append(time.perf_counter() - begin)
            connection = Connection(service.url)
            connection.exchange(message("GET", "/api/photometric_series?numPerPage=1", service.token))
            found.answer.append(time.perf_counter() - begin)
            time.sleep(SETTLING)
            found.rest.append(Tree(service.process.pid).resident())
            for container in uploads[number : number + 1]:
                found.uploads[f"POST {container}"] = _uploaded(service, connection, sample.body(container))
            connection.close()
    return found


def _uploaded(service: RunningService, connection: Connection, body: bytes) -> Upload:
    tree = Tree(service.process.pid)
    rest, proportional = tree.resident(), tree.proportional()
    tree.forget_peak()
    with tree.watched() as samples:
        answer = connection.exchange(message("POST", "/api/photometric_series", service.token, body))
    if answer.status != 200:
        raise RuntimeError(f"answered {answer.status}: {answer.body[:500]!r}")
    return Upload(len(body), tree.resident("VmHWM") - rest, max(samples) - proportional)
