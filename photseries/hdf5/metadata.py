"""The metadata of an HDF5 file: plain Python values, as a pickled attribute and as JSON text."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from photseries.errors import InvalidError, UnreadableFileError
from photseries.hdf5 import plain_pickle

if TYPE_CHECKING:
    from photseries.hdf5.limits import Limits

__all__ = ["from_json", "from_pickle", "plain", "to_json", "to_pickle"]

#: Texts up to this length, most of them names of fields, are encoded once [characters].
SHORT: Final = 64


def from_pickle(data: bytes | int, limits: Limits) -> dict[str, object]:
    """Interpret the attribute that pandas users set to a dict, which PyTables pickles.

    Raises
    ------
    UnreadableFileError
        When it is not a dict of plain values with texts as keys.
    """
    try:
        value = plain_pickle.interpret(data, limits) if isinstance(data, bytes) else data
    except UnreadableFileError as error:
        raise UnreadableFileError(f"The metadata of the HDF5 file cannot be read: {error.message}.") from error
    return _object(value)


def from_json(data: bytes | int, limits: Limits) -> dict[str, object]:
    """Read the attribute that carries the metadata as JSON text.

    Raises
    ------
    UnreadableFileError
        When it is not a JSON object.
    """
    try:
        return _object(json.loads(data.rstrip(b"\0")) if isinstance(data, bytes) else data)
    except (ValueError, RecursionError) as error:
        raise UnreadableFileError("The metadata of the HDF5 file cannot be read: it is not JSON.") from error


def plain(metadata: Mapping[str, object], depth: int) -> dict[str, object]:
    """Copy metadata as JSON values, with None for non-finite numbers.

    Parameters
    ----------
    metadata : mapping
        Order is kept; tuples become lists, numpy scalars Python's.
    depth : int
        Deepest nesting.

    Raises
    ------
    InvalidError
        With every problem under the name of its top-level key in ``fields``.
    """
    problems: dict[str, list[str]] = {}
    copied: dict[str, object] = {}
    for name, value in metadata.items():
        try:
            copied[_plain_text(name)] = _plain_value(value, depth - 1)
        except ValueError as error:
            problems.setdefault(str(name), []).append(f"{name!s:.80} {error}.")
    if problems:
        raise InvalidError.of_fields(problems)
    return copied


def to_json(metadata: dict[str, object]) -> str:
    """Write metadata that :func:`plain` made as JSON."""
    return json.dumps(metadata, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def to_pickle(metadata: object) -> bytes:
    """Write metadata that :func:`plain` made as a pickle of protocol 0, which every Python since 2.7 reads.

    The standard pickler writes shared objects as references, so its bytes depend on more than the value. These do not.
    """
    opcodes: list[bytes] = []
    _append_opcodes(metadata, opcodes)
    return b"".join(opcodes) + b"."


_CONSTANTS: Final = {None: b"N", False: b"I00\n", True: b"I01\n"}


def _append_opcodes(value: object, opcodes: list[bytes]) -> None:
    match value:
        case str():
            opcodes.append(_pickled_text(value) if len(value) > SHORT else _short_text(value))
        case float():
            opcodes.append(b"F%s\n" % repr(value).encode())
        case None | bool():
            opcodes.append(_CONSTANTS[value])
        case int():
            opcodes.append(b"L%dL\n" % value if value.bit_length() > 31 else b"I%d\n" % value)
        case dict():
            opcodes.append(b"(d")
            for name, item in value.items():
                _append_opcodes(name, opcodes)
                _append_opcodes(item, opcodes)
                opcodes.append(b"s")
        case list() | tuple():
            opcodes.append(b"(l")
            for item in value:
                _append_opcodes(item, opcodes)
                opcodes.append(b"a")
        case _:
            raise TypeError(type(value).__name__)


#: Characters that end or escape the line.
_ESCAPED: Final = "\\\0\n\r\x1a"
_has_escaped: Final = re.compile(f"[{re.escape(_ESCAPED)}]").search


def _pickled_text(text: str) -> bytes:
    if _has_escaped(text):  # one search is faster than five replacements of most texts, which have none
        for character in _ESCAPED:
            text = text.replace(character, f"\\u{ord(character):04x}")
    return b"V" + text.encode("raw-unicode-escape") + b"\n"


_short_text = functools.lru_cache(_pickled_text)


def _plain_value(value: object, depth: int) -> object:
    if type(value) is str:  # most values, and most of the time
        return _plain_text(value)
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, dict | list | tuple):
        return _plain_scalar(value)
    if depth <= 0:
        raise ValueError("is nested too deeply")
    if isinstance(value, dict):
        return {_plain_text(name): _plain_value(item, depth - 1) for name, item in value.items()}
    return [_plain_value(item, depth - 1) for item in value]


def _plain_scalar(value: object) -> bool | int | float | str | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise ValueError("contains an integer beyond 64 bits")
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, str):
        return _plain_text(value)
    raise ValueError(f"contains a {type(value).__name__}, which cannot be stored")


def _plain_text(text: object) -> str:
    if not isinstance(text, str):
        raise ValueError(f"has the key {text!r:.80}, and keys must be texts")  # noqa: TRY004  reported by plain
    if "\0" in text:
        raise ValueError("contains a NUL character, which cannot be stored")
    try:
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError:
        raise ValueError("contains an unpaired surrogate, which is not text") from None
    return str(text)


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise UnreadableFileError("The metadata of the HDF5 file must be a dict.")
    return {_key(name): _jsonable(item) for name, item in value.items()}


def _jsonable(value: object) -> object:
    if isinstance(value, dict):
        return {_key(name): _jsonable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise UnreadableFileError("The metadata of the HDF5 file has bytes that are not UTF-8 text.") from error
    return value


def _key(name: object) -> str:
    name = _jsonable(name)
    if not isinstance(name, str):
        raise UnreadableFileError(f"The metadata of the HDF5 file has the key {name!r:.80}; keys must be texts.")
    return name
