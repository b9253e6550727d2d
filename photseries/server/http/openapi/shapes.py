"""JSON schemas of Python types: of the dataclasses and typed dicts that the code returns.

``Annotated`` adds to a type: a text is the description, a mapping has more keywords of JSON Schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import numpy as np

__all__ = [
    "INTEGER",
    "NUMBER",
    "TEXT",
    "Schema",
    "array_of",
    "mapping",
    "members_of",
    "nullable",
    "record",
    "schema_of",
]

Schema = Mapping[str, object]

INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number"}
TEXT: Schema = {"type": "string"}

_PLAIN: Mapping[object, Schema] = {
    int: INTEGER,
    float: NUMBER,
    str: TEXT,
    bool: {"type": "boolean"},
    datetime: {"type": "string", "format": "date-time"},
    object: {},
    dict: {"type": "object"},
}


def array_of(items: Schema) -> Schema:
    """Describe a list."""
    return {"type": "array", "items": items}


def mapping(values: Schema) -> Schema:
    """Describe an object whose keys are names of columns or fields."""
    return {"type": "object", "additionalProperties": values} if values else {"type": "object"}


def nullable(schema: Schema) -> Schema:
    """Let a value be null too."""
    return {**schema, "type": [schema["type"], "null"]}


def record(members: Mapping[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """Describe an object."""
    required = [name for name in members if name not in optional]
    return {"type": "object", "properties": dict(members), "required": required}


def members_of(shape: object) -> dict[str, Schema]:
    """Return the schemas of the fields of a dataclass or a typed dict."""
    return {name: schema_of(hint) for name, hint in get_type_hints(shape, include_extras=True).items()}


def schema_of(shape: object) -> Schema:  # noqa: PLR0911  one for each kind of type
    """Return the JSON schema of a type.

    Raises
    ------
    KeyError, ValueError
        When it is neither a plain type nor composed of these by lists, tuples of equal items, arrays, mappings,
        ``Literal`` of texts, ``X | None``, ``Annotated``, dataclasses and typed dicts.
    """
    kind, inner = get_origin(shape), get_args(shape)
    if kind is Annotated:
        schema = dict(schema_of(inner[0]))
        for more in inner[1:]:
            schema |= more if isinstance(more, Mapping) else {"description": more}
        return schema
    if kind in (Union, UnionType):
        (argument_type,) = (argument for argument in inner if argument is not NoneType)
        return nullable(schema_of(argument_type))
    if kind is Literal:
        return {**TEXT, "enum": list(inner)}
    if kind in (list, tuple):
        return array_of(schema_of(inner[0]))
    if kind is np.ndarray:
        return array_of(INTEGER if issubclass(get_args(inner[1])[0], np.integer) else NUMBER)
    if kind in (dict, Mapping):
        keys = get_args(inner[0])
        return record(dict.fromkeys(keys, schema_of(inner[1]))) if keys else mapping(schema_of(inner[1]))
    if is_dataclass(shape) or is_typeddict(shape):
        return record(members_of(shape), tuple(getattr(shape, "__optional_keys__", ())))
    return _PLAIN[shape]
