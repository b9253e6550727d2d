"""The kinds of values that request bodies hold: each casts as SkyPortal's clients expect, and refuses the rest.

``shape`` is the JSON schema of what a client should send; some more is accepted, like a number as a text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from marshmallow import ValidationError, fields, validate

from photseries.text import is_unicode

__all__ = [
    "DECLINATION",
    "LARGEST_INTEGER",
    "NOT_NEGATIVE",
    "POSITIVE",
    "RIGHT_ASCENSION",
    "Ids",
    "Name",
    "Number",
    "Object",
    "Text",
    "Whole",
    "whole",
]

LARGEST_INTEGER = 2**31 - 1

#: A series is shared with at most so many groups, and streams: the indexes of lists carry them.
MOST_IDS = 100

LONGEST_TEXT = 500
LONGEST_NAME = 200

RIGHT_ASCENSION = validate.Range(0, 360, max_inclusive=False, error="Must be in [0, 360) deg.")
DECLINATION = validate.Range(-90, 90, error="Must be in [-90, 90] deg.")
POSITIVE = validate.Range(0, min_inclusive=False, error="Must be positive.")
NOT_NEGATIVE = validate.Range(0, error="Must not be negative.")

_SEGMENT = re.compile(rf"[\w +\-.:,()=@#]{{1,{LONGEST_NAME}}}")
_PATH = re.compile(rf"[\w +\-.:,()=@#/]{{1,{LONGEST_NAME}}}")


def _uncastable(field: fields.Field[Any], reason: str) -> ValidationError:
    return ValidationError(f"Could not cast {field.name} to the correct type: {reason}.")


class Text(fields.Field[str]):
    """A text; a number is taken as its digits, as SkyPortal's clients expect."""

    shape: ClassVar[Mapping[str, Any]] = {"type": "string", "minLength": 1, "maxLength": LONGEST_TEXT}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise _uncastable(self, "a text is needed")
        text = str(value)
        if not 0 < len(text) <= LONGEST_TEXT:
            raise ValidationError(f"{self.name} must have 1 to {LONGEST_TEXT} characters.")
        if "\0" in text or not is_unicode(text):
            raise ValidationError(f"{self.name} must not contain a NUL or half a surrogate pair.")
        return text


class Name(Text):
    r"""A text that names a file: no odd characters, no empty, ``.`` or ``..`` segments."""

    shape: ClassVar[Mapping[str, Any]] = {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME}

    def __init__(self, *, slashes: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.slashes = slashes

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if self.slashes:
            text = text.replace("\\", "/")
        allowed = _PATH if self.slashes else _SEGMENT
        if not allowed.fullmatch(text) or any(segment in ("", ".", "..") for segment in text.split("/")):
            extra = ", / between segments" if self.slashes else ""
            raise ValidationError(
                f"{self.name} may have 1 to {LONGEST_NAME} letters, digits, spaces and + - . _ : , ( ) = @ #{extra}, "
                "and no empty, '.' or '..' segment."
            )
        return text


class Number(fields.Field[float]):
    """A finite number, also as a text."""

    shape: ClassVar[Mapping[str, Any]] = {"type": "number"}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise _uncastable(self, "a number is needed")
        try:
            number = float(value)
        except (ValueError, OverflowError):
            raise _uncastable(self, f"{str(value)[:40]!r} is not a number") from None
        if not math.isfinite(number):
            raise ValidationError(f"{self.name} must be finite.")
        return number


class Whole(fields.Field[int]):
    """An id: an integer, also as a text or as a float without a fraction."""

    shape: ClassVar[Mapping[str, Any]] = {"type": "integer", "minimum": 1, "maximum": LARGEST_INTEGER}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> int:
        number = whole(value)
        if number is None:
            raise _uncastable(self, f"{str(value)[:40]!r} is not an integer")
        if not 0 < number <= LARGEST_INTEGER:
            raise ValidationError(f"Invalid {self.name}: {number}")
        return number


class Ids(fields.Field["list[int] | str"]):
    """The ids of groups or streams: a list, or (for groups) one id or ``"all"``."""

    def __init__(self, *, kind: str, lone: bool, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind, self.lone = kind, lone

    @property
    def shape(self) -> Mapping[str, Any]:
        """The JSON schema."""
        several = {"type": "array", "items": Whole.shape, "maxItems": MOST_IDS}
        return {"anyOf": [several, Whole.shape, {"const": "all"}]} if self.lone else several

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> list[int] | str:
        if self.lone and value == "all":
            return "all"
        if self.lone and isinstance(value, int | str):
            value = [value]
        if not isinstance(value, list | tuple):
            words = ", one ID, or the string 'all'" if self.lone else ""
            raise ValidationError(f"Invalid {self.name} parameter value. Must be a list of IDs (integers){words}.")
        if len(value) > MOST_IDS:
            raise ValidationError(f"{self.name} must not have more than {MOST_IDS} IDs.")
        numbers = [whole(item) for item in value]
        for item, number in zip(value, numbers, strict=True):
            if number is None:
                raise ValidationError(f"Invalid format for {self.kind} id {str(item)[:40]!r}, must be an integer.")
        return sorted({number for number in numbers if number is not None})


class Object(fields.Field["dict[str, Any]"]):
    """A JSON object that the database and the stored file can hold, nested at most ``depth`` deep."""

    depth = 32
    shape: ClassVar[Mapping[str, Any]] = {"type": "object"}

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise _uncastable(self, "an object is needed")
        problem = _unstorable(value, self.depth)
        if problem:
            raise ValidationError(f"{self.name} {problem}.")
        return value


def whole(value: Any) -> int | None:
    """Read an integer from an integer, a float without a fraction or a text of digits; None when it is none."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _unstorable(value: Any, depth: int) -> str | None:
    """Say why a JSON value cannot be stored, or None when it can."""
    if depth < 0:
        return "is nested too deeply"
    if isinstance(value, str):
        return None if "\0" not in value and is_unicode(value) else "contains a NUL or half a surrogate pair"
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            return "has a key that is not a text"
        children: Iterable[Any] = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple):
        children = value
    elif isinstance(value, float):
        return None if math.isfinite(value) else "contains a number that is not finite"
    elif isinstance(value, int):
        return None if -(2**63) <= value < 2**64 else "contains an integer of more than 64 bits"
    elif value is None:
        return None
    else:
        return f"contains a {type(value).__name__}, which JSON has no place for"
    return next(filter(None, (_unstorable(child, depth - 1) for child in children)), None)
