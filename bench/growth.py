"""What growing costs: the CPU of a request with two processes, and over object storage, beside one process.

All services run in one measurement, each with a database of its own, and take turns, so that the ratios are of one
state of the machine. Counted is what the processes of photseries use: neither PostgreSQL, nor the object server, nor
the clients. How much of the machine they use is told of what all others leave: what they use and what stays idle.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from bench.client import Clients, Message
from bench.processes import TICKS, Tree
from bench.samples import Sample, samples
from bench.service_report import table
from bench.world import furnish, one, post
from tests.objects import ObjectServer
from tests.support import RunningService

__all__ = ["main", "measure"]

CLIENTS = 8
OPERATIONS = ("POST hdf5", "GET none", "GET hdf5")
ONE, TWO, OBJECTS = "one process", "two processes", "object storage"
#: What may be asked of CPU per request beside one process with its files in a folder.
MOST = {TWO: 1.1, OBJECTS: 1.3}


@dataclass
class Turns:
    """What a service took in its turns: CPU of a request [ms], requests a second, its share of what others leave."""

    cpu: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    share: list[float] = field(default_factory=list)


def main() -> None:
    """Run the bench with the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench growth", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each turn")
    parser.add_argument("--turns", type=int, default=5, help="of each service with each operation")
    parser.add_argument("--out", type=Path, default=Path("bench/results/growth.json"), help="where the figures go")
    options = parser.parse_args()
    found = measure(samples()["b"], options.seconds, options.turns)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    document = {" / ".join(step): turns for step, turns in found.items()}
    options.out.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    print("\n".join(report(found)))


def measure(sample: Sample, seconds: float, turns: int) -> dict[tuple[str, str], Turns]:
    """Measure each operation on each service; give the turns by operation and service."""
    found: dict[tuple[str, str], Turns] = {}
    with tempfile.TemporaryDirectory(prefix="photseries-bench-") as temporary, ExitStack() as stack:
        folder = Path(temporary)
        server = stack.enter_context(ObjectServer(folder / "objects"))
        server.make_bucket("bench")
        settings = {ONE: {}, TWO: {"server__processes": 2}, OBJECTS: server.settings("bench/archive")}
        services = {
            name: stack.enter_context(RunningService(folder / name.replace(" ", "-"), **more))
            for name, more in settings.items()
        }
        for service in services.values():
            furnish(service, [sample])
        for operation in OPERATIONS:
            requests = {name: _requests(service, operation, sample) for name, service in services.items()}
            for _ in range(turns):
                for name, service in services.items():
                    _turn(service, requests[name], seconds, found.setdefault((operation, name), Turns()))
    return found


def _requests(service: RunningService, operation: str, sample: Sample) -> list[Message]:
    """Give what each client asks for."""
    posting = post(service, sample, "hdf5")
    if operation.startswith("POST"):
        return [posting] * CLIENTS
    with Clients(service.url, [posting]) as clients:
        return [one(service, operation, orjson.loads(clients.once())["data"]["id"]) for _ in range(CLIENTS)]


def _turn(service: RunningService, requests: list[Message], seconds: float, turns: Turns) -> None:
    tree = Tree(service.process.pid)
    with Clients(service.url, requests) as clients:
        clients.once()
        before, idle = tree.cpu(), _idle()
        load = clients.run(seconds, CLIENTS)
        idle = _idle() - idle
        used = tree.cpu() - before
    turns.cpu.append(used / len(load.times) * 1000)
    turns.rate.append(len(load.times) / load.elapsed)
    turns.share.append(used / (used + idle))


def _idle() -> float:
    """Give how long the processors had nothing to do, for want of work or of a disk [s]."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()
    return (int(fields[4]) + int(fields[5])) / TICKS


def report(found: dict[tuple[str, str], Turns]) -> Iterator[str]:
    """Write the medians as a table in Markdown."""
    rows = []
    for (operation, name), turns in found.items():
        cpu, beside = statistics.median(turns.cpu), statistics.median(found[operation, ONE].cpu)
        rows.append(
            (operation, name, f"{cpu:.2f}", f"{cpu / beside:.2f}", f"{MOST.get(name, 1.0):.1f}",
             f"{statistics.median(turns.rate):.0f}", f"{statistics.median(turns.share):.0%}")
        )  # fmt: skip
    head = ("operation", "service", "CPU [ms]", "beside one process", "at most", "requests/s", "of what others leave")
    yield from table(head, rows)


if __name__ == "__main__":
    main()
