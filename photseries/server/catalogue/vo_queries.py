"""Run queries translated from ADQL as the read-only role, each in its own transaction."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import psycopg2
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, CursorResult, bindparam, case, func, select
from sqlalchemy.exc import DBAPIError

from photseries.errors import InvalidError, UnavailableError
from photseries.lightcurve.sky import ORDER
from photseries.server.catalogue import vo_views
from photseries.server.catalogue.access import audience
from photseries.server.catalogue.engine import Catalogue, Connection
from photseries.server.catalogue.statements import CompiledStatement
from photseries.server.principal import Principal

__all__ = ["BATCH", "Context", "TemporaryTable", "open_query", "pixels", "require_role"]

#: Number of rows per fetch.
BATCH: Final = 1000

#: SQLSTATE classes of faulty queries: data, cardinality, syntax and types, program limits, unsupported features.
_WRONG: Final = ("22", "21", "42", "54", "0A")


@dataclass(frozen=True)
class Context:
    """The principal of a query, and its time limit.

    Parameters
    ----------
    principal : Principal
    role : str
        The database role.
    service : str
        The URL of the service.
    did : str
        The prefix of identifiers of series.
    timeout : float
        [s].
    temporary : int
        Maximum size of the temporary files of the database [bytes].
    """

    principal: Principal
    role: str
    service: str
    did: str
    timeout: float
    temporary: int


@dataclass(frozen=True)
class TemporaryTable:
    """A temporary table of a transaction: its columns with their SQL types, and its rows."""

    name: str
    columns: Mapping[str, str]
    rows: Iterator[Sequence[object]] = field(repr=False)


def require_role(connection: Connection, role: str) -> None:
    """Refuse queries if their role does not exist.

    Raises
    ------
    UnavailableError
    """
    if (words := vo_views.problem(connection, role)) is not None:
        raise UnavailableError(f"TAP is off: {words}")


@contextmanager
def open_query(
    catalogue: Catalogue,
    context: Context,
    tables: Sequence[TemporaryTable],
    sql: str,
    values: Mapping[str, object],
    *,
    begun: Callable[[int], None] = lambda _: None,
) -> Iterator[CursorResult[Any]]:
    """Run a query and yield its rows through a server-side cursor.

    Parameters
    ----------
    tables : sequence of TemporaryTable
        Made before.
    begun : callable
        Called with the pid of the backend before the query runs.

    Raises
    ------
    InvalidError
        When the database refuses the query, or it times out.
    UnavailableError
        When the database is unreachable, or has no such role.
    """
    with catalogue.transaction() as connection, _refused(context):
        for table in tables:
            _make(connection, table, context.role)
        begun(connection.connection.dbapi_connection.info.backend_pid)  # type: ignore[union-attr]
        try:
            _ENTER.execute(connection, **_entering(context))
        except DBAPIError as error:
            if getattr(error.orig, "pgcode", None) not in ("22023", "42501", "42704"):
                raise
            message = "TAP is off: the service cannot read as its database role. Ask the operator."
            raise UnavailableError(message) from error
        yield connection.execution_options(stream_results=True, max_row_buffer=BATCH).exec_driver_sql(sql, dict(values))


def pixels(catalogue: Catalogue, context: Context, order: int) -> NDArray[np.int64]:
    """Return the HEALPix numbers of an order with visible series; transferred as one byte string."""
    distinct = f"SELECT DISTINCT healpix >> %(bits)s AS pixel FROM {vo_views.SCHEMA}.series"  # noqa: S608
    sql = f"SELECT string_agg(int8send(pixel), '') FROM ({distinct}) AS found"  # noqa: S608
    with open_query(catalogue, context, (), sql, {"bits": 2 * (ORDER - order)}) as result:
        return np.frombuffer(bytes(result.scalar_one() or b""), ">i8").astype(np.int64)


def _entering(context: Context) -> dict[str, object]:
    principal = context.principal
    listeners = ",".join(map(str, audience(principal.group_ids, principal.stream_ids)))
    settings = {
        "everything": str(principal.is_admin).lower(),
        "everyone_reads": str(not principal.is_anonymous).lower(),
        "listeners": f"{{{listeners}}}",
        "service": context.service,
        "did": context.did,
    }
    limits = {"timeout": str(int(context.timeout * 1000)), "temporary": f"{context.temporary // 1024}kB"}
    return {**settings, **limits, "role": context.role}


def _setting(name: str, value: object) -> ColumnElement[object]:
    return func.set_config(name, value, True)


_ENTER: Final = CompiledStatement(
    "enter_tap",
    select(
        *(_setting(f"photseries.{name}", bindparam(name)) for name in vo_views.SETTINGS),
        _setting("statement_timeout", bindparam("timeout")),
        # Only a superuser, or a user with this privilege, may limit the temporary files.
        case(
            (
                func.has_parameter_privilege("temp_file_limit", "SET"),
                _setting("temp_file_limit", bindparam("temporary")),
            )
        ),
        _setting("cursor_tuple_fraction", "1"),
        _setting("transaction_read_only", "on"),
        _setting("role", bindparam("role")),
    ),
)


def _make(connection: Connection, table: TemporaryTable, role: str) -> None:
    columns = ", ".join(f"{name} {kind}" for name, kind in table.columns.items())
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {table.name} ({columns}) ON COMMIT DROP")
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows(table.rows)  # older servers end the data at a line of \.
    text.seek(0)
    cursor: Any = connection.connection.cursor()
    # An empty text means null also in quotes, which the writer puts around the only cell of a row.
    cursor.copy_expert(f"COPY {table.name} FROM STDIN (FORMAT csv, FORCE_NULL ({', '.join(table.columns)}))", text)
    connection.exec_driver_sql(f'GRANT SELECT ON {table.name} TO "{role}"')
    connection.exec_driver_sql(f"ANALYZE {table.name}")


@contextmanager
def _refused(context: Context) -> Iterator[None]:
    """Translate the database's refusal of a query to an error for its author."""
    try:
        yield
    except (DBAPIError, psycopg2.Error) as error:  # COPY is a statement of the driver
        cause = error.orig if isinstance(error, DBAPIError) else error
        state = getattr(cause, "pgcode", None) or ""
        if state == "57014":
            raise InvalidError(
                f"The query was ended: it took longer than {context.timeout:g} s. Select fewer rows, or run it as "
                "a job."
            ) from error
        if state == "53400":
            raise InvalidError(
                f"The query was ended: its temporary files exceed {context.temporary:,} bytes. Sort, group or join "
                "fewer rows."
            ) from error
        if state.startswith(_WRONG) and state != "42501":
            reason = getattr(getattr(cause, "diag", None), "message_primary", None) or "it is not valid"
            raise InvalidError(f"The database refuses the query: {reason}."[:290]) from error
        raise
