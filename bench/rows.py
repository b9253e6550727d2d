"""Rows of the catalogue by psycopg2 alone: to fill it, and as the floor of what SQL costs."""

from __future__ import annotations

import itertools
from typing import Any

import psycopg2
from psycopg2 import extras, sql

from photseries.fields import ANSWERED
from photseries.server.catalogue.models import Series

__all__ = ["Rows"]

TABLE = sql.Identifier(Series.__tablename__)
#: What a new row does not take from another one.
FRESH = {"series_obj_id": "'copy ' || n", "filename": "filename || '.' || n"}


class Rows:
    """The series of a catalogue.

    Parameters
    ----------
    url : str
        Of the database, as SQLAlchemy writes it.
    """

    def __init__(self, url: str) -> None:
        self._connection = psycopg2.connect(url.replace("+psycopg2", ""))
        extras.register_default_json(conn_or_curs=self._connection, loads=lambda text: text)
        self._numbers = itertools.count(1)
        table = Series.__table__
        self._written = [c.name for c in table.columns if c.computed is None and c.name != "id"]
        self._shown = sql.SQL(", ").join(map(sql.Identifier, [name for name in ANSWERED if name in table.columns]))

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def copy(self, series_id: int, count: int) -> None:
        """Add series like one, shared as it is, without files: lists of metadata touch none."""
        chosen = [sql.SQL(FRESH[n]) if n in FRESH else sql.Identifier(n) for n in self._written]
        statement = sql.SQL(
            "WITH copies AS (INSERT INTO {table} ({names}) SELECT {chosen} FROM {table}, generate_series(1, %s) n "
            "WHERE id = %s RETURNING id) "
            "INSERT INTO series_groups (series_id, group_id) SELECT copies.id, group_id FROM copies, series_groups "
            "WHERE series_groups.series_id = %s"
        ).format(table=TABLE, names=self._names(), chosen=sql.SQL(", ").join(chosen))
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(statement, (count, series_id, series_id))
            cursor.execute("ANALYZE")  # as autovacuum will

    def commit(self, series_id: int) -> Any:
        """Give a function that inserts a row like one and commits."""
        with self._connection, self._connection.cursor(cursor_factory=extras.RealDictCursor) as cursor:
            query = sql.SQL("SELECT {} FROM {} WHERE id = %s").format(self._names(), TABLE)
            cursor.execute(query, (series_id,))
            values = dict(cursor.fetchone())
        places = sql.SQL(", ").join(map(sql.Placeholder, self._written))
        insert = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(TABLE, self._names(), places)

        def act() -> None:
            tail = f"floor {next(self._numbers)}"
            with self._connection, self._connection.cursor() as cursor:
                cursor.execute(insert, {**values, "series_obj_id": tail, "filename": tail})

        return act

    def forget(self) -> None:
        """Remove what was inserted by :meth:`commit`."""
        with self._connection, self._connection.cursor() as cursor:
            cursor.execute(sql.SQL("DELETE FROM {} WHERE filename LIKE 'floor %'").format(TABLE))

    def one(self, series_id: int) -> Any:
        """Give a function that selects one series as JSON, made by PostgreSQL."""
        query = sql.SQL("SELECT row_to_json(one)::text FROM (SELECT {} FROM {} WHERE id = %s) one")
        return self._selecting(query.format(self._shown, TABLE), series_id)

    def page(self, count: int) -> Any:
        """Give a function that selects the first series as JSON, made by PostgreSQL."""
        query = sql.SQL("SELECT json_agg(page)::text FROM (SELECT {} FROM {} ORDER BY obj_id, id LIMIT %s) page")
        return self._selecting(query.format(self._shown, TABLE), count)

    def _selecting(self, query: sql.Composed, number: int) -> Any:
        text = query.as_string(self._connection)

        def act() -> bytes:
            self._connection.autocommit = True
            try:
                with self._connection.cursor() as cursor:
                    cursor.execute(text, (number,))
                    (found,) = cursor.fetchone()
            finally:
                self._connection.autocommit = False
            return bytes(found, "utf-8")

        return act

    def _names(self) -> sql.Composed:
        return sql.SQL(", ").join(map(sql.Identifier, self._written))
