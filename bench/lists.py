"""Exports of lists: 10,000 series of 1,000 x 4 as every export gives them, and as a client gets them by name.

The archive is filled with copies of a hundred series (the files of copies are links to one). All ways follow each
other, several times, and the best of each counts, so that the ratios are of one state of the machine. Small requests
beside the export of a list show what others notice of it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import orjson
import psutil

import photseries
from bench.beside import Beside
from bench.client import Connection, Request, percentiles
from bench.processes import Tree
from bench.rows import Rows
from bench.samples import PATH, Sample, create_references, make_sample, posted, single_request
from photseries.server.postgres.embedded import EmbeddedServer
from tests.support import RunningService

__all__ = ["main"]

FORMS = ("parquet", "arrow", "zip")


def main() -> None:
    """Run the bench with the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench lists", description=__doc__)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--different", type=int, default=100)
    options = parser.parse_args()
    kinds = [make_sample(f"a{place}", 1_000 + place, 4) for place in range(options.different)]
    with (
        tempfile.TemporaryDirectory(prefix="photseries-bench-") as folder,
        RunningService(Path(folder) / "data") as service,
    ):
        create_references(service, kinds)
        series_id = _filled(service, kinds, options.series // options.different - 1)
        _compare(service, single_request(service, "GET none", series_id), options.rounds)


def _filled(service: RunningService, kinds: list[Sample], copies: int) -> int:
    """Post each kind of series, and make copies of it; return the id of one."""
    with (
        closing(Connection(service.url)) as connection,
        service.client() as admin,
        EmbeddedServer(service.directory) as server,
        Rows(server.start()) as rows,
    ):
        for sample in kinds:
            series_id = posted(service, connection, sample)
            rows.copy(series_id, copies)
            file = service.directory / "store" / admin.get(f"{PATH}/{series_id}").json()["data"]["filename"]
            for copy in range(1, copies + 1):
                os.link(file, f"{file}.{copy}")
        rows.cursor.execute("ANALYZE")
    return series_id


def _compare(service: RunningService, small: Request, rounds: int) -> None:
    with photseries.Client(service.url, service.token) as client, closing(Connection(service.url)) as connection:
        series = client.find()
        ids = series["id"].tolist()
        names = sorted({name for name in series["series_obj_id"] if name.startswith("copy")})

        def taken(request: Request) -> Callable[[], object]:
            return lambda: connection.require(request, keep=False)

        path, token = f"{PATH}/export", service.token
        bodies = {form: orjson.dumps({"format": form, "ids": ids}) for form in FORMS}
        ways: dict[str, Callable[[], object]] = {
            **{f"GET {form}": taken(Request("GET", f"{path}?format={form}", token)) for form in FORMS},
            **{f"POST {form}": taken(Request("POST", path, token, body)) for form, body in bodies.items()},
            "get_many(ids)": lambda: client.get_many(ids=ids, missing="raise"),
            "get_many(series_obj_ids)": lambda: client.get_many(series_obj_ids=names, missing="raise"),
        }
        tree, best = Tree(service.process.pid), {}
        for _ in range(rounds):
            for way, act in ways.items():
                used, begin = tree.cpu(), time.perf_counter()
                act()
                figure = (time.perf_counter() - begin, tree.cpu() - used)
                best[way] = min(best.get(way, figure), figure)
        with Beside(service, small, 0.01) as beside:
            ways["POST arrow"]()
    print("| way | series a second | CPU of the service [ms a series] |\n| --- | --- | --- |")
    for way, (wall, cpu) in best.items():
        print(f"| {way} | {len(ids) / wall:.0f} | {cpu / len(ids) * 1000:.2f} |")
    p50, p99 = percentiles(beside.times, (50, 99))
    print(f"small GET beside POST arrow: p50, p99 [ms]: {p50:.1f}, {p99:.1f}")
    print(f"memory of service, client [MiB]: {beside.memory:.0f}, {psutil.Process().memory_info().rss / 2**20:.0f}")
