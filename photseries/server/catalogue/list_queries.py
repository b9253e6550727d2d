"""Statements for exports of a list: find the series of each entry, and select them by id."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ARRAY, BigInteger, ColumnElement, Connection, LargeBinary, Row, Text, cast, func, literal, select

from photseries.errors import InvalidError
from photseries.parameters import LISTS, ListRequest, Positions, Query
from photseries.server.catalogue.blobs import Blob
from photseries.server.catalogue.conditions import matching
from photseries.server.catalogue.cone_search import pairs_around
from photseries.server.catalogue.models import SERIES, Series
from photseries.server.catalogue.name_search import resolve_names
from photseries.server.catalogue.series_queries import DESCRIBED, SeriesRecord, select_visible, series_of
from photseries.server.principal import Principal

__all__ = ["MAX_PAIRS", "PAIR", "documents", "files", "files_page", "matching_pairs"]

#: Maximum number of pairs of an entry and a series.
MAX_PAIRS: Final = 1_000_000

#: Number of entries per statement.
PORTION: Final = 25_000

#: A position in a list and the id of a matching series.
PAIR: Final = np.dtype([("asked", "i8"), ("id", "i8")])

_EVERYTHING: Final = Query()


def matching_pairs(connection: Connection, principal: Principal, request: ListRequest) -> NDArray[np.void]:
    """Return the visible series that match the entries of a list, by position and id.

    Returns
    -------
    ndarray of PAIR, shape (m,)

    Raises
    ------
    InvalidError
        When there are too many.
    """
    query, _ = resolve_names(connection, request.query)
    chunks, total = [], 0
    if query.positions is None:
        matches = _matches_by_field(connection, principal, request, query)
    else:
        matches = _matches_by_position(connection, principal, query, query.positions)
    for pairs in matches:
        chunks.append(pairs)
        total += len(pairs)
        if total > MAX_PAIRS:
            message = f"More than {MAX_PAIRS:,} series match: use a shorter list, or more criteria."
            raise InvalidError.of_field(request.by, message)
    return np.sort(np.concatenate(chunks, dtype=PAIR)) if chunks else np.empty(0, PAIR)


def _matches_by_field(
    connection: Connection, principal: Principal, request: ListRequest, query: Query
) -> Iterator[NDArray[np.void]]:
    """Yield the series that match entries of a list; as bytes, which need less memory than rows."""
    list_kind = LISTS[request.by]
    kind = BigInteger() if list_kind.field == "id" else Text()
    for first in range(0, len(request.values), PORTION):
        portion = literal(list(request.values[first : first + PORTION]), ARRAY(kind))
        entries = func.unnest(portion).table_valued("value", with_ordinality="place").render_derived(name="entries")
        column = SERIES[list_kind.field]
        packed = func.int8send(cast(entries.c.place, BigInteger) + (first - 1)).op("||")(
            func.int8send(cast(SERIES.id, BigInteger))
        )
        each = (
            select(packed.label("packed"))
            .select_from(entries.join(Series, column == entries.c.value))
            .where(*matching(principal, query))
            .limit(MAX_PAIRS + 1)
            .subquery()
        )
        content = connection.scalar(select(func.string_agg(each.c.packed, literal(b"", LargeBinary))))
        yield np.frombuffer(content or b"", PAIR.newbyteorder(">"))


def _matches_by_position(
    connection: Connection, principal: Principal, query: Query, positions: Positions
) -> Iterator[NDArray[np.void]]:
    for position, series_id in pairs_around(connection, principal, query, positions):
        pairs = np.empty(len(position), PAIR)
        pairs["asked"], pairs["id"] = position, series_id
        yield pairs


def documents(connection: Connection, principal: Principal, ids: Sequence[int]) -> dict[int, SeriesRecord]:
    """Return the visible ones of some series with all their fields, by id."""
    statement = select_visible(principal, Query(features=True)).where(*_among(principal, ids))
    return {row.id: series_of(row) for row in connection.execute(statement)}


def files(connection: Connection, principal: Principal, ids: Sequence[int]) -> dict[int, SeriesRecord]:
    """Return the file descriptions of some series, by id, without their fields."""
    return {row.id: _file(row) for row in connection.execute(select(*DESCRIBED).where(*_among(principal, ids)))}


def files_page(
    connection: Connection, principal: Principal, query: Query, after_id: int, limit: int
) -> list[SeriesRecord]:
    """Return the file descriptions of the series that match a query, by id, after a given id."""
    query, _ = resolve_names(connection, query)
    page = select(*DESCRIBED).where(*matching(principal, query), SERIES.id > after_id).order_by(SERIES.id).limit(limit)
    return [_file(row) for row in connection.execute(page)]


def _among(principal: Principal, ids: Sequence[int]) -> list[ColumnElement[bool]]:
    return [*matching(principal, _EVERYTHING), SERIES.id == func.any(literal(list(ids), ARRAY(BigInteger)))]


def _file(row: Row[*tuple[Any, ...]]) -> SeriesRecord:
    series_id, revision, version, *described = row
    return SeriesRecord(Blob(series_id, *described), revision, version, b"{}")
