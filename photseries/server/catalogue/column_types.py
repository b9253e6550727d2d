"""The types of the fields of registry entries and audit events, and whether they are nullable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from sqlalchemy import ARRAY, JSON, ColumnElement

from photseries.server.catalogue.models import AuditEvent
from photseries.server.catalogue.registries import public_columns

__all__ = ["ColumnType", "audit_columns", "entry_columns"]


class ColumnType(NamedTuple):
    """A Python type; of a list, the type of its items too."""

    kind: type
    nullable: bool
    items: type | None = None


def entry_columns(kind: str) -> Mapping[str, ColumnType]:
    """Return the shapes of the fields of an entry of a registry."""
    return {str(column.key): _shape(column) for column in public_columns(kind).selected_columns}


def audit_columns() -> Mapping[str, ColumnType]:
    """Return the shapes of the fields of an audit event."""
    return {str(column.key): _shape(column) for column in AuditEvent.__table__.columns}


def _shape(column: ColumnElement[object]) -> ColumnType:
    items = column.type.item_type.python_type if isinstance(column.type, ARRAY) else None
    kind = dict if isinstance(column.type, JSON) else column.type.python_type
    return ColumnType(kind, bool(getattr(column, "nullable", False)), items)
