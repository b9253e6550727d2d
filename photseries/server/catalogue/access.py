"""Access control as WHERE clauses, defined once: the series that a principal may see and change."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import ARRAY, Boolean, ColumnElement, Integer, bindparam, false, literal, or_, true

from photseries.server.catalogue.models import SERIES
from photseries.server.principal import CHANGE_SERIES, Principal

__all__ = ["VISIBLE", "audience", "changeable", "deleted_access", "heard_by", "visibility_values", "visible"]


def visible(principal: Principal) -> ColumnElement[bool]:
    """Restrict to the principal's own series and those of the principal's groups and streams; all for an admin."""
    if principal.is_admin:
        return true()
    return heard_by(audience(principal.group_ids, principal.stream_ids))


#: The same for compiled statements; :func:`visibility_values` returns its bind values.
VISIBLE = or_(
    bindparam("everything", type_=Boolean), SERIES.audience.overlap(bindparam("listeners", type_=ARRAY(Integer)))
)


def visibility_values(principal: Principal) -> dict[str, object]:
    """Return the bind values of :data:`VISIBLE` for a principal."""
    return {"everything": principal.is_admin, "listeners": audience(principal.group_ids, principal.stream_ids)}


def heard_by(listeners: list[int]) -> ColumnElement[bool]:
    """Restrict to series shared with any of the given groups and streams; see :func:`audience`."""
    shared: ColumnElement[bool] = SERIES.audience.overlap(literal(listeners, ARRAY(Integer)))
    return shared


def audience(group_ids: Iterable[int], stream_ids: Iterable[int]) -> list[int]:
    """Encode groups and streams as one list of numbers, with negative numbers for streams.

    ``Series.audience`` contains this list (always with the owner's own group), so that visibility is one comparison per
    row, and one index finds the few visible rows among many.
    """
    return sorted((*group_ids, *(-number for number in stream_ids)))


def changeable(principal: Principal) -> ColumnElement[bool]:
    """Series that the token may change or delete; only the permissions of the token count."""
    if principal.is_admin:
        return true()
    scopes = {"anything": true(), "own": SERIES.owner_id == principal.user_id, "visible": visible(principal)}
    return or_(false(), *(scopes[grant.scope] for grant in CHANGE_SERIES.grants if principal.may(grant.permission)))


def deleted_access(principal: Principal, owner_id: int, listeners: Iterable[int]) -> tuple[bool, bool]:
    """Return whether a deleted series was visible, and whether the token may change it.

    Parameters
    ----------
    listeners : iterable of int
        Its last :func:`audience`.
    """
    seen = principal.is_admin or not set(listeners).isdisjoint(audience(principal.group_ids, principal.stream_ids))
    scopes = {"anything": True, "own": owner_id == principal.user_id, "visible": seen}
    return seen, any(scopes[grant.scope] and principal.may(grant.permission) for grant in CHANGE_SERIES.grants)
