"""Connections, transactions and advisory locks.

One use case is one transaction. Reads that are one statement run in autocommit, so that they cost one round trip.
"""

from __future__ import annotations

import functools
import logging
import select as select_
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import orjson
import psycopg2
import psycopg2.errors
import psycopg2.extensions
from sqlalchemy import (
    Connection,
    Engine,
    create_engine,
    event,
    func,
    make_url,
    select,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, InvalidRequestError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

from photseries.cancellation import cancellable
from photseries.errors import DatabaseAwayError, OutcomeUnknownError, StartError, UnavailableError
from photseries.server.catalogue.failures import CAUSES, outcome_unknown, translated
from photseries.server.catalogue.models import Base
from photseries.server.catalogue.statements import TimedCursor
from photseries.server.postgres.binaries import MIN_VERSION
from photseries.server.settings import DatabaseSettings

__all__ = ["Catalogue", "Connection", "require_version"]

log = logging.getLogger(__name__)

#: Maximum number of retries after a broken connection, and the timeout for the server to answer again [s].
_REPEATS = 3
_COMES_BACK = 2.0

T = TypeVar("T")

# Detect a server that vanished without closing the connection within a minute; the system default is hours.
_ALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}

_WRITABLE = text(
    "SELECT current_setting('transaction_read_only')::bool, bool_and(has_table_privilege(name, privilege)) "
    "FROM unnest(CAST(:tables AS text[])) name, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) privilege"
)


class Catalogue:
    """The rows: a pool of connections to one PostgreSQL server.

    Parameters
    ----------
    url : str
        ``postgresql://...``.
    settings : DatabaseSettings
    connections : int
        The size of the pool: the number of threads that use it.
    revive : callable, optional
        Called after a failed connection, before another attempt: revives an embedded server and returns its URL.
    label : str
        The origin of the URL, for messages.

    Raises
    ------
    StartError
        When the URL is not a PostgreSQL URL.
    """

    def __init__(
        self,
        url: str,
        settings: DatabaseSettings,
        *,
        connections: int = 8,
        revive: Callable[[], str] | None = None,
        label: str = "database.url",
    ) -> None:
        self._revive = revive
        try:
            address = make_url(url)
        except ArgumentError:
            raise StartError(f"{label} is not a URL; it must look like postgresql://user:pass@host/name.") from None
        if address.get_backend_name() not in ("postgresql", "postgres"):
            raise StartError(f"{label} must start with postgresql://: photseries needs PostgreSQL.")
        self.engine = create_engine(
            address.set(drivername="postgresql+psycopg2"),
            poolclass=_ConnectionPool,
            pool_size=connections,
            max_overflow=0,
            pool_use_lifo=True,  # the few connections that are in use have warm caches and prepared statements
            pool_timeout=settings.connect_timeout,
            hide_parameters=True,
            json_serializer=lambda value: orjson.dumps(value).decode(),
            json_deserializer=orjson.loads,
            connect_args={
                "connect_timeout": int(settings.connect_timeout),
                "application_name": "photseries",
                "cursor_factory": functools.partial(TimedCursor, slow=settings.slow_statement),
                **_ALIVE,
                "options": " ".join(f"-c {name}={value}" for name, value in _session(settings).items()),
            },
        )
        event.listen(self.engine, "do_connect", self._connect)
        event.listen(self.engine, "reset", _leave_autocommit)
        event.listen(self.engine, "checkout", _require_open)
        self._commits = _Commits()

    def _connect(
        self, dialect: Dialect, record: ConnectionPoolEntry, arguments: tuple[Any, ...], options: dict[str, Any]
    ) -> object:
        try:
            return psycopg2.connect(*arguments, **options)
        except psycopg2.OperationalError:
            if self._revive is None:
                raise
            _, current = dialect.create_connect_args(make_url(self._revive()))
            return psycopg2.connect(*arguments, **{**options, **current})

    def current_url(self) -> str:
        """Return the URL of the server, with the password; revive an embedded server first."""
        return self.engine.url.render_as_string(hide_password=False) if self._revive is None else self._revive()

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        """Yield a connection whose statements are cancelled with the work of this thread."""
        with translated(), self._check_out() as connection:
            backend = connection.connection.dbapi_connection.info.backend_pid  # type: ignore[union-attr]
            with cancellable(lambda: self._cancel(backend)):
                yield connection

    def _check_out(self) -> Connection:
        """Take a connection from the pool, which gives up when the server has closed two in a row."""
        try:
            return self.engine.connect()
        except InvalidRequestError as error:
            kind, message = CAUSES["08"]
            raise kind(message) from error

    def _cancel(self, backend: int) -> None:
        # Not psycopg2's cancel(), which blocks all threads while the server does not answer.
        with suppress(UnavailableError), self.reading() as connection:
            connection.execute(select(func.pg_cancel_backend(backend)))

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection in autocommit, for single read-only statements.

        Raises
        ------
        UnavailableError
            When the server is unreachable or the pool is exhausted.
        """
        with self._connected() as connection:
            _enter_autocommit(connection)
            yield connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Yield a connection in a transaction, which commits at the end of the block and rolls back on an exception.

        Raises
        ------
        OutcomeUnknownError
            When COMMIT was sent and the connection broke before its answer.
        UnavailableError
            When the server is unreachable or ended the transaction, certainly without effect.
        """
        with self._connected() as connection:
            transaction = connection.begin()
            try:
                yield connection
            except BaseException:
                transaction.close()  # rolls back; after a dead connection the server has rolled back
                raise
            self._commits.sent += 1
            try:
                transaction.commit()
            except DBAPIError as error:
                if outcome_unknown(error):
                    raise OutcomeUnknownError(
                        "The connection to the database broke during the commit. The change may or may not have been "
                        "made: check before you repeat it."
                    ) from error
                raise

    def with_retries(self, function: Callable[[], T], *, harmless: bool = False) -> T:
        """Call a function; retry a few times if its connection breaks and the server soon answers again.

        Parameters
        ----------
        function : callable
            It may be called again if it has not sent COMMIT.
        harmless : bool
            Whether it may be called again even after COMMIT.

        Raises
        ------
        UnavailableError
        """
        sent = self._commits.sent
        for _ in range(_REPEATS):
            try:
                return function()
            except (DatabaseAwayError, OutcomeUnknownError) as error:
                cause = error.__cause__
                broke = isinstance(cause, InvalidRequestError) or (
                    isinstance(cause, DBAPIError) and cause.connection_invalidated
                )
                if not broke or not (harmless or self._commits.sent == sent):
                    raise
                log.warning("a connection to the database broke; repeating its work (%s)", cause)
                self._wait()
        return function()

    def _wait(self) -> None:
        """Wait for a restarting server."""
        deadline = time.monotonic() + _COMES_BACK
        while True:
            try:
                return self.ping()
            except DatabaseAwayError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def connections_in_use(self) -> int:
        """Count the connections that are checked out of the pool."""
        pool = self.engine.pool
        return pool.checkedout() if isinstance(pool, QueuePool) else 0

    def ping(self) -> None:
        """Run an empty statement; raise UnavailableError if the database is unavailable."""
        with self.reading() as connection:
            connection.execute(select(1))

    def require_writable(self) -> None:
        """Check that the database accepts changes of every table.

        Raises
        ------
        UnavailableError
            When the server is unreachable or read-only, or the role lacks a permission.
        """
        with self.reading() as connection:
            tables = Base.metadata.tables
            read_only, permitted = connection.execute(_WRITABLE, {"tables": list(tables)}).one()
        for state, wrong in (("25006", read_only), ("42501", not permitted)):
            if wrong:
                kind, message = CAUSES[state]
                raise kind(message)

    @contextmanager
    def series_lock(self, series_id: int) -> Iterator[None]:
        """Acquire the advisory lock of a series, waiting for other holders."""
        key = func.hashtextextended("change of a series", series_id)
        with self.reading() as connection:
            connection.execute(select(func.pg_advisory_lock(key)))
            try:
                yield
            finally:
                # A broken connection releases the lock; completed work remains.
                with suppress(DBAPIError):
                    connection.execute(select(func.pg_advisory_unlock(key)))

    @contextmanager
    def task_lock(self, task: int, *, shared: bool = False) -> Iterator[Callable[[], object] | None]:
        """Try to acquire the advisory lock of a task without waiting; yield None if another process holds it.

        Otherwise yield a function that ends the block with UnavailableError if the lock was lost with the connection.

        Parameters
        ----------
        task : int
            The number of the lock.
        shared : bool
            Whether other holders may share the lock.
        """
        suffix = "_shared" if shared else ""
        with self.reading() as connection:
            won = bool(connection.scalar(text(f"SELECT pg_try_advisory_lock{suffix}(:task)"), {"task": task}))
            try:
                yield functools.partial(connection.execute, select(1)) if won else None
            finally:
                if won and not connection.invalidated:
                    with suppress(DBAPIError):
                        connection.execute(text(f"SELECT pg_advisory_unlock{suffix}(:task)"), {"task": task})

    @contextmanager
    def held(self, task: int) -> Iterator[None]:
        """Acquire the exclusive advisory lock of a task, without a timeout.

        Raises
        ------
        UnavailableError
            When the connection broke, which released the lock, before the end of the block.
        """
        with self.reading() as connection:
            try:
                connection.execute(text("SET statement_timeout = 0"))
                connection.execute(text("SET lock_timeout = 500"))  # Python handles Ctrl-C between two attempts
                while not _try_lock(connection, task):
                    pass
                yield
                connection.execute(select(1))
            finally:
                connection.invalidate()  # the end of the session releases the lock


class _ConnectionPool(QueuePool):
    """A pool that forgets a connection that it could not replace.

    QueuePool keeps its place. Every request would take this place first, and fail while the server refuses new
    connections, although other connections are idle.
    """

    __module__ = QueuePool.__module__  # SQLAlchemy names the logger after it, and our own loggers show INFO

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        if record.dbapi_connection is None:
            self._dec_overflow()
        else:
            super()._do_return_conn(record)


def _try_lock(connection: Connection, task: int) -> bool:
    """Wait for the exclusive advisory lock of a task until the lock timeout; return whether it was acquired."""
    try:
        connection.execute(text("SELECT pg_advisory_lock(:task)"), {"task": task})
    except DBAPIError as error:
        if isinstance(error.orig, psycopg2.errors.LockNotAvailable):
            return False
        raise
    return True


class _Commits(threading.local):
    """The number of COMMITs that a thread has sent."""

    sent = 0


def _enter_autocommit(connection: Connection) -> None:
    """Run every statement in autocommit.

    SQLAlchemy's isolation level AUTOCOMMIT sends a SET whenever a connection returns to the pool: another round trip,
    which raises another error if the server is gone.
    """
    connection.connection.dbapi_connection.autocommit = True  # type: ignore[union-attr]


def _leave_autocommit(connection: psycopg2.extensions.connection, *_: object) -> None:
    """Reset a connection that returns to the pool to transactions, without sending anything."""
    if connection.autocommit:
        connection.autocommit = False


def _require_open(connection: psycopg2.extensions.connection, *_: object) -> None:
    """Let the pool replace a connection that the server has closed since its last use.

    An idle connection is readable only if it was closed. Polling costs two microseconds, SQLAlchemy's ``pool_pre_ping``
    a round trip.

    Raises
    ------
    DisconnectionError
    """
    poll = select_.poll()
    if not connection.closed:
        poll.register(connection.fileno(), select_.POLLIN)
    if connection.closed or poll.poll(0):
        raise DisconnectionError("The server has closed the connection.")


def _session(settings: DatabaseSettings) -> dict[str, object]:
    """Return the settings of every session, with which the statements were measured."""
    return {
        "statement_timeout": int(settings.statement_timeout * 1000),
        "lock_timeout": int(settings.statement_timeout * 500),  # half, so that this error precedes the other
        # A later COMMIT, which could follow a sweep, fails because the transaction has ended.
        "idle_in_transaction_session_timeout": int(settings.statement_timeout * 1000),
        "timezone": "UTC",
        "random_page_cost": 1.1,  # for an SSD or memory; the default of 4 is for spinning disks
        "max_parallel_workers_per_gather": 0,  # to start workers takes longer than a page; requests are the parallelism
    }


def require_version(engine: Engine, minimum: int = MIN_VERSION) -> int:
    """Return the major version of the server, 15 or newer: before that there is no NULLS NOT DISTINCT.

    Raises
    ------
    StartError
        When the server is unreachable or too old.
    """
    try:
        with engine.connect() as connection:
            dbapi: Any = connection.connection.dbapi_connection
            version = int(dbapi.server_version) // 10000
    except DBAPIError as error:
        raise StartError(f"Cannot connect to the database: {' '.join(str(error.orig).split())}") from error
    if version < minimum:
        raise StartError(f"The database server is PostgreSQL {version}; photseries needs {minimum} or newer.")
    return version
