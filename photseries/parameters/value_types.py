"""The value types of query parameters; each is parsed from text in one place."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from photseries.fields import PER_COLUMN
from photseries.lightcurve.leap_seconds import mjd_of_utc
from photseries.lightcurve.units import flux_unit_of
from photseries.text import is_unicode, some_of

__all__ = [
    "BIN",
    "COUNT",
    "DECLINATION",
    "DURATION",
    "FLAG",
    "FLUX_UNITS",
    "INTEGERS",
    "MAX_VALUES",
    "MOMENT",
    "NUMBER",
    "NUMBERS",
    "PERIOD",
    "POINTS",
    "POSITIVE",
    "RADIUS",
    "RIGHT_ASCENSION",
    "SEARCH_RADIUS",
    "SIGMAS",
    "STATISTIC",
    "TEXT",
    "TEXTS",
    "Statistic",
    "ValueType",
    "any_of",
    "choice",
    "choices",
    "integer",
    "join_values",
]

MAX_TEXT_LENGTH = 1000
MAX_VALUES = 500
# The end of the year 9999. A larger number is a mistake, such as a date without hyphens (20261121) or seconds, and
# would match nothing. Current Julian dates are smaller, and some series have such times.
_LAST_MJD = 2_973_484
_MAX_INTEGER = 2**31 - 1


@dataclass(frozen=True)
class ValueType:
    """A value type: its name in messages, its parser and its JSON schema.

    ``read`` raises ValueError on an invalid text. It accepts all values that the schema allows, and more spellings,
    like ``yes`` for true.
    """

    name: str
    read: Callable[[str], Any]
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"}, compare=False)


@dataclass(frozen=True)
class Statistic:
    """A comparison of a statistic of one column: ``medians.bg < 600``."""

    field: str
    column: str
    operator: str
    value: float


def choice(*choices: str) -> ValueType:
    """Return the type of a value that is one of some texts."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError
        return text

    return ValueType(f"one of {some_of(choices)}", read, {"type": "string", "enum": list(choices)})


def _parse_text(text: str) -> str:
    if not text or len(text) > MAX_TEXT_LENGTH or "\0" in text or (not text.isascii() and not is_unicode(text)):
        raise ValueError
    return text


# Possessive, so that an unterminated quote does not match as part of a plain value.
_VALUE = re.compile(r'\s*+(?:"(?P<quoted>(?:[^"]|"")*)"\s*|(?P<plain>[^",][^,]*))(?P<more>,|\Z)')


def _split(read: Callable[[str], object]) -> Callable[[str], tuple[object, ...]]:
    """Parse comma-separated values; a value with commas or outer spaces is in double quotes."""

    def read_all(text: str) -> tuple[object, ...]:
        if len(text) > MAX_TEXT_LENGTH * 20:
            raise ValueError
        values: list[object] = []
        position = 0
        while len(values) < MAX_VALUES and (match := _VALUE.match(text, position)):
            quoted = match["quoted"]
            values.append(read(match["plain"].strip() if quoted is None else quoted.replace('""', '"')))
            if not match["more"]:
                return tuple(values)
            position = match.end()
        raise ValueError

    return read_all


def _list_of(schema: Mapping[str, object]) -> Mapping[str, object]:
    return {"type": "array", "items": schema, "minItems": 1, "maxItems": MAX_VALUES}


def choices(*names: str) -> ValueType:
    """Return the type of several values, each one of some texts."""

    def read(text: str) -> tuple[str, ...]:
        values = tuple(value.removeprefix('"').removesuffix('"') for value in text.split(","))  # in the form of joined
        if not set(values) <= set(names) or len(set(values)) < len(values):
            raise ValueError
        return values

    item_schema = {"type": "string", "enum": list(names)}
    return ValueType(
        f"one or more of {some_of(names)}, separated by commas, each once",
        read,
        {**_list_of(item_schema), "uniqueItems": True},
    )


def any_of(*names: str) -> ValueType:
    """Return the type of several values of a field, each one of some texts."""
    return ValueType(
        f"one or more of {some_of(names)}, separated by commas",
        _split(choice(*names).read),
        _list_of({"type": "string", "enum": list(names)}),
    )


def join_values(texts: Sequence[str]) -> str:
    """Join values with commas; the types of several values parse the result."""
    return ",".join('"' + text.replace('"', '""') + '"' for text in texts)


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
        raise ValueError
    return int(text)


def integer(minimum: int, maximum: int) -> ValueType:
    """Return the type of an integer in an inclusive interval."""
    return _integer_type(f"an integer from {minimum:,} to {maximum:,}", minimum, maximum)


def _integer_type(name: str, minimum: int, maximum: int = _MAX_INTEGER) -> ValueType:
    def read(text: str) -> int:
        number = _integer(text)
        if not minimum <= number <= maximum:
            raise ValueError
        return number

    return ValueType(name, read, {"type": "integer", "minimum": minimum, "maximum": maximum})


def _number(text: str) -> float:
    if not re.fullmatch(r"[+-]?([0-9]{1,400}(\.[0-9]{0,400})?|\.[0-9]{1,400})([eE][+-]?[0-9]{1,4})?", text):
        raise ValueError
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number


def _between(low: float, high: float, *, open_low: bool = False) -> Callable[[str], float]:
    def read(text: str) -> float:
        number = _number(text)
        if not low <= number <= high or (open_low and number == low):
            raise ValueError
        return number

    return read


def _number_type(name: str, low: float, high: float, *, open_low: bool = False) -> ValueType:
    """Return the type of a number in an interval that includes its maximum."""
    schema = {"type": "number", "exclusiveMinimum" if open_low else "minimum": low, "maximum": high}
    return ValueType(name, _between(low, high, open_low=open_low), schema)


_DURATION = re.compile(r"^([0-9]{1,9}(?:\.[0-9]{1,9})?|\.[0-9]{1,9})(s|min|h|d)$")
_UNITS = {"s": 1 / 86_400, "min": 1 / 1440, "h": 1 / 24, "d": 1.0}


def _duration(text: str) -> float:
    """Parse a duration with a unit [d]."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError
    return _between(1e-9, 36_525)(str(float(match[1]) * _UNITS[match[2]]))


_FLAGS = {**dict.fromkeys(("true", "t", "1", "yes"), True), **dict.fromkeys(("false", "f", "0", "no"), False)}


def _flag(text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise ValueError
    return _FLAGS[text.lower()]


def _moment(text: str) -> float:
    """Parse an MJD, or an ISO 8601 date or time (UTC by default), as MJD."""
    if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.,+-]+Z?)?", text):
        return mjd_of_utc(text)
    return _between(-math.inf, _LAST_MJD)(text)


_STATISTIC = re.compile(
    rf'(?P<field>{"|".join(PER_COLUMN)})\.(?:"(?P<quoted>(?:[^"]|"")+)"|(?P<plain>[^"<>=!\s]+))'
    r"\s*(?P<operator><=|>=|<|>|=)\s*(?P<value>\S+)"
)


def _statistic(text: str) -> Statistic:
    match = _STATISTIC.fullmatch(_parse_text(text).strip())
    if not match:
        raise ValueError
    column = match["plain"] or match["quoted"].replace('""', '"')
    return Statistic(match["field"], column, match["operator"], _number(match["value"]))


_ANY_TEXT: Mapping[str, object] = {"type": "string", "minLength": 1, "maxLength": MAX_TEXT_LENGTH}
_ANY_INTEGER: Mapping[str, object] = {"type": "integer", "minimum": 1 - 10**18, "maximum": 10**18 - 1}
_ANY_NUMBER: Mapping[str, object] = {"type": "number"}
_DATE: Mapping[str, object] = {"type": "string", "format": "date"}
_TIME: Mapping[str, object] = {"type": "string", "format": "date-time"}


TEXT = ValueType(f"a string of 1 to {MAX_TEXT_LENGTH} characters", _parse_text, _ANY_TEXT)
TEXTS = ValueType(
    "one or more strings, separated by commas; put double quotes around a string that contains a comma",
    _split(_parse_text),
    _list_of(_ANY_TEXT),
)
FLUX_UNITS = ValueType(
    "one or more flux units, such as mJy, electron/s or relative, separated by commas",
    _split(lambda text: flux_unit_of(text).name),
    _list_of({**_ANY_TEXT, "examples": ["uJy", "electron/s"]}),
)
INTEGERS = ValueType("one or more integers, separated by commas", _split(_integer), _list_of(_ANY_INTEGER))
COUNT = _integer_type(f"an integer from 0 to {_MAX_INTEGER}", 0)
POSITIVE = _integer_type(f"an integer from 1 to {_MAX_INTEGER}", 1)
POINTS = _integer_type("an integer of at least 4", 4, 10**18 - 1)
NUMBER = ValueType("a finite number", _number, _ANY_NUMBER)
NUMBERS = ValueType("one or more finite numbers, separated by commas", _split(_number), _list_of(_ANY_NUMBER))
FLAG = ValueType("true or false (also t, yes, 1, f, no, 0)", _flag, {"type": "boolean"})
MOMENT = ValueType(
    f"an MJD up to {_LAST_MJD}, or a date or time such as 2026-11-21 or 2026-11-21T04:30:00Z (UTC)",
    _moment,
    {"anyOf": [{"type": "number", "maximum": _LAST_MJD}, _DATE, _TIME]},
)
RIGHT_ASCENSION = ValueType(
    "an angle from 0 to 360 degrees",
    lambda text: _between(0, 360)(text) % 360,
    {"type": "number", "minimum": 0, "maximum": 360},
)
DECLINATION = _number_type("an angle from -90 to 90 degrees", -90, 90)
RADIUS = _number_type("an angle above 0 and up to 180 degrees", 0, 180, open_low=True)
SEARCH_RADIUS = _number_type("an angle from 0 to 180 degrees", 0, 180)
DURATION = ValueType(
    "a duration with its unit (s, min, h or d), such as 10min",
    _duration,
    {"type": "string", "pattern": _DURATION.pattern, "examples": ["10min", "0.02d"]},
)
BIN = ValueType(
    "a duration with its unit (s, min, h or d), such as 10min, or the word night",
    lambda text: "night" if text == "night" else _duration(text),
    {"type": "string", "pattern": f"{_DURATION.pattern}|^night$", "examples": ["10min", "night"]},
)
PERIOD = _number_type("a positive number of days, such as 0.55", 1e-9, 1e9)
SIGMAS = _number_type("a positive number up to 1000", 1e-9, 1000)
STATISTIC = ValueType(
    f"a comparison such as medians.bg<600, with one of {', '.join(PER_COLUMN)} before the dot, and <, <=, >, >= or = "
    "before the number; put double quotes around a column name with spaces or operators",
    _statistic,
    {"type": "string", "examples": ["medians.flux<600"]},
)
