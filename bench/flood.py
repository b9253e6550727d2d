"""Flood: many uploads of the largest size at once; what was answered 200 is there, and memory stays within bounds."""

import argparse
import asyncio
import base64
import collections
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx
import numpy as np
import orjson
import pandas as pd
import psutil

from tests.support import RunningService, recipe_write

MIB = 1024 * 1024
LIMIT = 16 * MIB
UPLOADS = 200
#: How often a client comes back after a 503.
TRIES = 200


def bodies():
    """Two bodies just below the limit: JSON columns, and an HDF5 file; with a place to write a channel into."""
    noise = np.random.default_rng(7)
    rows = 290_000
    frame = pd.DataFrame({"mjd": 59000 + np.arange(rows) / 1440, "flux": noise.normal(100, 5, rows)})
    frame["fluxerr"] = noise.uniform(1, 2, rows)
    fields = {
        "obj_id": "star",
        "instrument_id": 7,
        "series_name": "flood",
        "series_obj_id": 1,
        "ra": 1,
        "dec": 1,
        "exp_time": 1,
        "filter": "ztfg",
        "channel": "########",
    }
    columns = {name: column.to_numpy() for name, column in frame.items()}
    as_json = orjson.dumps({**fields, "data": columns}, option=orjson.OPT_SERIALIZE_NUMPY)
    long = pd.concat([frame] * 2, ignore_index=True).iloc[: int(LIMIT * 0.72 / 32)]
    as_hdf5 = orjson.dumps({**fields, "data": base64.b64encode(recipe_write(long, {})).decode()})
    for body in (as_json, as_hdf5):
        if not 0.75 * LIMIT < len(body) <= LIMIT:
            raise SystemExit(f"a body of {len(body):,} bytes does not fit the limit")
    return {"json": (as_json, len(frame)), "hdf5": (as_hdf5, len(long))}


async def upload(http, number, body, outcomes):
    """Post until it is taken; give the id."""
    content = body.replace(b"########", f"{number:08d}".encode())
    for _ in range(TRIES):
        answer = await http.post("/api/photometric_series", content=content)
        outcomes[answer.status_code] += 1
        if answer.status_code != 503:
            return answer.json()["data"]["id"] if answer.status_code == 200 else answer.text
        await asyncio.sleep(float(answer.headers["Retry-After"]))
    return None


async def watched(process, peaks):
    """Note the most memory that the service and its workers hold together, PostgreSQL apart."""
    while True:
        held = collections.Counter()
        for one in (process, *process.children(recursive=True)):
            try:
                name = one.name()
                shared = one.memory_full_info()
                held["postgres" if name.startswith("postgres") else "service"] += shared.pss
            except psutil.Error:
                continue
        peaks.append(held["service"])
        await asyncio.sleep(0.5)


async def flood(service, made, peaks, outcomes):
    headers = {"Authorization": f"token {service.token}"}
    limits = httpx.Limits(max_connections=UPLOADS)
    async with httpx.AsyncClient(base_url=service.url, headers=headers, timeout=600, limits=limits) as http:
        watcher = asyncio.create_task(watched(psutil.Process(service.process.pid), peaks))
        kinds = list(made)
        tasks = [upload(http, number, made[kinds[number % 2]][0], outcomes) for number in range(UPLOADS)]
        ids = await asyncio.gather(*tasks)
        watcher.cancel()
        lost = []
        for number, series in enumerate(ids):
            answer = await http.get(f"/api/photometric_series/{series}?dataFormat=none")
            if answer.status_code != 200 or answer.json()["data"]["num_exp"] != made[kinds[number % 2]][1]:
                lost.append(series)
    return ids, lost


def main(arguments):
    argparse.ArgumentParser(prog="python -m bench flood", description=__doc__).parse_args(arguments)
    made, peaks, outcomes = bodies(), [], collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "data"
        limits = {"server__max_body": LIMIT, "server__spool_memory": 256 * MIB, "server__spool_disk": 2048 * MIB}
        with RunningService(directory, log__level="warning", **limits) as service:
            with service.client() as admin:
                admin.post("/api/sources", json={"id": "star", "ra": 1, "dec": 1})
                admin.post("/api/instrument", json={"id": 7, "name": "camera"})
            rest = psutil.Process(service.process.pid).memory_info().rss
            ids, lost = asyncio.run(flood(service, made, peaks, outcomes))
        command = [sys.executable, "-m", "photseries", "verify", "--data", str(directory)]
        verified = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    sizes = ", ".join(f"{name} {len(body) / MIB:.1f} MiB" for name, (body, _) in made.items())
    print(f"{UPLOADS} uploads at once ({sizes}); limit {LIMIT / MIB:.0f} MiB; spool in memory 256 MiB, on disk 2 GiB")
    print(f"answers: {dict(outcomes)}; stored: {sum(type(one) is int for one in ids)}; lost: {len(lost)} {lost[:3]}")
    print(f"service and workers: {rest / MIB:.0f} MiB at rest, {max(peaks) / MIB:.0f} MiB at most")
    print(f"verify: exit {verified.returncode}: {verified.stdout.strip()}")
    return 1 if lost or verified.returncode else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
