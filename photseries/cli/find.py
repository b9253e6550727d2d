"""``photseries find``: search by the table of criteria."""

from __future__ import annotations

import csv
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

import click
import orjson

from photseries.cli.connection import connected
from photseries.cli.options import Failure, json_option
from photseries.cli.sections import CheckedParamType, SectionedCommand, option
from photseries.cli.table import table_lines
from photseries.fields import FEATURES, LISTED, OVERVIEW
from photseries.parameters import CONTROLS, CRITERIA, MAX_PER_PAGE, Parameter, snake_case
from photseries.parameters import value_types as kind
from photseries.parameters.value_types import ValueType
from photseries.text import suggestion

if TYPE_CHECKING:
    from photseries.client import Client

__all__ = ["COMMANDS", "given_options", "options_of"]

EXAMPLES = """\b
photseries find --object-id "TIC 1148" --filter tess::red --min-median-snr 10
photseries find --ra 75.43 --dec -69.17 --radius 0.01 --sort-by separation
"""

_OF_ORDER = ("sortBy", "sortOrder", "features")
_CONTROLS = tuple(known for known in CONTROLS if known.name in ("useRobustMagAndRMS", "timeScale", *_OF_ORDER))

_METAVARS = {
    kind.TEXT: "TEXT", kind.TEXTS: "TEXT,...", kind.INTEGERS: "ID,...", kind.COUNT: "N", kind.NUMBER: "NUMBER",
    kind.NUMBERS: "NUMBER,...", kind.MOMENT: "TIME", kind.RIGHT_ASCENSION: "DEG", kind.DECLINATION: "DEG",
    kind.RADIUS: "DEG", kind.STATISTIC: "COMPARISON",
}  # fmt: skip


def _require_valid(value_type: ValueType, text: str) -> str | tuple[object, ...]:
    """Check a value of a criterion; return several values as a tuple, and one as it was written."""
    try:
        value = value_type.read(text)
    except ValueError:
        raise ValueError(f"{text!r}: it must be {value_type.name}.") from None
    return value if isinstance(value, tuple) else text


def _option(section: str, parameter: Parameter) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make the option of a parameter: its name in lower case with dashes."""
    name = snake_case(parameter.name).replace("_", "-")
    if parameter.kind is kind.FLAG:
        return option(section, f"--{name}/--no-{name}", parameter.name, default=None, help=parameter.sentence)
    read = CheckedParamType(_METAVARS.get(parameter.kind, "VALUE"), partial(_require_valid, parameter.kind))
    return option(
        section, f"--{name}", parameter.name, type=read, multiple=parameter.repeatable, help=parameter.sentence
    )


def options_of(**sections: Sequence[Parameter]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Add the options of parameters to a command, by sections of its help; they come by the names of the table."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for section, parameters in sections.items():
            for parameter in reversed(parameters):
                command = _option(section, parameter)(command)
        return command

    return decorate


def given_options(criteria: Mapping[str, object]) -> dict[str, Any]:
    """Return the options that were given, as the client takes them."""
    lists = {name: list(value) if isinstance(value, tuple) else value for name, value in criteria.items()}
    return {name: value for name, value in lists.items() if value not in (None, [])}


@click.command(cls=SectionedCommand, epilog=EXAMPLES)
@options_of(Order=_CONTROLS, Criteria=CRITERIA)
@click.option("--limit", type=click.IntRange(0, sys.maxsize), default=100, help="Maximum number of series; 0: all.")
@click.option("--columns", metavar="NAME,...", help="Fields to print. Default: those that fit the terminal.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@json_option
@connected
def find(client: Client, *, limit: int, columns: str | None, as_csv: bool, as_json: bool, **criteria: Any) -> None:
    """Find series and print them.

    The output is a table with as many columns as fit the terminal, CSV, or JSON with one object per line.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv cannot be combined.")
    given_criteria = given_options(criteria)
    names = [name.strip() for name in columns.split(",")] if columns else None
    if not {*(names or ()), criteria["sortBy"]}.isdisjoint(FEATURES):
        given_criteria["features"] = True
    walked = islice(client.iter(**given_criteria, num_per_page=min(limit or MAX_PER_PAGE, MAX_PER_PAGE)), limit or None)
    series_fields = _having(names or (), (series.metadata for series in walked))
    if as_json:
        for fields in series_fields:
            click.echo(orjson.dumps({name: fields.get(name) for name in names} if names else fields))
    elif as_csv:
        _write_csv(series_fields, names)
    else:
        rows = list(series_fields)
        for line in table_lines(rows, names or _present(rows, criteria["sortBy"]), None if names else _width()):
            click.echo(line)
        criteria_alone = {name: value for name, value in given_criteria.items() if name not in _OF_ORDER}
        if limit and len(rows) == limit and (total := client.count(**criteria_alone)) > limit:
            click.echo(f"{limit:,} of {total:,} series; --limit 0 prints all.", err=True)
        elif not rows:
            click.echo("No series matches.", err=True)


def _having(names: Sequence[str], series_fields: Iterable[Mapping[str, object]]) -> Iterator[Mapping[str, object]]:
    """Yield the series; raise an error for unknown field names, checked on the first series."""
    walked = iter(series_fields)
    first = next(walked, None)
    if first is None:
        return
    unknown = next((name for name in names if name not in {*first, *OVERVIEW}), None)
    if unknown is not None:
        raise Failure(f"Series have no field {unknown!r:.80} (--columns).{suggestion(unknown, first)}")
    yield first
    yield from walked


def _present(rows: Sequence[Mapping[str, object]], sort_by: str | None) -> list[str]:
    """Return the columns with values; the column that orders the rows is among the first."""
    columns = dict.fromkeys((*OVERVIEW[:2], *filter(None, [sort_by]), *OVERVIEW))
    return [name for name in columns if any(row.get(name) is not None for row in rows)]


def _write_csv(series_fields: Iterable[Mapping[str, object]], names: Sequence[str] | None) -> None:
    """Print CSV; lists and objects are JSON."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    chosen: Sequence[str] = ()
    for fields in series_fields:
        if not chosen:
            chosen = names or list(fields)
            writer.writerow(chosen)
        cells = [fields.get(name) for name in chosen]
        writer.writerow([orjson.dumps(cell).decode() if isinstance(cell, Mapping | list) else cell for cell in cells])
    if not chosen:
        writer.writerow(names or LISTED)


COMMANDS = (find,)


def _width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
