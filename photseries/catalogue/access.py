"""Who may see and change which series, written once: as WHERE clauses."""

from __future__ import annotations

from sqlalchemy import ColumnElement, exists, false, or_, select, true

from photseries.catalogue.models import Group, GroupUser, Series, SeriesGroup, SeriesStream, Stream, StreamUser
from photseries.principal import MANAGE, UPLOAD, Principal

__all__ = ["changeable", "joined_groups", "joined_streams", "visible"]


def visible(principal: Principal) -> ColumnElement[bool]:
    """Series that the principal may see: one's own, those of one's groups and streams; all for an admin."""
    if principal.is_admin:
        return true()
    through_group = exists().where(
        SeriesGroup.series_id == Series.id,
        SeriesGroup.group_id == GroupUser.group_id,
        GroupUser.user_id == principal.user_id,
    )
    through_stream = exists().where(
        SeriesStream.series_id == Series.id,
        SeriesStream.stream_id == StreamUser.stream_id,
        StreamUser.user_id == principal.user_id,
    )
    return or_(Series.owner_id == principal.user_id, through_group, through_stream)


def changeable(principal: Principal) -> ColumnElement[bool]:
    """Series that the token may change or delete: the permissions presented count, not the person's others."""
    if principal.is_admin:
        return true()
    ways: list[ColumnElement[bool]] = []
    if principal.may(UPLOAD):
        ways.append(Series.owner_id == principal.user_id)
    if principal.may(MANAGE):
        ways.append(visible(principal))
    return or_(*ways) if ways else false()


def joined_groups(principal: Principal) -> ColumnElement[bool]:
    """Restrict to the groups that the principal belongs to; an admin has all."""
    if principal.is_admin:
        return true()
    return Group.id.in_(select(GroupUser.group_id).where(GroupUser.user_id == principal.user_id))


def joined_streams(principal: Principal) -> ColumnElement[bool]:
    """Restrict to the streams that the principal belongs to; an admin has all."""
    if principal.is_admin:
        return true()
    return Stream.id.in_(select(StreamUser.stream_id).where(StreamUser.user_id == principal.user_id))
