"""What the bench of the service prints and keeps: a line for each step while it runs, Markdown tables, a JSON file."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from bench import targets
from bench.figures import Fairness, Results, Start, Step

__all__ = ["line", "table", "write"]


def line(step: Step, results: Results) -> str:
    """Write what was found for a step as a line for whoever waits."""
    figures = [figure for (known, _), figure in results.service.items() if known == step]
    rates = ", ".join(f"{figure.rate:.1f}" for figure in figures)
    floor = sum(part.cpu for part in results.floor[step].values())
    return (
        f"{step!s:<24} CPU {figures[0].cpu:8.2f} ms  recipe {results.recipe[step].cpu:8.2f}  floor {floor:8.2f}"
        f"  {rates} requests/s"
    )


def write(out: Path, results: Results) -> str:
    """Keep everything as JSON and as Markdown; give the Markdown."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.with_suffix(".json").write_bytes(orjson.dumps(_document(results), option=orjson.OPT_INDENT_2))
    sections: list[Iterable[str]] = []
    if results.service:
        sections += [_costs(results), _rates(results), _parts(results)]
    if results.start:
        sections.append(_start(results.start))
    if results.fairness:
        sections.append(_fairness(results.fairness))
    text = "\n\n".join("\n".join(section) for section in sections) + "\n"
    out.with_suffix(".md").write_text(text, "utf-8")
    return text


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Write a table in Markdown, line by line."""
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(row)} |"


def _document(results: Results) -> dict[str, Any]:
    """Name every figure by a text, so that two runs are compared by names."""
    floor = {str(step): {**parts, "sum": _sum(parts)} for step, parts in results.floor.items()}
    return {
        "service": {f"{step}, {_clients(count)}": figure for (step, count), figure in results.service.items()},
        "recipe": {str(step): cost for step, cost in results.recipe.items()},
        "floor": floor,
        "statements": results.statements,
        "start": results.start,
        "fairness": results.fairness,
    }


def _sum(parts: Any) -> dict[str, float]:
    return {name: sum(getattr(part, name) for part in parts.values()) for name in ("cpu", "wall")}


def _clients(count: int) -> str:
    return f"{count} client{'s' * (count > 1)}"


def _judged(value: float, most: float | None, digits: int = 1) -> str:
    """Write a number, bold where it misses its target, with the target."""
    text = f"{value:.{digits}f}"
    if most is None:
        return text
    return f"{text} (≤ {most:g})" if value <= most else f"**{text}** (≤ {most:g})"


def _costs(results: Results) -> Iterator[str]:
    yield "CPU of a request [ms], one client; ours of all its processes but PostgreSQL's. Missed targets are bold."
    yield "The recipe has no catalogue: of metadata alone, and of a list, it writes the JSON and does nothing else."
    yield ""
    head = ("operation", "series", "SkyPortal", "ours", "recipe", "ours / recipe", "floor", "ours / floor")
    rows = []
    for step, recipe in results.recipe.items():
        most = targets.MOST.get(step.operation) if step.series == "b" else None
        ours = next(figure.cpu for (known, _), figure in results.service.items() if known == step)
        floor = _sum(results.floor[step])["cpu"]
        peer = targets.PEER.get(step.operation, {}).get(step.series)
        rows.append(
            (
                *step,
                "" if peer is None else f"{peer:,}",
                _judged(ours, most and most.cpu, 2),
                f"{recipe.cpu:.2f}",
                f"{ours / recipe.cpu:.2f}",
                f"{floor:.2f}",
                _judged(ours / floor, most and most.floor, 2),
            )
        )
    yield from table(head, rows)


def _rates(results: Results) -> Iterator[str]:
    yield "Requests as the clients see them, and the peak of the largest process, which gives little memory back."
    yield ""
    head = (
        *("operation", "series", "clients", "requests", "requests/s", "p50 [ms]", "p95 [ms]", "CPU [ms]"),
        *("peak [MiB]", "sent [kB]", "received [kB]", "SQL statements"),
    )
    rows = [
        (
            *step,
            str(count),
            f"{figure.requests:,}",
            f"{figure.rate:.1f}",
            f"{figure.p50:.2f}",
            f"{figure.p95:.2f}",
            f"{figure.cpu:.2f}",
            f"{figure.peak:.0f}",
            f"{figure.sent / 1000:,.1f}",
            f"{figure.received / 1000:,.1f}",
            str(results.statements[step.operation]),
        )
        for (step, count), figure in results.service.items()
    ]
    yield from table(head, rows)


def _parts(results: Results) -> Iterator[str]:
    yield "Parts of the floor, and the recipe, CPU / wall [ms]; what PostgreSQL and the disk do is in the second alone."
    yield ""
    rows = []
    for step, parts in results.floor.items():
        shown = ", ".join(f"{name} {cost.cpu:.2f} / {cost.wall:.2f}" for name, cost in parts.items())
        total, recipe = _sum(parts), results.recipe[step]
        rows.append(
            (*step, shown, f"{total['cpu']:.2f} / {total['wall']:.2f}", f"{recipe.cpu:.2f} / {recipe.wall:.2f}")
        )
    yield from table(("operation", "series", "parts", "floor", "recipe"), rows)


def _start(start: Start) -> Iterator[str]:
    ready, answer, rest = map(statistics.median, (start.ready, start.answer, start.rest))
    yield f"Start on a warm data directory and memory, medians of {len(start.ready)} starts."
    yield ""
    rows = [
        ("start to the line that says ready [s]", f"{ready:.2f}"),
        ("start to the first answer [s]", _judged(answer, targets.ANSWER, 2)),
        ("at rest, the largest process [MiB]", _judged(rest, targets.REST, 0)),
    ]
    for name, upload in start.uploads.items():
        size = upload.sent / 2**20
        rows += [
            (f"{name} of {size:.1f} MiB, {who} beyond rest, in bodies", _judged(memory / size, targets.UPLOAD))
            for who, memory in (("the largest process", upload.process), ("all processes", upload.tree))
        ]
    yield from table(("", "measured"), rows)


def _fairness(found: Fairness) -> Iterator[str]:
    yield "Small requests (GET none of a small series) of one user beside 8 heavy requests of another one."
    yield ""
    rows = [
        ("alone", "", f"{found.quiet_p50:.1f}", f"{found.quiet_p95:.1f}", ""),
        (
            f"beside heavy requests: {found.heavy:.2f}/s, {found.refused} of them refused",
            f"{found.tries:,}",
            f"{found.p50:.1f}",
            _judged(found.p95, targets.SMALL_P95),
            f"{found.longest:.1f}",
        ),
    ]
    yield from table(("", "tries", "p50 [ms]", "p95 [ms]", "longest [ms]"), rows)
