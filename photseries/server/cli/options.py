"""Configuration and logging of the server's commands."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click
import orjson

from photseries.cli.options import reported
from photseries.server import faults, settings
from photseries.server.settings import LogSettings
from photseries.text import escape_unprintable

__all__ = ["configured", "jobs_option", "log_to_stderr"]

log = logging.getLogger(__name__)

DEFAULT_FILE = Path("config.yaml")

jobs_option = click.option("--jobs", type=click.IntRange(1), default=4, help="Number of files handled at a time.")


def configured(**names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options ``--config`` and ``--data`` to a command, and pass it the configuration as first argument.

    Parameters
    ----------
    **names : str
        Further options of the command that override a setting: ``option="section.key"``.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @click.option(
            "--config",
            "file",
            type=click.Path(path_type=Path, dir_okay=False),
            help="The configuration file. Default: config.yaml in the current folder, if it exists.",
        )
        @click.option("--data", "directory", help="The data directory. Default: ./data.")
        @functools.wraps(command)
        def run(file: Path | None, directory: str | None, *args: object, **options: object) -> None:
            values = {setting: options.pop(option) for option, setting in names.items()}
            overrides = {"data.directory": directory, **values}
            with reported():
                loaded = settings.load(
                    file or (DEFAULT_FILE if DEFAULT_FILE.exists() else None),
                    os.environ,
                    {name: value for name, value in overrides.items() if value is not None},
                )
                log_to_stderr(loaded.log)
                for variable, spelling in settings.ignored_variables(os.environ).items():
                    log.warning("%s is ignored: write two underscores after the section, %s", variable, spelling)
                faults.arm(os.environ)
                command(loaded, *args, **options)

        return run

    return decorate


class _Lines(logging.Formatter):
    """Writes each record on one line and indents tracebacks, so that no text of a client can pass for a line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  the name in logging
        """Return the first line of a record."""
        return escape_unprintable(super().formatMessage(record))

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines of a record."""
        return "\n  ".join(map(escape_unprintable, super().format(record).splitlines()))


class _JsonLines(logging.Formatter):
    """Writes a record as a JSON object; the fields of a request line are fields of it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def log_to_stderr(settings: LogSettings) -> None:
    """Write the log to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    as_text = _Lines("%(asctime)s %(levelname)s %(name)s %(message)s")
    handler.setFormatter(_JsonLines() if settings.format == "json" else as_text)
    logging.basicConfig(handlers=[handler], level=settings.level.upper(), force=True)
    for noisy in ("alembic", "tornado.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
