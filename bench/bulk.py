"""Bulk: a folder of light curves goes up by `photseries upload`, and a long one comes down by the Python client.

The floor of an upload is what nobody can leave out: to read the table of each file, its statistics, the stored file and
its MD5, each by the best means known, on all cores at once. Client, service and PostgreSQL share the same cores. A get
is compared with one HTTP GET of the same fields and table over a bare socket, and their decoding.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pybase64

import photseries
from bench.client import MARK, Connection
from bench.floor import read
from bench.processes import Tree, timed
from bench.samples import Sample, made
from bench.world import furnish, one
from photseries.hdf5 import stored_file
from photseries.lightcurve.statistics import summarize
from tests.support import TESS, RunningService

__all__ = ["Bulk", "main", "measure", "run", "text"]

LEAST = 0.70  # of the floor
MOST = 1.5  # of a bare GET
SECONDS = 1.0  # for each part of the floor
GETS = 25
LOOKS = 40  # at the client's memory
SHOWN = 5  # of them, in the report


@dataclass
class Bulk:
    """What a run is of, and what it found: CPU [ms a series], the client's memory [s, MiB], gets [ms]."""

    series: int
    rows: int
    seconds: float = 0.0
    cpu: dict[str, float] = field(default_factory=dict)
    floor: dict[str, float] = field(default_factory=dict)
    memory: list[tuple[float, float]] = field(default_factory=list)
    gets: dict[str, float] = field(default_factory=dict)
    cores: int = len(os.sched_getaffinity(0))
    load: float = 0.0

    @property
    def rate(self) -> float:
        """Series a second."""
        return self.series / self.seconds

    @property
    def share(self) -> float:
        """The processor time of the floor, of all that was used: what a busy machine changes little."""
        return sum(self.floor.values()) / sum(self.cpu.values())

    @property
    def best(self) -> float:
        """Series a second at the floor."""
        return self.cores / sum(self.floor.values()) * 1000


def main() -> None:
    """Run the bench with the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench bulk", description=__doc__)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--out", type=Path, default=Path("bench/results/bulk"), help="where .md and .json go")
    parser.add_argument("more", nargs="*", help="options of photseries upload, after --")
    options = parser.parse_args()
    found = run(Bulk(options.series, options.rows), options.more)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.with_suffix(".json").write_bytes(orjson.dumps(dataclasses.asdict(found), option=orjson.OPT_INDENT_2))
    options.out.with_suffix(".md").write_text(text(found), "utf-8")
    print(text(found))


def run(bulk: Bulk, more: list[str]) -> Bulk:
    """Start a service, and measure."""
    with tempfile.TemporaryDirectory(prefix="photseries-bulk-") as temporary:
        directory = Path(temporary) / "data"
        with RunningService(directory, log__level="warning") as service:
            postmaster = directory / "postgres" / "cluster" / "data" / "postmaster.pid"
            return measure(bulk, service, {"PostgreSQL": Tree(int(postmaster.read_text().split()[0]))}, more)


def measure(bulk: Bulk, service: RunningService, others: Mapping[str, Tree], more: list[str]) -> Bulk:
    """Make the files, send them, see that they are there, get a series, and measure the floor."""
    sample = made("a", bulk.rows, 4)
    folder = service.directory.parent / "curves"
    folder.mkdir()
    for number, content in enumerate(_files(bulk, sample)):
        (folder / f"{number:06d}.h5").write_bytes(content)
    with service.client() as admin:
        furnish(service, [sample])
        _send(bulk, folder, service, {"service": Tree(service.process.pid), **others}, more)
        there = admin.get("/api/photometric_series?numPerPage=1").json()["data"]["totalMatches"]
        if there != bulk.series:
            raise RuntimeError(f"{there} series are there, of {bulk.series}")
    bulk.gets = _gets(service)
    blob = next(_files(bulk, sample))
    parts = {
        "decode": lambda: read(blob),
        "statistics": lambda: summarize(sample.frame),
        "encode": lambda: stored_file.encode(sample.frame, sample.metadata),
        "MD5": lambda: hashlib.md5(blob).digest(),
    }
    bulk.floor = {name: timed(act, SECONDS).cpu for name, act in parts.items()}
    return bulk


def _files(bulk: Bulk, sample: Sample) -> Iterator[bytes]:
    """Write light curves as a pipeline does, each with its metadata."""
    known = {name: value for name, value in sample.metadata.items() if value != MARK.decode()}
    for number in range(bulk.series):
        frame = sample.frame.assign(flux=sample.frame["flux"] + number / 1000)
        yield stored_file.encode(frame, {**known, "series_obj_id": f"{number:06d}"})


def _send(bulk: Bulk, folder: Path, service: RunningService, trees: Mapping[str, Tree], more: list[str]) -> None:
    """Upload the folder as its user does, and look at the client's memory meanwhile."""
    command = [sys.executable, "-m", "photseries", "upload", str(folder), *more]
    environment = {**os.environ, "PHOTSERIES_URL": service.url, "PHOTSERIES_TOKEN": service.token}
    bulk.load = os.getloadavg()[0]
    before = {name: tree.cpu() for name, tree in trees.items()}
    others, pause = _ended(), max(0.2, bulk.series / 100 / LOOKS)
    log = folder.parent / "upload.log"
    began = time.perf_counter()
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out, env=environment) as sent:
        client = Tree(sent.pid)
        while True:
            try:
                code = sent.wait(pause)
                break
            except subprocess.TimeoutExpired:
                bulk.memory.append((time.perf_counter() - began, client.proportional()))
    bulk.seconds = time.perf_counter() - began
    if code:
        raise RuntimeError(f"photseries upload ended with {code}: {log.read_text()[-2000:]}")
    used = {"client": _ended() - others, **{name: tree.cpu() - before[name] for name, tree in trees.items()}}
    bulk.cpu = {name: seconds / bulk.series * 1000 for name, seconds in used.items()}


def _gets(service: RunningService) -> dict[str, float]:
    """Get the fields and the table of the TESS file by the client, and by a socket and the decoders alone, in turns."""
    with photseries.Client(service.url, service.token) as client, closing(Connection(service.url)) as bare:
        client.create("sources", id="B", ra=1, dec=1)
        number = client.upload(TESS, obj_id="B", instrument_id=1).id or 0
        request = one(service, "GET hdf5", number)

        def by_hand() -> Any:
            fields = orjson.loads(bare.exchange(request).body)["data"]
            return fields, stored_file.decode(pybase64.b64decode(fields.pop("data")))

        ways: dict[str, Callable[[], Any]] = {"client": lambda: client.get(number).data, "bare": by_hand}
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(GETS):
            for name, act in ways.items():
                times[name].append(timed(act, 0, 1).wall)
    return {name: statistics.median(several) for name, several in times.items()}


def _ended() -> float:
    """Give the processor seconds of all children that have ended."""
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def text(found: Bulk) -> str:
    """Write what was found as Markdown."""
    share, overhead = found.rate / found.best, found.gets["client"] / found.gets["bare"]
    looks = found.memory[:: max(1, len(found.memory) // SHOWN)]
    rows = [
        ("series of so many rows", f"{found.series:,} of {found.rows:,}"),
        ("cores; load before", f"{found.cores}; {found.load:.1f}"),
        ("uploaded [series / s]", f"{found.rate:.1f}"),
        ("the floor [series / s]", f"{found.best:.1f}"),
        (f"share of the floor (at least {LEAST:.0%})", f"{share:.0%}" if share >= LEAST else f"**{share:.0%}**"),
        ("the floor's CPU, of all CPU", f"{found.share:.0%}"),
        *((f"CPU: {name} [ms a series]", f"{spent:.2f}") for name, spent in found.cpu.items()),
        *((f"floor: {name} [ms a series]", f"{spent:.2f}") for name, spent in found.floor.items()),
        ("memory of the client [MiB]", ", ".join(f"{size:.0f} after {when:.0f} s" for when, size in looks)),
        *((f"get of series b, {name} [ms]", f"{spent:.1f}") for name, spent in found.gets.items()),
        (f"client / bare (at most {MOST})", f"{overhead:.2f}" if overhead <= MOST else f"**{overhead:.2f}**"),
    ]
    return "\n".join(["| bulk upload | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)]) + "\n"


if __name__ == "__main__":
    main()
