"""Statements about the periods of series: those found by the service, and those stored by users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated

from sqlalchemy import ColumnElement, Connection, ScalarSelect, Select, and_, delete, func, or_, select, true, update
from sqlalchemy.dialects.postgresql import insert

from photseries.errors import InvalidError
from photseries.fields import FIELDS, METADATA
from photseries.lightcurve.lomb_scargle import SearchedPeriods
from photseries.lightcurve.periods import PERIODS_VERSION, FoundPeriod
from photseries.server.catalogue.access import changeable, visible
from photseries.server.catalogue.blobs import Blob, of_row
from photseries.server.catalogue.models import SERIES, Series, SeriesPeriod, User
from photseries.server.principal import Principal

__all__ = ["Period", "WaitingSeries", "stale_period"]

_TABLE = SeriesPeriod.__table__.c

#: Field of the series -> column of the table of periods.
_FIELDS = {
    "period": _TABLE.period,
    "period_power": _TABLE.power,
    "period_false_alarm": _TABLE.false_alarm,
    "period_error": _TABLE.error,
    "period_method": _TABLE.method,
}

#: Version of a series whose search has failed, or that was stored before searches existed.
_FAILED = {"analysis_version": -1}

#: Whether the service's period, which stays when the table changes, is one of the current table.
_IS_SEARCHED = SERIES.analysis_version > 0

#: How many periods a user may store for a series.
MAX_PERIODS = 50

#: Upper limit of :func:`number_waiting`, which metrics call regularly.
_MAX_COUNTED = 10_000


@dataclass(frozen=True)
class Period:
    """A period of a series."""

    period: Annotated[float, "[d]"]
    method: str
    preferred: Annotated[bool, "Whether searches use this period for the series."]
    power: Annotated[float | None, FIELDS["period_power"].sentence]
    false_alarm: Annotated[float | None, FIELDS["period_false_alarm"].sentence]
    error: Annotated[float | None, FIELDS["period_error"].sentence]
    who: Annotated[str | None, "The user who stored the period; null: the service."]
    when: datetime
    version: Annotated[int | None, "Version of the service's search."]
    grid: Annotated[SearchedPeriods | None, "The periods that the service searched."]


@dataclass(frozen=True)
class WaitingSeries:
    """A series that waits for a period search."""

    blob: Blob
    revision: int
    num_exp: int
    metadata: Mapping[str, object]


def list_periods(connection: Connection, series_id: int) -> list[Period]:
    """Return the periods of a series: the preferred one, then that of the service, then the newest."""
    statement = (
        select(
            *(_TABLE[name] for name in ("period", "method", "preferred", "power", "false_alarm", "error")),
            User.username.label("who"),
            _TABLE.at.label("when"),
            _TABLE.version,
            _TABLE.grid,
        )
        .outerjoin(User, User.id == _TABLE.user_id)
        .join(Series, Series.id == _TABLE.series_id)
        .where(_TABLE.series_id == series_id, or_(_TABLE.user_id.is_not(None), _IS_SEARCHED))
        .order_by(_TABLE.preferred.desc(), _TABLE.user_id.is_not(None), _TABLE.at.desc())
    )
    return [Period(**row) for row in connection.execute(statement).mappings()]


def rights(connection: Connection, principal: Principal, series_id: int) -> bool | None:
    """Lock a series until the end of the transaction, and return whether the principal may change it; None if absent.

    The lock serialises changes of the periods of one series.
    """
    statement = select(changeable(principal)).select_from(Series.__table__)
    return connection.scalar(
        statement.where(SERIES.id == series_id, visible(principal)).with_for_update(key_share=True)
    )


def put(connection: Connection, series_id: int, user_id: int, values: Mapping[str, object]) -> None:
    """Store a period of a user, in place of the user's earlier one of the same method.

    Raises
    ------
    InvalidError
        When the user has stored the maximum number for this series, which all its readers may do.
    """
    others = (_TABLE.series_id == series_id, _TABLE.user_id == user_id, _TABLE.method != values["method"])
    if (connection.scalar(select(func.count()).select_from(SeriesPeriod).where(*others)) or 0) >= MAX_PERIODS:
        message = f"You have stored periods of {MAX_PERIODS} methods for this series, the maximum. Remove one."
        raise InvalidError.of_field("method", message)
    if values["preferred"]:
        connection.execute(
            update(SeriesPeriod).where(_TABLE.series_id == series_id, _TABLE.preferred).values(preferred=False)
        )
    _upsert(connection, {"series_id": series_id, "user_id": user_id, **values})
    _show(connection, series_id)


def remove(connection: Connection, series_id: int, user_id: int, method: str | None) -> int:
    """Remove the periods of a user, all or one method's; return their number."""
    conditions = [_TABLE.series_id == series_id, _TABLE.user_id == user_id]
    if method is not None:
        conditions.append(_TABLE.method == method)
    removed = connection.execute(delete(SeriesPeriod).where(*conditions)).rowcount
    if removed:
        _show(connection, series_id)
    return removed


def number_waiting(connection: Connection, *, only_new: bool) -> int:
    """Count the series that wait for a period search; of new ones at most 10,000."""
    waiting = select(SERIES.id).where(_is_waiting(only_new=only_new))
    waiting = waiting.limit(_MAX_COUNTED) if only_new else waiting
    return connection.scalar(select(func.count()).select_from(waiting.subquery())) or 0


def next_waiting(connection: Connection, *, only_new: bool, after: int = 0) -> WaitingSeries | None:
    """Return a series that waits for a period search: the newest one, or the next after an id; None at the end."""
    statement = select(Series.__table__).where(_is_waiting(only_new=only_new))
    order = (SERIES.analysis_version.desc(), SERIES.id.desc()) if only_new else (SERIES.id,)
    if not only_new:
        statement = statement.where(SERIES.id > after)
    row = connection.execute(statement.order_by(*order).limit(1)).mappings().one_or_none()
    if row is None:
        return None
    metadata = {name: row[name] for name in METADATA if row[name] is not None}
    return WaitingSeries(of_row(row["id"], row), row["revision"], row["num_exp"], metadata)


def finish(connection: Connection, series: WaitingSeries, result: FoundPeriod | None) -> bool:
    """Store the result of a search; return False if the series has changed since it was read."""
    series_id = series.blob.series_id
    unchanged = (SERIES.id == series_id, SERIES.revision == series.revision)
    if connection.scalar(select(SERIES.id).where(*unchanged).with_for_update(key_share=True)) is None:
        return False
    connection.execute(delete(SeriesPeriod).where(_TABLE.series_id == series_id, _TABLE.user_id.is_(None)))
    if result is not None:
        _upsert(connection, {"series_id": series_id, "user_id": None, **asdict(result), "version": PERIODS_VERSION})
    _show(connection, series_id, analysis_version=PERIODS_VERSION)
    return True


def give_up(connection: Connection, series_id: int, revision: int | None = None) -> None:
    """Record that the search of a series has failed, so that it no longer counts as new.

    With a revision, only if it is unchanged.
    """
    unchanged = true() if revision is None else SERIES.revision == revision
    searched = (SERIES.id == series_id, _is_waiting(only_new=True), unchanged)
    connection.execute(update(Series).where(*searched).values(**_FAILED))


def stale_period() -> dict[str, object]:
    """Return the period columns of a series after a change of its table, which only a preferred period survives."""
    preferred = select(_TABLE.id).where(_TABLE.series_id == SERIES.id, _TABLE.preferred)
    return {"analysis_version": 0, **_fields(preferred)}


def _is_waiting(*, only_new: bool) -> ColumnElement[bool]:
    return SERIES.analysis_version == 0 if only_new else SERIES.analysis_version < PERIODS_VERSION


def _upsert(connection: Connection, values: Mapping[str, object]) -> None:
    statement = insert(SeriesPeriod).values(**values)
    replaced = {name: value for name, value in values.items() if name not in ("series_id", "user_id", "method")}
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["series_id", "user_id", "method"], set_={**replaced, "at": func.clock_timestamp()}
        )
    )


def _show(connection: Connection, series_id: int, **values: object) -> None:
    """Copy the preferred period of a series, else that of the service, to its row; set more columns of the row."""
    is_searched = true() if values else _IS_SEARCHED
    candidates = or_(_TABLE.preferred, and_(_TABLE.user_id.is_(None), is_searched))
    best = select(_TABLE.id).where(_TABLE.series_id == SERIES.id, candidates)
    best = best.order_by(_TABLE.preferred.desc()).limit(1)
    connection.execute(update(Series).where(SERIES.id == series_id).values(**_fields(best), **values))


def _fields(chosen: Select[int]) -> dict[str, ScalarSelect[object]]:
    """Return the fields of a period from a row."""
    best = chosen.correlate(Series.__table__).scalar_subquery()
    fields = SeriesPeriod.__table__.alias()
    return {
        name: select(fields.c[column.key]).where(fields.c.id == best).correlate(Series.__table__).scalar_subquery()
        for name, column in _FIELDS.items()
    }
