"""The errors of each operation, from the exception tree."""

from __future__ import annotations

import http.client
from collections.abc import Iterable

import orjson
from apispec import APISpec

from photseries.errors import (
    DatabaseAwayError,
    ForbiddenError,
    HeadTooLargeError,
    InvalidError,
    LockTimeoutError,
    NotFoundError,
    PhotseriesError,
    TooLargeError,
    TooManyConnectionsError,
    TooManyRequestsError,
    TooSlowError,
    UnauthorizedError,
    UnavailableError,
    UnsupportedMediaTypeError,
)
from photseries.server.http.answers import failure, presentable
from photseries.server.http.contract import Contract
from photseries.server.principal import Requirement

__all__ = ["ERROR", "errors_of", "responses"]

#: The errors of every request that queries the database.
DATABASE = (DatabaseAwayError, LockTimeoutError, TooManyConnectionsError, TooSlowError)

_REQUEST_ID = "0f8fad5bd9cb469fa165708677289505"

#: The body of every error.
ERROR: dict[str, object] = {
    "type": "object",
    "properties": {
        "status": {"const": "error"},
        "message": {"type": "string", "description": "The problem and its remedy, as text."},
        "data": {
            "type": "object",
            "properties": {
                "code": {"type": "string", "description": "The error code."},
                "fields": {
                    "type": "object",
                    "additionalProperties": {"type": "array", "items": {"type": "string"}},
                    "description": "The problems by field or parameter.",
                },
                "id": {"type": "integer", "description": "Id of the series with the same key, if visible."},
                "references": {"type": "object", "description": "Number of references to the entry, by kind."},
                "request_id": {"type": "string", "description": "Identifies an unexpected error in the log."},
            },
            "required": ["code", "fields"],
        },
        "version": {"type": "string"},
    },
    "required": ["status", "message", "data", "version"],
}


def errors_of(stated: Contract, requirement: Requirement | None, *, in_path: bool) -> set[type[PhotseriesError]]:
    """Return the errors that an operation can answer: those that it states and those that follow.

    Parameters
    ----------
    stated : Contract
    requirement : Requirement or None
        Of its token; None without a token.
    in_path : bool
        Whether its path has parameters.
    """
    errors: set[type[PhotseriesError]] = {PhotseriesError, InvalidError, HeadTooLargeError, *stated.fails}
    if requirement is not None:
        errors |= {UnauthorizedError, TooManyRequestsError, UnavailableError, *DATABASE}
    if requirement is not None and requirement.grants:
        errors.add(ForbiddenError)
    if in_path:
        errors.add(NotFoundError)
    if stated.body is not None:
        errors |= {TooLargeError, UnsupportedMediaTypeError, UnavailableError}
    return errors


def responses(spec: APISpec, errors: Iterable[type[PhotseriesError]]) -> dict[str, str]:
    """Return the names of the responses by status, and add those to a document that it does not have yet."""
    by_status: dict[int, list[type[PhotseriesError]]] = {}
    for error in sorted(errors, key=lambda error: error.code):
        by_status.setdefault(error.status, []).append(error)
    named = {}
    for status, same_status in sorted(by_status.items()):
        name = ".".join([str(status), *(error.code for error in same_status)])
        if name not in spec.components.responses:
            spec.components.response(name, _response(status, same_status))
        named[str(status)] = name
    return named


def _response(status: int, errors: list[type[PhotseriesError]]) -> dict[str, object]:
    code = {"properties": {"data": {"properties": {"code": {"enum": [error.code for error in errors]}}}}}
    headers = {}
    if any(error.retry_after is not None for error in errors):
        headers["Retry-After"] = {"schema": {"type": "integer"}, "required": True, "description": "Seconds to wait."}
    if status == UnauthorizedError.status:
        description = (
            "The accepted schemes: Bearer; and Basic, except where a browser would prompt for it on our pages."
        )
        headers["WWW-Authenticate"] = {"schema": {"type": "string"}, "required": True, "description": description}
    return {
        "description": f"{http.client.responses[status]}. {' '.join(_sentence(error) for error in errors)}",
        "headers": headers,
        "content": {
            "application/json": {
                "schema": {"allOf": [{"$ref": "#/components/schemas/Error"}, code]},
                "examples": {error.code: {"value": orjson.loads(failure(_example_error(error)))} for error in errors},
            }
        },
    }


def _example_error(error: type[PhotseriesError]) -> PhotseriesError:
    """Make an error as an example."""
    return presentable(None, _REQUEST_ID) if error is PhotseriesError else error(_sentence(error))


def _sentence(error: type[PhotseriesError]) -> str:
    """Describe when an error occurs; the base class represents unexpected errors."""
    if error is PhotseriesError:
        return presentable(None, _REQUEST_ID).message
    return (error.__doc__ or "").split("\n")[0]
