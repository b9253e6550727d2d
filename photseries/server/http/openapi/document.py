"""The OpenAPI document, made from the route table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from apispec import APISpec

from photseries import __version__
from photseries.parameters import CONTROLS, CRITERIA, Parameter
from photseries.parameters.query import MAX_REPEATS
from photseries.server.accounts import RESOURCES
from photseries.server.http.contract import Contract, Header, Raw, Route
from photseries.server.http.media import FILE_TYPES, FORM
from photseries.server.http.openapi import answers, bodies, examples, failures
from photseries.server.principal import Requirement
from photseries.server.schemas.registries import CREATIONS

__all__ = ["document", "path_of", "verbs_of"]

#: A class of handlers, whose class attributes describe it.
_Handler = type[Any]

_ABOUT = """
A store of photometric series: metadata of light curves in a database, tables as HDF5 files, and access over HTTP.

Every request has a token, `Authorization: Bearer XXX` or `Authorization: token XXX`. Entries that are not visible to
the token get 404, like missing entries. Every answer has an `X-Request-Id`.
""".strip()

#: Tags in the order of the document, with their descriptions.
TAGS: Mapping[str, str] = {
    "photometric_series": "Light curves: metadata, tables and history.",
    **{kind: (type(CREATIONS[kind]).__doc__ or "").split("\n")[0].replace("``", "`") for kind in RESOURCES},
    "service": "The service itself.",
}


_SERIES_ID = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
_ID = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
_NAME = {"type": "string", "minLength": 1}


class RoutePath(NamedTuple):
    """A path with names in braces, and their parameters."""

    template: str
    parameters: list[dict[str, object]]


class _RouteOperation(NamedTuple):
    """A verb of a route, and all that is known of it."""

    verb: str
    path: RoutePath
    handler: _Handler
    stated: Contract
    summary: str
    kind: str

    def name(self, template: str) -> str:
        """Fill the noun of the registry into the name of a schema."""
        return template.replace("{kind}", bodies.noun(self.kind) if self.kind else "")


def document(routes: Sequence[Route], filters: Sequence[str]) -> dict[str, Any]:
    """Make the document.

    Parameters
    ----------
    routes : sequence of Route
        The route table; every verb has a contract.
    filters : sequence of str
        The allowed filters.

    Returns
    -------
    dict
        OpenAPI 3.1.
    """
    spec = APISpec(
        "photseries",
        __version__,
        "3.1.0",
        info={"description": _ABOUT, "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"}},
        servers=[{"url": "/"}],
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
    )
    spec.components.security_scheme("token", {"type": "http", "scheme": "bearer", "description": "A token."})
    spec.components.schema("Error", failures.ERROR)
    bodies.add_bodies(spec, tuple(filters))
    answers.add_answers(spec)
    for parameter in (*CRITERIA, *CONTROLS):
        for spelling in parameter.spellings:
            spec.components.parameter(spelling, "query", _parameter(parameter, spelling))
    for path, handler, options in routes:
        operations = {}
        for verb, stated, summary in verbs_of(handler):
            operation = _RouteOperation(verb, path_of(path), handler, stated, summary, options.get("kind", ""))
            operations[verb.lower()] = _operation_object(spec, operation)
        spec.path(path_of(path).template, operations=operations)
    return spec.to_dict()


def verbs_of(handler: _Handler) -> Iterator[tuple[str, Contract, str]]:
    """Yield the verbs of a handler with their contract and summary."""
    for verb in handler.needs:
        method: Callable[..., object] = getattr(handler, verb.lower())
        yield verb, method.__dict__["contract"], (method.__doc__ or "").split("\n")[0]


def _operation_object(spec: APISpec, operation: _RouteOperation) -> dict[str, object]:
    verb, path, handler, stated, summary, _ = operation
    requirement: Requirement | None = handler.needs[verb]
    errors = failures.errors_of(stated, requirement, in_path=bool(path.parameters))
    described: dict[str, object] = {
        "operationId": "_".join([verb.lower(), *re.findall(r"\w+", path.template.removeprefix("/api"))]),
        "tags": [next((part for part in reversed(path.template.split("/")) if part in TAGS), "service")],
        "summary": summary,
        "description": _needs(requirement),
        "parameters": [
            *path.parameters,
            *(_header(header) for header in stated.headers),
            *(parameter for accepted in stated.query for parameter in _parameters(accepted)),
        ],
        "responses": {**_successes(operation), **failures.responses(spec, errors)},
        "security": [] if requirement is None else [{"token": []}],
    }
    if handler.media_types:
        described["requestBody"] = {"required": True, "content": {media: {} for media in handler.media_types}}
    elif stated.body is not None:
        described["requestBody"] = _body(operation.name(stated.body), handler)
    return described


def _needs(requirement: Requirement | None) -> str:
    if requirement is None:
        return "Needs no token."
    permission = "the permission " if requirement.grants and not requirement.is_scoped else ""
    return f"Needs {permission}{requirement.words}."


def _parameters(parameter: Parameter) -> Iterator[object]:
    """Yield a parameter under all its spellings: by name when it is one of lists, as a whole otherwise."""
    for spelling in parameter.spellings:
        if parameter in CRITERIA or parameter in CONTROLS:
            yield spelling
        else:
            yield {"in": "query", "name": spelling, **_parameter(parameter, spelling)}


def _parameter(parameter: Parameter, spelling: str) -> dict[str, object]:
    schema = {**parameter.kind.schema}
    if parameter.repeatable:
        schema = {"type": "array", "items": schema, "maxItems": MAX_REPEATS}
    if parameter.default is not None:
        schema["default"] = parameter.default
    described: dict[str, object] = {
        "schema": schema,
        "description": f"{parameter.sentence} Value: {parameter.kind.name}.",
    }
    if schema.get("type") == "array" and not parameter.repeatable:
        described |= {"style": "form", "explode": False}
    if spelling != parameter.name:
        return {**described, "description": f"The same as {parameter.name}."}
    example = examples.of_parameter(parameter)
    return described if example is None else {**described, "example": example}


def _header(header: Header) -> dict[str, object]:
    described = {"description": header.sentence, "schema": {"type": "string"}, "example": header.example}
    return {"in": "header", "name": header.name, **described}


def _body(name: str, handler: _Handler) -> dict[str, object]:
    if handler.takes_any_file:
        about = (
            "The file itself, in any format that `photseries upload` reads except workbooks. Fields of the series "
            "are query parameters. The body may be compressed with Content-Encoding gzip or zstd."
        )
        return {
            "required": True,
            "description": about,
            "content": {"application/octet-stream": {"example": examples.FILE}},
        }
    schema: dict[str, object] = {"$ref": f"#/components/schemas/{name}"}
    content: dict[str, object] = {"application/json": {"schema": schema}}
    if not handler.takes_files:
        return {"required": True, "content": content}
    form = {"type": "object", "properties": {"data": {"type": "string", "contentMediaType": FILE_TYPES[0]}}}
    content |= {FILE_TYPES[0]: {}, FORM: {"schema": {**form, "required": ["data"]}}}
    about = (
        "JSON; or the HDF5 file itself, with the fields as query parameters; or a form with the file and the fields. "
        "Each may be compressed, as Content-Encoding (gzip or zstd) states."
    )
    return {"required": True, "description": about, "content": content}


def _successes(operation: _RouteOperation) -> dict[str, object]:
    stated = operation.stated
    headers = {
        name: {"schema": {"type": "string"}, "description": sentence}
        for header in stated.headers
        for name, sentence in header.answered.items()
    }
    gives = stated.gives
    if isinstance(gives, Raw):
        content: dict[str, object] = {media: {"schema": gives.schema} if gives.schema else {} for media in gives.media}
    else:
        content = {"application/json": {"schema": _envelope(operation, gives)}}
    success = {"description": operation.summary, "headers": headers, "content": content}
    other_statuses = {
        str(status): {"description": meaning, **({"content": content} if status < 300 else {})}
        for status, meaning in stated.also.items()
    }
    return {"200": success, **other_statuses}


def _envelope(operation: _RouteOperation, gives: str | Mapping[str, object] | None) -> dict[str, object]:
    if isinstance(gives, str):
        data: object = {"$ref": f"#/components/schemas/{operation.name(gives)}"}
    else:
        data = {"type": "null"} if gives is None else gives
    members = {"status": {"const": "success"}, "data": data, "version": {"type": "string"}}
    return {"type": "object", "properties": members, "required": list(members)}


def path_of(pattern: str) -> RoutePath:
    """Read the pattern of a route: a group of words is a choice between them, any other group is an id.

    Parameters
    ----------
    pattern : str
        A regular expression of literal text and groups, which are not nested.
    """
    parameters: list[dict[str, object]] = []

    def named(group: re.Match[str]) -> str:
        words = group[1].split("|")
        if all(re.fullmatch(r"[\w.]+", word) for word in words):
            parameters.append(_path_parameter("extension", {"type": "string", "enum": words}, words[0]))
        elif pattern.startswith("/api/sources/"):
            parameters.append(_path_parameter("id", _NAME, "MACHO 1.3444.614"))
        else:
            series = pattern.startswith("/api/photometric_series/")
            parameters.append(_path_parameter("id", _SERIES_ID if series else _ID, 1))
        return f"{{{parameters[-1]['name']}}}"

    return RoutePath(re.sub(r"\(([^)]*)\)", named, pattern).replace("\\", ""), parameters)


def _path_parameter(name: str, schema: dict[str, object], example: object) -> dict[str, object]:
    return {"in": "path", "name": name, "required": True, "schema": schema, "example": example}
