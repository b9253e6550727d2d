"""Fairness: small requests of one user while another one has eight heavy requests under way, all the time.

The heavy ones are threads of the process that measures; they wait and read, which takes some hundredths of a processor.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import orjson
import pandas as pd

from bench.client import Clients, Connection, Message, message
from bench.figures import Fairness, Plan
from bench.samples import Sample
from bench.world import PATH, one, post
from tests.support import RunningService, recipe_write

__all__ = ["HeavyUser", "measure"]

POSITIONS = 10_000
QUIET_SHARE = 0.2


class HeavyUser:
    """A user with a long series, who repeats eight heavy requests: VOTables, positions, an analysis, an export.

    Parameters
    ----------
    service : RunningService
    rows : int
        Of the series.
    """

    def __init__(self, service: RunningService, rows: int) -> None:
        with service.client() as admin:
            user = _made(admin.post("/api/users", json={"username": "heavy"}))["id"]
            token = _made(admin.post("/api/tokens", json={"user_id": user, "permissions": ["Upload data"]}))["token"]
            admin.post("/api/sources", json={"id": "heavy", "ra": 1, "dec": 1}).raise_for_status()
            instrument = _made(admin.post("/api/instrument", json={"name": "heavy"}))["id"]
        noise = np.random.default_rng(rows)
        frame = pd.DataFrame({"mjd": 59000 + np.arange(rows) / 1440, "flux": noise.normal(100, 5, rows)})
        frame["fluxerr"] = noise.uniform(1, 2, rows)
        fields = {
            "obj_id": "heavy", "instrument_id": instrument, "series_name": "heavy", "series_obj_id": "1", "ra": 1,
            "dec": 1, "exp_time": 20, "filter": "ztfg",
        }  # fmt: skip
        kind = {"Content-Type": "application/x-hdf5"}
        with service.client(token) as owner:
            posted = owner.post(PATH, params=fields, content=recipe_write(frame, {}), headers=kind)
        path = f"{PATH}/{_made(posted)['id']}"
        places = np.column_stack([noise.uniform(0, 360, POSITIONS), noise.uniform(-90, 90, POSITIONS)]).tolist()
        around = message("POST", f"{PATH}/query", token, orjson.dumps({"positions": places, "radius": 1}))
        table = message("GET", f"{path}/data?format=votable", token)
        periodogram = message("GET", f"{path}/periodogram", token)
        export = message("GET", f"{PATH}/export", token)
        self._requests = [table, table, table, around, around, around, periodogram, export]
        self._connections = [Connection(service.url) for _ in self._requests]
        self._lock = threading.Lock()
        self._over = threading.Event()
        self.answered = self.refused = 0

    def __enter__(self) -> HeavyUser:
        self._begin = time.perf_counter()
        self._threads = ThreadPoolExecutor(len(self._requests))
        pairs = zip(self._connections, self._requests, strict=True)
        self._futures = [self._threads.submit(self._repeat, *pair) for pair in pairs]
        return self

    def _repeat(self, connection: Connection, request: Message) -> None:
        try:
            while not self._over.is_set():
                is_answered = connection.exchange(request, keep=False).status == 200
                with self._lock:
                    self.answered += is_answered
                    self.refused += not is_answered
        except (ConnectionError, OSError, ValueError):
            if not self._over.is_set():
                raise

    def __exit__(self, *_: object) -> None:
        """Leave in the middle of everything."""
        self.elapsed = time.perf_counter() - self._begin
        self._over.set()
        for connection in self._connections:
            connection.close()
        for future in self._futures:
            future.result()
        self._threads.shutdown()


def _made(answer: httpx.Response) -> dict[str, Any]:
    data: dict[str, Any] = answer.raise_for_status().json()["data"]
    return data


def measure(directory: Path, small: Sample, plan: Plan) -> Fairness:
    """Post a small series and ask for it, alone and beside the heavy requests of another user."""
    with RunningService(directory) as service:
        with Clients(service.url, [post(service, small, "hdf5")]) as clients:
            series_id = orjson.loads(clients.once())["data"]["id"]
        heavy = HeavyUser(service, plan.heavy_rows)
        with Clients(service.url, [one(service, "GET none", series_id)]) as client:
            quiet = _milliseconds(client, int(plan.tries * QUIET_SHARE), plan.patience)
            with heavy:
                time.sleep(plan.ramp)
                times = _milliseconds(client, plan.tries, plan.patience)
    p50, p95 = np.percentile(times, (50, 95)).tolist()
    quiet_p50, quiet_p95 = np.percentile(quiet, (50, 95)).tolist()
    rate = heavy.answered / heavy.elapsed
    return Fairness(len(times), p50, p95, max(times), quiet_p50, quiet_p95, rate, heavy.refused)


def _milliseconds(client: Clients, tries: int, patience: float) -> list[float]:
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < tries and time.perf_counter() - begin < patience:
        start = time.perf_counter()
        client.once()
        times.append((time.perf_counter() - start) * 1000)
    return times
