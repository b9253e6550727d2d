"""Cast and check the values of fields, given as JSON values or as text.

Each function raises ValueError with a sentence about the field. The casts are as lenient as SkyPortal's clients expect:
a number may be given as a text, and a text as a number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, Final

from photseries.fields.field import Field, Interval
from photseries.text import is_unicode

__all__ = [
    "MAX_DEPTH",
    "MAX_IDS",
    "MAX_INTEGER",
    "MAX_NAME_LENGTH",
    "MAX_TEXT_LENGTH",
    "MAX_UNIT_LENGTH",
    "as_id",
    "as_ids",
    "as_number",
    "as_text",
    "cast",
]

MAX_INTEGER: Final = 2**31 - 1

#: Maximum number of groups, and of streams, of a series: indexes contain them.
MAX_IDS: Final = 100

MAX_TEXT_LENGTH: Final = 500
MAX_NAME_LENGTH: Final = 200
MAX_UNIT_LENGTH: Final = 100

#: Maximum nesting depth of altdata.
MAX_DEPTH: Final = 32

_SEGMENT = re.compile(rf"[\w +\-.:,()=@#]{{1,{MAX_NAME_LENGTH}}}")
_PATH = re.compile(rf"[\w +\-.:,()=@#/]{{1,{MAX_NAME_LENGTH}}}")


def cast(field: Field, value: Any, depth: int = MAX_DEPTH) -> Any:
    """Cast a value of a field that clients can set.

    Parameters
    ----------
    field : Field
    value : object
        Not None.
    depth : int
        The deepest nesting of an object.

    Raises
    ------
    ValueError
        When the field does not accept the value.
    """
    match field.type:
        case "text" | "unit":
            return as_text(field.name, value)
        case "name" | "path":
            return _name(field.name, value, slashes=field.type == "path")
        case "number":
            return as_number(field.name, value, field.interval)
        case "id":
            return as_id(field.name, value)
        case "ids":
            is_group = field.refers_to == "groups"
            return as_ids(field.name, value, kind="group" if is_group else "stream", lone=is_group)
        case "object":
            return _object(field.name, value, depth)
        case "units":
            return _units(field.name, value)
        case "values":
            return _values(field.name, value)
    raise AssertionError(f"Clients cannot set a field of type {field.type}.")


def as_text(name: str, value: object) -> str:
    """Cast to a text; a number becomes its digits.

    Raises
    ------
    ValueError
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _uncastable(name, "a text is needed")
    text = str(value)
    if not 0 < len(text) <= MAX_TEXT_LENGTH:
        raise ValueError(f"{name} must have 1 to {MAX_TEXT_LENGTH} characters.")
    if "\0" in text or not is_unicode(text):
        raise ValueError(f"{name} must not contain a NUL or an unpaired surrogate.")
    return text


def as_number(name: str, value: object, interval: Interval | None = None) -> float:
    """Cast to a finite number in an interval.

    Raises
    ------
    ValueError
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise _uncastable(name, "a number is needed")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        raise _uncastable(name, f"{str(value)[:40]!r} is not a number") from None
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite.")
    if interval is not None and number not in interval:
        raise ValueError(interval.message)
    return number


def as_id(name: str, value: object) -> int:
    """Cast to an id: an integer, also as a text or as a float without a fraction.

    Raises
    ------
    ValueError
    """
    number = _parsed_integer(value)
    if number is None:
        raise _uncastable(name, f"{str(value)[:40]!r} is not an integer")
    if not 0 < number <= MAX_INTEGER:
        raise ValueError(f"Invalid {name}: {number}")
    return number


def as_ids(name: str, value: object, *, kind: str, lone: bool) -> list[int] | str:
    """Cast to the ids of groups, streams or users.

    Parameters
    ----------
    name : str
    value : object
    kind : str
        The kind of the ids, for messages.
    lone : bool
        Whether one id, and ``"all"``, are accepted too.

    Raises
    ------
    ValueError
    """
    if lone and value == "all":
        return "all"
    if lone and isinstance(value, int | str):
        value = [value]
    if not isinstance(value, list | tuple):
        words = ", one ID, or the string 'all'" if lone else ""
        raise ValueError(  # noqa: TRY004  as of other values that cannot be cast
            f"Invalid {name} parameter value. Must be a list of IDs (integers){words}."
        )
    if len(value) > MAX_IDS:
        raise ValueError(f"{name} must not have more than {MAX_IDS} IDs.")
    numbers = [_parsed_integer(item) for item in value]
    for item, number in zip(value, numbers, strict=True):
        if number is None:
            raise ValueError(f"Invalid format for {kind} id {str(item)[:40]!r}, must be an integer.")
    return sorted({number for number in numbers if number is not None})


def _name(name: str, value: object, *, slashes: bool) -> str:
    """Cast to a text that becomes part of a file name: no odd characters, no empty, ``.`` or ``..`` segments."""
    text = as_text(name, value)
    if slashes:
        text = text.replace("\\", "/")
    allowed = _PATH if slashes else _SEGMENT
    if not allowed.fullmatch(text) or any(segment in ("", ".", "..") for segment in text.split("/")):
        extra = ", / between segments" if slashes else ""
        raise ValueError(
            f"{name} may have 1 to {MAX_NAME_LENGTH} letters, digits, spaces and + - . _ : , ( ) = @ #{extra}, "
            "and no empty, '.' or '..' segment."
        )
    return text


def _object(name: str, value: object, depth: int) -> dict[str, Any]:
    """Check that a JSON object can be stored in the database and in the file."""
    if not isinstance(value, dict):
        raise _uncastable(name, "an object is needed")
    problem = _unstorable(value, depth)
    if problem:
        raise ValueError(f"{name} {problem}.")
    return value


def _units(name: str, value: object) -> dict[str, str] | None:
    """Check the units of columns; an empty object becomes null."""
    units = _object(name, value, depth=1)
    if any(not isinstance(unit, str) or not 0 < len(unit) <= MAX_UNIT_LENGTH for unit in units.values()):
        raise ValueError(f"{name} must have a text of 1 to {MAX_UNIT_LENGTH} characters for each column.")
    return units or None


def _values(name: str, value: object) -> list[int | str]:
    """Check a list of integers, texts or booleans; a single value becomes a list."""
    items = value if isinstance(value, list | tuple) else [value]
    values: list[Any] = [int(item) if isinstance(item, float) and item.is_integer() else item for item in items]
    if not 0 < len(values) <= MAX_IDS or any(not isinstance(item, int | str) for item in values):
        raise _uncastable(name, f"a list of 1 to {MAX_IDS} integers, texts or booleans is needed")
    if problem := _unstorable(values, 1):
        raise ValueError(f"{name} {problem}.")
    return values


def _uncastable(name: str, reason: str) -> ValueError:
    return ValueError(f"Could not cast {name} to the correct type: {reason}.")


def _parsed_integer(value: object) -> int | None:
    """Parse an integer, a float without a fraction or a text of digits; None for anything else."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]{1,18}\s*", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _unstorable(value: object, depth: int) -> str | None:
    """Return why a JSON value cannot be stored, or None when it can."""
    if depth < 0:
        return "is nested too deeply"
    if isinstance(value, str):
        return None if "\0" not in value and is_unicode(value) else "contains a NUL or an unpaired surrogate"
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            return "has a key that is not a text"
        children: Iterable[object] = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple):
        children = value
    elif isinstance(value, float):
        return None if math.isfinite(value) else "contains a number that is not finite"
    elif isinstance(value, int):
        return None if -(2**63) <= value < 2**64 else "contains an integer of more than 64 bits"
    elif value is None:
        return None
    else:
        return f"contains a {type(value).__name__}, which JSON cannot represent"
    return next(filter(None, (_unstorable(child, depth - 1) for child in children)), None)
