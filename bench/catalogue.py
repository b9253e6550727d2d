"""How the catalogue's queries behave as the archive grows.

Every figure is the wall-clock time in this process of what the service calls for a request (``Archive.find``), the
database included; HTTP, the token's look-up and the writing of JSON are not. The archives are databases of one
embedded server with its default settings and PostgreSQL's default durability; each question is put to all of them in
turn, so that a busy machine slows them all down alike. A fresh archive is vacuumed and analysed, as autovacuum does.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2
from sqlalchemy import event

from bench import indexes, report
from bench.population import Population, fill
from bench.questions import PAGES, SORTS, TOTALS, Question
from bench.report import Figure
from photseries.parameters import MOST_PER_PAGE, Query
from photseries.server import settings
from photseries.server.catalogue import migrations
from photseries.server.catalogue.engine import Catalogue
from photseries.server.catalogue.finding import count
from photseries.server.postgres.embedded import EmbeddedServer
from photseries.server.principal import Principal
from photseries.server.services import Services, opened

SIZES = (10_000, 100_000, 1_000_000)
TEN_MILLION = 10_000_000
REPEATS = 100
PATIENCE, LEAST_REPEATS, WARMING = 2.0, 5, 10  # [s] for all repeats of one question at one size
DEEP_PAGE = 1000
SEED = 11


@dataclass(frozen=True)
class Bench:
    """A filled archive and the services on it."""

    services: Services
    population: Population


@dataclass
class Timed:
    """Seconds of each query and of its SQL, and how many series were found."""

    seconds: list[float] = field(default_factory=list)
    sql: list[float] = field(default_factory=list)
    found: list[int] = field(default_factory=list)


def main() -> None:
    """Run the bench with the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench catalogue", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES), help="series in each archive")
    parser.add_argument("--ten-million", action="store_true", help=f"one archive more, of {TEN_MILLION:,} series")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="queries of each kind")
    parser.add_argument("--only", default="", help="only questions whose name contains this, and no indexes")
    parser.add_argument("--out", type=Path, default=Path("bench/results/catalogue"), help="where .md and .json go")
    options = parser.parse_args()
    sizes = sorted([*options.rows, *([TEN_MILLION] if options.ten_million else [])])
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="photseries-bench-")))
        server = stack.enter_context(EmbeddedServer(folder)).start()
        benches = [stack.enter_context(filled(server, folder, rows)) for rows in sizes]
        figures = []
        for figure in measure(benches, options.repeats, options.only):
            print(report.line(figure), flush=True)
            figures.append(figure)
        largest = benches[-1]
        used = [] if options.only else indexes.measure(largest.services, largest.population)
    print(report.write(options.out, figures, used))


@contextmanager
def filled(server: str, folder: Path, rows: int) -> Iterator[Bench]:
    """Make a database of its own and fill it."""
    name = f"bench_{rows}"
    connection = psycopg2.connect(server.replace("+psycopg2", ""))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    connection.close()
    url = server.replace("/photseries?", f"/{name}?")
    values = {"data.directory": str(folder), "database.url": url, "database.statement_timeout": 3600.0}
    config = settings.load(None, {}, values)
    catalogue = Catalogue(url, config.database)
    migrations.upgrade(catalogue.engine)
    begin = time.perf_counter()
    population = fill(catalogue, rows)
    catalogue.close()
    print(f"{rows:,} series filled in {time.perf_counter() - begin:.0f} s", flush=True)
    with opened(config) as services:
        yield Bench(services, population)


def measure(benches: list[Bench], repeats: int, only: str) -> Iterator[Figure]:
    """Put every question to every archive, as everybody, in every order."""
    people = benches[0].population.principals
    for question, who, order in itertools.product(PAGES, people, SORTS):
        if only in question.name:
            asked = [(bench, _pages(bench, question, who, order)) for bench in benches]
            yield from _figures(question.name, question.limited, who, order, asked, _find, repeats)
    for (name, ask), question, who in itertools.product(_ASKED_OF_ALL.items(), TOTALS, people):
        if only in name:
            asked = [(bench, question.queries(bench.population, {}, SEED)) for bench in benches]
            yield from _figures(f"{name}: {question.name}", False, who, "", asked, ask, repeats)


Ask = Callable[[Services, Principal, Query], int]


def _find(services: Services, principal: Principal, query: Query) -> int:
    return len(services.reader.find(principal, query)[0].found)


def _count(services: Services, principal: Principal, query: Query) -> int:
    with services.catalogue.reading() as connection:
        return count(connection, principal, query)


def _summary(services: Services, principal: Principal, query: Query) -> int:
    return int(services.reader.summarize(principal, query)["series"])


_ASKED_OF_ALL: dict[str, Ask] = {"exact count": _count, "summary": _summary}


def _pages(bench: Bench, question: Question, who: str, order: str) -> Iterator[Query]:
    extra = _deep(bench, question, who, order) if question.deep else SORTS[order]
    return question.queries(bench.population, extra, SEED)


def _deep(bench: Bench, question: Question, who: str, order: str) -> dict[str, str]:
    """Walk to page 1,000 by cursor, or to the last pages that are full; pages of 500 save steps on the way."""
    extra, before, left = SORTS[order], SORTS[order], (DEEP_PAGE - 1) * Query().per_page
    while left:
        step = {"numPerPage": str(min(MOST_PER_PAGE, left))}
        query = next(question.queries(bench.population, {**extra, **step}, SEED))
        page, _ = bench.services.reader.find(bench.population.principals[who], query)
        if page.cursor is None:
            return before
        before, extra = extra, {**extra, "cursor": page.cursor}
        left -= query.per_page
    return extra


def _figures(
    name: str,
    limited: bool,
    who: str,
    order: str,
    asked: list[tuple[Bench, Iterator[Query]]],
    ask: Ask,
    repeats: int,
) -> Iterator[Figure]:
    """Put one question to all archives in turn, warm; where it is slow, as often as the patience lasts."""
    timed = [Timed() for _ in asked]
    for turn in range(-WARMING, repeats):
        for (bench, queries), times in zip(asked, timed, strict=True):
            patient = sum(times.seconds) < PATIENCE or len(times.seconds) < LEAST_REPEATS
            if patient and (turn >= 0 or sum(times.seconds) < PATIENCE):
                _ask_once(bench.services, bench.population.principals[who], next(queries), ask, times)
        if turn == -1:
            timed = [Timed() for _ in asked]
    for (bench, _), times in zip(asked, timed, strict=True):
        p50, p95 = np.percentile(np.array(times.seconds) * 1000, (50, 95)).tolist()
        sql, found = float(np.median(times.sql)) * 1000, int(np.median(times.found))
        rows, repeated = bench.population.rows, len(times.seconds)
        yield Figure(name, who, order, rows, p50, p95, sql, found, repeated, limited)


def _ask_once(services: Services, principal: Principal, query: Query, ask: Ask, times: Timed) -> None:
    with _sql_timed(services) as spent:
        begin = time.perf_counter()
        times.found.append(ask(services, principal, query))
        times.seconds.append(time.perf_counter() - begin)
    times.sql.append(sum(spent))


@contextmanager
def _sql_timed(services: Services) -> Iterator[list[float]]:
    """Collect the seconds that the driver spends in each statement: the server's, the socket's and its own."""
    spent: list[float] = []
    engine = services.catalogue.engine

    def before(*_: Any) -> None:
        spent.append(-time.perf_counter())

    def after(*_: Any) -> None:
        spent[-1] += time.perf_counter()

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    try:
        yield spent
    finally:
        event.remove(engine, "before_cursor_execute", before)
        event.remove(engine, "after_cursor_execute", after)


if __name__ == "__main__":
    main()
