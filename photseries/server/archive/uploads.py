"""The content of a request that creates or changes a series, from the decoded body to the valid series."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from photseries.errors import InvalidError
from photseries.lightcurve.blocks import Block
from photseries.lightcurve.metadata import infer
from photseries.lightcurve.photometry import Array
from photseries.lightcurve.table import is_default
from photseries.server.catalogue.references import NOTHING, Reference, References

__all__ = ["InBlock", "NewSeries", "SentRows", "Sharing", "Upload", "ValidUpload"]


@dataclass(frozen=True)
class Upload:
    """A decoded request body: its table, or why it has none, the metadata in its file, and its fields."""

    frame: pd.DataFrame | None
    file: Mapping[str, object]
    fields: Mapping[str, object]
    error: InvalidError | None = None
    block: InBlock | None = None


@dataclass(frozen=True)
class InBlock:
    """The place of a table in a block of tables."""

    block: Block
    place: int

    @classmethod
    def alone(cls, frame: pd.DataFrame) -> InBlock | None:
        """Make a block of one table; None unless all columns are numeric, their names distinct and the index 0..n-1."""
        is_numeric = all(dtype.kind in "iufb" for dtype in frame.dtypes)
        if frame.empty or not (is_numeric and frame.columns.is_unique and is_default(frame.index)):
            return None
        columns = {str(name): column.to_numpy() for name, column in frame.items()}
        return cls(Block({name: values[None, :] for name, values in columns.items()}), 0)

    @property
    def is_plain(self) -> bool:
        """Whether the table is plain; see :mod:`photseries.lightcurve.blocks`."""
        return self.place in self.block.plain

    @property
    def columns(self) -> dict[str, Array]:
        """The columns of the table."""
        return {name: values[self.place] for name, values in self.block.columns.items()}


@dataclass(frozen=True)
class Sharing:
    """The groups and streams to share a series with; None leaves them unchanged."""

    group_ids: list[int] | str | None = None
    stream_ids: list[int] | None = None

    def reference(self, metadata: Mapping[str, object]) -> Reference:
        """Return what a series with these metadata and this sharing refers to."""
        return Reference(metadata, self.group_ids or [], self.stream_ids or [])


@dataclass(frozen=True)
class SentRows:
    """The table of a series as it will be, the rows of it that a request sent, and the metadata inferred from these."""

    frame: pd.DataFrame
    rows: pd.DataFrame
    inferred: Mapping[str, object]
    plain: InBlock | None = None

    @classmethod
    def of(cls, frame: pd.DataFrame, rows: pd.DataFrame | None = None, block: InBlock | None = None) -> SentRows:
        """Infer the metadata; by default the request sent the whole table. Nothing is inferred from a plain one."""
        if block is not None and block.is_plain:
            return cls(frame, frame, {}, block)
        rows = frame if rows is None else rows
        return cls(frame, rows, infer(rows))


@dataclass(frozen=True)
class ValidUpload:
    """Valid metadata, None where there is no value, sharing, warnings, references, and the table if it is plain."""

    metadata: dict[str, Any]
    sharing: Sharing
    warnings: tuple[str, ...]
    references: References = NOTHING
    plain: InBlock | None = None

    @property
    def longitude(self) -> float:
        """Of the instrument, to the east [deg]."""
        return self.references.longitude


@dataclass(frozen=True)
class NewSeries:
    """A valid new series: table, checked metadata, values of its row, source of each field."""

    frame: pd.DataFrame
    checked: ValidUpload
    values: Mapping[str, Any]
    sources: Mapping[str, str]

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings for the uploader."""
        return self.checked.warnings

    @property
    def numbers(self) -> Mapping[str, Array] | None:
        """The columns of the table if it is plain."""
        return None if self.checked.plain is None else self.checked.plain.columns
