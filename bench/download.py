"""Many series in one answer: how many a second, in how much memory, and what small requests notice of it.

An archive grows from size to size (the files of copies are links to one, so they come from memory), and every series of
it is taken out in each format by one client, while another one gets the metadata of single series. The memory is the
peak of the largest process of the service, which gives little of it back; the processor time that of all of them but
PostgreSQL's.
"""

from __future__ import annotations

import argparse
import http.client
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import orjson

from bench.client import Clients
from bench.processes import Tree
from bench.rows import Rows
from bench.samples import Sample, made, samples
from bench.service_report import table
from bench.world import PATH, furnish, one, post
from photseries.formats import EXPORTS
from photseries.server.postgres.embedded import EmbeddedServer
from tests.support import RunningService

SIZES = (200, 1_000, 4_000)
DIFFERENT = 100
PIECE = 2**20
ALONE = 1.0  # [s]
PAUSE = 0.01  # [s]


def main() -> None:
    """Run the bench with the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench download", description=__doc__)
    parser.add_argument("--series", type=int, nargs="+", default=list(SIZES), help="series in the archive, growing")
    parser.add_argument("--of", choices=["a", "b"], default="a", help="1,000 rows x 4, or the TESS file, 18,699 x 20")
    parser.add_argument("--clients", type=int, default=1, help="that take everything at once")
    parser.add_argument("--format", choices=list(EXPORTS), nargs="+", default=list(EXPORTS))
    options = parser.parse_args()
    # Copies of a hundred series, since those of one would compress as no real ones do; of TESS there is one file.
    kinds = [samples()["b"]] if options.of == "b" else [made(f"a{n}", 1_000 + n, 4) for n in range(DIFFERENT)]
    head = ("series", "format", "MB", "wall [s]", "series a second", "MB a second", "CPU a series [ms]", "peak [MiB]")
    print("\n".join(table((*head, "small GET alone: p50, p99 [ms]", "beside it"), [])))
    with tempfile.TemporaryDirectory(prefix="photseries-bench-") as name:
        directory, there = Path(name) / "data", 0
        with RunningService(directory) as service, EmbeddedServer(directory) as server:
            database = server.start()
            furnish(service, kinds)
            with Rows(database) as rows:
                for number in options.series:
                    first = fill(service, rows, kinds, number - there)
                    there = number
                    for form in options.format:
                        print(_line(service, number, form, first, options.clients), flush=True)


def fill(service: RunningService, rows: Rows, kinds: list[Sample], number: int) -> int:
    """Post each kind of series and make copies of it, so many in all; give the id of one."""
    series_id = 0
    with service.client() as admin:
        for place, sample in enumerate(kinds):
            count = len(range(place, number, len(kinds)))
            if count:
                with Clients(service.url, [post(service, sample, "hdf5")]) as clients:
                    series_id = orjson.loads(clients.once())["data"]["id"]
                rows.copy(series_id, count - 1)
                file = service.directory / "store" / admin.get(f"{PATH}/{series_id}").json()["data"]["filename"]
                for n in range(1, count):
                    os.link(file, f"{file}.{n}")
    return series_id


def _line(service: RunningService, number: int, form: str, series_id: int, clients: int) -> str:
    tree = Tree(service.process.pid)
    _taken(service, form, "&objectID=nowhere")  # what a format needs is imported by the first who asks for it
    alone = small(service, series_id, lambda: time.sleep(ALONE))
    tree.forget_peak()
    used, begin = tree.cpu(), time.perf_counter()
    size = wall = 0.0

    def take() -> None:
        nonlocal size, wall
        with ThreadPoolExecutor(clients) as threads:
            size = sum(threads.map(lambda _: _taken(service, form), range(clients)))
        wall = time.perf_counter() - begin

    beside = small(service, series_id, take)
    cpu, peak, done = tree.cpu() - used, tree.resident("VmHWM"), number * clients
    row = (
        *(f"{number:,}", form, f"{size / 1e6:,.1f}", f"{wall:.1f}", f"{done / wall:.0f}", f"{size / 1e6 / wall:.0f}"),
        *(f"{cpu / done * 1000:.1f}", f"{peak:.0f}", alone, beside),
    )
    return f"| {' | '.join(row)} |"


def small(service: RunningService, series_id: int, act: Callable[[], None]) -> str:
    """Get the metadata of a series again and again while something is done; give median and 99th percentile [ms]."""
    times: list[float] = []
    with Clients(service.url, [one(service, "GET none", series_id)]) as clients, ThreadPoolExecutor(1) as thread:
        doing = thread.submit(act)
        while not doing.done():
            begin = time.perf_counter()
            clients.once()
            times.append(time.perf_counter() - begin)
            time.sleep(PAUSE)
        doing.result()
    p50, p99 = (np.percentile(times, (50, 99)) * 1000).tolist()
    return f"{p50:.1f}, {p99:.1f}"


def _taken(service: RunningService, form: str, criteria: str = "") -> int:
    """Take all series that match and forget them; give the length."""
    address = urlsplit(service.url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    headers = {"Authorization": f"token {service.token}"}
    connection.request("GET", f"{PATH}/export?format={form}{criteria}", headers=headers)
    answer, size = connection.getresponse(), 0
    if answer.status != 200:
        raise SystemExit(f"answered {answer.status}: {answer.read()!r}")
    while piece := answer.read(PIECE):
        size += len(piece)
    connection.close()
    return size


if __name__ == "__main__":
    main()
