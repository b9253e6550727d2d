"""The statements that find series for somebody to see. Nobody else selects what is shown."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Row, ScalarSelect, Select, Text, cast, func, literal, select, true
from sqlalchemy.dialects.postgresql import aggregate_order_by

from photseries.catalogue.access import visible
from photseries.catalogue.blobs import Blob, of_row
from photseries.catalogue.conditions import matching, order, squared_chord
from photseries.catalogue.models import Group, Series, SeriesGroup, SeriesStream, Stream
from photseries.catalogue.portions import names_in
from photseries.catalogue.series import KEY
from photseries.criteria import Cursor, Query
from photseries.principal import Principal
from photseries.schemas.metadata import METADATA
from photseries.series.sky import separation
from photseries.series.statistics import Summary

__all__ = ["FIELDS", "SUMMARY", "UNSHOWN", "Found", "Page"]

#: The fields that the table of a series determines.
SUMMARY: tuple[str, ...] = tuple(field.name for field in dataclasses.fields(Summary))

#: The columns that no answer carries.
UNSHOWN = {"healpix", "unit_x", "unit_y", "unit_z", "audience", "blob_size", "blob_crc", "blob_format"}

_DOCUMENTS = ("altdata", "medians", "minima", "maxima", "stds")
_SHARING = ("group_ids", "stream_ids", "groups", "streams")

#: The fields of a series in every answer, in order; ``data`` follows them when it is asked for.
FIELDS: tuple[str, ...] = (
    "id",
    "created_at",
    "modified",
    "revision",
    *METADATA,
    "owner_id",
    *_SHARING,
    "filename",
    "hash",
    "content_hash",
    *SUMMARY,
)


@dataclass(frozen=True)
class Found:
    """A series as it is shown: its fields, ready for JSON, and its blob."""

    fields: dict[str, Any]
    blob: Blob


@dataclass(frozen=True)
class Page:
    """A page of series, and the cursor of the next one when there is one."""

    found: list[Found]
    cursor: str | None


def get(connection: Connection, principal: Principal, series_id: int) -> Found | None:
    """Give one series, or None when it is absent or not visible."""
    row = connection.execute(shown(principal).where(Series.id == series_id, visible(principal))).one_or_none()
    return None if row is None else _found(row)


def find(connection: Connection, principal: Principal, query: Query) -> Page:
    """Give one page of the series that match a query and are visible; in a cone with their separation [arcsec].

    The rows of the page are found first, from the indexes alone where these hold all that is compared, and only those
    are read: a row is wide, and most that are looked at on the way to a page are not on it.
    """
    narrowed, whole = names_in(connection, query, first=True)
    rows = _page(connection, principal, narrowed)
    if not whole and len(rows) <= query.per_page:
        rows = _page(connection, principal, query)
    return page_of(rows, query, lambda row: row.key)


def _page(connection: Connection, principal: Principal, query: Query) -> Sequence[Row[Any]]:
    directed, key, after = order(query)
    found = [Series.id, key.label("key")]
    if query.cone is not None:
        found.append(squared_chord(query.cone.ra, query.cone.dec).label("squared_chord"))
    page = (
        select(*found, func.row_number().over(order_by=directed).label("place"))
        .where(*matching(principal, query), *after)
        .order_by(*directed)
        .limit(query.per_page + 1)
        .offset(0 if query.cursor else (query.page - 1) * query.per_page)
        .subquery("page")
    )
    more = [column for column in page.c if column.key != "id"]
    return connection.execute(shown(principal, *more).join(page, page.c.id == Series.id).order_by(page.c.place)).all()


def page_of(rows: Sequence[Row[Any]], query: Query, place: Callable[[Row[Any]], Any]) -> Page:
    """Make a page of rows, of which there is one more than the page holds when there is a next one."""
    here = rows[: query.per_page]
    last = here[-1] if len(rows) > len(here) else None
    cursor = None if last is None else Cursor(query.sort_by, query.descending, place(last), last.id).text()
    return Page([_found(row) for row in here], cursor)


def count(connection: Connection, principal: Principal, query: Query) -> int:
    """Count the series that match a query and are visible."""
    query, _ = names_in(connection, query)
    return connection.scalar(select(func.count()).select_from(Series).where(*matching(principal, query))) or 0


def totals(connection: Connection) -> tuple[int, int]:
    """Count all series, and the bytes of their files."""
    counted = select(func.count(), func.coalesce(func.sum(Series.blob_size), 0)).select_from(Series)
    series, size = connection.execute(counted).one()
    return series, int(size)


def taken_by(connection: Connection, principal: Principal, values: Mapping[str, Any]) -> int | None:
    """Give the id of the series that holds a unique key, when the principal may see it."""
    same = [getattr(Series, name).is_not_distinct_from(values[name]) for name in KEY]
    return connection.scalar(select(Series.id).where(*same, visible(principal)))


def same_content(principal: Principal, content_hash: str) -> ScalarSelect[Any]:
    """Give the least id of a visible series with this content, as a scalar subquery."""
    return select(func.min(Series.id)).where(Series.content_hash == content_hash, visible(principal)).scalar_subquery()


def shown(principal: Principal, *more: ColumnElement[Any]) -> Select[Any]:
    """Select what is shown of a series, and more; JSON documents come as the text that they are stored as."""
    own: dict[str, ColumnElement[Any]] = {
        column.key: cast(column, Text).label(column.key) if column.key in _DOCUMENTS else column
        for column in Series.__table__.columns
        if column.key not in UNSHOWN or column.key.startswith("blob_")
    }
    groups = _shared(
        SeriesGroup.series_id,
        _seen(principal.group_ids, Group.id, principal),
        select(Group.id).join(SeriesGroup, SeriesGroup.group_id == Group.id),
        {"id": Group.id, "name": Group.name, "single_user_group": Group.single_user_id.is_not(None)},
    )
    streams = _shared(
        SeriesStream.series_id,
        _seen(principal.stream_ids, Stream.id, principal),
        select(Stream.id).join(SeriesStream, SeriesStream.stream_id == Stream.id),
        {"id": Stream.id, "name": Stream.name},
    )
    return select(*own.values(), groups.label("groups"), streams.label("streams"), *more)


def _seen(joined: frozenset[int], column: Any, principal: Principal) -> ColumnElement[bool]:
    return true() if principal.is_admin else column.in_(joined)


def _shared(
    series_id: Any, seen: ColumnElement[bool], statement: Select[Any], shown: Mapping[str, Any]
) -> ScalarSelect[Any]:
    """Collect the groups or streams of a series as a JSON text."""
    pairs = [part for name, column in shown.items() for part in (literal(name), column)]
    documents = func.json_agg(aggregate_order_by(func.json_build_object(*pairs), shown["id"]))
    listed = statement.with_only_columns(func.coalesce(cast(documents, Text), "[]"))
    return listed.where(series_id == Series.id, seen).correlate(Series).scalar_subquery()


def _found(row: Row[Any]) -> Found:
    values = dict(row._mapping)
    blob = of_row(values["id"], values)
    for name in ("groups", "streams"):
        documents = orjson.loads(values[name])
        values[name] = documents
        values[f"{name[:-1]}_ids"] = [document["id"] for document in documents]
    for name in _DOCUMENTS:
        if values[name] is not None:
            values[name] = orjson.Fragment(values[name])
    fields = {name: values[name] for name in FIELDS}
    if "position" in values:
        fields["position"] = values["position"]
    if "squared_chord" in values:
        fields["separation"] = float(separation(math.sqrt(values["squared_chord"])))
    return Found(fields, blob)
