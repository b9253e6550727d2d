"""Statements about the history of series: user, time, change and resulting blob.

The row with revision K describes the change that led to revision K. Rows outlive their series and their blobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, case, false, func, insert, or_, select, true, update

from photseries.server.catalogue.access import changeable, visible
from photseries.server.catalogue.blobs import BLOB, Blob, of_row
from photseries.server.catalogue.models import Series, SeriesHistory, UnlinkedBlob, User
from photseries.server.principal import Principal

__all__ = ["ACTIONS", "FOR_READERS", "Action", "blob_at", "events", "hand_over", "purge", "record"]

#: The actions; import: the series came from another archive; purge: earlier values and files were removed.
Action = Literal["create", "update", "share", "delete", "restore", "import", "purge"]

ACTIONS: tuple[Action, ...] = get_args(Action)

#: The columns of a change that readers of a series see.
FOR_READERS = ("revision", "at", "action")


def record(connection: Connection, *, action: Action, **values: object) -> None:
    """Record a change.

    Parameters
    ----------
    **values
        Columns of :class:`~photseries.server.catalogue.models.SeriesHistory`; ``changed`` is
        ``{field: {"from": ..., "to": ...}}``.
    """
    connection.execute(insert(SeriesHistory).values(action=action, **values))


def events(connection: Connection, principal: Principal, series_id: int) -> list[dict[str, object]]:
    """Return the changes of a series, oldest first; none when the series is not visible.

    Readers get revision, time and action. The owner and principals that may change the series also get the user, the
    values and the hash of the file, without groups and streams that they do not see.
    """
    columns = (
        SeriesHistory.revision,
        SeriesHistory.at,
        SeriesHistory.user_id,
        User.username,
        SeriesHistory.action,
        SeriesHistory.changed,
        SeriesHistory.hash,
    )
    statement = (
        select(_detailed(principal), *columns)
        .join(User, User.id == SeriesHistory.user_id)
        .where(SeriesHistory.series_id == series_id, _readable(principal))
        .order_by(SeriesHistory.revision)
    )
    result = []
    for is_detailed, *values in connection.execute(statement):
        event: dict[str, Any] = dict(zip((column.key for column in columns), values, strict=True))
        if not is_detailed:
            event = {name: event[name] for name in FOR_READERS}
        elif not principal.is_admin:
            event["changed"] = _visible_changes(principal, event["changed"])
        result.append(event)
    return result


def blob_at(connection: Connection, principal: Principal, series_id: int, revision: int) -> tuple[bool, Blob | None]:
    """Return whether the principal may read a revision of a series, and its blob; (True, None) if it has none.

    Readers may read the current revision; the owner and principals that may change the series read earlier ones, too.
    """
    current = select(Series.revision).where(Series.id == SeriesHistory.series_id).scalar_subquery()
    allowed = or_(_detailed(principal), SeriesHistory.revision == current)
    statement = select(SeriesHistory.__table__, allowed.label("allowed")).where(
        SeriesHistory.series_id == series_id,
        SeriesHistory.revision == revision,
        SeriesHistory.filename.is_not(None),
        _readable(principal),
    )
    row = connection.execute(statement).mappings().one_or_none()
    return (True, None) if row is None else (bool(row["allowed"]), of_row(series_id, row))


def purge(connection: Connection, series_id: int, *, deleted_for: Principal | None = None) -> bool:
    """Remove the values and files of a series from its history; return whether a history existed.

    Parameters
    ----------
    deleted_for : Principal, optional
        The series must be deleted, and this must be an admin or its owner.
    """
    # A repeated import recognises a series by the MD5 of its file in the other archive.
    md5 = func.json_build_object("hash", SeriesHistory.changed["hash"])
    changed = case((SeriesHistory.action == "import", md5), else_=func.json_build_object())
    cleared = update(SeriesHistory).where(SeriesHistory.series_id == series_id)
    if deleted_for is not None:
        cleared = cleared.where(
            _owned_or(deleted_for, false()), ~select(Series.id).where(Series.id == series_id).exists()
        )
    return connection.execute(cleared.values(changed=changed, **dict.fromkeys(BLOB))).rowcount > 0


def hand_over(connection: Connection, series_id: int, owner_id: int) -> None:
    """Make a user the owner of the history and the earlier blobs of a series; permissions depend on the owner."""
    for table in (SeriesHistory, UnlinkedBlob):
        connection.execute(update(table).where(table.series_id == series_id).values(owner_id=owner_id))


def _readable(principal: Principal) -> ColumnElement[bool]:
    """Restrict to the history of visible series and of the principal's own deleted series."""
    return _owned_or(principal, visible(principal))


def _detailed(principal: Principal) -> ColumnElement[bool]:
    """Restrict to the history of series that the principal may change, or owns or owned at deletion."""
    return _owned_or(principal, changeable(principal))


def _owned_or(principal: Principal, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """Restrict to the history of the principal's own series, and of series that satisfy a condition."""
    if principal.is_admin:
        return true()
    satisfying = select(Series.id).where(Series.id == SeriesHistory.series_id, condition).exists()
    return or_(SeriesHistory.owner_id == principal.user_id, satisfying)


def _visible_changes(principal: Principal, changed: Mapping[str, Any]) -> dict[str, object]:
    """Leave out groups and streams that the principal does not see, and changes of only these."""
    joined = {"group_ids": principal.group_ids, "stream_ids": principal.stream_ids}
    shown = dict(changed)
    for name, ids in joined.items():
        if name in changed:
            sides = {side: [number for number in numbers if number in ids] for side, numbers in changed[name].items()}
            if sides["from"] == sides["to"]:
                del shown[name]
            else:
                shown[name] = sides
    return shown
