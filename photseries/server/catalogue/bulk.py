"""Statements of bulk uploads: one per many series, instead of one per series as in :mod:`..series`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import (
    ARRAY,
    JSON,
    ColumnElement,
    Connection,
    Text,
    and_,
    any_,
    bindparam,
    cast,
    column,
    func,
    insert,
    literal,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.sql.selectable import TableValuedAlias

from photseries.fields import COMPUTED, KEY, METADATA
from photseries.lightcurve.sky import pixel
from photseries.server.catalogue.access import VISIBLE, audience, visibility_values
from photseries.server.catalogue.blobs import BLOB
from photseries.server.catalogue.engine import CompiledStatement
from photseries.server.catalogue.models import SERIES, Series, SeriesGroup, SeriesHistory, SeriesStream
from photseries.server.catalogue.series import DERIVED, translate_violations
from photseries.server.catalogue.series_queries import totals
from photseries.server.principal import Principal

__all__ = [
    "Key",
    "KeyHolder",
    "create_many",
    "documents",
    "holders",
    "refresh_statistics",
    "same_contents",
]

#: The values of a unique key, in the order of :data:`~photseries.fields.KEY`.
Key = tuple[object, ...]


@dataclass(frozen=True)
class KeyHolder:
    """The series with a unique key, whether the principal sees it, and the hash of its table."""

    id: int
    is_visible: bool
    content_hash: str


def same_contents(connection: Connection, principal: Principal, hashes: Iterable[str]) -> dict[str, int]:
    """Return the smallest id of the visible series with each content hash."""
    rows = _SAME.execute(connection, hashes=list(set(hashes)), **visibility_values(principal))
    return {row.content_hash: row.least for row in rows}


def holders(connection: Connection, principal: Principal, keys: Iterable[Key]) -> dict[Key, KeyHolder]:
    """Return the series with the given unique keys."""
    named = [dict(zip(KEY, key, strict=True)) for key in keys]
    rows = _HOLDERS.execute(connection, keys=orjson.dumps(named).decode(), **visibility_values(principal))
    return {tuple(key): KeyHolder(*holder) for *holder, key in ((*row[:3], row[3:]) for row in rows)}


def documents(rows: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """Encode rows for :func:`create_many`: the values of :func:`..series.create`, with group_ids and stream_ids."""
    if not rows:
        return []
    pixels = pixel([row["ra"] for row in rows], [row["dec"] for row in rows]).tolist()
    return [
        orjson.dumps(
            {
                **{name: row[name] for name in _GIVEN},
                "audience": audience(row["group_ids"], row["stream_ids"]),
                "healpix": number,
            }
        )
        for row, number in zip(rows, pixels, strict=True)
    ]


def create_many(connection: Connection, rows: Sequence[bytes]) -> dict[str, int]:
    """Insert series with their sharing and history in one statement; skip those whose unique key exists.

    Parameters
    ----------
    rows : sequence of bytes
        Of :func:`documents`; always sorted by key, because otherwise two uploads of the same series deadlock.

    Returns
    -------
    dict of str to int
        The ids of the inserted series, by filename.

    Raises
    ------
    InvalidError
        When a referenced entry no longer exists.
    """
    with translate_violations({}):
        created = _CREATE.execute(connection, rows=(b"[" + b",".join(rows) + b"]").decode())
        return {row.filename: row.id for row in created}


def refresh_statistics(connection: Connection) -> None:
    """Analyze the key columns when the number of series has doubled since the last analysis.

    Autovacuum takes up to a minute. Until then PostgreSQL may use an index of sources for :func:`holders`, and read all
    series of a source for each key.
    """
    estimate = connection.execute(_KNOWN).scalar() or 0
    if totals(connection)[0] > 2 * max(estimate, FEW):
        connection.execute(_ANALYZE)


#: With fewer series the plan does not matter.
FEW: Final = 500

_KNOWN = text("SELECT reltuples FROM pg_class WHERE oid = CAST(:name AS regclass)").bindparams(
    name=Series.__tablename__
)
_ANALYZE = text(f"ANALYZE (SKIP_LOCKED) {Series.__tablename__} ({', '.join(KEY)})")

_GIVEN = (*METADATA, *COMPUTED, *BLOB, "owner_id", *DERIVED)


def _bound_rows(parameter: str, names: Sequence[str]) -> TableValuedAlias:
    """Return the rows of a bound JSON array of objects, with columns of the table of series."""
    document = cast(bindparam(parameter, type_=Text), JSON)
    columns = (column(name, SERIES[name].type) for name in names)
    return func.json_to_recordset(document).table_valued(*columns).render_derived(name="sent", with_types=True)


def _creation() -> CompiledStatement:
    stored = (*_GIVEN, "audience", "healpix")
    sent = _bound_rows("rows", stored)
    new = (
        postgresql_insert(Series)
        .from_select(list(stored), select(*(sent.c[name] for name in stored)))
        .on_conflict_do_nothing(constraint="uq_photometric_series_key")
        .returning(*(SERIES[name] for name in ("id", "owner_id", *BLOB, "batch", "inferred", "audience")))
        .cte("new")
    )
    spread = select(new.c.id, func.unnest(new.c.audience).label("listener")).cte("spread")
    shared = [
        insert(table).from_select(["series_id", name], select(spread.c.id, number).where(number > 0)).cte(f"new_{name}")
        for table, name, number in (
            (SeriesGroup, "group_id", spread.c.listener),
            (SeriesStream, "stream_id", -spread.c.listener),
        )
    ]
    event: dict[str, ColumnElement[object]] = {
        "series_id": new.c.id,
        "revision": literal(1),
        "user_id": new.c.owner_id,
        "owner_id": new.c.owner_id,
        "action": literal("create"),
        "changed": cast(literal("{}"), JSON),
        **{name: new.c[name] for name in (*BLOB, "batch", "inferred")},
    }
    noted = insert(SeriesHistory).from_select(list(event), select(*event.values())).cte("event")
    return CompiledStatement(select(new.c.id, new.c.filename).add_cte(*shared, noted))


def _holders() -> CompiledStatement:
    sent = _bound_rows("keys", KEY)
    # IS NOT DISTINCT FROM uses no index.
    joined = and_(
        *(
            SERIES[name].is_not_distinct_from(sent.c[name]) if SERIES[name].nullable else SERIES[name] == sent.c[name]
            for name in KEY
        )
    )
    statement = select(SERIES.id, VISIBLE, SERIES.content_hash, *(SERIES[name] for name in KEY)).select_from(
        sent.join(Series, joined)
    )
    return CompiledStatement(statement)


def _same_content() -> CompiledStatement:
    condition = SERIES.content_hash == any_(bindparam("hashes", type_=ARRAY(Text)))
    statement = select(SERIES.content_hash, func.min(SERIES.id).label("least")).where(condition, VISIBLE)
    return CompiledStatement(statement.group_by(SERIES.content_hash))


_CREATE = _creation()
_HOLDERS = _holders()
_SAME = _same_content()
