"""Exports of lists: 10,000 series of 1,000 x 4 as every export gives them, and as a client gets them by name.

The archive is filled with copies of a hundred series (the files of copies are links to one). All ways follow each
other, several times, and the best of each counts, so that the ratios are of one state of the machine. Small requests
beside the export of a list show what others notice of it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil

import photseries
from bench.download import fill, small
from bench.processes import Tree
from bench.rows import Rows
from bench.samples import made
from bench.service_report import table
from bench.world import PATH, furnish
from photseries.server.postgres.embedded import EmbeddedServer
from tests.support import RunningService

DIFFERENT = 100
FORMS = ("parquet", "arrow", "zip")


def main() -> None:
    """Run the bench with the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench lists", description=__doc__)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=2)
    options = parser.parse_args()
    kinds = [made(f"a{number}", 1_000 + number, 4) for number in range(DIFFERENT)]
    with tempfile.TemporaryDirectory(prefix="photseries-bench-") as name:
        directory = Path(name) / "data"
        with RunningService(directory) as service, EmbeddedServer(directory) as server:
            database = server.start()
            furnish(service, kinds)
            with Rows(database) as rows:
                one = fill(service, rows, kinds, options.series)
            print(_measured(service, options.series, options.rounds, one))


def _measured(service: RunningService, number: int, rounds: int, one: int) -> str:
    with photseries.Client(service.url, service.token) as client:
        ids = client.find()["id"].tolist()
        names = [f"copy {copy}" for copy in range(1, number // DIFFERENT)]
        ways: dict[str, Callable[[], object]] = {
            **{f"GET {form}": _taken(service, "GET", {"format": form}) for form in FORMS},
            **{f"POST {form}": _taken(service, "POST", {"format": form, "ids": ids}) for form in FORMS},
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
        beside = small(service, one, ways["POST arrow"])
    rows = [(way, f"{number / wall:.0f}", f"{cpu / number * 1000:.2f}") for way, (wall, cpu) in best.items()]
    peaks = f"{tree.resident('VmHWM'):.0f}, {psutil.Process().memory_info().rss / 2**20:.0f}"
    rows += [("small GET beside POST arrow: p50, p99 [ms]", beside, ""), ("memory of service, client [MiB]", peaks, "")]
    return "\n".join(table(("way", "series a second", "CPU of the service [ms a series]"), rows))


def _taken(service: RunningService, verb: str, asked: dict[str, object]) -> Callable[[], int]:
    """Return a call that takes an export and forgets it."""
    headers = {"Authorization": f"token {service.token}"}

    def take() -> int:
        more = {"params": asked} if verb == "GET" else {"json": asked}
        with httpx.stream(verb, f"{service.url}{PATH}/export", headers=headers, timeout=600, **more) as answer:
            answer.raise_for_status()
            return sum(map(len, answer.iter_raw()))

    return take


if __name__ == "__main__":
    main()
