"""``photseries inspect``: show how files are read, and the commands that upload them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click
import orjson

from photseries.cli.fields import field_options, given_fields
from photseries.cli.options import Failure, json_option, path_text, safe
from photseries.cli.reading import given_reading, in_options, reading_options
from photseries.cli.sections import SectionedCommand
from photseries.cli.table import format_field, table_lines
from photseries.errors import InvalidError, StartError
from photseries.formats import ReadOptions, collect
from photseries.formats.description import Description
from photseries.formats.inspection import describe, inspect

__all__ = ["COMMANDS"]


@click.command("inspect", cls=SectionedCommand)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@field_options
@reading_options
@json_option
def inspect_files(files: tuple[Path, ...], as_json: bool, **options: object) -> None:
    """Print how each file is read and the command that uploads it; send nothing.

    Exit status: 0 if every file can be read, 2 otherwise.
    """
    reading, fields = given_reading(options), given_fields(options)
    refused = False
    for file in files:
        try:
            readings, needed = inspect(partial(collect, file), reading)
        except (InvalidError, StartError) as error:
            refused = True
            click.echo(f"photseries: {in_options(safe(error.message))}", err=True)
            continue
        about = [describe(outcome, fields) for outcome in readings]
        if as_json:
            click.echo(orjson.dumps({"file": path_text(file), "series": about}, option=orjson.OPT_SERIALIZE_NUMPY))
            continue
        for line in (*_lines(file, about), "", f"  {_command(file, about, needed, fields)}", ""):
            click.echo(safe(line))
    if refused:
        raise Failure("Not all files can be read.") if len(files) > 1 else click.exceptions.Exit(2)


def _lines(file: Path, about: list[Description]) -> Iterator[str]:
    """Describe the content of a file."""
    series_count = f", {len(about)} series" if len(about) > 1 else ""
    yield f"{file}: {about[0]['survey'] or 'no known survey'}{series_count}"
    yield from (f"  {line}" for line in table_lines(about[0]["columns"], ["role", "column", "why"], None))
    if about[0]["filters"]:
        yield f"  filters (rows)  {', '.join(f'{name} ({rows})' for name, rows in about[0]['filters'].items())}"
    for part in about:
        name = f" {part['fields']['filter']}" if len(about) > 1 and "filter" in part["fields"] else ""
        yield f"  rows{name}  {part['rows']} from {part['first']} to {part['last']}"
    fields = {name: value for name, value in about[0]["fields"].items() if value not in (None, {}, [])}
    if fields:
        yield f"  fields  {', '.join(f'{name}={format_field(value)}' for name, value in fields.items())}"
    if about[0]["missing"]:
        yield f"  missing  {', '.join(about[0]['missing'])}"
    for warning in dict.fromkeys(warning for part in about for warning in part["warnings"]):
        yield f"  warning  {in_options(warning)}"


def _command(file: Path, about: list[Description], options: ReadOptions, fields: dict[str, object]) -> str:
    """Return the command that uploads a file; missing values are in capitals."""
    words = ["photseries", "upload", str(file)]
    for name in options.__dataclass_fields__:
        value = getattr(options, name)
        if value is not None and options.given(name):
            texts = value if name == "where" and not isinstance(value, str) else [value]
            words += [word for text in texts for word in (f"--{name.replace('_', '-')}", _format_value(text))]
    maps = [part["filter_map"] for part in about if part["filter_map"]]
    if maps and options.filter_map is None and "filter" not in fields:
        column_maps = [
            f"{part['filter']}={part['fields']['filter']}"
            for part in about
            if part["filter"] and not part["filter_map"]
        ]
        words += ["--filter-map", ",".join([*column_maps, *maps])]
    words += [word for name, value in fields.items() for word in (f"--{name.replace('_', '-')}", _format_value(value))]
    mapped = {"filter"} if maps else set()
    missing = [name for name in about[0]["missing"] if name not in mapped]
    words += [word for name in missing for word in (f"--{name.replace('_', '-')}", name.upper())]
    return shlex.join(words)


def _format_value(value: object) -> str:
    if isinstance(value, dict):
        return ",".join(f"{name}={entry}" for name, entry in value.items())
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


COMMANDS = (inspect_files,)
