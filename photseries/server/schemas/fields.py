"""The marshmallow fields of registry entries, which cast values like the fields of a series.

``shape`` is the JSON schema that clients should follow; the service also accepts more, such as numbers as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from marshmallow import ValidationError, fields

from photseries.fields import Interval
from photseries.fields.values import (
    MAX_IDS,
    MAX_INTEGER,
    MAX_NAME_LENGTH,
    MAX_TEXT_LENGTH,
    as_id,
    as_ids,
    as_number,
    as_text,
)

__all__ = ["ID_SHAPE", "NAME_SHAPE", "TEXT_SHAPE", "IdField", "Ids", "Number", "Text", "ids_shape", "number_shape"]

JsonSchema = Mapping[str, object]

TEXT_SHAPE: JsonSchema = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_LENGTH}
NAME_SHAPE: JsonSchema = {"type": "string", "minLength": 1, "maxLength": MAX_NAME_LENGTH}
ID_SHAPE: JsonSchema = {"type": "integer", "minimum": 1, "maximum": MAX_INTEGER}


def number_shape(interval: Interval | None) -> JsonSchema:
    """Return the JSON schema of a number in an interval."""
    return {"type": "number", **({} if interval is None else interval.schema)}


def ids_shape(*, lone: bool) -> JsonSchema:
    """Return the JSON schema of a list of ids; see :func:`~photseries.fields.values.as_ids`."""
    id_array = {"type": "array", "items": ID_SHAPE, "maxItems": MAX_IDS}
    return {"anyOf": [id_array, ID_SHAPE, {"const": "all"}]} if lone else id_array


class Text(fields.Field[str]):
    """A text."""

    shape = TEXT_SHAPE

    def _deserialize(self, value: object, attr: object, data: object, **kwargs: object) -> str:
        try:
            return as_text(self.name or "", value)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class Number(fields.Field[float]):
    """A finite number in an interval."""

    def __init__(
        self, interval: Interval | None = None, *, required: bool = False, allow_none: bool | None = None
    ) -> None:
        super().__init__(required=required, allow_none=allow_none)
        self.interval = interval
        self.shape = number_shape(interval)

    def _deserialize(self, value: object, attr: object, data: object, **kwargs: object) -> float:
        try:
            return as_number(self.name or "", value, self.interval)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class IdField(fields.Field[int]):
    """An id."""

    shape = ID_SHAPE

    def _deserialize(self, value: object, attr: object, data: object, **kwargs: object) -> int:
        try:
            return as_id(self.name or "", value)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class Ids(fields.Field["list[int] | str"]):
    """The ids of groups or users: a list, or, if ``lone``, one id or ``"all"``."""

    def __init__(self, *, kind: str, lone: bool, validate: Callable[[Iterable[int]], None] | None = None) -> None:
        super().__init__(validate=validate)
        self.kind, self.lone = kind, lone
        self.shape = ids_shape(lone=lone)

    def _deserialize(self, value: object, attr: object, data: object, **kwargs: object) -> list[int] | str:
        try:
            return as_ids(self.name or "", value, kind=self.kind, lone=self.lone)
        except ValueError as error:
            raise ValidationError(str(error)) from None
