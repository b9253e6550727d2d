"""Look-ups of bulk uploads: many series in one statement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import orjson
from sqlalchemy import ARRAY, Connection, Text, and_, any_, bindparam, func, select, text

from photseries.fields import KEY
from photseries.server.catalogue.access import VISIBLE, visibility_values
from photseries.server.catalogue.models import SERIES, Series
from photseries.server.catalogue.series import bound_rows
from photseries.server.catalogue.series_queries import totals
from photseries.server.catalogue.statements import CompiledStatement
from photseries.server.principal import Principal

__all__ = ["Key", "KeyHolder", "holders", "refresh_statistics", "same_contents"]

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
    return dict(_SAME.execute(connection, hashes=list(set(hashes)), **visibility_values(principal)))


def holders(connection: Connection, principal: Principal, keys: Iterable[Key]) -> dict[Key, KeyHolder]:
    """Return the series with the given unique keys."""
    named = [dict(zip(KEY, key, strict=True)) for key in keys]
    rows = _HOLDERS.execute(connection, keys=orjson.dumps(named).decode(), **visibility_values(principal))
    return {row[3:]: KeyHolder(*row[:3]) for row in rows}


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


def _holders() -> CompiledStatement:
    sent = bound_rows("keys", KEY)
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
    return CompiledStatement("key_holders", statement)


def _same_content() -> CompiledStatement:
    condition = SERIES.content_hash == any_(bindparam("hashes", type_=ARRAY(Text)))
    statement = select(SERIES.content_hash, func.min(SERIES.id).label("least")).where(condition, VISIBLE)
    return CompiledStatement("same_content", statement.group_by(SERIES.content_hash))


_HOLDERS = _holders()
_SAME = _same_content()
