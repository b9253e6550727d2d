"""JSON request bodies, and table columns from and to JSON."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NoReturn

import numpy as np
import numpy.typing as npt
import orjson
import pandas as pd
import pybase64

from photseries.errors import InvalidError
from photseries.formats import json_arrays
from photseries.hdf5.limits import Limits

__all__ = ["coarsest_unit", "decode", "encode", "jsonable", "parse", "write"]

_DIGITS: Final = bytes.maketrans(b"123456789", b"0" * 9)
#: Minimum number of digits of an integer beyond 64 bits.
_MANY_DIGITS: Final = b"0" * 19
_LONG_INTEGER: Final = re.compile(rb"(?<![0-9.eE+])[0-9]{19,}(?![0-9.eE])")

#: Common spellings of non-finite numbers; orjson stops there, or after the minus.
_NOT_FINITE: Final = re.compile(r"-?(?:nan|inf(?:inity)?)\b", re.IGNORECASE)
_TEXT_OR_BRACKET: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')

#: The start of the text of a file; inside another text its quotes would be escaped.
_FILE: Final = re.compile(rb'"data"\s*:\s*"')
#: What precedes it in a body whose file is not in another object.
_TOP_LEVEL: Final = re.compile(rb"\s*\{[^{]*")
#: A list of numbers, or any text, so that brackets in texts are skipped.
_LIST_OR_TEXT: Final = re.compile(rb'(\[)[^"\[\]{}]*+(?=\])|("[^"\\]*+(?:\\.[^"\\]*+)*+")', re.DOTALL)
#: Minimum length of a text to exclude from the checks [characters].
_LONG: Final = 10_000
#: Maximum number of opening brackets, because each list and object is examined. A table of numbers has few.
_MAX_BRACKETS, _FEW_BRACKETS = 250_000, 10_000
_PART: Final = 2**17
#: Size of a number in a table [bytes].
_VALUE: Final = 8

_UNITS: Final[tuple[Literal["s", "ms", "us", "ns"], ...]] = ("s", "ms", "us", "ns")
_EMPTY: Final = "Must supply a non-empty DataFrame."


def parse(body: bytes, limits: Limits) -> dict[str, Any]:
    """Read a request body.

    Parameters
    ----------
    body : bytes
        JSON in UTF-8, with an object at the top.
    limits : Limits
        Its ``depth`` is the deepest nesting; ``keys``, ``object_keys`` and ``texts`` bound how many there may be.

    Returns
    -------
    dict
        In a long body the columns of numbers of ``data`` may be arrays, which :func:`decode` takes, too; and the
        base64 text of a file there may be its bytes.

    Raises
    ------
    InvalidError
        When it is not JSON (NaN and Infinity are not), is nested too deeply, has a key twice in one object, an
        integer beyond 64 bits, or too many lists, objects, keys or texts.
    """
    file = _file_in(body)
    remaining = body[: file.start] + body[file.stop :]
    # Counted in the bytes of the body, before any object is created.
    lists, objects, quotes, colons, commas = json_arrays.counts('[{":,', remaining)
    brackets = lists + objects
    _require_few("opening brackets", brackets, _MAX_BRACKETS)
    _require_few("keys", colons if colons <= limits.keys else _keys(remaining), limits.keys)
    _require_few("texts", quotes // 2, limits.texts)
    _require_few("values", commas, limits.table // _VALUE)
    document: Any = None if file or brackets > _FEW_BRACKETS else json_arrays.parse(body, limits)
    if document is not None:
        return document  # type: ignore[no-any-return]
    document = _with_file(body, file, remaining) or _loaded(body)
    if not isinstance(document, dict):
        raise InvalidError("The body must be a JSON object.")
    _check(remaining, limits)
    if _has_long_integer(remaining):  # orjson reads them as floats
        json.loads(body, parse_int=_short)
    return document


def _check(text: bytes, limits: Limits) -> None:
    """Refuse valid JSON that repeats a key in an object (orjson accepts it), has too many keys, or is too deep.

    The exact parser reads the body without its numbers, which are most of a long body.
    """

    def distinct(pairs: list[tuple[str, object]]) -> dict[str, object]:
        members = dict(pairs)
        if len(members) < len(pairs):
            twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
            raise InvalidError(f"The body has the key {twice!r:.80} twice in one object.")
        _require_few("keys in one object", len(members), limits.object_keys)
        return members

    try:
        depth = _depth(json.loads(_LIST_OR_TEXT.sub(rb"\1\2", text), object_pairs_hook=distinct))
    except RecursionError:
        depth = sys.getrecursionlimit()
    if depth > limits.depth:
        raise InvalidError(f"The body is nested {depth} deep; at most {limits.depth} is accepted.")


def _depth(value: object) -> int:
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(_depth, value.values() if isinstance(value, dict) else value), default=0)


def _not_json(error: orjson.JSONDecodeError) -> InvalidError:
    """Return the error for a body that is not JSON, with the column and row of NaN or an infinity."""
    text, position = error.doc, error.pos - 1 if error.msg.startswith("no digit") else error.pos
    token, name, start, last = _NOT_FINITE.match(text, position), None, 0, None
    for part in _TEXT_OR_BRACKET.finditer(text, 0, position) if token else ():
        if part[0][0] == '"':
            last = part
        else:
            is_column = part[0] == "[" and last is not None and text[last.end() : part.start()].strip() == ":"
            name, start = last[0] if is_column and last is not None else None, part.end()
    if token is None or name is None:
        return InvalidError(f"The body is not JSON: {error}.")
    column, row = orjson.loads(name)[:80], _TEXT_OR_BRACKET.sub("", text[start:position]).count(",") + 1
    message = f"The column {column!r} has {token[0]} in row {row:,}, which is not JSON. Send null for a missing value."
    return InvalidError.of_field(f"data.{column}", message)


def _require_few(kind: str, number: int, limit: int) -> None:
    if number > limit:
        raise InvalidError(
            f"The body has {number:,} {kind}, including those in texts; at most {limit:,} are accepted. "
            "Send a table as columns, or as an HDF5 file."
        )


def _file_in(body: bytes) -> range:
    """Return the probable range of a long base64 file in a body, which the checks skip."""
    match = _FILE.match(body, position) if (position := body.find(b'"data"')) >= 0 else None
    if match is None:
        return range(0)
    start, stop = match.end(), body.find(b'"', match.end())
    is_plain = stop - start > _LONG and all(body.find(mark, start, stop) < 0 for mark in (b"\\", b":"))
    return range(start, stop) if is_plain else range(0)


def _with_file(body: bytes, file: range, remaining: bytes) -> dict[str, Any] | None:
    """Read a body whose ``data`` is a file; None if it is another body, or not valid.

    The file goes from the body straight to its bytes: as a Python text it would be checked and copied first.
    """
    if not file or not _TOP_LEVEL.fullmatch(body, 0, file.start):
        return None
    try:
        content = pybase64.b64decode(memoryview(body)[file.start : file.stop], validate=True)
        return {**orjson.loads(remaining), "data": content}
    except ValueError:  # of orjson, too
        return None


def _loaded(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _not_json(error) from error


def _keys(text: bytes) -> int:
    """Count the colons after a quote, with or without white space between: an upper bound on the keys."""
    count, last = 0, b""
    for start in range(0, len(text), _PART):
        part = last + text[start : start + _PART].translate(None, b" \t\r\n")
        count += part.count(b'":')
        last = part[-1:]
    return count


def _has_long_integer(body: bytes) -> bool:
    digits = body.translate(_DIGITS)
    if _MANY_DIGITS not in digits:
        return False
    # Most long runs are fractions; remove them first, because the exact search is slow.
    return _MANY_DIGITS in digits.replace(b"." + _MANY_DIGITS, b"") and _LONG_INTEGER.search(body) is not None


def _short(digits: str) -> int:
    if len(digits) > 20 or not -(2**63) <= int(digits) < 2**64:
        raise InvalidError(f"The body has the integer {digits[:40]}, which is beyond 64 bits.")
    return int(digits)


def decode(columns: object, limits: Limits) -> pd.DataFrame:
    """Build a table from JSON columns.

    Parameters
    ----------
    columns : dict of list
        Integers become int64; integers with nulls, or with any float, float64; nulls alone float64 NaN; booleans bool;
        text, nulls allowed, text. Arrays from :func:`parse` stay unchanged.

    Raises
    ------
    InvalidError
        With all problems at once, by column in ``fields`` (``data.<column>``).
    """
    if not isinstance(columns, dict):
        _refuse("data must be an object of columns, or the base64 text of an HDF5 file.")
    if not columns:
        _refuse(f"{_EMPTY} The object data has no columns.")
    if len(columns) > limits.columns:
        _refuse(f"data has {len(columns):,} columns; at most {limits.columns:,} are accepted.")

    problems: dict[str, str] = {}
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for name, values in columns.items():
        try:
            arrays[name] = _array(name, values, limits)
        except ValueError as error:
            problems[f"data.{name[:80]}"] = f"The column {name[:80]!r} {error}."
    lengths = {len(array) for array in arrays.values()}
    if len(lengths) > 1:
        sizes = ", ".join(f"{name[:80]!r} {len(array):,}" for name, array in list(arrays.items())[:10])
        problems["data"] = f"The columns differ in length: {sizes}."
    if problems:
        raise InvalidError.of_fields(problems)
    if lengths == {0}:
        _refuse(f"{_EMPTY} The columns of data have no values.")
    return pd.DataFrame(arrays, copy=False)


def _refuse(message: str) -> NoReturn:
    raise InvalidError.of_field("data", message)


def _array(name: str, values: object, limits: Limits) -> npt.NDArray[np.generic]:
    """Build one column; raise ValueError with its problem."""
    if "\0" in name or len(name.encode()) > limits.column_name:
        raise ValueError(f"has a name with a NUL or more than {limits.column_name} bytes")
    if not isinstance(values, list | np.ndarray):
        raise ValueError("must be a list")  # noqa: TRY004  collected by decode
    if len(values) > limits.rows:
        raise ValueError(f"has {len(values):,} values; at most {limits.rows:,} are accepted")
    if isinstance(values, np.ndarray):
        return values
    kinds = set(map(type, values))
    present = kinds - {type(None)}
    if kinds == {int}:
        return _integers(values)
    if present <= {int, float}:
        return np.array(values, np.float64)
    if kinds == {bool}:
        return np.array(values, np.bool_)
    if present == {str}:
        return _texts(values)
    words = " and ".join(sorted({_WORDS[kind] for kind in kinds}))
    raise ValueError(f"contains {words}; {_first_odd(values)}. A column is all numbers, all true/false or all text")


def _integers(values: list[int]) -> npt.NDArray[np.int64]:
    try:
        return np.array(values, np.int64)
    except OverflowError:
        raise ValueError("contains an integer beyond 64 bits (int64)") from None


def _texts(values: list[str | None]) -> npt.NDArray[np.object_]:
    present = "".join(value for value in values if value is not None)
    if "\0" in present:
        raise ValueError("contains a NUL character")
    column = np.empty(len(values), object)
    column[:] = values
    column[pd.isna(column)] = np.nan
    return column


_WORDS: Final = {
    bool: "true or false",
    int: "numbers",
    float: "numbers",
    str: "text",
    list: "lists",
    dict: "objects",
    type(None): "nulls",
}


def _first_odd(values: list[object]) -> str:
    """Return the first row with the rarest kind of value; prefer other kinds to numbers if equally rare."""
    words = [_WORDS[type(value)] for value in values]
    counts = Counter(words)
    if len(counts) > 2:  # nulls are not the reason
        del counts[_WORDS[type(None)]]
    odd = min(counts, key=lambda word: (counts[word], word == _WORDS[int]))
    row = words.index(odd)
    return f"row {row + 1:,} is the first with {odd}"


def encode(frame: pd.DataFrame) -> bytes:
    """Write the columns of a table as a JSON object.

    Returns
    -------
    bytes
        Numbers with the fewest digits that restore their value; missing and non-finite values are null;
        datetimes are ISO 8601 text without a zone, durations seconds [s]. The index is left out.
    """
    columns = {str(name): jsonable(column) for name, column in frame.items()}
    return orjson.dumps(columns, option=orjson.OPT_SERIALIZE_NUMPY)


def write(frame: pd.DataFrame, metadata: Mapping[str, object]) -> bytes:
    """Write a series as the body of a POST: fields, and the columns as ``data``."""
    return orjson.dumps({**metadata, "data": orjson.Fragment(encode(frame))})


def jsonable(column: pd.Series, unit: Any = None) -> Any:
    """Return a column for orjson: an array of numbers, or a list with None for missing values.

    Datetimes have a unit, by default the coarsest one that represents all of them; see :func:`coarsest_unit`.
    """
    dtype = column.dtype
    if not isinstance(dtype, np.dtype) or dtype.kind == "O":
        return _with_nulls(column.astype(object).tolist(), column.isna().to_numpy())
    values = column.to_numpy()
    if dtype.kind == "M":
        texts = np.datetime_as_string(np.asarray(values, "M8"), unit=unit or coarsest_unit(values))
        return _with_nulls(texts.tolist(), np.isnat(values))
    if dtype.kind == "m":
        return np.where(np.isnat(values), np.nan, values / np.timedelta64(1, "s"))
    return np.ascontiguousarray(values, dtype.newbyteorder("="))


def coarsest_unit(times: npt.NDArray[np.datetime64]) -> Any:
    """Return the coarsest unit of numpy that represents all times."""
    missing = np.isnat(times)
    return next(unit for unit in _UNITS if (times.astype(f"M8[{unit}]") == times)[~missing].all())


def _with_nulls(values: list[object], missing: npt.NDArray[np.bool_]) -> Sequence[object]:
    for index in np.flatnonzero(missing).tolist():
        values[index] = None
    return values
