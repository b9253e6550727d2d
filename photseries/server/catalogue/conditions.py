"""Translate a query to SQL: the operators of the table of query parameters, the order, and the cursor."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    Double,
    Float,
    Integer,
    Select,
    Text,
    UnaryExpression,
    all_,
    and_,
    any_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.types import TypeEngine

from photseries.errors import InvalidError
from photseries.fields import FIELDS, Operator
from photseries.lightcurve import sky
from photseries.parameters import SEPARATION, Condition, Cone, Cursor, Query
from photseries.server.catalogue.access import audience, heard_by, visible
from photseries.server.catalogue.models import SERIES, Source
from photseries.server.principal import Principal

__all__ = ["bad_cursor", "matching", "order", "squared_chord", "with_portion"]

_COMPARISONS: Mapping[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "=": lambda left, right: left == right,
}


#: Number of characters of an object or a list that ordering compares.
MAX_KEY_LENGTH = 200

#: Pixel size as a fraction of the radius of a cone: reading a row outside the cone costs more than a range.
FINENESS = 4.0


def matching(principal: Principal, query: Query) -> list[ColumnElement[bool]]:
    """Return the conditions of a query for a principal: all criteria, inside the cone, visible.

    PostgreSQL tests them in this order if no index does, and comparing arrays of groups is the slowest.
    """
    criteria = [_condition(principal, restriction) for restriction in query.restrictions]
    inside = [] if query.cone is None else _inside_cone(query.cone)
    return [*criteria, *inside, visible(principal)]


def squared_chord(ra: float, dec: float) -> ColumnElement[float]:
    """Return the squared chord between a row and a position [deg], which increases with their angle."""
    x, y, z = sky.unit_vector(ra, dec).tolist()
    return _square(SERIES.unit_x - x) + _square(SERIES.unit_y - y) + _square(SERIES.unit_z - z)


def order(
    principal: Principal, query: Query
) -> tuple[list[UnaryExpression[object]], ColumnElement[object], list[ColumnElement[bool]]]:
    """Return the ORDER BY, the sort key, and the conditions of the query's cursor.

    The id breaks ties in the same direction, so that pages neither overlap nor leave anything out; null comes last.
    """
    key = _key(principal, query)
    nullable = FIELDS[query.sort_by].nullable
    columns = [key, SERIES.id] if query.sort_by != "id" else [SERIES.id]
    directed: list[UnaryExpression[object]] = [
        column.desc() if query.descending else column.asc() for column in columns
    ]
    if nullable:
        directed[0] = directed[0].nulls_last()
    after = [] if query.cursor is None else [_after_cursor(key, query.cursor, nullable=nullable)]
    return directed, key, after


def _key(principal: Principal, query: Query) -> ColumnElement[Any]:
    """Return the sort key of a query; objects and lists as text, truncated to fit into a cursor."""
    name = query.sort_by
    if name == SEPARATION and query.cone is not None:
        return squared_chord(query.cone.ra, query.cone.dec)
    if name not in SERIES:
        return func.left(_shared_ids(principal, streams=name.startswith("stream")), MAX_KEY_LENGTH, type_=Text)
    column: ColumnElement[object] = SERIES[name]
    if isinstance(column.type, JSON):
        return func.left(func.nullif(cast(column, Text), "null"), MAX_KEY_LENGTH, type_=Text)
    return column


def _shared_ids(principal: Principal, *, streams: bool) -> ColumnElement[str]:
    """Return the visible group or stream ids of a row as text."""
    number = func.unnest(SERIES.audience).column_valued("number")
    is_kind = number < 0 if streams else number > 0
    seen = select(func.abs(number)).where(is_kind).order_by(func.abs(number))
    if not principal.is_admin:
        joined = audience((), principal.stream_ids) if streams else audience(principal.group_ids, ())
        seen = seen.where(number == any_(literal(joined, ARRAY(Integer))))
    return func.array_to_string(func.array(seen.scalar_subquery()), ",")


def _after_cursor(key: ColumnElement[object], cursor: Cursor, *, nullable: bool) -> ColumnElement[bool]:
    """Restrict to the rows that come after a cursor."""
    further = SERIES.id < cursor.id if cursor.descending else SERIES.id > cursor.id
    if cursor.sort_by == "id":
        return further
    if cursor.value is None:
        return and_(key.is_(None), further)
    value = _parse_cursor_value(key, cursor.value)
    row_value, cursor_value = tuple_(key, SERIES.id), tuple_(literal(value, key.type), literal(cursor.id))
    beyond = row_value < cursor_value if cursor.descending else row_value > cursor_value
    return or_(beyond, key.is_(None)) if nullable else beyond


def _parse_cursor_value(key: ColumnElement[object], value: Any) -> object:
    """Parse the untrusted value of a cursor as the type of its column."""
    if isinstance(key.type, DateTime):
        with suppress(TypeError, ValueError):
            moment = datetime.fromisoformat(value)
            if moment.utcoffset() == timedelta():  # the format of answers; PostgreSQL accepts fewer offsets than Python
                return moment
        raise bad_cursor()
    types = (int, float) if isinstance(key.type, Float) else key.type.python_type
    is_infinite = isinstance(value, float) and not math.isfinite(value)
    if isinstance(value, bool) is not isinstance(key.type, Boolean) or not isinstance(value, types) or is_infinite:
        raise bad_cursor()
    return value


def bad_cursor() -> InvalidError:
    """Return the error about an invalid cursor."""
    return InvalidError.of_field("cursor", "Invalid cursor. Use the cursor of an answer unchanged.")


def _condition(principal: Principal, restriction: Condition) -> ColumnElement[bool]:
    operator, value = restriction.criterion.operator, restriction.value
    if operator is Operator.SHARED_WITH:
        return _shared_with(principal, restriction)
    if operator is Operator.STATISTIC:
        statistic = SERIES[value.field].op("->>")(value.column)
        return _COMPARISONS[value.operator](cast(statistic, Double), value.value)
    if restriction.by_scale is not None:
        return _compare_in_scale(restriction, restriction.by_scale)
    condition = _OF_COLUMNS[operator](SERIES[restriction.field], value)
    if restriction.field == "magsys":
        return and_(condition, SERIES.mean_mag.is_not(None))
    if FIELDS[restriction.field].is_magnitude and operator in (Operator.AT_LEAST, Operator.AT_MOST):
        # Instrumental magnitudes are not comparable with others.
        return and_(condition, SERIES.magsys != "instrumental")
    return condition


def _compare_in_scale(restriction: Condition, by_scale: Mapping[str, float]) -> ColumnElement[bool]:
    """Compare a time with the value in the scale of each row; the loosest value of all scales can use an index."""
    column, value = SERIES[restriction.field], restriction.value
    bound = case(by_scale, value=SERIES.time_scale, else_=value)
    if restriction.criterion.operator is Operator.AT_LEAST:
        return and_(_at_least(column, min(by_scale.values())), column >= bound)
    return and_(column <= max(by_scale.values()), column <= bound)


def _one_of(column: ColumnElement[object], values: tuple[object, ...]) -> ColumnElement[bool]:
    # Only an equality lets an index that starts with this column return rows in the order of the next column.
    # Integers beyond the column's range equal no value.
    wide: TypeEngine[Any] = BigInteger() if isinstance(column.type, Integer) else column.type
    return column == (values[0] if len(values) == 1 else any_(literal(list(values), ARRAY(wide))))


def _contains(column: ColumnElement[object], value: str) -> ColumnElement[bool]:
    contains = column.contains(value, autoescape=True)
    # The planner can estimate and look up the matching sources; a scan of the series compares first.
    return and_(contains, column.in_(with_portion(value))) if column.key == "obj_id" else contains


def _at_least(column: ColumnElement[object], value: object) -> ColumnElement[bool]:
    bound = literal(value) <= column
    # A series begins before it ends, which implies a bound on its end that can use the indexes on mjd_last.
    return and_(bound, SERIES.mjd_last >= value) if column.key in ("mjd_first", "mjd_mid") else bound


_OF_COLUMNS: Mapping[Operator, Callable[[ColumnElement[object], Any], ColumnElement[bool]]] = {
    Operator.ONE_OF: _one_of,
    Operator.NONE_OF: lambda column, values: column != all_(literal(list(values), ARRAY(column.type))),
    Operator.CONTAINS: _contains,
    Operator.AT_LEAST: _at_least,
    Operator.AT_MOST: lambda column, value: literal(value) >= column,
    Operator.IS: lambda column, value: column == literal(value),
    Operator.IS_NULL: lambda column, value: column.is_(None) if value else column.is_not(None),
}


def with_portion(portion: str) -> Select[str]:
    """Select the names of sources that contain a text."""
    return select(Source.id).where(Source.id.contains(portion, autoescape=True))


def _shared_with(principal: Principal, restriction: Condition) -> ColumnElement[bool]:
    """Restrict to series shared with some of the groups or streams that the principal sees."""
    numbers = {number for number in restriction.value if 0 < number < 2**31}
    is_group = restriction.field == "group_ids"
    if not principal.is_admin:
        numbers &= principal.group_ids if is_group else principal.stream_ids
    encoded = audience(numbers, ()) if is_group else audience((), numbers)
    return heard_by(encoded)


def _inside_cone(cone: Cone) -> list[ColumnElement[bool]]:
    if cone.radius == 180:
        return []  # the whole sky: rounding can make the chord to the opposite point exceed 2
    cover = sky.cover(cone.ra, cone.dec, cone.radius, fineness=FINENESS)
    ranges = zip(cover.low.tolist(), cover.high.tolist(), strict=True)
    return [
        or_(*(SERIES.healpix.between(low, high) for low, high in ranges)),
        squared_chord(cone.ra, cone.dec) <= sky.chord(cone.radius) ** 2,
    ]


def _square(value: ColumnElement[float]) -> ColumnElement[float]:
    return value * value
