"""What all commands share: the configuration they run with, and how they print."""

from __future__ import annotations

import functools
import logging
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import orjson

from photseries.errors import PhotseriesError
from photseries.server import faults, settings

__all__ = ["Failure", "configured", "json_option", "log_to_stderr", "printed", "reported", "safe"]

DEFAULT_FILE = Path("config.yaml")


class Failure(click.ClickException):
    """One line that says what went wrong; exit status 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        """Print the line."""
        click.echo(f"photseries: {safe(self.message)}", err=True)


def safe(text: str) -> str:
    """Give a text without what a terminal would take as a command: it may come from anybody."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)


def configured(**names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the options ``--config`` and ``--data``, and pass it the configuration as first argument.

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
            help="The configuration; default: config.yaml in this folder, if there is one.",
        )
        @click.option("--data", "directory", help="The data directory; default: ./data.")
        @functools.wraps(command)
        def run(file: Path | None, directory: str | None, *args: Any, **options: Any) -> None:
            given = {setting: options.pop(option) for option, setting in names.items()}
            overrides = {"data.directory": directory, **given}
            with reported():
                loaded = settings.load(
                    file or (DEFAULT_FILE if DEFAULT_FILE.exists() else None),
                    os.environ,
                    {name: value for name, value in overrides.items() if value is not None},
                )
                log_to_stderr(loaded.log.level)
                faults.arm(os.environ)
                command(loaded, *args, **options)

        return run

    return decorate


@contextmanager
def reported() -> Iterator[None]:
    """Turn the errors that we raise on purpose into one line and exit status 2."""
    try:
        yield
    except PhotseriesError as error:
        raise Failure(error.message) from error


def json_option(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the option ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")(command)


def printed(value: Any, as_json: bool) -> None:
    """Print an entry or a list of entries: as JSON, or a line each."""
    if as_json:
        click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
        return
    for entry in value if isinstance(value, list) else [value]:
        click.echo("  ".join(f"{name}={_plain(field)}" for name, field in entry.items()) if entry else "")


def _plain(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return safe(orjson.dumps(value).decode())
    return "-" if value is None else safe(str(value))


def log_to_stderr(level: str) -> None:
    """Write the log, from a level on, to standard error."""
    logging.basicConfig(
        stream=sys.stderr, level=level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )
    for noisy in ("alembic", "tornado.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
