"""Single requests to the services of two commits, or of a commit and this checkout, in turns.

The bench itself is that of this checkout, so both services must have the same columns in their catalogues.
"""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import orjson

from tests.support import TOP

__all__ = ["main"]


def main() -> None:
    """Print the CPU of each operation at both commits, the best of several rounds, and their ratio."""
    parser = argparse.ArgumentParser(prog="python -m bench compare", description=__doc__)
    parser.add_argument("first")
    parser.add_argument("second", nargs="?", default="")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="", help="as of the bench service")
    options = parser.parse_args()
    names = (options.first, options.second)
    best: dict[str, dict[str, float]] = {name: {} for name in names}
    with tempfile.TemporaryDirectory(prefix="photseries-bench-") as folder:
        trees = {name: _extracted(name, Path(folder) / str(place)) for place, name in enumerate(names)}
        for _ in range(options.rounds):
            for name, tree in trees.items():
                for operation, cpu in _measured(tree, Path(folder) / "figures.json", options.only).items():
                    best[name][operation] = min(cpu, best[name].get(operation, cpu))
    print(f"| CPU [ms] | {options.first} | {options.second or 'this checkout'} | ratio |\n| --- | --- | --- | --- |")
    for operation, before in best[options.first].items():
        after = best[options.second][operation]
        print(f"| {operation} | {before:.2f} | {after:.2f} | {after / before:.2f} |")


def _extracted(commit: str, folder: Path) -> Path:
    """Return a folder with the package at a commit; this checkout where none is named."""
    if not commit:
        return TOP
    content = subprocess.check_output(["git", "archive", commit, "photseries", "migrations"], cwd=TOP)
    with tarfile.open(fileobj=io.BytesIO(content)) as files:
        files.extractall(folder, filter="data")
    return folder


def _measured(tree: Path, out: Path, only: str) -> dict[str, float]:
    """Run the bench on the service of a tree, which is a process of its own; return the CPU by operation [ms]."""
    command = [sys.executable, "-m", "bench", "service", "--only", only, "--out", str(out)]
    subprocess.run(command, cwd=TOP, env={**os.environ, "PYTHONPATH": str(tree)}, stdout=subprocess.DEVNULL, check=True)
    return {name: figure["service"] for name, figure in orjson.loads(out.read_bytes()).items()}
