"""Command line options for the fields of a series, made from the table of fields and checked before a request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import click
import orjson

from photseries.cli.sections import CheckedParamType, option
from photseries.errors import InvalidError
from photseries.fields import FIELDS, SETTABLE, Field
from photseries.fields.texts import Template
from photseries.fields.values import cast
from photseries.text import suggestion

__all__ = ["field_options", "given_fields", "name_template"]

_METAVARS: Mapping[str, str] = {
    "id": "ID", "number": "NUMBER", "ids": "ID,...", "object": "JSON", "units": "JSON", "values": "JSON",
}  # fmt: skip


def field_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add an option for each field of a series, and ``--set``, to a command; they come as the argument ``settings``."""
    command = option(
        "Fields of the series",
        "--set",
        "settings",
        type=CheckedParamType("field=value", _setting),
        multiple=True,
        help="Set any of these fields; null clears an optional field.",
    )(command)
    for name in reversed(SETTABLE):
        field = FIELDS[name]
        kind = (
            click.Choice(field.values)
            if field.values
            else CheckedParamType(_METAVARS.get(field.type, "text"), partial(_parse_value, field))
        )
        help_text = f"{field.sentence.replace('`', '')}."
        command = option("Fields of the series", f"--{name.replace('_', '-')}", name, type=kind, help=help_text)(
            command
        )
    return command


def given_fields(options: dict[str, Any]) -> dict[str, Any]:
    """Remove the options of fields from those of a command, and return the given ones."""
    settings: Iterable[tuple[str, object]] = options.pop("settings")
    fields = {name: options.pop(name) for name in SETTABLE}
    return {name: value for name, value in fields.items() if value is not None} | dict(settings)


def name_template(text: str) -> Template:
    """Return the template of file names that ``--from-name`` gives; an unknown field is a usage error."""
    try:
        return Template(text)
    except InvalidError as error:
        raise click.UsageError(f"--from-name: {error.message}") from None


def _setting(text: str) -> tuple[str, object]:
    """Read FIELD=VALUE, for any field."""
    name, equals, value = text.partition("=")
    if not equals or name not in SETTABLE:
        raise ValueError(f"{text!r} must be FIELD=VALUE; --help lists the fields.{suggestion(name, SETTABLE)}")
    try:
        return name, None if value == "null" else _parse_value(FIELDS[name], value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _parse_value(field: Field, text: str) -> object:
    """Read a text as a value of a field; lists have commas, objects are JSON."""
    value: object = text
    if field.type == "ids" and text != "all":
        value = text.split(",")
    elif field.type in ("object", "units", "values"):
        try:
            value = orjson.loads(text)
        except ValueError:
            raise ValueError(f"{text!r} is not JSON.") from None
    return cast(field, value)
