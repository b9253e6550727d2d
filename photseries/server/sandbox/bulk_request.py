"""The request of the service to the reader of a bulk upload."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final

from photseries.errors import InvalidError

__all__ = ["BulkRequest", "fields_too_large_error"]


@dataclass(frozen=True)
class BulkRequest:
    """The format and the limits of a body.

    Parameters
    ----------
    media : str
        "arrow" or "parquet".
    by : tuple of str
        The columns that identify the series of a long body; none: the body is nested.
    fields, lists : frozenset of str
        The names of fields, and the names of fields with lists as values.
    measured : frozenset of str
        The fields that are columns of the table in a long body.
    ignored : frozenset of str
        Columns to omit.
    series, size, metadata, rows, columns, table : int
        Limits: series, bytes of all tables and of all fields, and rows, columns and bytes of one table.
    """

    media: str
    by: tuple[str, ...]
    fields: frozenset[str]
    lists: frozenset[str]
    measured: frozenset[str]
    ignored: frozenset[str]
    series: int
    size: int
    metadata: int
    rows: int
    columns: int
    table: int

    def to_json(self) -> bytes:
        """Encode the request for the reader."""
        return json.dumps(vars(self), default=sorted).encode()

    @classmethod
    def from_json(cls, text: bytes | memoryview) -> BulkRequest:
        """Decode the output of :meth:`to_json`."""
        values = json.loads(bytes(text))
        return cls(
            **{name: frozenset(value) if name in _SETS else value for name, value in values.items()}
            | {"by": tuple(values["by"])}
        )


def fields_too_large_error(limit: int) -> InvalidError:
    """Return the error of a body whose series have too long fields together."""
    return InvalidError(
        f"The fields of all series in the body, altdata included, take more than {limit:,} bytes (limits.bulk_fields). "
        "Send several bodies."
    )


_SETS: Final = ("fields", "lists", "measured", "ignored")
