"""Feed mutated files to the reader for some minutes: ``make fuzz MINUTES=5``.

A refusal is right, and so is a table that can be stored. The death of a worker is contained, and counted. Anything
else (another exception, a worker killed for its time) is a failure: its file is kept as a test.
"""

import argparse
import contextlib
import hashlib
import random
import secrets
import time
from collections import Counter

from photseries.errors import InvalidError, UnreadableFileError
from photseries.hdf5 import stored_file
from photseries.lightcurve.statistics import summarize
from photseries.lightcurve.table import validate
from photseries.server import settings
from photseries.server.sandbox.pool import Sandbox
from tests.hostile.cases import good, some_frame, written
from tests.hostile.damage import SEEDS
from tests.hostile.mutate import mutated
from tests.support import TESS, recipe_read

LIMITS = settings.LimitSettings()
DEADLINE = 5.0


def good_files():
    """Files of every layout, most of them small: mutations then hit structure."""
    return [
        good({"origin": "x", "altdata": {"a": [1, 2.5]}}),
        written(some_frame(300), {}, complib="zlib", complevel=1, fletcher32=True),
        written(some_frame(300), {}, complib="blosc:lz4", complevel=5),
        written(some_frame(300), {}, complib="bzip2", complevel=5),
        written(some_frame(50), {}, data_columns=True, index=True),
        stored_file.encode(some_frame(20), {"origin": "x"}),
        written(recipe_read(TESS.read_bytes())[0].head(30), {}),
    ]


def outcome(sandbox, blob):
    """Say what becomes of a file; an exception that is no refusal comes through."""
    try:
        decoded = sandbox.decode(blob)
    except UnreadableFileError as error:
        if "ended its reader" in error.message:
            return "death"
        return "late" if "took" in error.message else "refused"
    with contextlib.suppress(InvalidError):
        validate(decoded.frame, LIMITS)
        summarize(decoded.frame, detection_threshold=3.0)
        stored = stored_file.encode(decoded.frame, decoded.metadata)
        assert len(stored_file.decode(stored).frame) == len(decoded.frame)
        return "stored"
    return "refused"


def main():
    """Run for a while and print what was seen; the exit status is 1 after a failure."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("minutes", type=float)
    parser.add_argument("--seed", default=secrets.token_hex(4))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    draw, seen = random.Random(options.seed), Counter()  # noqa: S311
    files = good_files()
    sandbox = Sandbox(settings.SandboxSettings(deadline=DEADLINE, cpu=3), LIMITS)
    sandbox.start()
    try:
        end = time.monotonic() + 60 * options.minutes
        while time.monotonic() < end:
            blob = mutated(draw.choice(files), draw)
            try:
                what = outcome(sandbox, blob)
            except Exception as error:
                what = f"{type(error).__name__}: {error}"
            seen[what] += 1
            if what not in ("refused", "stored", "death") and seen[what] == 1:
                path = SEEDS / f"{hashlib.sha256(blob).hexdigest()[:12]}.h5"
                path.write_bytes(blob)
                print(f"FAILURE {what}: {path.name}", flush=True)
    finally:
        sandbox.close()
    for what, count in seen.most_common():
        print(f"{count:8}  {what}")
    return 1 if set(seen) - {"refused", "stored", "death"} else 0


if __name__ == "__main__":
    raise SystemExit(main())
