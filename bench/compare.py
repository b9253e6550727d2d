"""The figures of two runs of the bench of the service side by side: ``python -m bench compare A.json B.json``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from bench.service_report import table

__all__ = ["main"]


def main() -> None:
    """Print a table of all figures that both runs have, and of their ratio."""
    parser = argparse.ArgumentParser(prog="python -m bench compare", description=__doc__)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--figure", default="", help="only those that have this in their name: cpu, p95, recipe ...")
    options = parser.parse_args()
    first, second = (dict(figures(orjson.loads(path.read_bytes()))) for path in (options.first, options.second))
    names = [name for name in first if name in second and options.figure in name]
    rows = [(name, f"{first[name]:.4g}", f"{second[name]:.4g}", _ratio(first[name], second[name])) for name in names]
    print("\n".join(table(("figure", options.first.stem, options.second.stem, "ratio"), rows)))
    alone = len(first.keys() ^ second.keys())
    if alone:
        print(f"{alone} figures are in one of the two alone.")


def figures(document: Any, name: str = "") -> Iterator[tuple[str, float]]:
    """Give every number of a document with its name: the keys that lead to it."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield from figures(value, f"{name}: {key}" if name else key)
    elif isinstance(document, list):
        for number, value in enumerate(document, 1):
            yield from figures(value, f"{name} {number}")
    elif isinstance(document, int | float):
        yield name, float(document)


def _ratio(first: float, second: float) -> str:
    return f"{second / first:.2f}" if first else ""


if __name__ == "__main__":
    main()
