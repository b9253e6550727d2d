"""The answer of a worker: a JSON header and raw column buffers, without pickles.

The service treats every answer as hostile: anything but a table within the limits is an error.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from photseries.hdf5.raw import RawColumn, RawTable, cell_size

if TYPE_CHECKING:
    from photseries.hdf5.limits import Limits

__all__ = [
    "MAX_TEXT_LENGTH",
    "FileContent",
    "WorkerResponse",
    "not_an_answer",
    "pack",
    "pack_header",
    "receive",
    "receive_header",
    "require",
]

MAX_HEADER_SIZE: Final = 16 * 1024 * 1024  # [bytes]
MAX_TEXT_LENGTH: Final = 2000

#: The size of a length on the wire [bytes].
SIZE_BYTES: Final = 8

_DTYPE: Final = re.compile(r"[|<>](b1|[iu][1248]|f[248]|[mM]8\[(s|ms|us|ns)\]|S[1-9][0-9]{0,8})")


@dataclass(frozen=True)
class FileContent:
    """The content of a file of any format.

    Parameters
    ----------
    about : dict
        Values of JSON.
    blob : bytes or memoryview
        The converted HDF5 file, which is as untrusted as the original; empty for a description.
    """

    about: dict[str, Any]
    blob: bytes | memoryview = b""


@dataclass(frozen=True)
class WorkerResponse:
    """A table, the content of a file, or an error.

    Parameters
    ----------
    table : RawTable or None
    error : str or None
    missing : tuple of str
        Layers of the sandbox that this system lacks.
    content : FileContent or None
    """

    table: RawTable | None
    error: str | None
    missing: tuple[str, ...]
    content: FileContent | None = None


def pack(answer: WorkerResponse) -> Iterator[bytes | memoryview]:
    """Yield the buffers to send, in order."""
    table = answer.table
    header: dict[str, object] = {"missing": answer.missing, "error": answer.error, "table": None}
    columns: list[RawColumn] = []
    if table is not None:
        columns = [*table.columns, *([table.index] if table.index is not None else [])]
        header["table"] = {
            "key": table.key,
            "rows": len(table.columns[0].values),
            "columns": [_column_header(column) for column in columns],
            "indexed": table.index is not None,
            "metadata": table.metadata,
        }
    if answer.content is not None:
        header["found"] = {"about": answer.content.about, "size": len(answer.content.blob)}
    yield pack_header(header)
    for column in columns:
        yield column.values.view(np.uint8).data
    if answer.content is not None:
        yield answer.content.blob


def pack_header(header: Mapping[str, object]) -> bytes:
    """Return a header as JSON after its length."""
    encoded = json.dumps(header).encode()
    return len(encoded).to_bytes(SIZE_BYTES, "little") + encoded


def _column_header(column: RawColumn) -> dict[str, object]:
    header = {field.name: getattr(column, field.name) for field in dataclasses.fields(column)}
    return header | {"values": column.values.dtype.str}


def receive(read: Callable[[int], bytearray], limits: Limits) -> WorkerResponse:
    """Read and check an answer.

    Parameters
    ----------
    read : callable
        Returns an exact number of bytes, or raises EOFError.
    limits : Limits

    Returns
    -------
    WorkerResponse

    Raises
    ------
    EOFError
        When the answer ends early.
    ValueError
        When it is not an answer.
    """
    header = receive_header(read)
    require(isinstance(header, dict))
    missing = header.get("missing")
    require(isinstance(missing, list) and set(map(type, missing)) <= {str} and len(missing) < 20)
    error, about = header.get("error"), header.get("table")
    if isinstance(error, str):
        return WorkerResponse(None, error[:MAX_TEXT_LENGTH], tuple(missing))
    match header.get("found"):
        case {"about": dict(described), "size": int(size)}:
            require(0 <= size <= limits.table + MAX_HEADER_SIZE)
            return WorkerResponse(None, None, tuple(missing), FileContent(described, memoryview(read(size))))
    require(isinstance(about, dict))
    return WorkerResponse(_table(about, read, limits), None, tuple(missing))


def receive_header(read: Callable[[int], bytearray]) -> Any:
    """Read a header; raises like :func:`receive`."""
    size = int.from_bytes(read(SIZE_BYTES), "little")
    require(size <= MAX_HEADER_SIZE)
    try:
        return json.loads(read(size))
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _table(header: object, read: Callable[[int], bytearray], limits: Limits) -> RawTable:
    match header:
        case {
            "key": str(key),
            "rows": int(rows),
            "columns": [_, *_] as described,
            "indexed": bool(indexed),
            "metadata": dict(metadata),
        }:
            require(0 < rows <= limits.rows and 0 < len(described) - indexed <= limits.columns)
        case _:
            raise not_an_answer()
    types = [_dtype(column) for column in described]
    require(sum(rows * cell_size(dtype) for dtype in types) <= limits.table)
    columns = [
        _column(column, np.frombuffer(read(rows * dtype.itemsize), dtype))
        for column, dtype in zip(described, types, strict=True)
    ]
    index = columns.pop() if indexed else None
    require(len({column.name for column in columns}) == len(columns))
    return RawTable(key, tuple(columns), index, metadata)


def _dtype(header: object) -> np.dtype[np.generic]:
    match header:
        case {"values": str(name)} if _DTYPE.fullmatch(name):
            dtype: np.dtype[np.generic] = np.dtype(name)
            require(dtype.isnative)
            return dtype
    raise not_an_answer()


def _column(header: dict[str, object], values: npt.NDArray[np.generic]) -> RawColumn:
    if values.dtype.kind == "b":
        values = values.view(np.uint8) != 0  # only the bytes 0 and 1 are valid
    match header:
        case {"name": str(name), "null": str() | None as null, "encoding": "utf-8" | "latin-1" | "ascii" as encoding}:
            return RawColumn(name, values, null, encoding)
    raise not_an_answer()


def require(condition: bool) -> None:
    """Raise ValueError unless a condition on the answer holds."""
    if not condition:
        raise not_an_answer()


def not_an_answer() -> ValueError:
    """Return the error about an invalid answer."""
    return ValueError("not an answer of the reader")
