"""The schema's revision: bring it up to date, or refuse to start on another."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from photseries.errors import StartError
from photseries.faults import reached

__all__ = ["check", "is_empty", "upgrade"]

#: Advisory lock that a migrating process holds.
LOCK = 7_302_001


def upgrade(engine: Engine) -> tuple[str | None, str]:
    """Bring the schema to the newest revision, one process at a time.

    Returns
    -------
    before, after : str or None, str
        The revisions.
    """
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
    return before, _head()


def is_empty(engine: Engine) -> bool:
    """Tell whether the database has no schema of ours yet."""
    with engine.connect() as connection:
        return _revision(connection) is None


def check(engine: Engine) -> None:
    """Refuse a schema of another revision.

    Raises
    ------
    StartError
        Naming the command that mends it.
    """
    with engine.connect() as connection:
        found = _revision(connection)
    if found == _head():
        return
    known = {script.revision for script in _scripts().walk_revisions()}
    if found is None or found in known:
        state = "has no schema yet" if found is None else f"is at revision {found}"
        raise StartError(f"The database {state}, this photseries needs {_head()}: run `photseries migrate`.")
    raise StartError(
        f"The database is at revision {found}, which this photseries does not know: it was made by a newer one. "
        "Install that version."
    )


def _configuration() -> AlembicConfig:
    configuration = AlembicConfig()
    configuration.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    return configuration


def _folder() -> Path:
    """Give the migrations' folder: inside an installed package, at the top of a checkout."""
    package = Path(str(resources.files("photseries")))
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent / "migrations"


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_configuration())


def _head() -> str:
    head = _scripts().get_current_head()
    assert head is not None  # noqa: S101  (the package ships at least one revision)
    return head


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
