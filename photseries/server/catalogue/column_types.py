"""The selected types of the fields of registry entries, and whether they are nullable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import ARRAY, ColumnElement

from photseries.server.catalogue.registries import shown

__all__ = ["ColumnType", "entry_columns"]


class ColumnType(NamedTuple):
    """A Python type; of a list, the type of its items too."""

    kind: type
    nullable: bool
    items: type | None = None


def entry_columns(kind: str) -> Mapping[str, ColumnType]:
    """Return the shapes of the fields of an entry of a registry."""
    return {str(column.key): _shape(column) for column in shown(kind).selected_columns}


def _shape(column: ColumnElement[object]) -> ColumnType:
    items = column.type.item_type.python_type if isinstance(column.type, ARRAY) else None
    return ColumnType(column.type.python_type, bool(getattr(column, "nullable", False)), items)
