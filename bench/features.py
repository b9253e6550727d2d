"""Searches by features and periods in a catalogue of many rows: ``python -m bench.features --rows 1000000``."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import psycopg2
from psycopg2 import sql

from photseries import parameters
from photseries.fields import FEATURES, PERIOD
from photseries.lightcurve.periods import PERIODS_VERSION
from photseries.server import settings
from photseries.server.accounts import OPERATOR
from photseries.server.catalogue.models import Series
from photseries.server.services import Services, opened

__all__ = ["main"]

TABLE = sql.Identifier(Series.__tablename__)
NUMBERS = tuple(name for name in (*FEATURES, *PERIOD) if name not in ("features_of", "period_method"))

#: Part of the rows that a search finds.
SELECTIVE = 1e-4

#: How long one kind of search is repeated [ms].
LONGEST = 5_000.0


def main() -> None:
    """Fill a catalogue, and print the time of one search by each feature: the median and the 95th percentile."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="photseries-bench-") as folder:
        directory = str(Path(folder) / "data")
        with opened(settings.load(None, {}, {"data.directory": directory})) as services:
            begin = time.monotonic()
            _fill(services, asked.rows)
            print(f"{asked.rows:,} rows in {time.monotonic() - begin:.0f} s", flush=True)
            _measure(services, asked.repeats)


def _fill(services: Services, rows: int) -> None:
    """Insert rows like one, whose features and period are random numbers from 0 to 1."""
    services.sandbox.start()
    services.accounts.bootstrap(services.token_file)
    principal = services.accounts.authenticate(services.token_file.read_text().strip())
    services.accounts.create(OPERATOR, "instrument", {"name": "camera", "id": 1})
    services.accounts.create(OPERATOR, "sources", {"id": "source 0", "ra": 10, "dec": -20})
    body = {"obj_id": "source 0", "instrument_id": 1, "series_name": "one", "series_obj_id": "1", "ra": 10, "dec": -20}
    table = {"mjd": [59000.0, 59001.0, 59002.0], "flux": [1.0, 2.0, 1.5], "fluxerr": [0.1, 0.1, 0.1]}
    first = services.archive.create(principal, {**body, "exp_time": 30, "filter": "ztfg", "data": table}).id
    made = {
        **dict.fromkeys(NUMBERS, "random()"),
        "obj_id": "'source ' || n %% 100000",
        "filename": "filename || '.' || n",
        "series_obj_id": "'star ' || n",
        "analysis_version": str(PERIODS_VERSION),
    }
    names = [c.name for c in Series.__table__.columns if c.computed is None and c.name != "id"]
    chosen = [sql.SQL(made[name]) if name in made else sql.Identifier(name) for name in names]
    statement = sql.SQL(
        "INSERT INTO {table} ({names}) SELECT {chosen} FROM {table}, generate_series(1, %s) n WHERE id = %s"
    )
    url = services.catalogue.current_url().replace("+psycopg2", "")
    with psycopg2.connect(url, options="-c statement_timeout=0") as connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO sources (id, ra, dec) SELECT 'source ' || n, 10, -20 FROM generate_series(1, 99999) n"
        )
        with _without_indexes(cursor):
            listed = sql.SQL(", ").join(map(sql.Identifier, names))
            cursor.execute(
                statement.format(table=TABLE, names=listed, chosen=sql.SQL(", ").join(chosen)), (rows, first)
            )
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    connection.close()


@contextmanager
def _without_indexes(cursor: psycopg2.extensions.cursor) -> Iterator[None]:
    """Build the indexes after the rows, which is faster."""
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND indexdef NOT LIKE 'CREATE UNIQUE%%'",
        (Series.__tablename__,),
    )
    indexes = cursor.fetchall()
    for name, _ in indexes:
        cursor.execute(sql.SQL("DROP INDEX {}").format(sql.Identifier(name)))
    yield
    cursor.execute("SET maintenance_work_mem = '512MB'")
    for _, definition in indexes:
        cursor.execute(definition)


def _measure(services: Services, repeats: int) -> None:
    """Print the wall clock of searches, and the CPU time of this process and of PostgreSQL, which other load spares."""
    admin = services.accounts.authenticate(services.token_file.read_text().strip())
    user = replace(admin, permissions=frozenset())  # who sees what is shared with the owner's group
    services.reader.find(user, parameters.parse({"numPerPage": ["1"]}))
    backends = _backends(services)
    for name in NUMBERS:
        greatest = next((c.name for c in parameters.CRITERIA if c.field == name and c.name.startswith("max")), None)
        if greatest is None:
            continue
        sorted_ = {"sortBy": [name], "includeTotal": ["false"]}
        for kind, asked in (("found", {greatest: [str(SELECTIVE)]}), ("sorted", sorted_)):
            query, walls, cpus = parameters.parse(asked), [], []
            services.reader.find(user, query)
            for _ in range(repeats):
                wall, cpu = time.monotonic(), _cpu(backends)
                services.reader.find(user, query)
                walls.append((time.monotonic() - wall) * 1e3)
                cpus.append((_cpu(backends) - cpu) * 1e3)
                if sum(walls) > LONGEST:
                    break
            median, high = np.percentile(walls, (50, 95))
            print(f"{name:22} {kind:7} min {min(walls):8.1f} median {median:8.1f} p95 {high:8.1f} ms, "
                  f"CPU {np.mean(cpus):8.1f} ms", flush=True)  # fmt: skip


def _cpu(backends: Sequence[int]) -> float:
    """Return the CPU time of this process and of some of PostgreSQL's [s]."""
    used = [psutil.Process(number).cpu_times() for number in (os.getpid(), *backends)]
    return sum(one.user + one.system for one in used)


def _backends(services: Services) -> list[int]:
    with psycopg2.connect(services.catalogue.current_url().replace("+psycopg2", "")) as own, own.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return [number for (number,) in cursor.fetchall()]


if __name__ == "__main__":
    main()
