"""The schema revision: migrate the schema, or refuse to start on another revision.

Every start checks the revision, but few migrate: Alembic, which is slow to import, is imported only for a migration.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, text

from photseries.errors import StartError
from photseries.server.catalogue import vo_views
from photseries.server.faults import reached
from photseries.server.settings import VOSettings

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["check", "create_index", "difference", "is_empty", "require_nothing", "upgrade"]

#: Advisory lock that a migrating process holds.
LOCK = 7_302_001
#: Indexes of larger tables are created concurrently [bytes].
LARGE = 100_000_000
#: Polling interval of the lock [s].
_PAUSE = 0.2


def upgrade(engine: Engine, reading_role: str = VOSettings().database_role) -> tuple[str | None, str]:
    """Bring the schema to the newest revision, one process at a time.

    All revisions are one transaction, unless the table of series is large. Then each revision is one transaction, and
    after a kill the next call continues; see :func:`create_index`. The TAP views, which prevent changes of columns, are
    dropped before and recreated after.

    Parameters
    ----------
    reading_role : str
        The role that reads the views.

    Returns
    -------
    before, after : str or None, str
        The revisions.
    """
    from alembic import command

    configuration = _configuration()
    with _locked(engine), engine.connect() as connection:
        reached("migrate: locked")
        connection.execute(text("SET statement_timeout = 0"))  # a large table takes longer than any request
        connection.execute(text("SET lock_timeout = 0"))
        connection.execute(text("SET idle_in_transaction_session_timeout = 0"))
        before = _revision(connection)
        size = connection.scalar(text("SELECT pg_table_size(to_regclass('photometric_series'))")) or 0
        vo_views.drop(connection)
        connection.commit()
        configuration.attributes["connection"] = connection
        with nullcontext() if size > LARGE else connection.begin():
            command.upgrade(configuration, "head")
            reached("migrate: upgraded")
        connection.invalidate()  # settings only for migrations
    vo_views.ensure(engine, reading_role)
    reached("migrate: committed")
    return before, _revisions()[-1]


@contextmanager
def _locked(engine: Engine) -> Iterator[None]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # A statement that waits for the lock holds a snapshot, for which CREATE INDEX CONCURRENTLY would wait.
        while not connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK}):
            time.sleep(_PAUSE)
        try:
            yield
        finally:
            connection.invalidate()


def create_index(name: str, table: str, columns: Sequence[str], **options: Any) -> None:
    """Create an index without blocking writers, for migrations of tables that may be large.

    This commits the earlier steps of the migration. After a kill the migration runs again from its beginning, so these
    steps must be idempotent (``IF NOT EXISTS``).

    Parameters
    ----------
    **options
        As for Alembic's ``create_index``.
    """
    from alembic import op

    context = op.get_context()
    if context.connection is None or not context.opts["transaction_per_migration"]:
        op.create_index(name, table, columns, **options)
        return
    with context.autocommit_block():
        # A kill leaves an invalid index.
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
        op.create_index(name, table, columns, postgresql_concurrently=True, **options)


def is_empty(engine: Engine) -> bool:
    """Return whether the database has no photseries schema yet."""
    with engine.connect() as connection:
        return _revision(connection) is None


def require_nothing(engine: Engine) -> None:
    """Refuse a database that contains tables.

    Raises
    ------
    StartError
    """
    with engine.connect() as connection:
        tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' LIMIT 1"
        table = connection.scalar(text(tables))
    if table is not None:
        raise StartError(
            f"The database is not empty: it has a table {table}. Nothing was changed. To complete an "
            "interrupted restore, add --continue."
        )


def check(engine: Engine) -> None:
    """Refuse a schema of another revision.

    Raises
    ------
    StartError
        Naming the command that fixes it.
    """
    if (words := difference(engine)) is not None:
        raise StartError(words)


def difference(engine: Engine) -> str | None:
    """Return how the schema's revision differs from this version's, and the remedy; None if they agree."""
    with engine.connect() as connection:
        current = _revision(connection)
    revisions = _revisions()
    if current == revisions[-1]:
        return None
    if current is None or current in revisions:
        state = "has no schema yet" if current is None else f"is at revision {current}"
        return f"The database {state}, this photseries needs {revisions[-1]}: run `photseries migrate`."
    return (
        f"The database is at revision {current}, which this photseries does not know: it was made by a newer one. "
        "Install that version."
    )


def _configuration() -> Config:
    from alembic.config import Config

    configuration = Config()
    configuration.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    return configuration


def _folder() -> Path:
    """Return the folder of migrations: inside an installed package, or at the top of a checkout."""
    server = Path(str(resources.files("photseries.server")))
    installed = server / "migrations"
    return installed if installed.is_dir() else server.parents[1] / "migrations"


def _revisions() -> list[str]:
    """Return the revisions, oldest first: file names begin with the number of the revision."""
    return sorted(script.name.partition("_")[0] for script in (_folder() / "versions").glob("[0-9]*.py"))


def _revision(connection: Connection) -> str | None:
    if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision
