"""What the service costs: requests, the same steps by the how-to's recipe, and the floor, in one run.

The service is a process of its own with the embedded PostgreSQL and its default durability; the clients are threads of
this process with connections that are kept alive. Series a is 1,000 x 4, b the TESS file of 18,699 x 20, c 100,000 x 6.
Each operation is followed at once by its recipe and its floor, so that the ratios are of one state of the machine.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import orjson

from bench import fairness, service_report, start, statements
from bench.client import Clients, Message
from bench.figures import Figure, Plan, Results, Step
from bench.floor import Floor
from bench.null import NullServer
from bench.processes import Tree, timed
from bench.recipe import recipe
from bench.rows import Rows
from bench.samples import Sample, samples
from bench.world import furnish, listed, one, post
from photseries.server.postgres.embedded import EmbeddedServer
from tests.support import RunningService

__all__ = ["main", "run"]

OPERATIONS = ("POST json", "POST hdf5", "GET none", "GET json", "GET hdf5", "PATCH")
PARTS = 8  # of a floor, about


def main() -> None:
    """Run the bench with the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench service", description=__doc__)
    parser.add_argument("--seconds", type=float, default=Plan.seconds, help="for each operation and number of clients")
    parser.add_argument("--only", default="", help='what has this in its name: "POST json", "series b", "start" ...')
    parser.add_argument("--out", type=Path, default=Path("bench/results/service"), help="where .md and .json go")
    options = parser.parse_args()
    results = run(samples(), Plan(seconds=options.seconds, only=options.only))
    print(service_report.write(options.out, results))


def run(series: Mapping[str, Sample], plan: Plan) -> Results:
    """Measure everything that the plan wants, on series of which the shortest comes first and the longest last."""
    results = Results()
    ordered = list(series.values())
    short, long = ordered[0], ordered[-1]
    listing, crowd = series.get("b", short), short.of("A in the crowd")
    lists = [Step(f"list of {count}", listing.name) for count in plan.listed]
    steps = [Step(operation, name) for name in series for operation in OPERATIONS] + lists
    wanted = [step for step in steps if plan.wants(step)]
    with tempfile.TemporaryDirectory(prefix="photseries-bench-") as temporary:
        directory = Path(temporary) / "data"
        with RunningService(directory) as service:
            furnish(service, [*series.values(), crowd])
            if wanted:
                results.statements = statements.counted(directory, short, plan.listed)
                _Bench(service, series, listing, plan, results).measure(wanted)
        if plan.wants("start"):
            results.start = start.measure(directory, long, plan)
        if plan.wants("fairness"):
            results.fairness = fairness.measure(directory, crowd, plan)
    return results


class _Bench:
    """A running service with some series, and what is compared with it."""

    def __init__(
        self, service: RunningService, series: Mapping[str, Sample], listing: Sample, plan: Plan, results: Results
    ) -> None:
        self._service = service
        self._series = series
        self._plan = plan
        self._results = results
        self._ids: dict[str, list[int]] = {name: [] for name in series}
        self._listing = listing
        self._tree = Tree(service.process.pid)
        self._folder = service.directory.parent / "beside"

    def measure(self, wanted: list[Step]) -> None:
        """Measure operations, each followed by its recipe and its floor."""
        self._folder.mkdir()
        with ExitStack() as stack:
            null = stack.enter_context(NullServer())
            database = stack.enter_context(EmbeddedServer(self._service.directory)).start()
            rows = stack.enter_context(Rows(database))
            self._fill(rows, {step.series for step in wanted})
            floor = Floor(rows, self._folder)
            for step in wanted:
                answer = self._served(step)
                sample, series_id = self._series[step.series], self._ids[step.series][0]
                half = self._plan.seconds / 2
                self._results.recipe[step] = timed(recipe(step.operation, sample, answer, self._folder), half)
                figure = self._results.service[step, self._plan.clients[0]]
                parts = {"null handler": null.cost(figure.sent, figure.received, half)}
                for name, act in floor.parts(step.operation, sample, series_id).items():
                    parts[name] = timed(act, half / PARTS)
                self._results.floor[step] = parts
                rows.forget()
                print(service_report.line(step, self._results), flush=True)

    def _fill(self, rows: Rows, names: set[str]) -> None:
        """Post, for each client, a series that it alone may change; copy rows so that lists are full."""
        for name in names:
            request = post(self._service, self._series[name], "hdf5")
            with Clients(self._service.url, [request]) as clients:
                for _ in range(max(self._plan.clients)):
                    self._ids[name].append(orjson.loads(clients.once())["data"]["id"])
        if self._listing.name in names:
            rows.copy(self._ids[self._listing.name][0], max(self._plan.listed))

    def _served(self, step: Step) -> bytes:
        """Ask the service with each number of clients; give an answer."""
        answer = b""
        for count in self._plan.clients:
            requests = [message for _, message in zip(range(count), self._requests(step), strict=False)]
            with Clients(self._service.url, requests) as clients:
                answer = clients.once()
                before = self._tree.cpu()
                self._tree.forget_peak()
                load = clients.run(self._plan.seconds, self._plan.least)
                used, peak = self._tree.cpu() - before, self._tree.resident("VmHWM")
            p50, p95 = (np.percentile(load.times, (50, 95)) * 1000).tolist()
            done = len(load.times)
            self._results.service[step, count] = Figure(
                done, done / load.elapsed, p50, p95, used / done * 1000, peak, requests[0].sent, len(answer)
            )
        return answer

    def _requests(self, step: Step) -> Iterator[Message]:
        """Give what each client asks, without end."""
        kind, _, word = step.operation.partition(" ")
        if kind == "list":
            request = listed(self._service, int(word.removeprefix("of ")))
        elif kind == "POST":
            request = post(self._service, self._series[step.series], word)
        else:
            yield from (one(self._service, step.operation, series_id) for series_id in self._ids[step.series])
            return
        while True:
            yield request


if __name__ == "__main__":
    main()
