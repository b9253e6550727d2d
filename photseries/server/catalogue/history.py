"""The statements about history: who changed what of a series, when, and which blob came of it.

The row with revision K describes the change that led to revision K. Rows outlive their series and their blobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, insert, or_, select, true

from photseries.server.catalogue.access import visible
from photseries.server.catalogue.blobs import Blob, of_row
from photseries.server.catalogue.models import Series, SeriesHistory, User
from photseries.server.principal import Principal

__all__ = ["ACTIONS", "Action", "blob_at", "events", "record"]

#: What can be done to a series; import: it came from another archive.
Action = Literal["create", "update", "share", "delete", "import"]

ACTIONS: tuple[Action, ...] = get_args(Action)


def record(connection: Connection, *, action: Action, **values: Any) -> None:
    """Note a change.

    Parameters
    ----------
    connection : Connection
    action : Action
    **values
        Columns of :class:`~photseries.server.catalogue.models.SeriesHistory`; ``changed`` is
        ``{field: {"from": ..., "to": ...}}``.
    """
    connection.execute(insert(SeriesHistory).values(action=action, **values))


def events(connection: Connection, principal: Principal, series_id: int) -> list[dict[str, Any]]:
    """Give the changes of a series, the first one first; none when it is not visible, or was not the principal's.

    Groups and streams that the principal does not see are left out.
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
        select(*columns)
        .join(User, User.id == SeriesHistory.user_id)
        .where(SeriesHistory.series_id == series_id, _open(principal))
        .order_by(SeriesHistory.revision)
    )
    found = [dict(row) for row in connection.execute(statement).mappings()]
    if not principal.is_admin:
        for event in found:
            event["changed"] = _seen(principal, event["changed"])
    return found


def blob_at(connection: Connection, principal: Principal, series_id: int, revision: int) -> Blob | None:
    """Give the blob of a revision to the series' owner or an admin; None for others, or when there was none."""
    statement = select(SeriesHistory.__table__).where(
        SeriesHistory.series_id == series_id,
        SeriesHistory.revision == revision,
        SeriesHistory.filename.is_not(None),
        true() if principal.is_admin else SeriesHistory.owner_id == principal.user_id,
    )
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else of_row(series_id, row)


def _open(principal: Principal) -> ColumnElement[bool]:
    """Restrict to the history of series that are visible, or were the principal's own."""
    if principal.is_admin:
        return true()
    shown = select(Series.id).where(Series.id == SeriesHistory.series_id, visible(principal)).exists()
    return or_(SeriesHistory.owner_id == principal.user_id, shown)


def _seen(principal: Principal, changed: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out groups and streams that the principal does not see, and changes of nothing else."""
    joined = {"group_ids": principal.group_ids, "stream_ids": principal.stream_ids}
    shown = dict(changed)
    for name, mine in joined.items():
        if name in changed:
            seen = {side: [number for number in numbers if number in mine] for side, numbers in changed[name].items()}
            if seen["from"] == seen["to"]:
                del shown[name]
            else:
                shown[name] = seen
    return shown
