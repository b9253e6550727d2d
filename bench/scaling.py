"""How much room the catalogue takes and what an insert and a query cost, by the number of series.

The archives are those of ``python -m bench catalogue``, made and removed one after the other: about 4.3 kB of disk a
series, and 1 GB of write-ahead log.
"""

from __future__ import annotations

import argparse
import itertools
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2
from sqlalchemy import event, select

from bench.catalogue import Bench, filled
from bench.questions import PAGES, TOTALS
from photseries.fields import METADATA, STATISTICS
from photseries.parameters import Query
from photseries.server.catalogue import series
from photseries.server.catalogue.blobs import BLOB
from photseries.server.catalogue.finding import count
from photseries.server.catalogue.models import Series
from photseries.server.catalogue.series import DERIVED
from photseries.server.postgres.embedded import EmbeddedServer
from photseries.server.principal import Principal
from tests.support import drop

SIZES = (1_000_000, 10_000_000)
ASKED = ("first page", "filter and time range", "objectID, 3 to 12 characters", "cone of 1 arcmin", "everything")
WHO = ("admin", "half")
SEED = 11
INSERTS = 500

_ROOM = """
    SELECT relname, reltuples, pg_relation_size(oid) AS rows, pg_indexes_size(oid) AS indexes,
           pg_total_relation_size(oid) - pg_relation_size(oid) - pg_indexes_size(oid) AS aside
    FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND reltuples >= 1000 ORDER BY relname
"""


def main() -> None:
    """Run the bench with the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench scaling", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES), help="series in each archive")
    parser.add_argument("--repeats", type=int, default=100, help="queries of each kind")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="photseries-bench-")))
        server = stack.enter_context(EmbeddedServer(folder)).start()
        for rows in options.rows:
            with filled(server, folder, rows) as bench:
                _print_room(bench, rows)
                _print_inserts(bench)
                _print_queries(bench, options.repeats)
            _drop(server, rows)


def _print_room(bench: Bench, rows: int) -> None:
    print(f"\n| table, {rows:,} series | rows | rows [B/series] | set aside (TOAST) | indexes | all [MB] |")
    print("| --- | --- | --- | --- | --- | --- |")
    with bench.services.catalogue.engine.connect() as connection:
        for table in connection.exec_driver_sql(_ROOM):
            parts = (table.rows, table.aside, table.indexes)
            shares = " | ".join(f"{part / rows:.0f}" for part in parts)
            print(f"| {table.relname} | {table.reltuples:,.0f} | {shares} | {sum(parts) / 1e6:,.0f} |", flush=True)


def _print_inserts(bench: Bench) -> None:
    """Insert as an upload does, a transaction each: like series from all over the table, in no order."""
    begun, seconds = _wal(bench), []
    numbers = np.random.default_rng(5).integers(1, bench.population.rows, INSERTS)
    for number in numbers.tolist():
        values = _like(bench, number)
        begin = time.perf_counter()
        with bench.services.catalogue.transaction() as connection:
            series.create(connection, values, [1], [])
        seconds.append(time.perf_counter() - begin)
    p50, p95 = np.percentile(np.array(seconds) * 1000, (50, 95))
    log = (_wal(bench) - begun) / INSERTS / 1e3
    print(f"\ninsert and commit: p50 {p50:.2f} ms, p95 {p95:.2f} ms, {log:.1f} kB of write-ahead log\n", flush=True)


def _wal(bench: Bench) -> int:
    with bench.services.catalogue.reading() as connection:
        return int(connection.exec_driver_sql("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn").scalar_one())


def _like(bench: Bench, number: int) -> dict[str, Any]:
    with bench.services.catalogue.reading() as connection:
        row = connection.execute(select(Series.__table__).where(Series.id == number)).mappings().one()
    tail = secrets.token_hex(8)
    kept = {name: row[name] for name in (*METADATA, *STATISTICS, *BLOB, "owner_id", *DERIVED)}
    return {**kept, "series_obj_id": tail, "filename": tail}


def _print_queries(bench: Bench, repeats: int) -> None:
    print("| query | who | p50 [ms] | p95 [ms] | blocks, median | blocks, p95 |\n| --- | --- | --- | --- | --- | --- |")
    for question, who in itertools.product([*PAGES, *TOTALS], WHO):
        if question.name in ASKED:
            principal = bench.population.principals[who]
            queries = question.queries(bench.population, {}, SEED)
            asked = _count if question in TOTALS else _page
            seconds = [_timed(bench, principal, query, asked) for query in itertools.islice(queries, repeats)]
            with _blocks(bench) as blocks:
                for query in itertools.islice(queries, repeats):
                    asked(bench, principal, query)
            p50, p95 = np.percentile(np.array(seconds) * 1000, (50, 95))
            half, most = np.percentile(blocks, (50, 95))
            what = f"{'count' if question in TOTALS else 'page'}: {question.name}"
            print(f"| {what} | {who} | {p50:.1f} | {p95:.1f} | {half:,.0f} | {most:,.0f} |", flush=True)


def _page(bench: Bench, principal: Principal, query: Query) -> None:
    bench.services.reader.find(principal, query)


def _count(bench: Bench, principal: Principal, query: Query) -> None:
    with bench.services.catalogue.reading() as connection:
        count(connection, principal, query)


def _timed(bench: Bench, principal: Principal, query: Query, asked: Callable[..., None]) -> float:
    begin = time.perf_counter()
    asked(bench, principal, query)
    return time.perf_counter() - begin


@contextmanager
def _blocks(bench: Bench) -> Iterator[list[int]]:
    """Collect how many blocks of 8 kB each statement looks at: a measure that a busy machine does not change."""
    looked_at: list[int] = []

    def explain(_: Any, cursor: Any, statement: str, parameters: Any, *__: Any) -> None:
        cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", parameters)
        plan = cursor.fetchone()[0][0]["Plan"]
        looked_at.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])

    engine = bench.services.catalogue.engine
    event.listen(engine, "before_cursor_execute", explain)
    try:
        yield looked_at
    finally:
        event.remove(engine, "before_cursor_execute", explain)


def _drop(server: str, rows: int) -> None:
    connection = psycopg2.connect(server.replace("+psycopg2", ""))
    connection.autocommit = True
    with connection.cursor() as cursor:
        drop(cursor, f"bench_{rows}")
    connection.close()


if __name__ == "__main__":
    main()
