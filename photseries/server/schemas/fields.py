"""The marshmallow fields of registry entries, which cast values like the fields of a series.

``shape`` is the JSON schema that clients should follow; the service also accepts more, such as numbers as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TypeVar

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


T = TypeVar("T")


class _CastField(fields.Field[T]):
    """A field whose cast, a function of name and value, raises ValueError for an invalid value."""

    cast: Callable[[str, object], T]

    def _deserialize(self, value: object, attr: object, data: object, **kwargs: object) -> T:
        try:
            return self.cast(self.name or "", value)
        except ValueError as error:
            raise ValidationError(str(error)) from None


class Text(_CastField[str]):
    """A text."""

    shape = TEXT_SHAPE
    cast = staticmethod(as_text)


class Number(_CastField[float]):
    """A finite number in an interval."""

    def __init__(
        self, interval: Interval | None = None, *, required: bool = False, allow_none: bool | None = None
    ) -> None:
        super().__init__(required=required, allow_none=allow_none)
        self.cast = partial(as_number, interval=interval)
        self.shape = number_shape(interval)


class IdField(_CastField[int]):
    """An id."""

    shape = ID_SHAPE
    cast = staticmethod(as_id)


class Ids(_CastField["list[int] | str"]):
    """The ids of groups or users: a list, or, if ``lone``, one id or ``"all"``."""

    def __init__(self, *, kind: str, lone: bool, validate: Callable[[Iterable[int]], None] | None = None) -> None:
        super().__init__(validate=validate)
        self.cast = partial(as_ids, kind=kind, lone=lone)
        self.shape = ids_shape(lone=lone)
