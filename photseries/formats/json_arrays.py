"""Parse numeric JSON columns straight into arrays, for long bodies.

The main cost of such a body is a Python object per value. simdjson returns a list as one array if all values are
numbers, so each null is replaced by a number before. This module reads only the simplest documents. It leaves the
others to :mod:`photseries.formats.json_columns`, which alone refuses a body.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

try:
    import simdjson
except ImportError:  # no wheel for this platform: every body takes the slow path
    simdjson = None  # type: ignore[assignment]

from photseries.hdf5.limits import Limits

__all__ = ["counts", "parse"]

#: The bodies to parse here: shorter ones gain nothing, longer ones cost several times their length in memory [bytes].
_SHORT: Final = 20_000
_LONG: Final = 64 * 1024 * 1024
#: Maximum length of a body after which the parser of a thread and its memory are kept [bytes].
_KEPT: Final = 8 * 1024 * 1024

#: Length of the parts in which characters are counted; they fit into the cache of a processor core [bytes].
_PART: Final = 2**17

_NULL: Final = b"null"
#: The number in place of a null. A text with a tab is not JSON: a body with "null" in a text is left to the slow path.
_PLACEHOLDER: Final = b"\t9e9"
_PLACEHOLDER_VALUE: Final = float(_PLACEHOLDER)

_BEYOND: Final = 2.0**63
#: A look-up of a key searches all keys of its object. With more keys, or more values outside of columns,
#: the slow path is faster.
_MAX_KEYS, _MAX_VALUES = 256, 20_000

#: simdjson's letters for the types of numbers.
_NUMBERS: Final[tuple[tuple[Literal["i", "d"], type[np.number]], ...]] = (("i", np.int64), ("d", np.float64))

_threads = threading.local()


class _UnsupportedError(Exception):
    """The body has content that this module leaves to :mod:`photseries.formats.json_columns`."""


def parse(body: bytes, limits: Limits) -> dict[str, Any] | None:
    """Read a body whose ``data`` are columns.

    Parameters
    ----------
    limits : Limits
        ``depth`` is the deepest nesting, ``columns`` bounds the keys of ``data``.

    Returns
    -------
    dict or None
        The document, with numeric columns as arrays of int64 or float64, null as NaN; None if it is not supported here.
    """
    if simdjson is None or not _SHORT < len(body) < _LONG:
        return None
    reading = _ValueReader(limits)
    numbers, nulls = _without_nulls(body)
    try:
        document = reading.document(_parser(len(body)).parse(numbers))
    except (_UnsupportedError, ValueError, RuntimeError):
        return None
    # simdjson flattens nested lists of numbers; lists in other columns are not counted, either.
    return document if reading.nulls == nulls and [reading.lists] == counts("[", body) else None


def counts(characters: str, text: bytes) -> list[int]:
    """Count characters, in parts that fit into the processor's cache: a fraction of the time of ``bytes.count``."""
    codes = np.frombuffer(text, np.uint8)
    parts = (codes[start : start + _PART] for start in range(0, codes.size or 1, _PART))
    of_parts = ([int(np.count_nonzero(part == ord(character))) for character in characters] for part in parts)
    return list(map(sum, zip(*of_parts, strict=True)))


def _without_nulls(body: bytes) -> tuple[bytearray, int]:
    """Replace each null by a number, and count them; a digit after a null, which is not JSON, must not continue it."""
    numbers, count = bytearray(body), 0
    codes = np.frombuffer(numbers, np.uint8)
    for start in range(0, codes.size, _PART):
        part = codes[start : start + _PART + len(_NULL)]
        places = np.flatnonzero(part[: -len(_NULL)] == _NULL[0])[:, np.newaxis] + np.arange(len(_NULL) + 1)
        found = part[places]
        is_null = (found[:, :-1] == list(_NULL)).all(axis=1) & ~np.isin(found[:, -1], list(b"0123456789"))
        part[places[is_null, :-1]] = list(_PLACEHOLDER)
        count += int(np.count_nonzero(is_null))
    return numbers, count


def _parser(size: int) -> simdjson.Parser:
    if size > _KEPT:
        return simdjson.Parser()
    if not hasattr(_threads, "parser"):
        _threads.parser = simdjson.Parser()
    parser: simdjson.Parser = _threads.parser
    return parser


class _ValueReader:
    """Converts a parsed body to Python values, and counts its lists and nulls."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.lists = self.nulls = self.values = 0

    def document(self, root: object) -> dict[str, object]:
        fields = self._object(root, lambda name, value: value if name == "data" else self._python_value(value, 2))
        read = self._column
        return {**fields, "data": self._object(fields.get("data"), lambda _, value: read(value), self._limits.columns)}

    def _object(
        self, value: object, read: Callable[[str, object], object], max_keys: int = _MAX_KEYS
    ) -> dict[str, object]:
        if not isinstance(value, simdjson.Object) or len(value) > max_keys:
            raise _UnsupportedError
        names = list(value)
        if len(set(names)) < len(names) or any("\0" in name for name in names):  # the look-up would stop at the NUL
            raise _UnsupportedError
        return {name: read(name, value[name]) for name in names}

    def _python_value(self, value: object, level: int) -> object:
        self.values += 1
        if self.values > _MAX_VALUES:
            raise _UnsupportedError
        if isinstance(value, simdjson.Object | simdjson.Array):
            if level > self._limits.depth:
                raise _UnsupportedError
            if isinstance(value, simdjson.Object):
                return self._object(value, lambda _, child: self._python_value(child, level + 1))
            self.lists += 1
            return [self._python_value(child, level + 1) for child in value]
        return self._with_nulls([value])[0]

    def _with_nulls(self, values: Iterable[object]) -> list[object]:
        with_nulls = [None if value == _PLACEHOLDER_VALUE else value for value in values]
        self.nulls += with_nulls.count(None)
        return with_nulls

    def _column(self, value: object) -> object:
        if not isinstance(value, simdjson.Array):
            raise _UnsupportedError
        numbers = _numbers(value)
        self.lists += 1
        if numbers is None:
            return self._with_nulls(value.as_list())
        if numbers.dtype != np.float64:
            return numbers
        if (np.abs(numbers) >= _BEYOND).any():  # possibly an integer beyond int64
            raise _UnsupportedError
        is_null = numbers == _PLACEHOLDER_VALUE
        self.nulls += int(np.count_nonzero(is_null))
        return np.where(is_null, np.nan, numbers) if is_null.any() else numbers


def _numbers(values: simdjson.Array) -> npt.NDArray[np.generic] | None:
    """Return the values as an array if all are numbers and there are any; nested lists are flattened."""
    for kind, dtype in _NUMBERS:
        try:
            return np.frombuffer(values.as_buffer(of_type=kind), dtype) if len(values) else None
        except TypeError:
            continue
    return None
