"""The statements that find the series around each of many positions: a list of cones in one query."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import ARRAY, BigInteger, ColumnElement, Connection, Double, Integer, func, literal, select, tuple_
from sqlalchemy.sql.selectable import FromClause

from photseries.lightcurve import sky
from photseries.parameters import Positions, Query
from photseries.server.catalogue.conditions import bad_cursor, matching
from photseries.server.catalogue.finding import Page, arcsec, page_of, shown
from photseries.server.catalogue.models import SERIES, Series
from photseries.server.catalogue.name_search import resolve_names
from photseries.server.principal import Principal

__all__ = ["count_near", "find_near"]


class _Near(NamedTuple):
    """The join of positions and series that lie near them."""

    source: FromClause
    position: ColumnElement[int]
    squared_chord: ColumnElement[float]


def find_near(connection: Connection, principal: Principal, query: Query, positions: Positions) -> Page:
    """Give one page of the series around positions, by position, separation and id.

    Each entry has the index of its ``position`` and its ``separation`` [arcsec]; a series that lies near several
    positions is there several times.
    """
    query, _ = resolve_names(connection, query)
    first, chord = _after(query, positions)
    near = _near(positions, first)
    place = (near.position, near.squared_chord, SERIES.id)
    statement = (
        shown(principal, near.position, near.squared_chord.label("squared_chord"))
        .select_from(near.source)
        .where(*matching(principal, query))
        .order_by(*place)
        .limit(query.per_page + 1)
        .offset(0 if query.cursor else (query.page - 1) * query.per_page)
    )
    if query.cursor is not None:
        statement = statement.where(tuple_(*place) > tuple_(literal(first), literal(chord), literal(query.cursor.id)))
    rows = connection.execute(statement).all()
    return page_of(
        rows,
        query,
        lambda row: [row.position, row.squared_chord],
        lambda row: {"position": row.position, "separation": arcsec(row.squared_chord)},
    )


def count_near(connection: Connection, principal: Principal, query: Query, positions: Positions) -> int:
    """Count the pairs of a position and a series near it."""
    query, _ = resolve_names(connection, query)
    statement = select(func.count()).select_from(_near(positions, 0).source).where(*matching(principal, query))
    return connection.scalar(statement) or 0


def _near(positions: Positions, first: int) -> _Near:
    """Join the positions from the first of interest on with the series inside their cones."""
    ra, dec = positions.ra[first:], positions.dec[first:]
    cover = sky.cover(ra, dec, positions.radius)
    x, y, z = sky.unit_vector(ra, dec).T
    ranges = _table("ranges", position=cover.position + first, low=cover.low, high=cover.high)
    centres = _table("centres", position=range(first, first + len(ra)), x=x, y=y, z=z)
    squares = ((SERIES.unit_x, centres.c.x), (SERIES.unit_y, centres.c.y), (SERIES.unit_z, centres.c.z))
    chord = sum(((here - there) * (here - there) for here, there in squares), start=literal(0.0))
    inside: ColumnElement[bool] = SERIES.healpix.between(ranges.c.low, ranges.c.high)
    if positions.radius < 180:  # at 180 the cover is the whole sky, and rounding would lose the opposite point
        inside = inside & (chord <= sky.chord(positions.radius) ** 2)
    source = ranges.join(centres, ranges.c.position == centres.c.position).join(Series.__table__, inside)
    return _Near(source, ranges.c.position, chord)


def _table(name: str, **columns: Any) -> FromClause:
    """Make a table of arrays, the column ``position`` and those of whole numbers as integers."""
    types = {"position": Integer, "low": BigInteger, "high": BigInteger}
    arrays = [literal(np.asarray(values).tolist(), ARRAY(types.get(key, Double))) for key, values in columns.items()]
    return func.unnest(*arrays).table_valued(*columns).render_derived(name=name)


def _after(query: Query, positions: Positions) -> tuple[int, float]:
    """Read the position and the squared chord of the query's cursor; anybody may have written it."""
    if query.cursor is None:
        return 0, 0.0
    match query.cursor.value:
        case [int() as position, int() | float() as chord] if 0 <= position < len(positions.ra):
            return position, float(chord)
    raise bad_cursor()
