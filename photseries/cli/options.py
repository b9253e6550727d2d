"""One-line errors and output formats of all commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import click
import orjson

from photseries.errors import PhotseriesError

__all__ = ["Failure", "failure", "json_option", "printed", "reported", "safe"]


class Failure(click.ClickException):
    """One line that says what went wrong; exit status 2."""

    exit_code = 2

    def show(self, file: object = None) -> None:
        """Print the line."""
        click.echo(f"photseries: {safe(self.message)}", err=True)


def safe(text: str) -> str:
    """Return a text without control sequences of terminals."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)


def failure(error: PhotseriesError, *more: str) -> Failure:
    """Return the line about an error: its message, further sentences, and the link to the page about its code."""
    link = [f"See {error.help}"] if error.help else []
    return Failure(" ".join([error.message, *more, *link]))


@contextmanager
def reported() -> Iterator[None]:
    """Turn the errors that we raise on purpose into one line and exit status 2."""
    try:
        yield
    except PhotseriesError as error:
        raise failure(error) from error


def json_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add the option ``--json`` to a command."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)


def printed(value: Mapping[str, object] | Sequence[Mapping[str, object]], as_json: bool) -> None:
    """Print an entry or a list of entries: as JSON, or a line each."""
    if as_json:
        click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode())
        return
    for entry in value if isinstance(value, Sequence) else [value]:
        click.echo("  ".join(f"{name}={_plain(field)}" for name, field in entry.items()) if entry else "")


def _plain(value: object) -> str:
    if isinstance(value, Mapping | list):
        return safe(orjson.dumps(value).decode())
    return "-" if value is None else safe(str(value))
