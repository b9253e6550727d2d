"""Night: many series by bulk uploads against single uploads of the same run, with small requests beside them.

Client, service and PostgreSQL share the same cores. The figures are ratios within one run: the machine may be busy.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

import photseries
from bench.beside import Beside
from bench.client import Request, percentiles
from bench.processes import Tree, database_of
from bench.samples import PATH, Sample, create_references, make_sample, samples
from photseries.client import Outcome
from tests.support import RunningService

__all__ = ["main"]

#: Bulk against single uploads, by the rows of a series; and a small GET beside it [ms]; memory of a process [MiB].
MIN_SPEED_UP = {"a": 10.0, "b": 3.0}
MAX_P95, MAX_MEMORY = 200.0, 600.0

#: Rows of a long table.
MILLION = 1_000_000


def main() -> None:
    """Run the bench with the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench night", description=__doc__)
    parser.add_argument("--series", type=int, default=10_000, help="of 1,000 rows and 4 columns")
    parser.add_argument("--tess", type=int, default=200, help="of the size of a TESS light curve")
    parser.add_argument("--single", type=int, default=200, help="single uploads to compare with")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="photseries-night-") as folder,
        RunningService(Path(folder) / "data", log__level="warning") as service,
    ):
        short, real = make_sample("a", 1_000, 4), samples()["b"]
        create_references(service, [short, real])
        for sample, number in ((short, options.series), (real, options.tess)):
            if number:
                _compare(service, sample, number, min(number, options.single), Path(folder) / "night.parquet")


def _compare(service: RunningService, sample: Sample, number: int, single: int, file: Path) -> None:
    fields = {name: value for name, value in sample.metadata.items() if name not in ("series_obj_id", "channel")}
    trees = [Tree(service.process.pid), database_of(service)]
    small = Request("GET", f"{PATH}?numPerPage=1&includeTotal=false", service.token)
    costs = {}
    with photseries.Client(service.url, service.token) as client:
        some, night = list(_items(sample, single)), list(_night(sample, number))  # the clock is for uploads alone
        pq.write_table(pa.concat_tables(map(pa.Table.from_pandas, night)), file)
        long: dict[str, Any] = {"by": "series_obj_id", **fields}
        tables = (client.upload_many(table, channel="bulk", **long) for table in night)
        ways: dict[str, tuple[int, Iterator[Outcome]]] = {
            "single": (single, client.upload_many(some, bulk=False, channel="single", **fields)),
            "bulk": (number, itertools.chain.from_iterable(tables)),
            "file": (number, client.upload_many(file, channel="file", **long)),
        }
        for name, (count, outcomes) in ways.items():
            before, own = sum(tree.cpu() for tree in trees), time.process_time()
            with Beside(service, small, 0.1) as beside:
                began = time.perf_counter()
                failed = [outcome.error for outcome in outcomes if outcome.error]
                rate = count / (time.perf_counter() - began)
            if failed:
                raise RuntimeError(f"{len(failed)} uploads failed: {failed[0]}")
            cpu = sum(tree.cpu() for tree in trees) - before + time.process_time() - own
            costs[name] = rate, cpu / count
            (p95,), called = percentiles(beside.times, [95]), f"{sample.name}, {name}"
            print(f"| {called}: series/s; CPU of all processes [ms a series] | {rate:.1f}; {cpu / count * 1000:.2f} |")
            print(f"| {called}: a small GET beside it, p95 [ms] (at most {MAX_P95:g}) | {p95:.0f} |")
            print(f"| {called}: memory of the service [MiB] (at most {MAX_MEMORY:g}) | {beside.memory:.0f} |")
    rate, cpu = costs.pop("single")
    for name, (bulk_rate, bulk_cpu) in costs.items():
        title = f"{sample.name}: {name} / single (at least {MIN_SPEED_UP[sample.name]:g}); by CPU"
        print(f"| {title} | {bulk_rate / rate:.1f}; {cpu / bulk_cpu:.1f} |")


def _items(sample: Sample, count: int) -> Iterator[tuple[pd.DataFrame, dict[str, str]]]:
    for place in range(count):
        yield sample.frame.assign(flux=sample.frame["flux"] + place / 1000), {"series_obj_id": f"{place}"}


def _night(sample: Sample, count: int) -> Iterator[pd.DataFrame]:
    """Yield long tables of about 32 MB, as a pipeline has them."""
    items, portion = _items(sample, count), max(1, MILLION // len(sample.frame))
    while part := [frame.assign(**own) for frame, own in itertools.islice(items, portion)]:
        yield pd.concat(part, ignore_index=True)
