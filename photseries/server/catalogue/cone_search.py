"""Find the series around each of many positions: the statements, and the pairs of position and series.

PostgreSQL returns every series in the union of the cones once; this module assigns series to cones, in nanoseconds per
pair. The cost therefore depends on the number of matches, not on the overlap of the cones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ARRAY, BigInteger, ColumnElement, Connection, LargeBinary, func, literal, select, true

from photseries.errors import InvalidError
from photseries.lightcurve import sky
from photseries.parameters import Cursor, Positions, Query
from photseries.parameters.query import MAX_POSITIONS
from photseries.server.catalogue.conditions import bad_cursor, matching
from photseries.server.catalogue.models import SERIES
from photseries.server.catalogue.name_search import resolve_names
from photseries.server.catalogue.series_queries import SeriesPage, SeriesRecord, arcsec, select_visible, series_of
from photseries.server.principal import Principal

__all__ = ["find_near", "pairs_around"]

#: Number of positions of the first step without a total; it doubles at each step.
FIRST_POSITIONS = 250
#: Maximum number of series in the cones, and of pairs, per query.
MAX_SERIES, MAX_PAIRS = 1_000_000, 50_000_000
#: With more ranges, the statement forces an index look-up per range (OFFSET 0), because the planner overestimates their
#: rows and would join them with all visible series.
FEW_RANGES = 1000
#: Number of pairs computed at a time.
PAIRS = 500_000

#: Columns of each series, read as bytes: Python objects for a million series would need too much memory.
_AXES = ("unit_x", "unit_y", "unit_z")
_ROW = np.dtype([("healpix", "i8"), ("id", "i8"), *((name, "f8") for name in _AXES)])


class _Pairs(NamedTuple):
    """Positions with series inside their cones, by position, squared chord and id; all of shape ``(m,)``."""

    position: NDArray[np.int64]
    squared_chord: NDArray[np.float64]
    id: NDArray[np.int64]

    def select(self, which: NDArray[np.intp] | NDArray[np.bool_] | slice) -> _Pairs:
        """Return the pairs selected by an index or a mask."""
        return _Pairs(self.position[which], self.squared_chord[which], self.id[which])


def find_near(
    connection: Connection, principal: Principal, query: Query, positions: Positions
) -> tuple[SeriesPage, int | None]:
    """Return a page of the series around positions, by position, separation and id, and the total if requested.

    Each entry has the index of its ``position`` and its ``separation`` [arcsec]; a series near several positions is
    repeated.

    Raises
    ------
    InvalidError
        When the cones contain too many series.
    """
    query, _ = resolve_names(connection, query)
    first, chord = _parse_cursor(query, positions)
    skipped = 0 if query.cursor else (query.page - 1) * query.per_page
    stop = skipped + query.per_page + 1
    chunks: list[_Pairs] = []
    count = total = 0
    for pairs in _all_pairs(connection, principal, query, positions, 0 if query.include_total else first):
        total += len(pairs.id)
        if count >= stop:
            continue  # the page is full; only count the rest
        pairs = pairs.select(np.lexsort(pairs[::-1]))
        if query.cursor is not None:
            pairs = pairs.select(_comes_after(pairs, first, chord, query.cursor.id))
        chunks.append(pairs.select(slice(max(0, skipped - count), max(0, stop - count))))
        count += len(pairs.id)
        if count >= stop and not query.include_total:
            break
    pairs_of_page = [pair for pairs in chunks for pair in zip(*(values.tolist() for values in pairs), strict=True)]
    records = _read_series(connection, principal, query, pairs_of_page[: query.per_page])
    cursor = None
    if len(pairs_of_page) > query.per_page:
        position, squared_chord, series_id = pairs_of_page[query.per_page - 1]
        cursor = Cursor(query.sort_by, query.descending, [position, squared_chord], series_id)
    return SeriesPage(records, cursor), total if query.include_total else None


def pairs_around(
    connection: Connection, principal: Principal, query: Query, positions: Positions
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Yield positions in batches, with the ids of the matching series in their cones.

    Raises
    ------
    InvalidError
        When the cones contain too many series.
    """
    for first in range(0, len(positions.ra), MAX_POSITIONS):
        ra, dec = (values[first : first + MAX_POSITIONS] for values in (positions.ra, positions.dec))
        part = Positions(ra, dec, positions.radius)
        for pairs in _all_pairs(connection, principal, replace(query, include_total=True), part, 0):
            yield pairs.position + first, pairs.id


def _read_series(
    connection: Connection, principal: Principal, query: Query, pairs: list[tuple[int, float, int]]
) -> list[SeriesRecord]:
    """Read the series of pairs; leave out deleted and no longer visible ones."""
    ids = sorted({series_id for _, _, series_id in pairs})
    statement = select_visible(principal, query).where(
        *matching(principal, Query()), SERIES.id == func.any(_array(ids))
    )
    rows = {row.id: row for row in connection.execute(statement)} if ids else {}
    return [
        series_of(rows[series_id], {"position": position, "separation": arcsec(chord)})
        for position, chord, series_id in pairs
        if series_id in rows
    ]


def _all_pairs(
    connection: Connection, principal: Principal, query: Query, positions: Positions, first: int
) -> Iterator[_Pairs]:
    """Yield the pairs from a position onward, in batches of positions."""
    size = len(positions.ra) if query.include_total else FIRST_POSITIONS
    while first < len(positions.ra):
        ra, dec = (np.array(values[first : first + size]) for values in (positions.ra, positions.dec))
        cover = sky.cover(ra, dec, positions.radius)
        series = _series_in(connection, principal, query, cover)
        for pairs in _pairs(cover, sky.unit_vector(ra, dec), series, positions.radius):
            yield pairs._replace(position=pairs.position + first)
        first, size = first + size, size * 2


def _series_in(connection: Connection, principal: Principal, query: Query, cover: sky.Cover) -> NDArray[np.void]:
    """Return the matching series in the ranges of a cover, by HEALPix number."""
    order = np.argsort(cover.low)
    low, high = cover.low[order], np.maximum.accumulate(cover.high[order])
    begins = np.append(True, low[1:] > high[:-1] + 1)
    arrays = _array(low[begins].tolist()), _array(high[np.roll(begins, -1)].tolist())
    ranges = func.unnest(*arrays).table_valued("low", "high").render_derived(name="ranges")
    packed: ColumnElement[bytes] = literal(b"", LargeBinary)
    for name in _ROW.names or ():
        send = func.float8send if name in _AXES else func.int8send
        packed = packed.op("||")(send(SERIES[name]))
    in_ranges = SERIES.healpix.between(ranges.c.low, ranges.c.high)
    inside = select(packed.label("packed")).where(in_ranges, *matching(principal, query))
    if begins.sum() > FEW_RANGES:
        inside = inside.offset(0)
    lateral = inside.lateral("inside")
    each = select(lateral.c.packed).select_from(ranges.join(lateral, true())).limit(MAX_SERIES + 1).subquery()
    content = connection.scalar(select(func.string_agg(each.c.packed, literal(b"", LargeBinary))))
    series = np.frombuffer(content or b"", _ROW.newbyteorder(">")).astype(_ROW)
    if len(series) > MAX_SERIES:
        raise _too_much(f"More than {MAX_SERIES:,} series")
    return np.sort(series, order="healpix")


def _pairs(cover: sky.Cover, centres: NDArray[np.float64], series: NDArray[np.void], radius: float) -> Iterator[_Pairs]:
    """Yield the pairs of centres and series inside their cones, in batches of centres."""
    starts = np.searchsorted(series["healpix"], cover.low, "left")
    counts = np.searchsorted(series["healpix"], cover.high, "right") - starts
    limit = sky.chord(radius) ** 2 if radius < 180 else np.inf  # rounding could lose the opposite point
    ends = np.searchsorted(cover.position, np.arange(len(centres)), "right")
    until = np.append(0, np.cumsum(counts))[ends]  # cumulative number of pairs
    if until[-1] > MAX_PAIRS:
        raise _too_much(f"About {until[-1]:,} pairs of a position and a series")
    first = 0
    while first < len(ends):
        done = until[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(until, done + PAIRS, "right")))
        part = slice(ends[first - 1] if first else 0, ends[last - 1])
        number = counts[part]
        position = np.repeat(cover.position[part], number)
        skip = np.repeat(np.cumsum(number) - number - starts[part], number)
        near = np.arange(len(position)) - skip
        axes = (series[name][near] - centres[position, dimension] for dimension, name in enumerate(_AXES))
        chord = sum(axis * axis for axis in axes)
        (inside,) = np.nonzero(chord <= limit)
        yield _Pairs(position[inside], chord[inside], series["id"][near[inside]])
        first = last


def _array(values: list[int]) -> object:
    return literal(values, ARRAY(BigInteger))


def _too_much(subject: str) -> InvalidError:
    message = f"{subject} lie within the radius: use fewer positions, a smaller radius or more criteria."
    return InvalidError.of_field("radius", message)


def _comes_after(pairs: _Pairs, position: int, chord: float, series_id: int) -> NDArray[np.bool_]:
    """Return which pairs come after a cursor."""
    further = (pairs.squared_chord > chord) | ((pairs.squared_chord == chord) & (pairs.id > series_id))
    return np.asarray((pairs.position > position) | ((pairs.position == position) & further))


def _parse_cursor(query: Query, positions: Positions) -> tuple[int, float]:
    """Parse the position and the squared chord of the query's untrusted cursor."""
    if query.cursor is None:
        return 0, 0.0
    match query.cursor.value:
        case [int() as position, int() | float() as chord] if 0 <= position < len(positions.ra):
            return position, float(chord)
    raise bad_cursor()
