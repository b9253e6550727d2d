"""Soak: 64 clients, mixed traffic, and the heavy requests of one more user; then every file is verified."""

import argparse
import asyncio
import base64
import collections
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

from bench.fairness import HeavyUser
from tests.support import TESS, RunningService, columns

CLIENTS = 64
MINUTE = 12  # looks at the memory
#: The largest memory of a minute may be so many times that of the fifth.
GROWTH = 1.03
HEAVY_ROWS = 2_000_000
#: What a client does next, with what weight.
MIX = {
    "post json": 20,
    "post hdf5": 3,
    "get none": 30,
    "get json": 15,
    "get hdf5": 10,
    "list": 10,
    "patch": 8,
    "delete": 4,
}
EXPECTED = {200, 404, 429, 503}  # 404: another client deleted it


class Soak:
    """The state of a run: what there is to read, what came back, how long it took."""

    def __init__(self, url, token):
        self.url = url
        self.headers = {"Authorization": f"token {token}"}
        self.ids = []
        self.number = 0
        self.seconds = collections.defaultdict(list)
        self.statuses = collections.Counter()
        self.unexpected = []
        self.tess = base64.b64encode(TESS.read_bytes()).decode()

    def request(self, what):
        """Give method, path, and body of a request."""
        one = random.choice(self.ids) if self.ids else 0
        path = f"/api/photometric_series/{one}"
        self.number += 1
        match what:
            case "post json":
                body = {
                    "obj_id": "star",
                    "instrument_id": 7,
                    "series_name": f"soak/{self.number % 50}",
                    "series_obj_id": self.number,
                    "ra": self.number % 360,
                    "dec": 1,
                    "exp_time": 1,
                    "filter": "ztfg",
                    "data": columns(1000, seed=self.number),
                }
                return "POST", "/api/photometric_series", body
            case "post hdf5":
                body = {"obj_id": "star", "instrument_id": 7, "data": self.tess, "channel": str(self.number)}
                return "POST", "/api/photometric_series", body
            case "get none" | "get json" | "get hdf5":
                return "GET", f"{path}?dataFormat={what.split()[1]}", None
            case "list":
                return (
                    "GET",
                    "/api/photometric_series?numPerPage=100&includeTotal=false&filter=ztfg&sortBy=mjd_last",
                    None,
                )
            case "patch":
                return "PATCH", path, {"altdata": {"n": self.number}}
            case "delete":
                return "DELETE", path, None

    async def client(self, until):
        """Be one client until the time has come."""
        async with httpx.AsyncClient(base_url=self.url, headers=self.headers, timeout=120) as http:
            while time.monotonic() < until:
                what = random.choices(list(MIX), list(MIX.values()))[0]
                method, path, body = self.request(what)
                started = time.monotonic()
                answer = await http.request(method, path, json=body)
                self.seconds[what].append(time.monotonic() - started)
                self.statuses[what, answer.status_code] += 1
                if answer.status_code not in EXPECTED:
                    self.unexpected.append((what, answer.status_code, answer.text[:300]))
                elif answer.status_code == 200 and method == "POST":
                    self.ids.append(answer.json()["data"]["id"])
                elif method == "DELETE":
                    self.ids = [known for known in self.ids if not path.endswith(f"/{known}")]

    async def run(self, minutes, pid):
        """Let all clients work; give the service's memory [MiB] every few seconds."""
        until = time.monotonic() + 60 * minutes
        clients = [asyncio.create_task(self.client(until)) for _ in range(CLIENTS)]
        memory = []
        while time.monotonic() < until:
            await asyncio.sleep(5)
            memory.append(resident(pid))
        await asyncio.gather(*clients)
        return memory


def resident(pid):
    """The resident memory of a process [MiB]."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def main(arguments):
    parser = argparse.ArgumentParser(prog="bench soak")
    parser.add_argument("--minutes", type=float, default=10)
    minutes = parser.parse_args(arguments).minutes
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "data"
        with RunningService(directory, log__level="warning") as service:
            with service.client() as admin:
                admin.post("/api/sources", json={"id": "star", "ra": 1, "dec": 1})
                admin.post("/api/instrument", json={"id": 7, "name": "TESS"})
            soak = Soak(service.url, service.token)
            with HeavyUser(service, HEAVY_ROWS) as heavy:
                memory = asyncio.run(soak.run(minutes, service.process.pid))
            print("| operation | requests | p50 [ms] | p95 [ms] | p99 [ms] | statuses |")
            print("| --- | --- | --- | --- | --- | --- |")
            for what, seconds in sorted(soak.seconds.items()):
                statuses = {status: count for (operation, status), count in soak.statuses.items() if operation == what}
                p50, p95, p99 = np.percentile(seconds, [50, 95, 99]) * 1000
                print(f"| {what} | {len(seconds)} | {p50:.0f} | {p95:.0f} | {p99:.0f} | {statuses} |")
            print(f"heavy requests of one more user: {heavy.answered} answered, {heavy.refused} refused")
            most = [max(memory[start : start + MINUTE]) for start in range(0, len(memory), MINUTE)]
            print(f"memory, the most in each minute: {' '.join(f'{one:.0f}' for one in most)} MiB")
            grown = max(most) / most[min(4, len(most) - 1)]
            print(f"the largest minute is {grown:.3f} of the fifth (or last), at most {GROWTH}")
            print(f"unexpected answers: {len(soak.unexpected)} {soak.unexpected[:3]}")
        command = [sys.executable, "-m", "photseries", "verify", "--data", str(directory)]
        verified = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        print(f"verify: exit {verified.returncode}: {verified.stdout.strip()}")
    return 1 if grown > GROWTH or soak.unexpected or verified.returncode else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
