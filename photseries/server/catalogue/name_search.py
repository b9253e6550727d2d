"""Search for a part of a source's name among the sources, which are far fewer than the series."""

from __future__ import annotations

import dataclasses
from typing import Any

from sqlalchemy import Connection, Select

from photseries.fields import Operator
from photseries.parameters import OF_SOURCE, Query, Restriction
from photseries.server.catalogue.conditions import with_portion
from photseries.server.catalogue.models import Source

__all__ = ["resolve_names"]

#: The most names in a statement: the planner weighs each, and with more of them comparing every series is as quick.
MOST_NAMES = 200


def resolve_names(connection: Connection, query: Query, *, first: bool = False) -> tuple[Query, bool]:
    """Replace a search for a part of a name in a query by the names that match, if these are few enough.

    Parameters
    ----------
    connection : Connection
    query : Query
    first : bool
        If there are too many, take the first names of a page that is ordered by name.

    Returns
    -------
    query, whole : Query, bool
        Whether the query still means the same: not when more than the first names match.
    """
    portion = next((one for one in query.restrictions if _is_portion(one)), None)
    if portion is None:
        return query, True
    in_order = first and query.sort_by == OF_SOURCE.field
    names = list(connection.scalars(_names(query, portion.value, in_order=in_order)))
    whole = len(names) <= MOST_NAMES
    if not whole and not in_order:
        return query, True
    named = Restriction(OF_SOURCE, OF_SOURCE.field, tuple(names[:MOST_NAMES]))
    others = tuple(one for one in query.restrictions if one is not portion)
    return dataclasses.replace(query, restrictions=(*others, named)), whole


def _is_portion(restriction: Restriction) -> bool:
    return restriction.criterion.operator is Operator.CONTAINS and restriction.field == OF_SOURCE.field


def _names(query: Query, portion: str, *, in_order: bool) -> Select[Any]:
    """Select the names that match; in the order of a page, from its cursor on."""
    statement = with_portion(portion).limit(MOST_NAMES + 1)
    if not in_order:
        return statement
    value = query.cursor.value if query.cursor is not None else None
    if query.descending:
        statement = statement.order_by(Source.id.desc())
        return statement.where(Source.id <= value) if isinstance(value, str) else statement
    statement = statement.order_by(Source.id)
    return statement.where(Source.id >= value) if isinstance(value, str) else statement
