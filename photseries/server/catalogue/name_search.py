"""Search for a part of a source's name among the sources, because there are far fewer sources than series."""

from __future__ import annotations

import dataclasses
import re

from sqlalchemy import Connection, Select, exists, func, select

from photseries.fields import Operator
from photseries.parameters import OF_SOURCE, Condition, Query
from photseries.server.catalogue.access import visible
from photseries.server.catalogue.conditions import with_portion
from photseries.server.catalogue.models import SERIES, Source
from photseries.server.principal import Principal

__all__ = ["names_alike", "names_like", "resolve_names"]

#: Maximum number of names per statement: planning takes time per name, and with more names a full scan is as fast.
MAX_NAMES = 200


def resolve_names(connection: Connection, query: Query, *, first: bool = False) -> tuple[Query, bool]:
    """Replace a search for a part of a name in a query by the matching names, if there are few.

    Parameters
    ----------
    first : bool
        With too many names, use the first ones of a page ordered by name.

    Returns
    -------
    query, is_complete : Query, bool
        Whether the query is equivalent: False if more than the first names match.
    """
    portions = (
        restriction
        for restriction in query.restrictions
        if restriction.criterion.operator is Operator.CONTAINS and restriction.field == OF_SOURCE.field
    )
    portion = next(portions, None)
    if portion is None:
        return query, True
    in_order = first and query.sort_by == OF_SOURCE.field
    names = list(connection.scalars(_names(query, portion.value, in_order=in_order)))
    is_complete = len(names) <= MAX_NAMES
    if not is_complete and not in_order:
        return query, True
    named = Condition(OF_SOURCE, OF_SOURCE.field, tuple(names[:MAX_NAMES]))
    other_restrictions = tuple(restriction for restriction in query.restrictions if restriction is not portion)
    return dataclasses.replace(query, restrictions=(*other_restrictions, named)), is_complete


def names_like(connection: Connection, principal: Principal, text: str, limit: int) -> list[str]:
    """Find the names of sources that contain a text, ignoring case, spaces, hyphens and underscores.

    Only sources with a visible series count; the shortest names, which are most similar, come first.
    """
    letters = re.sub(r"[\s_-]", "", text)
    if not letters or "\0" in letters:
        return []
    # With these few optional characters the trigram index is usable: 0.1 ms among 300,000 names, 0.5 s with [:space:].
    pattern = "[-_ ]*".join(character if character.isalnum() else f"\\{character}" for character in letters)
    has_series = exists(select(SERIES.id).where(SERIES.obj_id == Source.id, visible(principal)))
    statement = select(Source.id).where(Source.id.regexp_match(pattern, flags="i"), has_series)
    return list(connection.scalars(statement.order_by(func.length(Source.id), Source.id).limit(limit)))


def names_alike(connection: Connection, principal: Principal, text: str, limit: int) -> list[str]:
    """Find the names of sources most similar to a text by trigrams; see :func:`names_like`."""
    if "\0" in text:
        return []
    similarity = func.similarity(Source.id, text)
    has_series = exists(select(SERIES.id).where(SERIES.obj_id == Source.id, visible(principal)))
    statement = select(Source.id).where(Source.id.op("%")(text), has_series)
    return list(connection.scalars(statement.order_by(similarity.desc(), Source.id).limit(limit)))


def _names(query: Query, portion: str, *, in_order: bool) -> Select[str]:
    """Select the matching names, in page order after its cursor."""
    statement = with_portion(portion).limit(MAX_NAMES + 1)
    if not in_order:
        return statement
    value = query.cursor.value if query.cursor is not None else None
    if query.descending:
        statement = statement.order_by(Source.id.desc())
        return statement.where(Source.id <= value) if isinstance(value, str) else statement
    statement = statement.order_by(Source.id)
    return statement.where(Source.id >= value) if isinstance(value, str) else statement
