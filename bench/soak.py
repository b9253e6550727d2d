"""Soak: 64 clients, mixed traffic, and the heavy requests of one more user; then every file is verified."""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import orjson

from bench.client import Connection, Request, percentiles
from bench.fairness import HeavyUser
from bench.processes import Tree
from bench.samples import PATH, create_references, make_sample, samples, single_request
from tests.support import RunningService

CLIENTS = 64
LOOK, MINUTE = 5.0, 12  # seconds between looks at the memory, looks in a minute
#: The largest memory of a minute may be so many times that of the fifth.
GROWTH = 1.03
#: What a client does next, with what weights.
KINDS = ("POST json", "POST hdf5", "GET none", "GET json", "GET hdf5", "list", "PATCH", "DELETE")
WEIGHTS = (20, 3, 30, 15, 10, 10, 8, 4)
EXPECTED = {200, 404, 429, 503}  # 404: another client has deleted it


class Soak:
    """The state of a run: which series exist, which answers came, how long they took."""

    def __init__(self, service: RunningService) -> None:
        self.service = service
        self.samples = {"json": make_sample("a", 1_000, 4), "hdf5": samples()["b"]}
        self.ids: list[int] = []
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.unexpected: list[tuple[str, int, bytes]] = []
        create_references(service, self.samples.values())

    def request(self, what: str, series_id: int) -> Request:
        """Return a request of a kind."""
        kind, _, word = what.partition(" ")
        match kind:
            case "POST":
                return self.samples[word].post(self.service.token, word)
            case "list":
                criteria = "numPerPage=100&includeTotal=false&filter=ztfg&sortBy=mjd_last"
                return Request("GET", f"{PATH}?{criteria}", self.service.token)
            case "DELETE":
                return Request("DELETE", f"{PATH}/{series_id}", self.service.token)
        return single_request(self.service, what, series_id)

    def client(self, until: float) -> None:
        """Be one client until the time has come."""
        with closing(Connection(self.service.url)) as connection:
            while time.monotonic() < until:
                what = random.choices(KINDS, WEIGHTS)[0]
                ids = self.ids  # deletions replace the list
                series_id = random.choice(ids) if ids else 0
                status, content, seconds = connection.exchange(self.request(what, series_id))
                self.seconds[what].append(seconds)
                self.statuses[what, status] += 1
                if status not in EXPECTED:
                    self.unexpected.append((what, status, content[:300]))
                elif what == "DELETE":
                    self.ids = [number for number in self.ids if number != series_id]
                elif status == 200 and what.startswith("POST"):
                    self.ids.append(orjson.loads(content)["data"]["id"])

    def run(self, minutes: float) -> list[float]:
        """Let all clients work; return the service's memory [MiB] every few seconds."""
        until, memory, tree = time.monotonic() + 60 * minutes, [], Tree(self.service.process.pid)
        with ThreadPoolExecutor(CLIENTS) as threads:
            clients = [threads.submit(self.client, until) for _ in range(CLIENTS)]
            while not memory or time.monotonic() < until:
                time.sleep(min(LOOK, 60 * minutes))
                memory.append(tree.proportional())
        for client in clients:
            client.result()
        return memory

    def report(self) -> None:
        """Print a row for each kind of request."""
        print("| operation | requests | p50 [ms] | p95 [ms] | p99 [ms] | statuses |\n|" + " --- |" * 6)
        for what, seconds in sorted(self.seconds.items()):
            statuses = {status: count for (kind, status), count in self.statuses.items() if kind == what}
            p50, p95, p99 = percentiles(seconds, (50, 95, 99))
            print(f"| {what} | {len(seconds)} | {p50:.0f} | {p95:.0f} | {p99:.0f} | {statuses} |")
        print(f"unexpected answers: {len(self.unexpected)} {self.unexpected[:3]}")


def main() -> int:
    """Run the bench; return 1 when the memory grew, an answer was unexpected, or a file does not match its row."""
    parser = argparse.ArgumentParser(prog="python -m bench soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--heavy-rows", type=int, default=2_000_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "data"
        with RunningService(directory, log__level="warning") as service:
            soak = Soak(service)
            with HeavyUser(service, options.heavy_rows) as heavy:
                memory = soak.run(options.minutes)
        soak.report()
        print(f"heavy requests by status: {dict(Counter(heavy.statuses))}")
        peaks = [max(memory[start : start + MINUTE]) for start in range(0, len(memory), MINUTE)]
        grown = max(peaks) / peaks[min(4, len(peaks) - 1)]
        print(f"memory, the most in each minute [MiB]: {' '.join(f'{limit:.0f}' for limit in peaks)}")
        print(f"the largest minute is {grown:.3f} of the fifth (or last), at most {GROWTH}")
        command = [sys.executable, "-m", "photseries", "verify", "--data", str(directory)]
        verified = subprocess.run(command, capture_output=True, text=True, cwd=folder)
        print(f"verify: exit {verified.returncode}: {verified.stdout.strip()}")
    return 1 if grown > GROWTH or soak.unexpected or verified.returncode else 0
