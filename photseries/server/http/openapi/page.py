"""The OpenAPI document as a page: one template, without external resources."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict

import orjson
from tornado.escape import xhtml_escape
from tornado.template import Template

__all__ = ["Operation", "OperationGroup", "groups_of", "kind_of", "page"]

_MAX_LISTED_VALUES = 12

# A limit with this many digits is the limit of a type and does not help readers.
_TOO_LONG = 10**6


#: A schema of OpenAPI, as far as the page shows it.
Schema = TypedDict(
    "Schema",
    {
        "$ref": str,
        "anyOf": "list[Schema]",
        "const": object,
        "enum": list[object],
        "type": str | list[str],
        "items": "Schema",
        "properties": "dict[str, Schema]",
        "additionalProperties": "Schema",
        "minimum": float,
        "exclusiveMinimum": float,
        "maximum": float,
        "exclusiveMaximum": float,
        "format": str,
        "example": object,
    },
    total=False,
)

#: Keywords of a schema that limit a number, with the words for them.
_LIMITS: Mapping[Literal["minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"], str] = {
    "minimum": "from",
    "exclusiveMinimum": "above",
    "maximum": "to",
    "exclusiveMaximum": "below",
}


@dataclass(frozen=True)
class Operation:
    """A verb of a path, with its references resolved."""

    verb: str
    path: str
    anchor: str
    summary: str
    description: str
    parameters: list[dict[str, object]]
    body: Mapping[str, Any] | None
    answers: list[tuple[str, dict[str, object]]]
    command: str
    python: str


@dataclass(frozen=True)
class OperationGroup:
    """The operations of a tag."""

    name: str
    description: str
    operations: list[Operation]


def page(document: Mapping[str, Any]) -> bytes:
    """Write the page.

    Parameters
    ----------
    document : mapping
        OpenAPI 3.1.
    """
    template = Template((Path(__file__).parent / "page.html").read_text("utf-8"), whitespace="all")
    return template.generate(
        info=document["info"],
        openapi=document["openapi"],
        groups=groups_of(document),
        schemas=document["components"]["schemas"],
        marked=_marked,
        kind=kind_of,
        written=_format_value,
        data_of=lambda schema: schema.get("properties", {}).get("data", schema),  # of a success envelope
    )


def groups_of(document: Mapping[str, Any]) -> list[OperationGroup]:
    """Return the operations of a document by their tags."""
    by_tag: dict[str, list[Operation]] = {tag["name"]: [] for tag in document["tags"]}
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            by_tag[operation["tags"][0]].append(_operation(document, path, verb, operation))
    return [OperationGroup(tag["name"], tag["description"], by_tag[tag["name"]]) for tag in document["tags"]]


def _operation(document: Mapping[str, object], path: str, verb: str, operation: Mapping[str, Any]) -> Operation:
    parameters = [_resolved(document, item) for item in operation["parameters"]]
    request = (verb, _filled(path, parameters), bool(operation["security"]), _example(document, operation))
    return Operation(
        verb=verb,
        path=path,
        anchor=operation["operationId"],
        summary=operation["summary"],
        description=operation["description"],
        parameters=parameters,
        body=operation.get("requestBody"),
        answers=[(status, _resolved(document, item)) for status, item in operation["responses"].items()],
        command=_command(*request),
        python=_python(*request),
    )


def _resolved(document: Mapping[str, object], value: Mapping[str, object]) -> dict[str, object]:
    """Follow a reference, if it is one."""
    target: Any = value
    if "$ref" in value:
        target = document
        for part in str(value["$ref"]).removeprefix("#/").split("/"):
            target = target[part]
    return dict(target)


def _filled(path: str, parameters: list[dict[str, object]]) -> str:
    """Write the examples of its parameters into a path."""
    values = {parameter["name"]: str(parameter["example"]) for parameter in parameters if parameter["in"] == "path"}
    return re.sub(r"{(\w+)}", lambda name: values[name[1]].replace(" ", "%20"), path)


def _example(document: Mapping[str, object], operation: Mapping[str, Any]) -> object:
    """Return the example of the JSON body; None without a body."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return None if body is None else _resolved(document, body["schema"])["example"]


def _command(verb: str, path: str, is_secured: bool, body: object) -> str:
    """Write a request as a command to type."""
    parts = ["curl"]
    if verb != "get":
        parts.append(f"-X {verb.upper()}")
    if is_secured:
        parts.append('-H "Authorization: token $PHOTSERIES_TOKEN"')
    if body is not None:
        quoted = _format_value(body).replace("'", "'\\''")
        parts.append(f"-H 'Content-Type: application/json' -d '{quoted}'")
    return " ".join([*parts, f'"$PHOTSERIES_URL{path}"'])


def _python(verb: str, path: str, is_secured: bool, body: object) -> str:
    """Write a request in Python, with the package that the client itself uses."""
    arguments = [f'os.environ["PHOTSERIES_URL"] + "{path}"']
    if is_secured:
        arguments.append('headers={"Authorization": "token " + os.environ["PHOTSERIES_TOKEN"]}')
    if body is not None:
        arguments.append(f"json={body!r}")
    lines = "".join(f"    {argument},\n" for argument in (f'"{verb.upper()}"', *arguments))
    return f"import os, httpx\n\nanswer = httpx.request(\n{lines})"


def _marked(text: str) -> str:
    """Escape a text; text in backquotes becomes code."""
    return re.sub(r"``?([^`]+)``?", r"<code>\1</code>", xhtml_escape(text))


def _format_value(value: object, *, indented: bool = False) -> str:
    if isinstance(value, str) and not indented:
        return value
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 if indented else None).decode()


def kind_of(schema: Schema) -> str:
    """Describe the allowed values of a schema in HTML."""
    if "$ref" in schema:
        name = xhtml_escape(schema["$ref"].rsplit("/", 1)[1])
        return f'<a href="#schema-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(kind_of(schema_option) for schema_option in schema["anyOf"])
    if "const" in schema:
        return f"<code>{xhtml_escape(_format_value(schema['const']))}</code>"
    if "enum" in schema:
        shown = [f"<code>{xhtml_escape(_format_value(value))}</code>" for value in schema["enum"][:_MAX_LISTED_VALUES]]
        more = len(schema["enum"]) - len(shown)
        return f"one of {', '.join(shown)}" + (f" and {more} more" if more else "")
    if schema.get("type") == "array":
        return f"list of {kind_of(schema['items'])}"
    return _plain_kind(schema)


def _plain_kind(schema: Schema) -> str:
    types = schema.get("type", "anything")
    words = types if isinstance(types, str) else " or ".join(types)
    if values := schema.get("additionalProperties"):
        words += f" of {kind_of(values)}"
    limits = [
        f"{word} {schema[name]}" for name, word in _LIMITS.items() if abs(schema.get(name, _TOO_LONG)) < _TOO_LONG
    ]
    limits += [schema["format"]] if "format" in schema else []
    return f"{words} ({', '.join(limits)})" if limits else words
