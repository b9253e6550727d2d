"""Options, one-line errors and output formats that commands share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import click
import orjson

from photseries.errors import PhotseriesError

__all__ = [
    "Failure",
    "failure",
    "force_option",
    "format_moment",
    "if_match_option",
    "json_option",
    "path_text",
    "print_entries",
    "reported",
    "safe",
    "series_argument",
    "yes_option",
]


class _SeriesId(click.IntRange):
    name = "series ID"  # in errors


series_argument = click.argument("series_id", metavar="ID", type=_SeriesId(1))
if_match_option = click.option(
    "--if-match", metavar="REVISION", type=int, help="Change the series only if it is at this revision."
)
force_option = click.option("--force", is_flag=True, help="Replace an existing file.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
yes_option = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


class Failure(click.ClickException):
    """An error in one line; exit status 2."""

    exit_code = 2

    def show(self, file: object = None) -> None:
        """Print the line."""
        click.echo(f"photseries: {safe(self.message)}", err=True)


def safe(text: str) -> str:
    """Return a text without control sequences of terminals."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)


def path_text(path: Path) -> str:
    """Return a path as Unicode, which JSON requires; the names of files may be any bytes."""
    return str(path).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def format_moment(value: str | datetime) -> str:
    """Format a time in ISO 8601 to the second; UTC is Z."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


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


def print_entries(
    value: Mapping[str, object] | Sequence[Mapping[str, object]], as_json: bool, lines: Iterable[str] | None = None
) -> None:
    """Print an entry or a list of entries: as JSON, or as lines, by default one for each entry."""
    if as_json:
        lines = [orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()]
    elif lines is None:
        entries = value if isinstance(value, Sequence) else [value]
        lines = ("  ".join(f"{name}={_format_value(field)}" for name, field in entry.items()) for entry in entries)
    for line in lines:
        click.echo(line)


def _format_value(value: object) -> str:
    if isinstance(value, Mapping | list):
        return safe(orjson.dumps(value).decode())
    if isinstance(value, datetime):
        return format_moment(value)
    return "-" if value is None else safe(str(value))
