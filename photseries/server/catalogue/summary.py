"""Statements that count matching series by instrument, filter, name, owner and time, and by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import ARRAY, BigInteger, Connection, case, func, literal, select, true, tuple_

from photseries.lightcurve import sky
from photseries.parameters import Query
from photseries.server.catalogue.access import visible
from photseries.server.catalogue.conditions import matching
from photseries.server.catalogue.models import SERIES, Instrument, Series, User
from photseries.server.catalogue.name_search import resolve_names
from photseries.server.principal import Principal

__all__ = ["COUNTED", "MAX_GROUPS", "Overview", "column_counts", "overview", "summary"]

#: Maximum number of listed values of series_name, and of every other field; the most frequent first.
MAX_GROUPS = 1000

#: The HEALPix order of the sky map (pixels of two degrees), and the number of days to count.
_SKY_ORDER = 5
_MAX_DAYS = 730

#: The fields whose values are counted.
COUNTED = ("instrument_id", "filter", "series_name", "owner_id", "batch")

# GROUPING has a bit for every column by which a row is not grouped.
_UNGROUPED = 2 ** len(COUNTED) - 1


@dataclass(frozen=True)
class Overview:
    """The visible content of an archive.

    Attributes
    ----------
    series, points, sources : int
    sky : list of (float, float, int)
        Centres of fields of two degrees [deg] with their number of series.
    days : list of (date, int)
        The days on which series were created, of the last two years with any, and how many.
    """

    series: int
    points: int
    sources: int
    sky: list[tuple[float, float, int]]
    days: list[tuple[date, int]]


def overview(connection: Connection, principal: Principal) -> Overview:
    """Count the visible series and points, on the sky and by day."""
    seen = visible(principal)
    number = func.count()
    totals = select(number, func.coalesce(func.sum(SERIES.num_exp), 0), func.count(SERIES.obj_id.distinct()))
    field = SERIES.healpix.bitwise_rshift(2 * (sky.ORDER - _SKY_ORDER)).label("field")
    day = func.date(func.timezone("UTC", Series.created_at)).label("day")
    by_day = select(day, number).where(seen).group_by(day).order_by(day.desc()).limit(_MAX_DAYS)
    series, points, sources = connection.execute(totals.where(seen)).one()
    fields = connection.execute(select(field, number).where(seen).group_by(field)).all()
    ra, dec = sky.centres(_SKY_ORDER, [number for number, _ in fields])
    return Overview(
        series=series,
        points=int(points),
        sources=sources,
        sky=list(zip(ra.round(2).tolist(), dec.round(2).tolist(), [count for _, count in fields], strict=True)),
        days=[(row, count) for row, count in reversed(connection.execute(by_day).all())],
    )


def summary(connection: Connection, principal: Principal, query: Query) -> dict[str, object]:
    """Count the visible series that match a query.

    Returns
    -------
    dict
        ``series``, ``sources``, ``mjd_first``, ``mjd_last``, and for each of :data:`COUNTED` a list of values with
        their number of series, the most frequent first.
        Instruments have names, and owners too except for anonymous visitors, who may not list users.
    """
    query, _ = resolve_names(connection, query)
    columns = [getattr(Series, name) for name in (*COUNTED, "obj_id", "mjd_first", "mjd_last")]
    matched = select(*columns).where(*matching(principal, query)).cte("matched")
    counted = [matched.c[name] for name in COUNTED]
    level = func.grouping(*counted)
    number = func.count()
    groups = (
        select(
            level.label("level"),
            *counted,
            number.label("series"),
            func.min(matched.c.mjd_first).label("mjd_first"),
            func.max(matched.c.mjd_last).label("mjd_last"),
            func.row_number().over(partition_by=level, order_by=(number.desc(), *counted)).label("rank"),
        )
        .group_by(func.grouping_sets(*(tuple_(column) for column in counted), tuple_()))
        .subquery("groups")
    )
    sources = select(func.count(matched.c.obj_id.distinct())).scalar_subquery()
    names = func.coalesce(
        select(Instrument.name).where(Instrument.id == groups.c.instrument_id).scalar_subquery(),
        select(User.username)
        .where(User.id == groups.c.owner_id, literal(not principal.is_anonymous))
        .scalar_subquery(),
    )
    rows = connection.execute(
        select(
            groups,
            names.label("name"),
            case((groups.c.level == _UNGROUPED, sources), else_=literal(0)).label("sources"),
        )
        .where(groups.c.rank <= MAX_GROUPS)
        .order_by(groups.c.level, groups.c.rank)
    ).all()
    (total,) = (row for row in rows if row.level == _UNGROUPED)
    span = {"mjd_first": total.mjd_first, "mjd_last": total.mjd_last}
    result: dict[str, object] = {"series": total.series, "sources": total.sources, **span}
    for index, name in enumerate(COUNTED):
        grouping = _UNGROUPED ^ (1 << (len(COUNTED) - 1 - index))
        result[name] = [
            {name: getattr(row, name), **({"name": row.name} if row.name is not None else {}), "series": row.series}
            for row in rows
            if row.level == grouping and getattr(row, name) is not None
        ]
    return result


def column_counts(
    connection: Connection, principal: Principal, query: Query, ids: Sequence[int] | None = None
) -> Mapping[str, int]:
    """Count the visible series that match a query and have a column of numbers, for each name of a column.

    With ``ids`` only these series are counted. The names are roughly in the order of the tables.
    """
    query, _ = resolve_names(connection, query)
    among = () if ids is None else (SERIES.id == func.any(literal(list(ids), ARRAY(BigInteger))),)
    named = func.json_object_keys(SERIES.medians).table_valued("name", with_ordinality="place").render_derived()
    counted = (
        select(named.c.name, func.count().label("number"))
        .select_from(Series.__table__.join(named, true()))
        .where(*matching(principal, query), *among)
        .group_by(named.c.name)
        .order_by(func.avg(named.c.place), named.c.name)
    )
    return {row.name: row.number for row in connection.execute(counted)}
