"""JSON schemas of types."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, TypedDict

import numpy as np
import numpy.typing as npt
import pytest

from photseries.server.http.openapi.shapes import schema_of

NUMBERS = {"type": "array", "items": {"type": "number"}}


@dataclass
class Point:
    at: datetime
    value: "Annotated[float | None, 'Flux [uJy].']" = None


class Named(TypedDict):
    name: str


class Curve(Named, total=False):
    points: list[Point]


POINT = {
    "type": "object",
    "properties": {
        "at": {"type": "string", "format": "date-time"},
        "value": {"type": ["number", "null"], "description": "Flux [uJy]."},
    },
    "required": ["at", "value"],
}


@pytest.mark.parametrize(
    ("shape", "schema"),
    [
        (int, {"type": "integer"}),
        (bool, {"type": "boolean"}),
        (str | None, {"type": ["string", "null"]}),
        (Literal["flux", "mag"], {"type": "string", "enum": ["flux", "mag"]}),
        (tuple[float, float], NUMBERS),
        (npt.NDArray[np.float32], NUMBERS),
        (npt.NDArray[np.float64] | None, {**NUMBERS, "type": ["array", "null"]}),
        (list[npt.NDArray[np.int64]], {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}}),
        (Annotated[int, {"minimum": 0}, "How many."], {"type": "integer", "minimum": 0, "description": "How many."}),
        (Mapping[str, object], {"type": "object"}),
        (dict[str, bool], {"type": "object", "additionalProperties": {"type": "boolean"}}),
        (
            dict[Literal["a"], int],
            {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
        ),
        (Point, POINT),
        (
            Curve,
            {
                "type": "object",
                "properties": {"name": {"type": "string"}, "points": {"type": "array", "items": POINT}},
                "required": ["name"],
            },
        ),
    ],
)
def test_a_type_has_a_schema(shape, schema):
    assert schema_of(shape) == schema


@pytest.mark.parametrize("shape", [bytes, set[int], int | str])
def test_other_types_have_none(shape):
    with pytest.raises((KeyError, ValueError)):
        schema_of(shape)
