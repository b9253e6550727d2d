"""How the catalogue's queries behave as the archive grows: ``python -m bench catalogue``.

Every figure is wall-clock time in this process of what the service calls for a request (``Archive.find``), the database
included and HTTP, authentication and JSON excluded. Each archive is filled anew, on an embedded server with its
default settings and PostgreSQL's default durability.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import event

from bench import report
from bench.population import Population, fill
from bench.questions import PAGES, SORTS, TOTALS, Question
from photseries import config as settings
from photseries.catalogue.finding import count
from photseries.criteria import MOST_PER_PAGE, Query
from photseries.principal import Principal
from photseries.services import Services, opened

SIZES = (10_000, 100_000, 1_000_000)
TEN_MILLION = 10_000_000
REPEATS = 200
PATIENCE, LEAST_REPEATS, WARMING = 1.2, 5, 5  # [s] for the repeats of one query
DEEP_PAGE = 1000
SEED = 11


@dataclass(frozen=True)
class Figure:
    """A measured cell: times [ms] of one question, by one principal, in one order, at one size."""

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


def main(arguments: list[str]) -> None:
    """Run the bench with command-line arguments."""
    parser = argparse.ArgumentParser(prog="python -m bench catalogue", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=list(SIZES), help="sizes of the archives")
    parser.add_argument("--ten-million", action="store_true", help=f"also {TEN_MILLION:,} rows")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="queries of each kind")
    parser.add_argument("--only", default="", help="only questions whose name contains this")
    parser.add_argument("--out", type=Path, default=Path("bench/results/catalogue"), help="where .md and .json go")
    options = parser.parse_args(arguments)
    sizes = [*options.rows, *([TEN_MILLION] if options.ten_million else [])]
    with tempfile.TemporaryDirectory(prefix="photseries-bench-") as folder, _services(Path(folder)) as services:
        figures: list[Figure] = []
        for rows in sizes:
            print(f"filling {rows:,} rows ...", flush=True)
            begin = time.perf_counter()
            population = fill(services.catalogue, rows)
            print(f"filled in {time.perf_counter() - begin:.0f} s", flush=True)
            for figure in measure(services, population, options.repeats, options.only):
                print(report.line(figure), flush=True)
                figures.append(figure)
    report.write(options.out, figures)


@contextmanager
def _services(folder: Path) -> Iterator[Services]:
    values = {"data.directory": str(folder / "data"), "database.statement_timeout": 3600.0}
    (folder / "data").mkdir()
    with opened(settings.load(None, {}, values)) as services:
        yield services


def measure(services: Services, population: Population, repeats: int, only: str) -> Iterator[Figure]:
    """Ask every question, as everybody, in every order."""
    for question in PAGES:
        if only in question.name:
            for (who, principal), order in itertools.product(population.principals.items(), SORTS):
                yield _page(services, population, question, who, principal, order, repeats)
    for who, principal in population.principals.items():
        for question in TOTALS:
            for name, ask in (("exact count", _count), ("summary", _summary)):
                if only in name:
                    queries = question.queries(population, {}, SEED)
                    timed = _timed(services, queries, partial(ask, services, principal), repeats)
                    yield _figure(question, f"{name}: {question.name}", who, "", population, timed)


def _count(services: Services, principal: Principal, query: Query) -> int:
    with services.catalogue.reading() as connection:
        return count(connection, principal, query)


def _summary(services: Services, principal: Principal, query: Query) -> int:
    return int(services.archive.summary(principal, query)["series"])


def _page(
    services: Services,
    population: Population,
    question: Question,
    who: str,
    principal: Principal,
    order: str,
    repeats: int,
) -> Figure:
    def ask(query: Query) -> int:
        return len(services.archive.find(principal, query)[0].found)

    extra = _deep(services, principal, question, population, order) if question.deep else SORTS[order]
    timed = _timed(services, question.queries(population, extra, SEED), ask, repeats)
    return _figure(question, question.name, who, order, population, timed)


def _deep(
    services: Services, principal: Principal, question: Question, population: Population, order: str
) -> dict[str, str]:
    """Walk to page 1,000 by cursor, or as far as there are pages; pages of 500 save steps on the way."""
    extra, left = dict(SORTS[order]), (DEEP_PAGE - 1) * Query().per_page
    while left:
        step = {"numPerPage": str(min(MOST_PER_PAGE, left))}
        query = next(question.queries(population, {**extra, **step}, SEED))
        page, _ = services.archive.find(principal, query)
        if page.cursor is None:
            break
        extra["cursor"] = page.cursor
        left -= query.per_page
    return extra


@dataclass
class _Timed:
    """Seconds of each query and of its SQL, and what was found."""

    seconds: list[float] = field(default_factory=list)
    sql: list[float] = field(default_factory=list)
    found: list[int] = field(default_factory=list)


def _timed(services: Services, queries: Iterator[Query], ask: Callable[[Query], int], repeats: int) -> _Timed:
    """Ask warm: the first queries do not count. Slow ones are repeated as often as the patience lasts."""
    timed, clock = _Timed(), time.perf_counter
    for query in itertools.islice(queries, WARMING):
        ask(query)
    end = clock() + PATIENCE
    with _sql_timed(services) as spent:
        for query in itertools.islice(queries, repeats):
            spent.clear()
            begin = clock()
            timed.found.append(ask(query))
            timed.seconds.append(clock() - begin)
            timed.sql.append(sum(spent))
            if clock() > end and len(timed.seconds) >= LEAST_REPEATS:
                break
    return timed


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


def _figure(question: Question, name: str, who: str, order: str, population: Population, timed: _Timed) -> Figure:
    p50, p95 = np.percentile(np.array(timed.seconds) * 1000, (50, 95))
    sql = float(np.median(timed.sql)) * 1000
    found = int(np.median(timed.found))
    return Figure(
        name, who, order, population.rows, float(p50), float(p95), sql, found, len(timed.seconds), question.limited
    )
