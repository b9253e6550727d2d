"""A series as it is given to a client."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Shown"]


@dataclass(frozen=True)
class Shown:
    """The JSON of a series, in parts: to put a long table together with its fields would copy it.

    Attributes
    ----------
    document : bytes
        The fields, a JSON object.
    table : tuple of bytes
        The table, a JSON value in pieces; empty when it was not asked for.
    rows : int, optional
        How many rows there were to choose from, when a part of the table was asked for.
    """

    document: bytes
    table: tuple[bytes, ...] = ()
    rows: int | None = None

    def pieces(self) -> list[bytes]:
        """Give the whole JSON object, the table as its field ``data``."""
        if not self.table:
            return [self.document]
        rows = b"" if self.rows is None else b',"data_rows":%d' % self.rows
        return [b'%b%b,"data":' % (self.document.removesuffix(b"}"), rows), *self.table, b"}"]
