"""Statements for exports of a list: find the series of each entry, and select them by id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ARRAY, BigInteger, ColumnElement, Connection, LargeBinary, Row, Text, cast, func, literal, select

from photseries.errors import InvalidError
from photseries.parameters import LISTS, Asked, Query
from photseries.server.catalogue.blobs import Blob
from photseries.server.catalogue.conditions import matching
from photseries.server.catalogue.cone_search import pairs_around
from photseries.server.catalogue.models import SERIES, Series
from photseries.server.catalogue.name_search import resolve_names
from photseries.server.catalogue.series_queries import DESCRIBED, Found, found_of, select_visible
from photseries.server.principal import Principal

__all__ = ["MOST_PAIRS", "PAIR", "asked_pairs", "documents", "files", "files_of"]

#: The most pairs of an entry and a series.
MOST_PAIRS: Final = 1_000_000

#: The entries that one statement looks up.
PORTION: Final = 25_000

#: A place in a list and the id of a series that answers it.
PAIR: Final = np.dtype([("asked", "i8"), ("id", "i8")])

_EVERYTHING: Final = Query()


def asked_pairs(connection: Connection, principal: Principal, asked: Asked) -> NDArray[np.void]:
    """Return the visible series that answer the entries of a list, by place and id.

    Returns
    -------
    ndarray of PAIR, shape (m,)

    Raises
    ------
    InvalidError
        When there are too many.
    """
    query, _ = resolve_names(connection, asked.query)
    found, total = [], 0
    portions = _named(connection, principal, asked, query) if query.positions is None else None
    for pairs in portions or _near(connection, principal, query):
        found.append(pairs)
        total += len(pairs)
        if total > MOST_PAIRS:
            message = f"More than {MOST_PAIRS:,} series match: ask for fewer at once, or with more criteria."
            raise InvalidError(message, fields={asked.by: [message]})
    return np.sort(np.concatenate(found, dtype=PAIR)) if found else np.empty(0, PAIR)


def _named(connection: Connection, principal: Principal, asked: Asked, query: Query) -> Iterator[NDArray[np.void]]:
    """Yield the series that equal entries of a list; as bytes, which take less memory than rows."""
    known = LISTS[asked.by]
    kind = BigInteger() if known.field == "id" else Text()
    for first in range(0, len(asked.values), PORTION):
        portion = literal(list(asked.values[first : first + PORTION]), ARRAY(kind))
        wanted = func.unnest(portion).table_valued("value", with_ordinality="place").render_derived(name="wanted")
        column = SERIES[known.field]
        packed = func.int8send(cast(wanted.c.place, BigInteger) + (first - 1)).op("||")(
            func.int8send(cast(SERIES.id, BigInteger))
        )
        each = (
            select(packed.label("packed"))
            .select_from(wanted.join(Series, column == wanted.c.value))
            .where(*matching(principal, query))
            .limit(MOST_PAIRS + 1)
            .subquery()
        )
        content = connection.scalar(select(func.string_agg(each.c.packed, literal(b"", LargeBinary))))
        yield np.frombuffer(content or b"", PAIR.newbyteorder(">"))


def _near(connection: Connection, principal: Principal, query: Query) -> Iterator[NDArray[np.void]]:
    if query.positions is None:
        return
    for position, series_id in pairs_around(connection, principal, query, query.positions):
        pairs = np.empty(len(position), PAIR)
        pairs["asked"], pairs["id"] = position, series_id
        yield pairs


def documents(connection: Connection, principal: Principal, ids: Sequence[int]) -> dict[int, Found]:
    """Return some series with all their fields, by id; one that is not visible is left out."""
    statement = select_visible(principal, Query(features=True)).where(*_among(principal, ids))
    return {row.id: found_of(row) for row in connection.execute(statement)}


def files(connection: Connection, principal: Principal, ids: Sequence[int]) -> dict[int, Found]:
    """Return what describes the files of some series, by id, without their fields."""
    return {row.id: _file(row) for row in connection.execute(select(*DESCRIBED).where(*_among(principal, ids)))}


def files_of(connection: Connection, principal: Principal, query: Query, after: int, most: int) -> list[Found]:
    """Return what describes the files of the series that match a query, by id, from behind an id."""
    query, _ = resolve_names(connection, query)
    page = select(*DESCRIBED).where(*matching(principal, query), SERIES.id > after).order_by(SERIES.id).limit(most)
    return [_file(row) for row in connection.execute(page)]


def _among(principal: Principal, ids: Sequence[int]) -> list[ColumnElement[bool]]:
    return [*matching(principal, _EVERYTHING), SERIES.id == func.any(literal(list(ids), ARRAY(BigInteger)))]


def _file(row: Row[*tuple[Any, ...]]) -> Found:
    series_id, revision, version, *described = row
    return Found(Blob(series_id, *described), revision, version, {})
