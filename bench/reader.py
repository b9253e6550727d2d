"""The safe reader against pandas.HDFStore in a fork, on one file and in one run: ``python -m bench reader``.

Both are given the bytes of an upload and leave a process for it: ours its locked child, with the layers of the sandbox
put on and the answer through a pipe; the other a bare fork that lets pandas read the file from memory and answers
nothing at all. Reads alternate, so that both see the same machine.
"""

import argparse
import os
import secrets
import statistics
import sys
import time
from pathlib import Path

import pandas as pd

from photseries.server import settings
from photseries.server.sandbox.pool import Sandbox

TESS = Path(__file__).parent.parent / "tests/data/TESS_photometric_series1.h5"


def careless(blob):
    """Read by pandas in a fork of this process."""
    child = os.fork()
    if child == 0:
        with pd.HDFStore(
            secrets.token_hex(8), mode="r", driver="H5FD_CORE", driver_core_image=blob, driver_core_backing_store=0
        ) as store:
            (key,) = store.keys()
            frame, metadata = store[key], store.get_storer(key).attrs.metadata
        os._exit(0 if len(frame) and metadata else 1)
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit("pandas could not read the file")


def timed(read, blob):
    begin = time.perf_counter()
    read(blob)
    return (time.perf_counter() - begin) * 1000


def main(arguments):
    parser = argparse.ArgumentParser(prog="python -m bench reader")
    parser.add_argument("--file", type=Path, default=TESS)
    parser.add_argument("--repeats", type=int, default=200)
    options = parser.parse_args(arguments)
    blob = options.file.read_bytes()
    sandbox = Sandbox(settings.Sandbox(), settings.Limits())
    sandbox.start()
    try:
        safe, fast = [], []
        for _ in range(options.repeats):
            safe.append(timed(lambda content: sandbox.decode(content), blob))
            fast.append(timed(careless, blob))
    finally:
        sandbox.close()
    print(f"{options.file.name}, {len(blob):,} bytes, {options.repeats} reads each, layers missing: {sandbox.missing}")
    print("| reader | p50 [ms] | p95 [ms] |")
    print("| --- | --- | --- |")
    for name, times in (("safe, in its locked worker", safe), ("pandas.HDFStore in a fork", fast)):
        print(f"| {name} | {statistics.median(times):.1f} | {statistics.quantiles(times, n=20)[-1]:.1f} |")
    print(f"ratio of the medians {statistics.median(safe) / statistics.median(fast):.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
