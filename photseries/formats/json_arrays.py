"""Columns of numbers from JSON straight into arrays, for the long bodies that are little else.

A Python number for each value is most of what such a body costs: making it, looking at its type, and memory that comes
and goes. simdjson gives the values of a list at once, if every one of them is a number; so each null of a list is first
written as a minus zero, and afterwards the columns must have just as many of these. Whatever this module cannot vouch
for it leaves to :mod:`photseries.formats.json_columns`, the only one that refuses.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

try:
    import simdjson
except ImportError:  # no wheel for this Python or this machine: every body goes the longer way
    simdjson = None  # type: ignore[assignment]

from photseries.hdf5.limits import Limits

__all__ = ["parse"]

#: A shorter body gains nothing, and a longer one would have the parser hold several times its length [bytes].
_SHORT: Final = 20_000
_LONG: Final = 64 * 1024 * 1024
#: The parser of a thread is kept, with its memory, while bodies are no longer than this [bytes].
_KEPT: Final = 8 * 1024 * 1024

_NULL: Final = np.frombuffer(b"null", np.uint8)
_MINUS_ZERO: Final = np.frombuffer(b"-0e0", np.uint8)  # as long, and nothing that people write
_BEYOND: Final = 2.0**63
#: The body is searched for nulls a part at a time: a search takes 40 bytes of memory for each n that it finds.
_PART: Final = 2**17
#: A key is looked up by a search through all keys of its object. Beyond so many keys, or values outside of columns,
#: the longer way is the shorter one.
_MOST_KEYS, _MOST_VALUES = 256, 20_000

_threads = threading.local()


class _DoubtError(Exception):
    """The body has something that this module does not vouch for."""


def parse(body: bytes, limits: Limits) -> dict[str, Any] | None:
    """Read a body whose ``data`` are columns.

    Parameters
    ----------
    body : bytes
    limits : Limits
        ``depth`` is the deepest nesting, ``columns`` bounds the keys of ``data``.

    Returns
    -------
    dict or None
        The document, with the columns of numbers as arrays of int64 or float64, null as NaN; None where there is doubt.
    """
    if simdjson is None or not _SHORT < len(body) < _LONG:
        return None
    written, nulls, brackets = _without_nulls(body)
    reading = _Reading(limits)
    try:
        document = reading.document(_parser(len(written)).parse(written))
    except (_DoubtError, ValueError, RuntimeError):
        return None
    return document if (reading.nulls, reading.lists) == (nulls, brackets) else None


def _parser(size: int) -> Any:
    if size > _KEPT:
        return simdjson.Parser()
    if not hasattr(_threads, "parser"):
        _threads.parser = simdjson.Parser()
    return _threads.parser


def _without_nulls(body: bytes) -> tuple[bytes | memoryview, int, int]:
    """Write minus zero for the nulls of lists; count them, and all opening brackets."""
    text = np.frombuffer(body, np.uint8)
    brackets = int(np.count_nonzero(text == ord("[")))
    written, nulls = text, 0
    for start in range(0, text.size, _PART):
        places = start + np.flatnonzero(text[start : start + _PART] == ord("n"))
        places = places[(places > 1) & (places < text.size - 4)]
        before = text[places - 1]
        before = np.where(before == ord(" "), text[places - 2], before)
        spelled = places[(before == ord(",")) | (before == ord("["))][:, None] + np.arange(4)
        spelled = spelled[(text[spelled] == _NULL).all(axis=1)]
        if len(spelled):
            written = text.copy() if written is text else written
            written[spelled] = _MINUS_ZERO
            nulls += len(spelled)
    return (body if written is text else written.data), nulls, brackets


class _Reading:
    """Makes Python values of a parsed body, and counts the lists and the minus zeros of columns that it comes by."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.lists = self.nulls = self.values = 0

    def document(self, root: Any) -> dict[str, Any]:
        fields = self._object(root, lambda name, value: value if name == "data" else self._plain(value, 2))
        read = self._column
        return {**fields, "data": self._object(fields.get("data"), lambda _, value: read(value), self._limits.columns)}

    def _object(self, value: Any, read: Callable[[str, Any], Any], most: int = _MOST_KEYS) -> dict[str, Any]:
        if not isinstance(value, simdjson.Object) or len(value) > most:
            raise _DoubtError
        names = list(value)
        if len(set(names)) < len(names) or any("\0" in name for name in names):  # which would be looked up to its NUL
            raise _DoubtError
        _require_untouched(names)
        return {name: read(name, value[name]) for name in names}

    def _plain(self, value: Any, level: int) -> Any:
        self.values += 1
        if self.values > _MOST_VALUES:
            raise _DoubtError
        if isinstance(value, simdjson.Object | simdjson.Array):
            if level > self._limits.depth:
                raise _DoubtError
            if isinstance(value, simdjson.Object):
                return self._object(value, lambda _, child: self._plain(child, level + 1))
            self.lists += 1
            return [self._plain(child, level + 1) for child in value]
        _require_untouched([value])
        return value

    def _column(self, value: Any) -> Any:
        if not isinstance(value, simdjson.Array):
            raise _DoubtError
        numbers = _numbers(value)
        self.lists += 1
        if numbers is None:
            return _texts(value.as_list())
        if numbers.dtype == np.float64:
            absent = (numbers == 0) & np.signbit(numbers)
            self.nulls += int(np.count_nonzero(absent))
            numbers[absent] = np.nan
            if (np.abs(numbers) >= _BEYOND).any():  # perhaps of an integer that int64 does not hold
                raise _DoubtError
        return numbers


def _require_untouched(values: Sequence[Any]) -> None:
    """Doubt where a null may have been written over that is none of a column's."""
    for value in values:
        if (isinstance(value, str) and "-0e0" in value) or (value == 0 and math.copysign(1, value) < 0):
            raise _DoubtError


def _texts(values: list[Any]) -> list[Any]:
    """Give the values of a column if all are text, or all true or false; a list or a null among them is a doubt."""
    if (kinds := set(map(type, values))) == {str}:
        _require_untouched(["".join(values)])
    elif kinds - {bool}:
        raise _DoubtError
    return values


def _numbers(values: Any) -> npt.NDArray[Any] | None:
    """Give an array of the values if all are numbers and there are any; in nested lists as well, which it flattens."""
    for kind, dtype in (("i", np.int64), ("d", np.float64)):
        try:
            return np.frombuffer(values.as_buffer(of_type=kind), dtype) if len(values) else None
        except TypeError:
            continue
    return None
