"""Single requests: what they cost the service, beside the same steps by the how-to's recipe and by the floor.

The service is a process of its own with the embedded PostgreSQL and its default durability. Series a is 1,000 x 4, b
the TESS file of 18,699 x 20, c 100,000 x 6. Each operation is followed at once by its recipe and its floor, so that the
ratios are of one state of the machine. Costs are CPU in ms, the service's of all its processes but PostgreSQL's.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench import floor
from bench.client import Clients, Connection, Request, percentiles
from bench.null import NullServer
from bench.processes import Tree, timed
from bench.recipe import recipe
from bench.rows import Rows
from bench.samples import PATH, Sample, create_references, posted, samples, single_request
from photseries.server.postgres.embedded import EmbeddedServer
from tests.support import RunningService

__all__ = ["judged", "main"]

OPERATIONS = ("POST json", "POST hdf5", "GET none", "GET json", "GET hdf5", "PATCH")
LISTED = (100, 500)
PARTS = 8  # of a floor, about
MIN_REQUESTS = 8  # requests, where they take long

#: The targets for series b: CPU, and its ratio to the floor's.
MAX_COST = {
    "POST hdf5": (18, 1.8),
    "POST json": (30, 2),
    "GET none": (1.3, 3),
    "GET hdf5": (4, 2),
    "GET json": (25, 1.5),
    "list of 100": (7, 2),
    "list of 500": (25, 2),
}
HEAD = "operation | service | recipe | floor | service / floor | p50, p95 [ms] | parts of the floor"


@dataclass(frozen=True)
class Figure:
    """What an operation costs: CPU [ms] of the service, recipe and each part of the floor; and times [ms]."""

    service: float
    recipe: float
    floor: Mapping[str, float]
    p50: float
    p95: float

    def line(self, operation: str, series: str) -> str:
        """Return a row of the table; what misses a target is bold."""
        floor = sum(self.floor.values())
        most_cpu, most_ratio = MAX_COST.get(operation, (0, 0)) if series == "b" else (0, 0)
        cells = (
            f"{operation} {series}",
            judged(self.service, most_cpu),
            f"{self.recipe:.2f}",
            f"{floor:.2f}",
            judged(self.service / floor, most_ratio),
            f"{self.p50:.2f}, {self.p95:.2f}",
            ", ".join(f"{name} {cost:.2f}" for name, cost in self.floor.items()),
        )
        return f"| {' | '.join(cells)} |"


def judged(value: float, limit: float) -> str:
    """Return a number with its target, if there is one; bold where it misses it."""
    text = f"{value:.2f}" if not limit or value <= limit else f"**{value:.2f}**"
    return f"{text} (≤{limit:g})" if limit else text


def main() -> None:
    """Run the bench with the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench service", description=__doc__)
    parser.add_argument("--only", default="", help='operations with this in their name: "POST json", "json b" ...')
    parser.add_argument("--seconds", type=float, default=2.0, help="for each operation")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--out", type=Path, help="a JSON file for the figures")
    options = parser.parse_args()
    series = samples()
    steps = [*itertools.product(OPERATIONS, series.values()), *((f"list of {count}", series["b"]) for count in LISTED)]
    selected = [(operation, sample) for operation, sample in steps if options.only in f"{operation} {sample.name}"]
    print(f"| {HEAD} |\n|{' --- |' * (HEAD.count('|') + 1)}")
    figures = dict(_measured(selected, options))
    if options.out:
        options.out.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2))


def _measured(steps: Sequence[tuple[str, Sample]], options: argparse.Namespace) -> Iterator[tuple[str, Figure]]:
    """Measure operations on a service, print a row for each, and yield its name and figure."""
    half = options.seconds / 2
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="photseries-bench-")))
        service = stack.enter_context(RunningService(folder / "data"))
        null = stack.enter_context(NullServer())
        rows = stack.enter_context(Rows(stack.enter_context(EmbeddedServer(folder / "data")).start()))
        ids = _filled(service, rows, {sample.name: sample for _, sample in steps}, options.clients)
        for operation, sample in steps:
            requests = _requests(service, operation, sample, ids[sample.name])
            with Clients(service.url, requests) as clients:
                answer = clients.once()
                times, cpu = clients.run(Tree(service.process.pid), options.seconds, MIN_REQUESTS)
            parts = {"null handler": null.cost(len(requests[0].body), len(answer), half)}
            for name, act in floor.parts(operation, sample, ids[sample.name][0], rows, folder).items():
                parts[name] = timed(act, half / PARTS)
            rows.forget()
            compared = timed(recipe(operation, sample, answer, folder), half)
            figure = Figure(cpu, compared, parts, *percentiles(times, (50, 95)))
            print(figure.line(operation, sample.name), flush=True)
            yield f"{operation} {sample.name}", figure


def _filled(service: RunningService, rows: Rows, samples: Mapping[str, Sample], clients: int) -> dict[str, list[int]]:
    """Post, for each client, a series that it alone may change; copy rows of series b so that lists are full."""
    create_references(service, samples.values())
    ids = {}
    with closing(Connection(service.url)) as connection:
        for name, sample in samples.items():
            ids[name] = [posted(service, connection, sample) for _ in range(clients)]
    if "b" in ids:
        rows.copy(ids["b"][0], max(LISTED))
        rows.cursor.execute("ANALYZE")
    return ids


def _requests(service: RunningService, operation: str, sample: Sample, ids: list[int]) -> list[Request]:
    """Return what each client asks."""
    kind, _, word = operation.partition(" ")
    if kind == "list":
        count = word.removeprefix("of ")
        return [Request("GET", f"{PATH}?dataFormat=none&numPerPage={count}", service.token)] * len(ids)
    if kind == "POST":
        return [sample.post(service.token, word)] * len(ids)
    return [single_request(service, operation, series_id) for series_id in ids]
