"""Write a new migration with the differences between models and newest revision (``make migration``)."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from photseries.server.postgres.embedded import EmbeddedServer

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"


def main(message: str) -> None:
    """Compare the models with a temporary database at the newest revision, and write the difference.

    Parameters
    ----------
    message : str
        What the migration does; it becomes the docstring and the name of the file.
    """
    configuration = Config()
    configuration.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    configuration.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    head = ScriptDirectory.from_config(configuration).get_current_head() or "0"
    with tempfile.TemporaryDirectory() as directory, EmbeddedServer(Path(directory)) as server:
        engine = create_engine(server.ensure())
        with engine.begin() as connection:
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, "head")
        with engine.begin() as connection:
            configuration.attributes["connection"] = connection
            command.revision(configuration, message, autogenerate=True, rev_id=f"{int(head) + 1:04}")
        engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1])
