"""The record batches of a bulk upload, Arrow IPC stream or Parquet, and the meaning of its columns."""

from __future__ import annotations

import mmap
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from photseries.errors import InvalidError
from photseries.server.sandbox.bulk_request import BulkRequest

__all__ = ["ArrowBody", "Layout", "ParquetBody", "is_list", "is_text", "too_large_error", "too_many_error"]

#: Rows decoded at a time of a long Parquet file, and series of a nested one.
LONG_ROWS, NESTED_ROWS = 65_536, 256

_THRIFT: Final = 32 * 1024 * 1024
_INDEX_OF_PANDAS: Final = re.compile(r"__index_level_\d+__")


class ArrowBody:
    """The record batches of an Arrow IPC stream, without copies where it is not compressed."""

    def __init__(self, image: memoryview) -> None:
        self._image = image
        self._buffer = pa.py_buffer(image)
        self.schema = self._open(None).schema

    def batches(self, indexes: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """Yield the batches with these columns, in the order of the schema."""
        with self._open(indexes) as stream:
            for batch in stream:
                batch.validate(full=True)  # untrusted offsets could point anywhere
                yield batch
                _release(self._image)

    def _open(self, indexes: Sequence[int] | None) -> pa.RecordBatchStreamReader:
        options = pa.ipc.IpcReadOptions(use_threads=False, included_fields=None if indexes is None else list(indexes))
        return pa.ipc.open_stream(pa.BufferReader(self._buffer), options=options)


class ParquetBody:
    """The rows of a Parquet file, a bounded number at a time."""

    def __init__(self, image: memoryview, request: BulkRequest) -> None:
        self._image = image
        self._file = pq.ParquetFile(
            pa.BufferReader(pa.py_buffer(image)),
            thrift_string_size_limit=_THRIFT,
            thrift_container_size_limit=_THRIFT // 16,
        )
        about = self._file.metadata
        groups = [about.row_group(number) for number in range(about.num_row_groups)]
        values = sum(group.column(number).num_values for group in groups for number in range(group.num_columns))
        # A float64 column of n values takes 8 n bytes; texts and small numbers are not that far from it.
        if values > request.size or about.num_rows > request.size:
            raise too_large_error(request)
        self.schema = self._file.schema_arrow
        self._rows = LONG_ROWS if request.by else NESTED_ROWS

    def batches(self, indexes: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """Yield the rows with these columns, in the order of the schema."""
        names = [self.schema.names[index] for index in indexes]
        for batch in self._file.iter_batches(self._rows, columns=names, use_threads=False):
            batch.validate(full=True)
            yield batch.select(names)
            _release(self._image)


def _release(image: memoryview) -> None:
    """Release the pages of a mapped file, which would count as memory of this process; the kernel still has them."""
    if isinstance(image.obj, mmap.mmap):
        image.obj.madvise(mmap.MADV_DONTNEED)


@dataclass(frozen=True)
class Layout:
    """The places of the columns of a body by their meaning; ``names`` are the names of all columns."""

    names: list[str]
    table: list[int]
    fields: list[int]
    by: list[int]

    @classmethod
    def of(cls, schema: pa.Schema, request: BulkRequest) -> Layout:
        """Find the columns of a body; raise InvalidError if they cannot belong to series."""
        names = list(schema.names)
        if len(names) > request.columns + len(request.fields) + len(request.ignored):
            raise InvalidError(
                f"The body has {len(names):,} columns; the limit is {request.columns:,} (limits.columns)."
            )
        absent = [name for name in request.by if name not in names]
        if absent:
            raise InvalidError(f"The body has no column {absent[0]!r:.80}, which 'by' names.")
        layout = cls(names, [], [], [names.index(name) for name in request.by])
        unknown = []
        for index, (name, kind) in enumerate(zip(names, schema.types, strict=True)):
            is_field = name in request.fields and not (request.by and name in request.measured)
            if name in request.ignored or _INDEX_OF_PANDAS.fullmatch(name):
                continue
            if is_field and (request.by or not is_list(kind) or name in request.lists):
                _require_field(name, kind, name in request.lists)
                layout.fields.append(index)
            elif bool(request.by) is is_list(kind):
                unknown.append(name)
            else:
                _require_column(name, kind.value_type if is_list(kind) else kind)
                layout.table.append(index)
        layout._require(unknown, request)
        return layout

    def _require(self, unknown: list[str], request: BulkRequest) -> None:
        """Refuse columns that are neither a field nor a column of the table, and names that occur twice."""
        if unknown and request.by:
            raise InvalidError(f"The column {unknown[0]!r:.80} contains lists; in a long body a cell is one value.")
        if unknown:
            raise InvalidError(
                f"Unknown keys in metadata: {unknown[:10]}. In a nested body each column is a field of the series, or "
                "contains lists; send 'by' for a long body."
            )
        for kind in (self.table, self.fields):
            called = [self.names[index] for index in kind]
            twice = next((name for name in called if called.count(name) > 1), None)
            if twice is not None:
                raise InvalidError(f"The column name {twice!r:.80} occurs more than once.")
        if not self.table:
            raise InvalidError("Must supply a non-empty DataFrame. The body has no column of measurements.")
        if len(self.table) > request.columns:
            raise InvalidError(
                f"The tables have {len(self.table):,} columns; the limit is {request.columns:,} (limits.columns)."
            )


def is_list(kind: pa.DataType) -> bool:
    """Return whether the cells of a column are lists."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def is_text(kind: pa.DataType) -> bool:
    """Return whether the cells of a column are texts."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))


def _require_field(name: str, kind: pa.DataType, has_lists: bool) -> None:
    value = kind.value_type if has_lists and is_list(kind) else kind
    if not (is_text(value) or _is_number(value) or pa.types.is_null(value)):
        raise InvalidError(f"The field {name!r} is of type {kind}; use text, numbers or true and false, JSON as text.")


def _require_column(name: str, kind: pa.DataType) -> None:
    is_time = pa.types.is_duration(kind) or (pa.types.is_timestamp(kind) and kind.tz is None)
    if not (is_text(kind) or _is_number(kind) or is_time or pa.types.is_null(kind)):
        raise InvalidError(
            f"The column {name!r:.80} is of type {kind}; use bool, integers, floats, text, or datetimes without time "
            "zone."
        )


def too_large_error(request: BulkRequest) -> InvalidError:
    """Return the error of a body with too large tables."""
    return InvalidError(f"The tables in the body take more than {request.size:,} bytes (limits.bulk). Send several.")


def too_many_error(request: BulkRequest) -> InvalidError:
    """Return the error of a body with too many series."""
    return InvalidError(f"The body has more than {request.series:,} series. Send several bodies.")
