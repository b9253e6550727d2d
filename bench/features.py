"""Searches by features and periods in a catalogue of a million rows."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psycopg2
from psycopg2 import sql

from bench.client import percentiles
from bench.rows import Rows
from photseries import parameters
from photseries.fields import FEATURES, PERIOD
from photseries.lightcurve.periods import PERIODS_VERSION
from photseries.server import settings
from photseries.server.accounts import OPERATOR
from photseries.server.catalogue.models import Series
from photseries.server.services import Services, open_services

__all__ = ["main"]

NUMBERS = tuple(name for name in (*FEATURES, *PERIOD) if name not in ("features_of", "period_method"))

SELECTIVE = 1e-4  # the part of the rows that a search finds
MAX_SEARCH_TIME = 5.0  # for one kind of search [s]


def main() -> None:
    """Fill a catalogue, and print the time of one search by each feature: the median and the 95th percentile."""
    parser = argparse.ArgumentParser(prog="python -m bench features", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=20)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="photseries-bench-") as folder:
        directory = str(Path(folder) / "data")
        with open_services(settings.load(None, {}, {"data.directory": directory})) as services:
            with Rows(services.catalogue.current_url()) as rows:
                _fill(services, rows, options.rows)
            _measure(services, options.repeats)


def _fill(services: Services, rows: Rows, number: int) -> None:
    """Insert rows like one, whose features and period are random numbers from 0 to 1."""
    services.sandbox.start()
    services.accounts.bootstrap(services.token_file)
    principal = services.accounts.authenticate(services.token_file.read_text().strip())
    services.accounts.create(OPERATOR, "instrument", {"name": "camera", "id": 1})
    services.accounts.create(OPERATOR, "sources", {"id": "source 0", "ra": 10, "dec": -20})
    body = {"obj_id": "source 0", "instrument_id": 1, "series_name": "one", "series_obj_id": "1", "ra": 10, "dec": -20}
    table = {"mjd": [59000.0, 59001.0, 59002.0], "flux": [1.0, 2.0, 1.5], "fluxerr": [0.1, 0.1, 0.1]}
    first = services.archive.create(principal, {**body, "exp_time": 30, "filter": "ztfg", "data": table}).id
    rows.cursor.execute(
        "INSERT INTO sources (id, ra, dec) SELECT 'source ' || n, 10, -20 FROM generate_series(1, 99999) n"
    )
    analysed = {"obj_id": "'source ' || n %% 100000", "analysis_version": str(PERIODS_VERSION)}
    with _without_indexes(rows.cursor):
        rows.copy(first, number, {**dict.fromkeys(NUMBERS, "random()"), **analysed})
    rows.cursor.execute("VACUUM ANALYZE")


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
    """Print how long searches take."""
    admin = services.accounts.authenticate(services.token_file.read_text().strip())
    user = replace(admin, permissions=frozenset())  # who sees what is shared with the owner's group
    services.reader.find(user, parameters.parse({"numPerPage": ["1"]}))
    for name in NUMBERS:
        greatest = next((c.name for c in parameters.CRITERIA if c.field == name and c.name.startswith("max")), None)
        if greatest is None:
            continue
        sorted_ = {"sortBy": [name], "includeTotal": ["false"]}
        for kind, arguments in (("found", {greatest: [str(SELECTIVE)]}), ("sorted", sorted_)):
            query, walls = parameters.parse(arguments), []
            services.reader.find(user, query)
            while len(walls) < repeats and sum(walls) < MAX_SEARCH_TIME:
                begin = time.monotonic()
                services.reader.find(user, query)
                walls.append(time.monotonic() - begin)
            median, high = percentiles(walls, (50, 95))
            print(
                f"{name:22} {kind:7} min {min(walls) * 1000:8.1f} median {median:8.1f} p95 {high:8.1f} ms", flush=True
            )
