"""What the bench of the catalogue prints and keeps: lines while it runs, Markdown tables, a JSON file."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import orjson

__all__ = ["Figure", "IndexUse", "line", "write"]

LIMIT = 1.5


@dataclass(frozen=True)
class Figure:
    """Times [ms] of one question, by one principal, in one order, at one size."""

    question: str
    principal: str
    order: str
    rows: int
    p50: float
    p95: float
    sql: float
    found: int
    repeats: int
    limited: bool


@dataclass(frozen=True)
class IndexUse:
    """What an index is for, its size [MB], and what it adds to an insert [us]; None where it cannot be left out."""

    name: str
    uses: tuple[str, ...]
    size: float
    cost: float | None


def line(figure: Figure) -> str:
    """Write a figure as a line for whoever waits."""
    return (
        f"{figure.question:<40} {figure.principal:<8} {figure.order:<9} {figure.rows:>10,}"
        f"  p50 {figure.p50:9.2f} ms  p95 {figure.p95:9.2f} ms  SQL {figure.sql:9.2f} ms"
        f"  {figure.found:>7,} found, {figure.repeats} times"
    )


def write(out: Path, figures: Sequence[Figure], used: Sequence[IndexUse]) -> str:
    """Keep everything as JSON and as Markdown; give the Markdown."""
    out.parent.mkdir(parents=True, exist_ok=True)
    parts = {"figures": figures, "indexes": used}
    values = {name: [dataclasses.asdict(item) for item in items] for name, items in parts.items()}
    out.with_suffix(".json").write_bytes(orjson.dumps(values, option=orjson.OPT_INDENT_2))
    text = "\n".join([*_growth(figures), "", *_indexes(used)]) + "\n"
    out.with_suffix(".md").write_text(text, "utf-8")
    return text


def _growth(figures: Sequence[Figure]) -> list[str]:
    sizes = sorted({figure.rows for figure in figures})
    first, *more = (f"{rows:,}" for rows in sizes)
    rows = []
    for (question, who, order), group in groupby(figures, lambda f: (f.question, f.principal, f.order)):
        cells = list(group)
        growth = cells[-1].p95 / cells[0].p95
        verdict = f"{growth:.1f}" + (("" if growth <= LIMIT else " **over**") if cells[0].limited else " (excepted)")
        times = [f"{cell.p50:.1f} / {cell.p95:.1f}" for cell in cells]
        rows.append((question, who, order, *times, f"{cells[-1].sql:.1f}", f"{cells[-1].found:,}", verdict))
    head = ("query", "who", "order", f"{first}: p50 / p95 [ms]", *more, "SQL [ms]", "found", "growth of p95")
    return _table(head, rows)


def _indexes(used: Sequence[IndexUse]) -> list[str]:
    rows = [
        (
            f"`{index.name}`",
            "; ".join(index.uses) or "**nothing**",
            f"{index.size:.0f}",
            "" if index.cost is None else f"{index.cost:.0f}",
        )
        for index in used
    ]
    return _table(("index", "used by", "size [MB]", "an insert [us]"), rows) if rows else []


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
