"""How fast an archive is exported to HATS, and in how much memory.

Series of 1,000 rows, all over the sky, are stored and exported by the command, which is a process of its own: its time,
its processor time and its peak of memory, start included, and the same for the command once more, when it finds nothing
to do. Needs the environment that ``make test-hats`` makes: ``.venv-hats/bin/python -m bench export``.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from photseries.server import settings
from photseries.server.accounts import OPERATOR
from photseries.server.services import opened

SIZES = (1_000, 4_000)
ROWS = 1_000
SOURCES = 500


@dataclass(frozen=True)
class Cost:
    """Of a command: seconds, seconds of the processor, peak of memory [MiB]."""

    wall: float
    cpu: float
    memory: float


def main() -> None:
    """Run the bench with the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench export", description=__doc__)
    parser.add_argument("--series", type=int, nargs="+", default=list(SIZES), help="series in the archive, growing")
    parser.add_argument("--most", type=int, default=100_000, help="measurements in a partition")
    parser.add_argument("--rows", choices=["series", "source"], default="series", help="what the rows are")
    options = parser.parse_args()
    print("| series | wall [s] | CPU [s] | series a second | of CPU | peak [MiB] | nothing to do: CPU [s] | [MiB] |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(prefix="photseries-bench-") as name:
        folder, there = Path(name), 0
        for series in options.series:
            _fill(folder / "data", there, series)
            there = series
            words = [str(folder / f"export-{series}"), "--most", str(options.most), "--rows", options.rows]
            done, again = (_export(folder / "data", words) for _ in range(2))
            wall, cpu = done.wall - again.wall, done.cpu - again.cpu
            print(
                f"| {series:,} | {done.wall:.1f} | {done.cpu:.1f} | {series / wall:.0f} | {series / cpu:.0f} "
                f"| {done.memory:.0f} | {again.cpu:.1f} | {again.memory:.0f} |",
                flush=True,
            )


def _fill(directory: Path, begin: int, end: int) -> None:
    """Add series, some a source."""
    config = settings.load(None, {}, {"data.directory": str(directory), "log.level": "warning"})
    directory.mkdir(exist_ok=True)
    with opened(config) as services:
        if begin == 0:
            services.accounts.bootstrap(services.token_file)
            services.accounts.create(OPERATOR, "instrument", {"name": "camera", "id": 1})
        admin = services.accounts.authenticate(services.token_file.read_text().strip())
        for number in range(begin, end):
            rng = np.random.default_rng(number % SOURCES)
            ra, dec = rng.uniform(0, 360), float(np.degrees(np.arcsin(rng.uniform(-1, 1))))
            obj_id = f"star {number % SOURCES}"
            if number < SOURCES:
                services.accounts.create(OPERATOR, "sources", {"id": obj_id, "ra": ra, "dec": dec})
            flux = np.random.default_rng(number).normal(100, 5, ROWS)
            data = {"mjd": (59000 + np.arange(ROWS) / 720).tolist(), "flux": flux.tolist(), "fluxerr": [5.0] * ROWS}
            named = {"obj_id": obj_id, "instrument_id": 1, "series_name": "night", "series_obj_id": str(number)}
            services.archive.create(
                admin, {**named, "ra": ra, "dec": dec, "exp_time": 120, "filter": "ztfg", "data": data}
            )


def _export(directory: Path, words: list[str]) -> Cost:
    command = [sys.executable, "-m", "photseries", "export", "hats", *words, "--data", str(directory)]
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"the export ended with status {status}")
    return Cost(time.perf_counter() - begin, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


if __name__ == "__main__":
    main()
