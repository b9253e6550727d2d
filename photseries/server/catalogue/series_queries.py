"""Statements that find series for a principal; all select through :func:`select_visible`."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import orjson
from sqlalchemy import ARRAY, ColumnElement, Connection, Integer, Row, Select, TextClause, bindparam, func, select, text

from photseries.fields import ANSWERED, FIELDS, KEY, LISTED
from photseries.lightcurve.sky import separation
from photseries.parameters import Cursor, Query
from photseries.server.catalogue.access import VISIBLE, visibility_values, visible
from photseries.server.catalogue.blobs import BLOB, Blob
from photseries.server.catalogue.conditions import matching, order, squared_chord
from photseries.server.catalogue.models import SERIES, OwnerUsage, Series
from photseries.server.catalogue.name_search import resolve_names
from photseries.server.catalogue.statements import CompiledStatement
from photseries.server.principal import Principal

__all__ = ["DESCRIBED", "SeriesPage", "SeriesRecord"]

NOTHING: Mapping[str, object] = {}


def _document(names: Sequence[str]) -> TextClause:
    """Return the SQL expression that encodes fields of a row as JSON.

    PostgreSQL takes a third of the time that Python takes to fetch and encode sixty values. As one text it needs no
    compilation by SQLAlchemy. Names are constants of this package, values are bound.
    """
    columns = ", ".join(f"photometric_series.{name}" if name in SERIES else name for name in names)
    return text(f"""(
    SELECT CAST(row_to_json(select_visible) AS TEXT)
    FROM (
        SELECT {columns}
        FROM (
            SELECT coalesce(json_agg(id ORDER BY id), '[]') AS group_ids, coalesce(json_agg(json_build_object(
                'id', id, 'name', name, 'single_user_group', single_user_id IS NOT NULL) ORDER BY id), '[]') AS groups
            FROM series_groups JOIN groups ON id = group_id
            WHERE series_id = photometric_series.id AND (:everything OR id = ANY (:joined_groups))
        ) AS of_groups, (
            SELECT coalesce(json_agg(id ORDER BY id), '[]') AS stream_ids, coalesce(json_agg(json_build_object(
                'id', id, 'name', name) ORDER BY id), '[]') AS streams
            FROM series_streams JOIN streams ON id = stream_id
            WHERE series_id = photometric_series.id AND (:everything OR id = ANY (:joined_streams))
        ) AS of_streams
    ) AS select_visible
) AS document""").bindparams(  # noqa: S608
        bindparam("joined_groups", type_=ARRAY(Integer)), bindparam("joined_streams", type_=ARRAY(Integer))
    )


def _document_type() -> type[msgspec.Struct]:
    """Return the type that reads floats as floats, as PostgreSQL writes 10.0 as 10, and passes on the rest as it is.

    A third of the time of reading and writing all of a document; planning 29 expressions that make PostgreSQL write the
    fraction takes 400 us.
    """
    floats = {name for name in ANSWERED if FIELDS[name].type in ("number", "mjd")}
    fields = [(name, float | None if name in floats else msgspec.Raw, msgspec.UNSET) for name in ANSWERED]
    of_cones = [("position", int, msgspec.UNSET), ("separation", float, msgspec.UNSET)]
    return msgspec.defstruct("Document", [*fields, *of_cones])


_READ, _WRITE = msgspec.json.Decoder(_document_type()), msgspec.json.Encoder()

_WHOLE, _LISTED = _document(ANSWERED), _document(LISTED)


@dataclass(frozen=True)
class SeriesRecord:
    """A series with its blob, its revision, the version of its statistics, and its fields as JSON."""

    blob: Blob
    revision: int
    statistics_version: int
    document: bytes
    is_past: bool = False

    @cached_property
    def fields(self) -> Mapping[str, Any]:
        """The fields by name."""
        fields: dict[str, Any] = orjson.loads(self.document)
        return fields


@dataclass(frozen=True)
class SeriesPage:
    """A page of series, and the cursor of the next page, if any."""

    records: list[SeriesRecord]
    next: Cursor | None

    @property
    def cursor(self) -> str | None:
        """The encoded cursor."""
        return None if self.next is None else self.next.text()


def get(connection: Connection, principal: Principal, series_id: int) -> SeriesRecord | None:
    """Return one series, or None when it is absent or not visible."""
    values = {**visibility_values(principal), **_membership_values(principal)}
    rows = _ONE.execute(connection, series_id=series_id, **values)
    return series_of(rows[0]) if rows else None


def find(connection: Connection, principal: Principal, query: Query) -> SeriesPage:
    """Return one page of the series that match a query and are visible; in a cone with their separation [arcsec].

    The ids of the page are found first, by index-only scans where possible, and only then are its rows read: rows are
    wide, and a scan passes many rows that are not on the page.
    """
    narrowed, is_complete = resolve_names(connection, query, first=True)
    rows = _page(connection, principal, narrowed)
    if not is_complete and len(rows) <= query.per_page:
        rows = _page(connection, principal, query)
    here = rows[: query.per_page]
    last = here[-1] if len(rows) > len(here) else None  # one row more than the page holds
    cursor = None if last is None else Cursor(query.sort_by, query.descending, last.key, last.id)
    if query.cone is None:
        return SeriesPage([series_of(row) for row in here], cursor)
    return SeriesPage([series_of(row, {"separation": arcsec(row.squared_chord)}) for row in here], cursor)


def arcsec(squared_chord: float) -> float:
    """Return the angle [arcsec] of a squared chord."""
    return float(separation(math.sqrt(squared_chord)))


def _page(connection: Connection, principal: Principal, query: Query) -> Sequence[Row[Any]]:
    directed, key, after = order(principal, query)
    columns = [SERIES.id, key.label("key")]
    if query.cone is not None:
        columns.append(squared_chord(query.cone.ra, query.cone.dec).label("squared_chord"))
    first = (
        select(*columns)
        .where(*matching(principal, query), *after)
        .order_by(*directed)
        .limit(query.per_page + 1)
        .offset(0 if query.cursor else (query.page - 1) * query.per_page)
        .subquery("first")
    )
    # Numbered after the limit, because a window over all matching rows would sort them all.
    page = select(first, func.row_number().over().label("place")).subquery("page")
    extra = [column for column in page.c if column.key != "id"]
    return connection.execute(
        select_visible(principal, query, *extra).join(page, page.c.id == SERIES.id).order_by(page.c.place)
    ).all()


def count(connection: Connection, principal: Principal, query: Query, page: SeriesPage | None = None) -> int:
    """Count the visible series that match a query; if the page is the last one, from the page."""
    if page is not None and page.next is None and query.cursor is None and (page.records or query.page == 1):
        return (query.page - 1) * query.per_page + len(page.records)
    query, _ = resolve_names(connection, query)
    return connection.scalar(select(func.count()).select_from(Series.__table__).where(*matching(principal, query))) or 0


def totals(connection: Connection) -> tuple[int, int]:
    """Return the number of all series and the size of their files, which triggers maintain."""
    row = connection.execute(select(func.sum(OwnerUsage.series), func.sum(OwnerUsage.bytes))).one()
    series, size = (int(total or 0) for total in row)
    return series, size


def file_sizes(connection: Connection, principal: Principal, ids: Collection[int]) -> dict[int, int]:
    """Return the sizes of the stored files [bytes] of the visible ones among some series."""
    statement = select(SERIES.id, SERIES.blob_size).where(SERIES.id.in_(ids), visible(principal))
    return dict(connection.execute(statement).tuples().all())


def holder_of(connection: Connection, principal: Principal, values: Mapping[str, object]) -> int | None:
    """Return the id of the visible series with a unique key, or None."""
    same = [SERIES[name].is_not_distinct_from(values[name]) for name in KEY]
    return connection.scalar(select(SERIES.id).where(*same, visible(principal)))


def select_visible(principal: Principal, query: Query, *extra: ColumnElement[object]) -> Select[Any]:
    """Select the JSON text of a series for a query, its blob columns, and additional expressions."""
    document = _WHOLE if query.features else _LISTED
    return select(*DESCRIBED, *extra, document.bindparams(**_membership_values(principal)))


def _membership_values(principal: Principal) -> dict[str, object]:
    """Return the bind values that limit a document to the groups and streams that a principal may see."""
    return {
        "everything": principal.is_admin,
        "joined_groups": sorted(principal.group_ids),
        "joined_streams": sorted(principal.stream_ids),
    }


def series_of(row: Sequence[Any], extra: Mapping[str, object] = NOTHING) -> SeriesRecord:
    """Return the series of a row of :func:`select_visible`, with additional fields."""
    series_id, revision, version, *described = row[: 3 + len(BLOB)]
    document = msgspec.structs.replace(_READ.decode(row[-1]), **extra)
    return SeriesRecord(Blob(series_id, *described), revision, version, _WRITE.encode(document))


#: The columns that describe a series and its file.
DESCRIBED = [SERIES[name] for name in ("id", "revision", "statistics_version", *BLOB)]
_ONE = CompiledStatement("series_by_id", select(*DESCRIBED, _WHOLE).where(SERIES.id == bindparam("series_id"), VISIBLE))
