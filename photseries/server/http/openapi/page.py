"""The document as a page: one template, the document's own words, nothing to load."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from tornado.escape import xhtml_escape
from tornado.template import Template

__all__ = ["page"]

_MOST_VALUES = 12

# A limit of so many digits is that of a type, and tells people nothing.
_TOO_LONG = 10**6


@dataclass(frozen=True)
class _Operation:
    """A verb of a path, with what it refers to in place."""

    verb: str
    path: str
    anchor: str
    summary: str
    description: str
    parameters: list[dict[str, Any]]
    body: dict[str, Any] | None
    answers: list[tuple[str, dict[str, Any]]]
    command: str


@dataclass(frozen=True)
class _Group:
    """The operations of a tag."""

    name: str
    description: str
    operations: list[_Operation]


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
        groups=_groups(document),
        schemas=document["components"]["schemas"],
        marked=_marked,
        kind=_kind,
        written=_written,
        data_of=_data_of,
    )


def _groups(document: Mapping[str, Any]) -> list[_Group]:
    found: dict[str, list[_Operation]] = {tag["name"]: [] for tag in document["tags"]}
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            found[operation["tags"][0]].append(_operation(document, path, verb, operation))
    return [_Group(tag["name"], tag["description"], found[tag["name"]]) for tag in document["tags"]]


def _operation(document: Mapping[str, Any], path: str, verb: str, operation: Mapping[str, Any]) -> _Operation:
    parameters = [_resolved(document, one) for one in operation["parameters"]]
    return _Operation(
        verb=verb,
        path=path,
        anchor=operation["operationId"],
        summary=operation["summary"],
        description=operation["description"],
        parameters=parameters,
        body=operation.get("requestBody"),
        answers=[(status, _resolved(document, one)) for status, one in operation["responses"].items()],
        command=_command(document, path, verb, operation, parameters),
    )


def _resolved(document: Mapping[str, Any], value: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference, if it is one."""
    found: Any = value
    if "$ref" in value:
        found = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
    return dict(found)


def _command(
    document: Mapping[str, Any],
    path: str,
    verb: str,
    operation: Mapping[str, Any],
    parameters: list[dict[str, Any]],
) -> str:
    """Write the operation as a command to type."""
    values = {one["name"]: str(one["example"]) for one in parameters if one["in"] == "path"}
    filled = re.sub(r"{(\w+)}", lambda name: values[name[1]].replace(" ", "%20"), path)
    parts = ["curl"]
    if verb != "get":
        parts.append(f"-X {verb.upper()}")
    if operation["security"]:
        parts.append('-H "Authorization: token $PHOTSERIES_TOKEN"')
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        example = _resolved(document, body["schema"])["example"]
        quoted = _written(example).replace("'", "'\\''")
        parts.append(f"-H 'Content-Type: application/json' -d '{quoted}'")
    return " ".join([*parts, f'"$PHOTSERIES_URL{filled}"'])


def _marked(text: str) -> str:
    """Escape a text, with what stands in backquotes as code."""
    return re.sub(r"``?([^`]+)``?", r"<code>\1</code>", xhtml_escape(text))


def _written(value: Any, *, indented: bool = False) -> str:
    if isinstance(value, str) and not indented:
        return value
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 if indented else None).decode()


def _data_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Return what the envelope of a success holds."""
    found: dict[str, Any] = schema.get("properties", {}).get("data", schema)
    return found


def _kind(schema: Mapping[str, Any]) -> str:
    """Return what a schema allows, in a few words of HTML."""
    if "$ref" in schema:
        name = xhtml_escape(schema["$ref"].rsplit("/", 1)[1])
        return f'<a href="#schema-{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "const" in schema:
        return f"<code>{xhtml_escape(_written(schema['const']))}</code>"
    if "enum" in schema:
        shown = [f"<code>{xhtml_escape(_written(value))}</code>" for value in schema["enum"][:_MOST_VALUES]]
        more = len(schema["enum"]) - len(shown)
        return f"one of {', '.join(shown)}" + (f" and {more} more" if more else "")
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    return _plain_kind(schema)


def _plain_kind(schema: Mapping[str, Any]) -> str:
    types = schema.get("type", "anything")
    words = types if isinstance(types, str) else " or ".join(types)
    if values := schema.get("additionalProperties"):
        words += f" of {_kind(values)}"
    limits = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    said = [f"{word} {schema[name]}" for name, word in limits.items() if abs(schema.get(name, _TOO_LONG)) < _TOO_LONG]
    said += [schema["format"]] if "format" in schema else []
    return f"{words} ({', '.join(said)})" if said else words
