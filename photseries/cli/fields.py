"""The fields of a series as options, made from the schema; each value is checked before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click
import orjson
from marshmallow import ValidationError, fields

from photseries.cli.sections import option
from photseries.errors import InvalidError
from photseries.schemas.fields import Ids, Number, Object, Whole
from photseries.schemas.metadata import MetadataSchema
from photseries.schemas.template import Template

__all__ = ["NameTemplate", "field_options", "given_fields"]

_DEEPEST = 32
_FIELDS: Mapping[str, fields.Field[Any]] = MetadataSchema((), _DEEPEST).fields
_METAVARS = ((Whole, "ID"), (Number, "NUMBER"), (Ids, "ID,..."), (Object, "JSON"))


class _Value(click.ParamType[Any]):
    """A value that a field of the schema takes."""

    def __init__(self, field: fields.Field[Any]) -> None:
        self.field = field
        self.name = next((name for kind, name in _METAVARS if isinstance(field, kind)), "text")

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read a text as the field does."""
        try:
            return _read(self.field, value)
        except ValidationError as error:
            self.fail(_sentence(error), param, ctx)


class _Setting(click.ParamType[tuple[str, Any]]):
    """KEY=VALUE, for any field."""

    name = "key=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        """Split the name from the value."""
        name, equals, text = value.partition("=")
        if not equals or name not in _FIELDS:
            self.fail(f"{value!r}: it must be KEY=VALUE, and KEY one of {', '.join(_FIELDS)}.", param, ctx)
        try:
            return name, None if text == "null" else _read(_FIELDS[name], text)
        except ValidationError as error:
            self.fail(f"{name}: {_sentence(error)}", param, ctx)


def field_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command an option for each field of a series, and ``--set``; they come as the argument ``settings``."""
    command = option(
        "Fields of the series",
        "--set",
        "settings",
        type=_Setting(),
        multiple=True,
        help="Any of these fields; null clears one that is optional.",
    )(command)
    for name, field in reversed(list(_FIELDS.items())):
        about = field.metadata
        unit = f" [{about['unit']}]" if about.get("unit") else ""
        kind = click.Choice(about["values"]) if about.get("values") else _Value(field)
        said = about["description"].replace("`", "")
        command = option("Fields of the series", f"--{name.replace('_', '-')}", name, type=kind, help=f"{said}{unit}.")(
            command
        )
    return command


def given_fields(options: dict[str, Any]) -> dict[str, Any]:
    """Take the fields that were given out of the options of a command."""
    settings: Iterable[tuple[str, Any]] = options.pop("settings")
    given = {name: options.pop(name) for name in _FIELDS}
    return {name: value for name, value in given.items() if value is not None} | dict(settings)


class NameTemplate(Template):
    """A template of the names of files, given as the option ``--from-name``.

    Raises
    ------
    click.UsageError
        When the template names something that is no field.
    """

    def __init__(self, template: str) -> None:
        try:
            super().__init__(template)
        except InvalidError as error:
            raise click.UsageError(f"--from-name: {error.message}") from None


def _read(field: fields.Field[Any], text: Any) -> Any:
    """Read a text as a field does; lists have commas, objects are JSON."""
    value = text
    if isinstance(field, Ids) and text != "all":
        value = text.split(",")
    elif isinstance(field, Object):
        try:
            value = orjson.loads(text)
        except ValueError:
            raise ValidationError(f"{text!r} is not JSON.") from None
    return field.deserialize(value)


def _sentence(error: ValidationError) -> str:
    return " ".join(map(str, error.messages))
