"""Look up all references of series in one statement: registry entries, groups and streams."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    ColumnElement,
    Connection,
    Integer,
    Text,
    and_,
    any_,
    bindparam,
    func,
    literal,
    or_,
    select,
)

from photseries.fields import REFERENCES
from photseries.server.catalogue.access import VISIBLE, visibility_values
from photseries.server.catalogue.models import SERIES, TABLES, Group, GroupUser, Stream, StreamUser
from photseries.server.catalogue.statements import CompiledStatement
from photseries.server.principal import EVERYONE, Principal

__all__ = ["NOTHING", "Reference", "References", "look_up_many", "look_up_references"]


@dataclass(frozen=True)
class Reference:
    """What a series refers to: by its metadata, and the groups (or "all") and streams to share it with.

    The fields of the metadata in :data:`~photseries.fields.REFERENCES` are looked up if present.
    """

    metadata: Mapping[str, object]
    group_ids: Sequence[int] | str
    stream_ids: Sequence[int]


@dataclass(frozen=True)
class References:
    """The references of a series that exist, and that the principal may use.

    Attributes
    ----------
    exists : dict of str to bool
        Whether the entry exists, for each field that names one.
    group_ids, stream_ids : list of int
        The groups and streams that the principal may share with.
    same_content : int or None
        The smallest id of the visible series with the same content.
    source_position : pair of float or None
        The ra and dec of the source [deg].
    longitude : float
        Of the instrument, to the east [deg]; 0 if unknown.
    """

    exists: dict[str, bool]
    group_ids: list[int]
    stream_ids: list[int]
    same_content: int | None
    source_position: tuple[float, float] | None
    longitude: float


#: The references of a series that refers to nothing.
NOTHING = References({}, [], [], None, None, 0.0)


def look_up_references(
    connection: Connection, principal: Principal, series: Reference, content_hash: str | None = None
) -> References:
    """Look up the references of a series; see :func:`look_up_many`."""
    (references,) = look_up_many(connection, principal, [series], content_hash)
    return references


def look_up_many(
    connection: Connection, principal: Principal, series: Sequence[Reference], content_hash: str | None = None
) -> list[References]:
    """Look up the references of many series in one statement.

    Parameters
    ----------
    content_hash : str, optional
        Also look up the series with this content.
    """
    ((*entries, groups, streams, same_content),) = _LOOK_UP.execute(
        connection,
        **{name: _ids(item.metadata.get(name) for item in series) for name in REFERENCES},
        user_id=principal.user_id,
        everyone=EVERYONE if any(item.group_ids == "all" for item in series) else None,
        group_ids=_ids(number for item in series if item.group_ids != "all" for number in item.group_ids),
        stream_ids=_ids(number for item in series for number in item.stream_ids),
        content_hash=content_hash,
        **visibility_values(principal),
    )
    entries_by_field = {
        name: {row[0]: row[1:] for row in rows or ()} for name, rows in zip(REFERENCES, entries, strict=True)
    }
    usable = dict(groups or ())
    return [_references(item, entries_by_field, usable, set(streams or ()), same_content) for item in series]


def _references(
    reference: Reference,
    entries: Mapping[str, Mapping[object, Sequence[Any]]],
    groups: Mapping[int, bool],
    streams: set[int],
    same_content: int | None,
) -> References:
    rows = {
        name: entries[name].get(reference.metadata[name])
        for name in REFERENCES
        if reference.metadata.get(name) is not None
    }
    ra, dec = rows.get("obj_id") or (None, None)
    (longitude,) = rows.get("instrument_id") or (None,)
    if isinstance(reference.group_ids, str):
        group_ids = [number for number, is_everyone in groups.items() if is_everyone]
    else:
        group_ids = sorted(groups.keys() & set(reference.group_ids))
    return References(
        exists={name: row is not None for name, row in rows.items()},
        group_ids=group_ids,
        stream_ids=sorted(streams & set(reference.stream_ids)),
        same_content=same_content,
        source_position=None if ra is None or dec is None else (float(ra), float(dec)),
        longitude=longitude or 0.0,
    )


def _ids(values: Iterable[Any]) -> list[object]:
    """Return the distinct values that can be ids, which have 32 bits."""
    return sorted({value for value in values if isinstance(value, str) or (value and 0 < value < 2**31)})


def _look_up() -> CompiledStatement:
    """Write the look-up of all that many series refer to, each kind as one JSON array."""
    more = {"sources": ("ra", "dec"), "instrument": ("longitude",)}

    def rows(*columns: ColumnElement[object], where: ColumnElement[bool]) -> ColumnElement[object]:
        return select(func.json_agg(func.json_build_array(*columns))).where(where).scalar_subquery()

    named = []
    for name, kind in REFERENCES.items():
        table = TABLES[kind].__table__.c
        condition = table.id == any_(bindparam(name, type_=ARRAY(table.id.type)))
        named.append(rows(table.id, *(table[column] for column in more.get(kind, ())), where=condition))
    everything, user = bindparam("everything", type_=Boolean), bindparam("user_id", type_=Integer)
    numbers = ARRAY(Integer)
    is_everyone = Group.name == bindparam("everyone", type_=Text)
    joined = Group.id.in_(select(GroupUser.group_id).where(GroupUser.user_id == user))
    requested = or_(is_everyone, Group.id == any_(bindparam("group_ids", type_=numbers)))
    groups = rows(
        Group.__table__.c.id, func.coalesce(is_everyone, literal(False)), where=and_(requested, or_(everything, joined))
    )
    reached = Stream.id.in_(select(StreamUser.stream_id).where(StreamUser.user_id == user))
    listed = and_(Stream.id == any_(bindparam("stream_ids", type_=numbers)), or_(everything, reached))
    streams = select(func.json_agg(Stream.id)).where(listed).scalar_subquery()
    same = select(func.min(SERIES.id)).where(SERIES.content_hash == bindparam("content_hash"), VISIBLE)
    return CompiledStatement("references_of_series", select(*named, groups, streams, same.scalar_subquery()))


_LOOK_UP = _look_up()
