"""The safe reader against pandas.HDFStore in a fork, on one file and in one run.

Both get the bytes of an upload and start a process for them: ours a confined child that answers through a pipe, the
other a bare fork that lets pandas read the file from memory and answers nothing at all. Reads alternate, so that both
see the same machine.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from bench.client import percentiles
from photseries.server import settings
from photseries.server.sandbox.pool import Sandbox
from tests.support import TESS, recipe_read

__all__ = ["main"]


def main() -> None:
    """Run the bench with the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench reader", description=__doc__)
    parser.add_argument("--file", type=Path, default=TESS)
    parser.add_argument("--repeats", type=int, default=200)
    options = parser.parse_args()
    content = options.file.read_bytes()
    with closing(Sandbox(settings.SandboxSettings(), settings.LimitSettings())) as sandbox:
        sandbox.start()
        ways: dict[str, Callable[[bytes], object]] = {
            "safe, in a new confined worker": sandbox.decode,
            "safe, in the worker of the last file": partial(sandbox.decode, owner=1),
            "pandas.HDFStore in a fork": read_carelessly,
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for name, read in options.repeats * list(ways.items()):
            begin = time.perf_counter()
            read(content)
            times[name].append(time.perf_counter() - begin)
        print(f"{options.file.name}, {len(content):,} bytes, {options.repeats} reads, missing: {sandbox.missing}")
    print("| reader | p50 [ms] | p95 [ms] |\n| --- | --- | --- |")
    for name, samples in times.items():
        p50, p95 = percentiles(samples, (50, 95))
        print(f"| {name} | {p50:.1f} | {p95:.1f} |")
    new, waiting, pandas = (percentiles(samples, (50,))[0] for samples in times.values())
    print(f"medians relative to the last: {new / pandas:.2f}, {waiting / pandas:.2f}")


def read_carelessly(content: bytes) -> None:
    """Read by pandas in a fork of this process."""
    child = os.fork()
    if child == 0:
        frame, metadata = recipe_read(content)
        os._exit(0 if len(frame) and metadata else 1)
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit("pandas could not read the file")
