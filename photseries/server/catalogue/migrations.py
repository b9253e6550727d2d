"""The schema's revision: bring it up to date, or refuse to start on another.

Every start looks at the revision, and few bring it up to date: Alembic, which takes a while to import, is for those.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, text

from photseries.errors import StartError
from photseries.server.faults import reached

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["check", "is_empty", "require_nothing", "upgrade"]

#: Advisory lock that a migrating process holds.
LOCK = 7_302_001


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Bring the schema to the newest revision, one process at a time.

    Returns
    -------
    before, after : str or None, str
        The revisions.
    """
    from alembic import command

    configuration = _configuration()
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL statement_timeout = 0"))  # a large table takes longer than any request
        connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        reached("migrate: locked")
        before = _revision(connection)
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "head")
        reached("migrate: upgraded")
    reached("migrate: committed")
    return before, _revisions()[-1]


def is_empty(engine: Engine) -> bool:
    """Tell whether the database has no schema of ours yet."""
    with engine.connect() as connection:
        return _revision(connection) is None


def require_nothing(engine: Engine) -> None:
    """Refuse a database in which there is a table already.

    Raises
    ------
    StartError
    """
    with engine.connect() as connection:
        tables = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' LIMIT 1"
        table = connection.scalar(text(tables))
    if table is not None:
        raise StartError(f"The database is not empty: it has a table {table}. Nothing was changed.")


def check(engine: Engine) -> None:
    """Refuse a schema of another revision.

    Raises
    ------
    StartError
        Naming the command that mends it.
    """
    with engine.connect() as connection:
        found = _revision(connection)
    known = _revisions()
    if found == known[-1]:
        return
    if found is None or found in known:
        state = "has no schema yet" if found is None else f"is at revision {found}"
        raise StartError(f"The database {state}, this photseries needs {known[-1]}: run `photseries migrate`.")
    raise StartError(
        f"The database is at revision {found}, which this photseries does not know: it was made by a newer one. "
        "Install that version."
    )


def _configuration() -> Config:
    from alembic.config import Config

    configuration = Config()
    configuration.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    return configuration


def _folder() -> Path:
    """Give the migrations' folder: inside an installed package, at the top of a checkout."""
    server = Path(str(resources.files("photseries.server")))
    installed = server / "migrations"
    return installed if installed.is_dir() else server.parents[1] / "migrations"


def _revisions() -> list[str]:
    """Give the revisions, oldest first: they are numbered, and their numbers begin the names of their files."""
    return sorted(script.name.partition("_")[0] for script in (_folder() / "versions").glob("[0-9]*.py"))


def _revision(connection: Connection) -> str | None:
    if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found
