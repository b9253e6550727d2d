"""Statements that change series: insert, change, share, remove."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from psycopg2 import errors as pg
from sqlalchemy import (
    JSON,
    ColumnClause,
    ColumnElement,
    Connection,
    Float,
    Text,
    bindparam,
    case,
    cast,
    column,
    delete,
    func,
    literal,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.selectable import TableValuedAlias

from photseries.errors import DuplicateError, InvalidError
from photseries.fields import COMPUTED, KEY, METADATA
from photseries.lightcurve.sky import pixel
from photseries.server.catalogue.access import audience, changeable, visible
from photseries.server.catalogue.blobs import BLOB, Blob, of_row
from photseries.server.catalogue.history import Action
from photseries.server.catalogue.models import (
    SERIES,
    Group,
    Instrument,
    Series,
    SeriesGroup,
    SeriesHistory,
    SeriesStream,
    UnlinkedBlob,
)
from photseries.server.catalogue.periods import stale_period
from photseries.server.catalogue.statements import CompiledStatement
from photseries.server.principal import Principal

__all__ = [
    "ChangeTarget",
    "bound_rows",
    "create_many",
    "documents",
    "duplicate_error",
    "take_over",
    "translate_violations",
    "with_current_version",
]


#: Columns derived from the upload, besides the statistics.
DERIVED = ("content_hash", "statistics_version", "inferred")

#: The tables of the groups and streams that a series is shared with, and their columns.
_SHARING: tuple[tuple[type[SeriesGroup] | type[SeriesStream], str], ...] = (
    (SeriesGroup, "group_id"), (SeriesStream, "stream_id"),
)  # fmt: skip

_GIVEN = (*METADATA, *COMPUTED, *BLOB, "owner_id", *DERIVED)

#: Columns with explicit values in a series of another archive.
_EXPLICIT = ("id", "created_at", "modified")


@dataclass(frozen=True)
class ChangeTarget:
    """The input of a change: whether the principal may change the series, its current state, and its revision."""

    allowed: bool
    revision: int
    owner_id: int
    owners_group_id: int
    created_at: datetime
    metadata: dict[str, object]
    inferred: frozenset[str]
    group_ids: list[int]
    stream_ids: list[int]
    content_hash: str
    blob: Blob


def for_change(connection: Connection, principal: Principal, series_id: int) -> ChangeTarget | None:
    """Return the input of a change of a series, or None if it is absent or not visible."""
    owners_group = select(Group.id).where(Group.single_user_id == Series.owner_id).scalar_subquery()
    statement = select(
        Series.__table__, changeable(principal).label("allowed"), owners_group.label("owners_group_id")
    ).where(Series.id == series_id, visible(principal))
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        return None
    return ChangeTarget(
        allowed=row["allowed"],
        revision=row["revision"],
        owner_id=row["owner_id"],
        owners_group_id=row["owners_group_id"],
        created_at=row["created_at"],
        metadata={name: row[name] for name in METADATA if row[name] is not None},
        inferred=frozenset(row["inferred"]),
        group_ids=[number for number in row["audience"] if number > 0],
        stream_ids=[-number for number in row["audience"] if number < 0],
        content_hash=row["content_hash"],
        blob=of_row(series_id, row),
    )


def next_owned(connection: Connection, owner_id: int, after: int) -> int | None:
    """Return the id of the next series of a user after an id, or None."""
    statement = select(SERIES.id).where(SERIES.owner_id == owner_id, SERIES.id > after).order_by(SERIES.id).limit(1)
    return connection.scalar(statement)


def count_owned(connection: Connection, owner_id: int) -> int:
    """Count the series of a user."""
    return connection.scalar(select(func.count()).where(SERIES.owner_id == owner_id)) or 0


def create(
    connection: Connection, values: Mapping[str, object], group_ids: Sequence[int], stream_ids: Sequence[int]
) -> int:
    """Insert a series with its sharing in one statement; return its id; errors as in :func:`translate_violations`."""
    return _insert(_CREATE, connection, values, group_ids, stream_ids)


def take_over(
    connection: Connection,
    values: Mapping[str, object],
    group_ids: Sequence[int],
    stream_ids: Sequence[int],
    changed: Mapping[str, object],
) -> None:
    """Insert a series of another archive; raise the errors of :func:`translate_violations`.

    Parameters
    ----------
    values : mapping
        With its id, created_at and modified.
    changed : mapping
        The note on the import in its history.
    """
    _insert(_TAKE_OVER, connection, values, group_ids, stream_ids, changed=orjson.dumps(changed).decode())


def documents(rows: Sequence[Mapping[str, Any]]) -> list[bytes]:
    """Encode rows for :func:`create_many`: the values of :func:`create`, with group_ids and stream_ids."""
    if not rows:
        return []
    pixels = pixel([row["ra"] for row in rows], [row["dec"] for row in rows]).tolist()
    return [
        orjson.dumps(
            {
                **{name: row[name] for name in (*_GIVEN, "longitude", *(_EXPLICIT if "id" in row else ()))},
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
        return {filename: series_id for series_id, filename in created}


def _insert(
    statement: CompiledStatement,
    connection: Connection,
    values: Mapping[str, object],
    group_ids: Sequence[int],
    stream_ids: Sequence[int],
    **bound: object,
) -> int:
    """Insert one series; return its id."""
    (row,) = documents([{**values, "group_ids": group_ids, "stream_ids": stream_ids}])
    with translate_violations(values):
        created = statement.execute(connection, rows=f"[{row.decode()}]", **bound)
    if not created:
        raise duplicate_error(values)
    ((series_id, _),) = created
    return int(series_id)


def with_current_version(values: Mapping[str, object]) -> dict[str, object]:
    """Replace the longitude of statistics among the values of a row: after a move of the instrument they are outdated.

    The statement itself compares the longitudes, and locks the instrument: a move waits for its transaction, or it for
    the move.
    """
    others = dict(values)
    if "longitude" in others:
        statistics = others.pop("longitude"), others["statistics_version"]
        others["statistics_version"] = _current_version(others.get("instrument_id", SERIES.instrument_id), *statistics)
    return others


def _current_version(instrument_id: object, longitude: object, version: object) -> ColumnElement[int]:
    now = select(func.coalesce(Instrument.longitude, 0)).where(Instrument.id == instrument_id)
    return case((now.with_for_update(read=True).scalar_subquery() == longitude, version), else_=0)


def bound_rows(parameter: str, names: Sequence[str], *more: ColumnClause[Any]) -> TableValuedAlias:
    """Return the rows of a bound JSON array of objects, with columns of the table of series, and others."""
    document = cast(bindparam(parameter, type_=Text), JSON)
    columns = (column(name, SERIES[name].type) for name in names)
    return func.json_to_recordset(document).table_valued(*columns, *more).render_derived(name="sent", with_types=True)


def _creation(action: Action, changed: ColumnElement[object], *explicit: str) -> CompiledStatement:
    """Return the INSERT of series with their sharing and the first events of their histories.

    ``explicit`` are columns with explicit values when the series come from another archive.
    """
    stored = (*_GIVEN, *explicit, "audience", "healpix")
    sent = bound_rows("rows", stored, column("longitude", Float))
    version = _current_version(sent.c.instrument_id, sent.c.longitude, sent.c.statistics_version)
    values = {**{name: sent.c[name] for name in stored}, "statistics_version": version}
    new = (
        insert(Series)
        .from_select(list(values), select(*values.values()))
        .on_conflict_do_nothing(constraint="uq_photometric_series_key")
        .returning(*(SERIES[name] for name in ("id", "owner_id", *BLOB, "batch", "inferred", "audience")))
        .cte("new")
    )
    spread = select(new.c.id, func.unnest(new.c.audience).label("listener")).cte("spread")
    shared = [
        insert(table)
        .from_select(
            ["series_id", name], select(spread.c.id, sign * spread.c.listener).where(sign * spread.c.listener > 0)
        )
        .cte(f"new_{name}")
        for (table, name), sign in zip(_SHARING, (1, -1), strict=True)
    ]
    event: dict[str, ColumnElement[Any]] = {"revision": literal(1), "user_id": new.c.owner_id}
    event |= {"owner_id": new.c.owner_id, "action": literal(action), "changed": cast(changed, JSON)}
    event |= {name: new.c[name] for name in (*BLOB, "batch", "inferred")}
    noted = insert(SeriesHistory).from_select(["series_id", *event], select(new.c.id, *event.values())).cte("event")
    return CompiledStatement(f"{action}_series", select(new.c.id, new.c.filename).add_cte(*shared, noted))


def change(connection: Connection, series_id: int, revision: int, values: Mapping[str, Any]) -> bool:
    """Set columns of a series if its revision is unchanged; return whether it was.

    Raises the errors of :func:`translate_violations`.
    """
    moved = {"healpix": int(pixel(values["ra"], values["dec"]))} if "ra" in values else {}
    stale, current = stale_period() if "statistics_version" in values else {}, with_current_version(values)
    statement = (
        update(Series)
        .where(Series.id == series_id, Series.revision == revision)
        .values(**current, **moved, **stale, revision=revision + 1, modified=func.clock_timestamp())
    )
    with translate_violations(values):
        return connection.execute(statement).rowcount == 1


def share(
    connection: Connection, series_id: int, group_ids: Sequence[int] | None, stream_ids: Sequence[int] | None
) -> None:
    """Replace the groups and the streams of a series; None leaves them unchanged."""
    if group_ids is None and stream_ids is None:
        return
    for (table, name), ids in zip(_SHARING, (group_ids, stream_ids), strict=True):
        if ids is None:
            continue
        connection.execute(delete(table).where(table.series_id == series_id))
        if ids:
            with translate_violations({}):
                connection.execute(insert(table), [{"series_id": series_id, name: number} for number in ids])
    groups = select(SeriesGroup.group_id).where(SeriesGroup.series_id == series_id)
    streams = select(-SeriesStream.stream_id).where(SeriesStream.series_id == series_id)
    everybody = func.array(union_all(groups, streams).scalar_subquery())
    connection.execute(update(Series).where(Series.id == series_id).values(audience=everybody))


def remove(connection: Connection, series_id: int, revision: int) -> bool:
    """Delete a series if its revision is unchanged; record its blob as unlinked."""
    columns = {"filename": Series.filename, "series_id": Series.id, "owner_id": Series.owner_id}
    columns |= {"blob_size": Series.blob_size}
    removal = delete(Series).where(Series.id == series_id, Series.revision == revision)
    gone = removal.returning(*columns.values()).cte("gone")
    statement = insert(UnlinkedBlob).from_select([*columns], select(gone))
    return connection.execute(statement).rowcount == 1


def duplicate_error(values: Mapping[str, object]) -> DuplicateError:
    """Return the error about an existing unique key."""
    key = {name: values[name] for name in KEY}
    shown = ", ".join(f"{name} {value!r}" for name, value in key.items() if value is not None)
    message = f"A PhotometricSeries with the same hash already exists: {shown}."
    return DuplicateError(message, details={"key": key})


@contextmanager
def translate_violations(values: Mapping[str, object]) -> Iterator[None]:
    """Translate a constraint violation of some values to the error for the client.

    Raises
    ------
    DuplicateError
        When the unique key is taken.
    InvalidError
        When a referenced entry no longer exists.
    """
    try:
        yield
    except IntegrityError as error:
        constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None) or ""
        if isinstance(error.orig, pg.UniqueViolation) and constraint == "uq_photometric_series_key":
            raise duplicate_error(values) from error
        if isinstance(error.orig, pg.ForeignKeyViolation):
            field = constraint.removeprefix("fk_").split("_", 2)[-1]
            raise InvalidError(f"Invalid {field}: it has just been removed.", fields={field: ["Removed."]}) from error
        raise


_CREATE = _creation("create", literal("{}"))
_TAKE_OVER = _creation("import", bindparam("changed", type_=Text), *_EXPLICIT)
