"""Statements on the driver: compiled once, prepared once per connection, and logged when they are slow."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2
import psycopg2.extensions
from psycopg2.extensions import AsIs
from psycopg2.sql import Composable
from sqlalchemy import ClauseElement, Connection
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
from sqlalchemy.exc import DBAPIError

__all__ = ["CompiledStatement", "TimedCursor"]

log = logging.getLogger(__name__)

#: The SQL of prepared statements that were not slow yet, by their EXECUTE.
_unlogged: dict[object, str] = {}


class TimedCursor(psycopg2.extensions.cursor):
    """A cursor that logs statements that take at least ``slow`` [s], and once the SQL of a prepared one."""

    def __init__(self, connection: psycopg2.extensions.connection, name: str | None = None, *, slow: float) -> None:
        super().__init__(connection, name)
        self._slow = slow

    def execute(
        self, query: str | bytes | Composable, vars: Sequence[object] | Mapping[str, object] | None = None
    ) -> None:
        """Run a statement."""
        begun = time.monotonic()
        try:
            super().execute(query, vars)
        finally:
            seconds = time.monotonic() - begun
            if seconds >= self._slow:
                log.warning("slow statement: %.3f s: %.300s", seconds, " ".join(str(query).split()))
                if sql := _unlogged.pop(query, None):
                    log.warning("the statement of this name: %s", sql)


class CompiledStatement:
    """A statement that every request runs: compiled once, and prepared once per connection.

    SQLAlchemy traverses a statement each time to find it in its cache: two milliseconds for an insert of sixty columns.
    PostgreSQL takes longer to parse and plan a small statement than to execute it. The driver runs the statement,
    because SQLAlchemy's context and result take three times as long as a small statement itself.

    Parameters
    ----------
    name : str
        The name of the prepared statement, unique and a valid identifier.
    statement : ClauseElement
        Its values reach the driver unconverted: JSON as text.
    """

    def __init__(self, name: str, statement: ClauseElement) -> None:
        dialect = PGDialect_psycopg2()  # type: ignore[no-untyped-call]
        compiled = dialect.statement_compiler(dialect, statement)
        given = [key for key, bind in compiled.binds.items() if bind.required]
        places = {key: AsIs(f"${number}") for number, key in enumerate(given, start=1)}
        self._name = name
        self._prepare = f"PREPARE {name} AS {compiled}", {**compiled.params, **places}
        self._execute = f"EXECUTE {name} ({', '.join(f'%({key})s' for key in given)})"
        _unlogged[self._execute] = " ".join(str(compiled).split())

    def execute(self, connection: Connection, **values: object) -> list[tuple[Any, ...]]:
        """Run the statement and return its rows; ignore values that it does not name.

        Raises
        ------
        DBAPIError
            When the server is unreachable, or refuses the statement.
        """
        driver: Any = connection.connection
        prepared = connection.info.setdefault("prepared", set())
        try:
            with driver.cursor() as cursor:
                if self._name not in prepared:
                    cursor.execute(*self._prepare)
                    prepared.add(self._name)  # also if the transaction is rolled back
                cursor.execute(self._execute, values)
                rows: list[tuple[Any, ...]] = cursor.fetchall()
                return rows
        except psycopg2.Error as error:
            is_broken = connection.dialect.is_disconnect(error, driver, None)  # type: ignore[arg-type]
            if is_broken:
                connection.invalidate(error)
            raise DBAPIError.instance(
                self._execute, None, error, psycopg2.Error, hide_parameters=True, connection_invalidated=is_broken
            ) from error
