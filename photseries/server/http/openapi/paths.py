"""Paths as people and the document write them, from the patterns of the route table."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

__all__ = ["Path", "path_of"]

_SERIES_ID = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
_ID = {"type": "integer", "minimum": 1, "maximum": 2**31 - 1}
_NAME = {"type": "string", "minLength": 1}


class Path(NamedTuple):
    """A path with names in braces, and what stands for these."""

    template: str
    parameters: list[dict[str, Any]]


def path_of(pattern: str) -> Path:
    """Read the pattern of a route: a group of words is a choice between them, any other group is an id.

    Parameters
    ----------
    pattern : str
        A regular expression of literal text and groups, which are not nested.
    """
    parameters: list[dict[str, Any]] = []

    def named(group: re.Match[str]) -> str:
        words = group[1].split("|")
        if all(re.fullmatch(r"[\w.]+", word) for word in words):
            parameters.append(_parameter("extension", {"type": "string", "enum": words}, words[0]))
        elif pattern.startswith("/api/sources/"):
            parameters.append(_parameter("id", _NAME, "MACHO 1.3444.614"))
        else:
            series = pattern.startswith("/api/photometric_series/")
            parameters.append(_parameter("id", _SERIES_ID if series else _ID, 1))
        return f"{{{parameters[-1]['name']}}}"

    return Path(re.sub(r"\(([^)]*)\)", named, pattern).replace("\\", ""), parameters)


def _parameter(name: str, schema: dict[str, Any], example: Any) -> dict[str, Any]:
    return {"in": "path", "name": name, "required": True, "schema": schema, "example": example}
