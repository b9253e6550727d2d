"""Rows of the catalogue by psycopg2 alone: to fill it, and as the floor of what SQL costs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Final, Self

import psycopg2
from psycopg2 import extras, sql

from photseries.fields import ANSWERED
from photseries.server.catalogue.models import Series

__all__ = ["Rows"]

_COLUMNS: Final = Series.__table__.columns
_WRITTEN: Final = [column.name for column in _COLUMNS if column.computed is None and column.name != "id"]
_NAMES: Final = sql.SQL(", ").join(map(sql.Identifier, _WRITTEN))
_SHOWN: Final = sql.SQL(", ").join(sql.Identifier(name) for name in ANSWERED if name in _COLUMNS)

#: SQL for what a copy does not take from its original.
_FRESH: Final = {"series_obj_id": "'copy ' || n", "filename": "filename || '.' || n"}

_COPY: Final = """
INSERT INTO photometric_series ({names}) SELECT {values} FROM photometric_series, generate_series(1, %s) n WHERE id = %s
"""


class Rows:
    """The series of a catalogue; each statement commits itself.

    Parameters
    ----------
    url : str
        Of the database, as SQLAlchemy writes it.
    """

    def __init__(self, url: str) -> None:
        self._connection = psycopg2.connect(url.replace("+psycopg2", ""), options="-c statement_timeout=0")
        self._connection.autocommit = True
        extras.register_default_json(conn_or_curs=self._connection, loads=lambda text: text)
        self.cursor = self._connection.cursor()
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def copy(self, series_id: int, count: int, more: Mapping[str, str] | None = None) -> None:
        """Add series like one, without files; ``more`` is SQL for columns, where n is the number of the copy."""
        fresh = {**_FRESH, **(more or {})}
        values = [sql.SQL(fresh[name]) if name in fresh else sql.Identifier(name) for name in _WRITTEN]
        statement = sql.SQL(_COPY).format(names=_NAMES, values=sql.SQL(", ").join(values))
        self.cursor.execute(statement, (count, series_id))

    def commit(self, series_id: int) -> Callable[[], object]:
        """Return a function that inserts a row like one, and commits."""
        self.cursor.execute(sql.SQL("SELECT {} FROM photometric_series WHERE id = %s").format(_NAMES), (series_id,))
        values = dict(zip(_WRITTEN, self.cursor.fetchone() or (), strict=True))
        places = sql.SQL(", ").join(map(sql.Placeholder, _WRITTEN))
        insert = sql.SQL("INSERT INTO photometric_series ({}) VALUES ({})").format(_NAMES, places)

        def act() -> None:
            name = f"floor {next(self._numbers)}"
            self.cursor.execute(insert, {**values, "series_obj_id": name, "filename": name})

        return act

    def forget(self) -> None:
        """Remove what :meth:`commit` has inserted."""
        self.cursor.execute("DELETE FROM photometric_series WHERE filename LIKE 'floor %'")

    def select_one(self, series_id: int) -> Callable[[], object]:
        """Return a function that selects one series as JSON, made by PostgreSQL."""
        query = "SELECT row_to_json(r)::text FROM (SELECT {} FROM photometric_series WHERE id = %s) r"
        return self._selecting(query, series_id)

    def page(self, count: int) -> Callable[[], object]:
        """Return a function that selects the first series as JSON, made by PostgreSQL."""
        query = "SELECT json_agg(r)::text FROM (SELECT {} FROM photometric_series ORDER BY obj_id, id LIMIT %s) r"
        return self._selecting(query, count)

    def _selecting(self, query: str, number: int) -> Callable[[], object]:
        text = sql.SQL(query).format(_SHOWN).as_string(self._connection)

        def act() -> None:
            self.cursor.execute(text, (number,))
            self.cursor.fetchall()

        return act
