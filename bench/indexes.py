"""Whether every index earns its place: what uses it, by EXPLAIN; its size; what it adds to an insert."""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, event, select

from bench.population import Population
from bench.questions import PAGES, SORTS
from bench.report import IndexUse
from photseries.parameters import Positions, Query, parse
from photseries.server.catalogue import finding
from photseries.server.catalogue.models import Series
from photseries.server.catalogue.references import look_up_references
from photseries.server.services import Services

__all__ = ["measure"]

TABLES = ("photometric_series", "series_groups", "series_streams", "sources")
EXPLAINED = 12  # queries of each kind
INSERTS, ROUNDS = 2000, 7


def measure(services: Services, population: Population) -> list[IndexUse]:
    """Look at every index of the series and what belongs to them."""
    uses = _uses(services, population)
    tables = ", ".join(f"'{table}'" for table in TABLES)
    with services.catalogue.engine.connect() as connection:
        known = connection.exec_driver_sql(
            "SELECT indexrelid::regclass::text, indrelid::regclass::text, pg_relation_size(indexrelid) / 1e6, "
            "indisprimary, conname FROM pg_index LEFT JOIN pg_constraint ON conindid = indexrelid AND contype = 'u' "
            f"WHERE indrelid::regclass::text IN ({tables}) ORDER BY 2, 1"
        ).all()
    found = []
    for name, table, size, primary, constraint in known:
        unique = ["unique: no two series alike"] if constraint else []
        removal = f"ALTER TABLE {table} DROP CONSTRAINT {name}" if constraint else f"DROP INDEX {name}"
        cost = None if primary or table == "sources" else _cost(services, table, removal)
        found.append(IndexUse(name, (*unique, *sorted(uses[name])), float(size), cost))
    return found


def _uses(services: Services, population: Population) -> defaultdict[str, set[str]]:
    """Find which indexes the statements of the service use."""
    uses: defaultdict[str, set[str]] = defaultdict(set)
    for question, principal, order in itertools.product(PAGES, population.principals.values(), SORTS.values()):
        for query in itertools.islice(question.queries(population, order, 1), EXPLAINED):
            with _explained(services, question.name, uses):
                services.reader.find(principal, query)
    admin = population.principals["admin"]
    with services.catalogue.reading() as connection:
        row = connection.execute(select(Series).where(Series.id == population.rows // 2)).mappings().one()
    lookups = {"hash": row["hash"], "contentHash": row["content_hash"], "followupRequestID": 1, "assignmentID": 1}
    for name, value in lookups.items():
        with _explained(services, name, uses):
            services.reader.find(admin, parse({name: [str(value)]}))
    with _explained(services, "page of positions", uses):
        near = Positions(tuple(population.ra[:100].tolist()), tuple(population.dec[:100].tolist()), 1 / 3600)
        services.reader.find(admin, Query(positions=near, include_total=False))
    with _explained(services, "upload: is it there already?", uses), services.catalogue.reading() as connection:
        finding.taken_by(connection, admin, row)
        look_up_references(connection, admin, row, [], [], row["content_hash"])
    _restrictions(services, uses)
    return uses


def _restrictions(services: Services, uses: defaultdict[str, set[str]]) -> None:
    """Explain what PostgreSQL itself runs when something is deleted that a series may refer to."""
    with services.catalogue.engine.connect() as connection:
        keys = connection.exec_driver_sql(
            "SELECT conrelid::regclass::text, attname, confrelid::regclass::text FROM pg_constraint "
            "JOIN pg_attribute ON attrelid = conrelid AND attnum = conkey[1] WHERE contype = 'f' AND "
            "conrelid::regclass::text IN ('photometric_series', 'series_groups', 'series_streams')"
        ).all()
        for table, column, referred in keys:
            check = f"SELECT 1 FROM ONLY {table} x WHERE $1 = {column} FOR KEY SHARE OF x"
            plan = connection.exec_driver_sql(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {check}").scalar_one()
            for name in _indexes_in(plan):
                uses[name].add(f"delete from {referred}")


@contextmanager
def _explained(services: Services, what: str, uses: defaultdict[str, set[str]]) -> Iterator[None]:
    """Note the indexes in the plan of every statement that is run inside."""

    def explain(_: Any, cursor: Any, statement: str, parameters: Any, *__: Any) -> None:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", parameters)
        for name in _indexes_in(cursor.fetchone()[0]):
            uses[name].add(what)

    event.listen(services.catalogue.engine, "before_cursor_execute", explain)
    try:
        yield
    finally:
        event.remove(services.catalogue.engine, "before_cursor_execute", explain)


def _indexes_in(plan: Any) -> set[str]:
    if isinstance(plan, list):
        return set().union(*map(_indexes_in, plan))
    if not isinstance(plan, dict):
        return set()
    return {plan[key] for key in ("Index Name",) if key in plan} | set().union(*map(_indexes_in, plan.values()))


def _cost(services: Services, table: str, removal: str) -> float:
    """Put rows back that were taken out, with and without an index, in turn; give the difference for a row [us].

    All rows go back in one statement: what a round trip takes varies more than an index costs.
    """
    with services.catalogue.engine.connect() as connection:
        columns = connection.exec_driver_sql(
            "SELECT string_agg(column_name, ', ') FROM information_schema.columns "
            f"WHERE table_name = '{table}' AND is_generated = 'NEVER'"
        ).scalar_one()
        connection.rollback()
        seconds: dict[str, list[float]] = {"SELECT 1": [], removal: []}
        for action in ("SELECT 1", removal) * ROUNDS:
            seconds[action].append(_insert(connection, table, columns, action))
    with_it, without = map(min, seconds.values())
    return (with_it - without) / INSERTS * 1e6


def _insert(connection: Connection, table: str, columns: str, action: str) -> float:
    """Give the seconds that some rows take, from all over the table; COMMIT is not in it, and all is undone."""
    connection.exec_driver_sql(action)
    key = "id" if table == "photometric_series" else "series_id"
    connection.exec_driver_sql(
        f"CREATE TEMP TABLE taken ON COMMIT DROP AS SELECT {columns} FROM {table} "
        f"WHERE {key} IN (SELECT id FROM photometric_series ORDER BY content_hash LIMIT {INSERTS})"
    )
    connection.exec_driver_sql(f"DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM taken)")
    begin = time.perf_counter()
    connection.exec_driver_sql(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM taken")
    seconds = time.perf_counter() - begin
    connection.rollback()
    return seconds
