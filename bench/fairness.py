"""Fairness: small requests of one user while another one has eight heavy requests under way, all the time.

The heavy ones are threads of the process that measures; they wait and read, which takes some hundredths of a processor.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Self

import numpy as np
import orjson
import pandas as pd

import photseries
from bench.beside import Beside
from bench.client import Connection, Request, percentiles
from bench.samples import PATH, create_references, make_sample, posted, single_request
from bench.service import judged
from tests.support import RunningService

__all__ = ["HeavyUser", "main"]

POSITIONS = 10_000
MAX_P95 = 500.0  # at most, of a small request [ms]


class HeavyUser:
    """A user with a long series, who repeats eight heavy requests: VOTables, positions, an analysis, an export.

    Parameters
    ----------
    service : RunningService
    rows : int
        Of the series.
    """

    def __init__(self, service: RunningService, rows: int) -> None:
        with photseries.Client(service.url, service.token) as admin, service.client() as http:
            user = admin.create("users", username="heavy")
            body = {"user_id": user, "permissions": ["Upload data"]}
            token = http.post("/api/tokens", json=body).raise_for_status().json()["data"]["token"]
            admin.create("sources", id="heavy", ra=1, dec=1)
            instrument = admin.create("instrument", name="heavy")
        noise = np.random.default_rng(rows)
        table = {"mjd": 59000 + np.arange(rows) / 1440, "flux": noise.normal(100, 5, rows)}
        frame = pd.DataFrame({**table, "fluxerr": noise.uniform(1, 2, rows)})
        with photseries.Client(service.url, token) as owner:
            uploaded = owner.upload(
                frame, obj_id="heavy", instrument_id=instrument, series_name="heavy", series_obj_id="1", ra=1, dec=1,
                exp_time=20, filter="ztfg",
            )  # fmt: skip
        path = f"{PATH}/{uploaded.id}"
        places = np.column_stack([noise.uniform(0, 360, POSITIONS), noise.uniform(-90, 90, POSITIONS)]).tolist()
        around = Request("POST", f"{PATH}/query", token, orjson.dumps({"positions": places, "radius": 1}))
        votable = Request("GET", f"{path}/data?format=votable", token)
        periodogram, export = Request("GET", f"{path}/periodogram", token), Request("GET", f"{PATH}/export", token)
        self._url = service.url
        self._requests = [votable] * 3 + [around] * 3 + [periodogram, export]
        self._threads = ThreadPoolExecutor(len(self._requests))
        self._over = threading.Event()
        self.statuses: list[int] = []

    def _repeat(self, request: Request) -> None:
        with closing(Connection(self._url)) as connection:
            while not self._over.is_set():
                self.statuses.append(connection.exchange(request, keep=False)[0])

    def __enter__(self) -> Self:
        self._futures = [self._threads.submit(self._repeat, request) for request in self._requests]
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for future in self._futures:
            future.result()
        self._threads.shutdown()


def main() -> None:
    """Run the bench with the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench fairness", description=__doc__)
    parser.add_argument("--seconds", type=float, default=45.0)
    parser.add_argument("--rows", type=int, default=2_000_000, help="of the heavy user's series")
    options = parser.parse_args()
    sample = make_sample("a", 1_000, 4)
    with (
        tempfile.TemporaryDirectory(prefix="photseries-bench-") as folder,
        RunningService(Path(folder) / "data") as service,
        closing(Connection(service.url)) as connection,
    ):
        create_references(service, [sample])
        small = single_request(service, "GET none", posted(service, connection, sample))
        heavy = HeavyUser(service, options.rows)
        with Beside(service, small, 0) as alone:
            time.sleep(options.seconds / 5)
        with heavy, Beside(service, small, 0) as beside:
            time.sleep(options.seconds)
    print("| small requests | tries | p50 [ms] | p95 [ms] | longest [ms] |\n| --- | --- | --- | --- | --- |")
    for name, user, max_p95 in (("alone", alone, 0.0), ("beside heavy requests", beside, MAX_P95)):
        p50, p95, longest = percentiles(user.times, (50, 95, 100))
        print(f"| {name} | {len(user.times):,} | {p50:.1f} | {judged(p95, max_p95)} | {longest:.1f} |")
    print(f"heavy requests by status: {dict(Counter(heavy.statuses))}")
