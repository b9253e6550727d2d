"""The body of an upload: JSON, or the table as an HDF5 file with the fields in the query."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import numpy as np
import orjson
import pandas as pd

from photseries.errors import InvalidError
from photseries.fields import SETTABLE
from photseries.fields.texts import fields_of_texts, without_ignored
from photseries.formats import HDF5, Reading, base64_text, json_columns
from photseries.hdf5 import frames, plain_hdf5, stored_file
from photseries.hdf5.limits import Limits
from photseries.lightcurve.digest import content_hash
from photseries.lightcurve.table import is_default, is_text
from photseries.text import is_unicode

__all__ = ["Message", "blob_of", "is_of", "json_of", "message", "query_of"]

#: Maximum number of values sent as JSON; for more, a file is faster on both sides.
MAX_JSON_VALUES: Final = 20_000

#: Maximum length of the fields in a query [characters]; the service accepts headers of 64 KiB.
MAX_QUERY_LENGTH: Final = 8_000

_KEPT: Final = tuple(np.dtype(code) for code in ("?", "i8", "f8"))


@dataclass(frozen=True)
class Message:
    """The body of a request, its media type, the fields in the query, and the file to read the body from, if any."""

    content: bytes | memoryview
    media_type: str = "application/json"
    query: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None


def blob_of(reading: Reading, *, as_read: bool = False) -> bytes | None:
    """Return a table as an HDF5 file; None for a short table, which the service reads faster as JSON.

    Parameters
    ----------
    reading : Reading
    as_read : bool
        Whether to send a file unchanged, so that the service can report its content.

    Raises
    ------
    InvalidError
        When the table has content that no file can store.
    """
    if not (as_read and reading.blob) and _keeps_columns(reading.frame) and _keeps_values(reading.file_metadata):
        return None
    return reading.blob or stored_file.encode(reading.frame, reading.file_metadata)


def is_of(known_hash: str, reading: Reading) -> bool:
    """Return whether a table has a content hash from the service."""
    if content_hash(reading.frame) == known_hash:
        return True
    # Writing to a file may change the hash: datetimes, for instance, become nanoseconds.
    blob = blob_of(reading)
    return blob is not None and content_hash(frames.build(plain_hdf5.read(blob, Limits()))) == known_hash


def message(fields: Mapping[str, object], reading: Reading | None = None, *, as_read: bool = False) -> Message:
    """Encode fields and a table as a request; a file is sent unchanged if the fields fit in the query.

    Raises
    ------
    InvalidError
        When a field cannot be serialised as JSON.
    """
    if reading is None:
        return Message(_json(fields))
    blob = blob_of(reading, as_read=as_read)
    if blob is None:
        file_fields = {name: value for name, value in reading.file_metadata.items() if value is not None}
        columns = orjson.Fragment(json_columns.encode(reading.frame))
        return Message(_json({**without_ignored(file_fields), **fields, "data": columns}))
    query = query_of(fields)
    if query is not None:
        return Message(blob, HDF5.media_type, query)
    return Message(_json({**fields, "data": orjson.Fragment(b'"' + base64_text.encode(blob) + b'"')}))


def query_of(fields: Mapping[str, object]) -> dict[str, str] | None:
    """Encode fields as texts that the service reads as the same values; None if that is impossible."""
    texts = {}
    for name, value in fields.items():
        if name not in SETTABLE:
            return None
        plain = orjson.loads(json_of(name, value))
        candidates = [plain] if isinstance(plain, str) else []
        candidates.append(orjson.dumps(plain).decode())
        read = {text: fields_of_texts({name: [text]})[name] for text in candidates}
        # Text fields convert integers to their digits.
        same = [text for text, value in read.items() if value == plain or (type(plain) is int and value == str(plain))]
        if not same:
            return None
        texts[name] = same[0]
    return texts if len(urlencode(texts)) <= MAX_QUERY_LENGTH else None


def json_of(name: str, value: object) -> bytes:
    """Return the value of a field as JSON.

    Raises
    ------
    InvalidError
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError as error:
        problem = f"The field {name:.60} cannot be serialised as JSON: {error}."
        raise InvalidError.of_field(name, problem) from error


def _json(fields: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(fields, option=orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:
        for name, value in fields.items():
            json_of(name, value)
        raise


def _keeps_columns(frame: pd.DataFrame) -> bool:
    """Return whether a table is small enough for JSON, and unchanged by a round trip."""
    return (
        0 < frame.size <= MAX_JSON_VALUES
        and is_default(frame.index)
        and frame.columns.is_unique
        and all(isinstance(name, str) and _is_kept(column) for name, column in frame.items())
    )


def _is_kept(column: pd.Series) -> bool:
    dtype = column.dtype
    if isinstance(dtype, np.dtype) and dtype.newbyteorder("=") in _KEPT:
        return dtype.kind != "f" or not np.isinf(column.to_numpy()).any()
    if not is_text(column):
        return False
    cells = column[column.notna()].tolist()
    # A text column with only nulls would be read as numbers.
    return set(map(type, cells)) == {str} and "\0" not in (joined := "".join(cells)) and is_unicode(joined)


def _keeps_values(metadata: Mapping[str, object]) -> bool:
    """Return whether the fields of a file are unchanged by a round trip through JSON."""
    try:
        return bool(orjson.loads(orjson.dumps(metadata)) == metadata)
    except (TypeError, ValueError):
        return False
