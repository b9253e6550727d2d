"""Look up all references of a series in one statement: registry entries, groups and streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, Boolean, Connection, Integer, any_, bindparam, func, or_, select

from photseries.fields import REFERENCES
from photseries.server.catalogue.access import VISIBLE, seeing
from photseries.server.catalogue.engine import CompiledStatement
from photseries.server.catalogue.models import (
    SERIES,
    TABLES,
    Group,
    GroupUser,
    Stream,
    StreamUser,
)
from photseries.server.principal import EVERYONE, Principal

__all__ = ["NOTHING", "References", "look_up_references"]


@dataclass(frozen=True)
class References:
    """The references of a series that exist, and that the principal may use.

    Attributes
    ----------
    known : dict of str to bool
        Whether the entry exists, for each field that names one.
    group_ids, stream_ids : list of int
        The groups and streams that the principal may share with.
    same_content : int or None
        The least id of the visible series with the same content.
    source_position : pair of float or None
        The ra and dec of the source [deg].
    longitude : float
        Of the instrument, to the east [deg]; 0 where it is unknown.
    """

    known: dict[str, bool]
    group_ids: list[int]
    stream_ids: list[int]
    same_content: int | None
    source_position: tuple[float, float] | None
    longitude: float


#: Of a series that refers to nothing.
NOTHING = References({}, [], [], None, None, 0.0)


def look_up_references(
    connection: Connection,
    principal: Principal,
    metadata: Mapping[str, object],
    group_ids: Sequence[int] | str,
    stream_ids: Sequence[int],
    content_hash: str | None = None,
) -> References:
    """Look up the references of a series.

    Parameters
    ----------
    metadata : mapping
        Its fields in :data:`~photseries.fields.REFERENCES` are looked up when they are there.
    group_ids : sequence of int or "all"
        The groups to look up.
    stream_ids : sequence of int
        The streams to look up.
    content_hash : str, optional
        Also look up the series with this content.
    """
    found = _LOOK_UP.execute(
        connection,
        **{field: metadata.get(field) for field in REFERENCES},
        user_id=principal.user_id,
        everyone=EVERYONE if group_ids == "all" else None,
        group_ids=[] if isinstance(group_ids, str) else _possible(group_ids),
        stream_ids=_possible(stream_ids),
        content_hash=content_hash,
        **seeing(principal),
    )
    *known, group_numbers, stream_numbers, same, longitude, ra, dec = found.one()
    exist = dict(zip(REFERENCES, known, strict=True))
    named = {field: exist[field] for field in REFERENCES if metadata.get(field) is not None}
    position = None if ra is None else (ra, dec)
    return References(named, group_numbers, stream_numbers, same, position, longitude or 0.0)


def _possible(numbers: Sequence[int]) -> list[int]:
    """Leave out what is no id, and would not go into an array of ids."""
    return [number for number in numbers if 0 < number < 2**31]


def _look_up() -> CompiledStatement:
    everything, user = bindparam("everything", type_=Boolean), bindparam("user_id", type_=Integer)
    numbers = ARRAY(Integer)
    named = [
        select(table).where(table.c.id == bindparam(name)).exists()
        for name, table in ((name, TABLES[kind].__table__) for name, kind in REFERENCES.items())
    ]
    wanted = or_(Group.name == bindparam("everyone"), Group.id == any_(bindparam("group_ids", type_=numbers)))
    joined = Group.id.in_(select(GroupUser.group_id).where(GroupUser.user_id == user))
    groups = select(Group.id).where(wanted, or_(everything, joined))
    heard = Stream.id.in_(select(StreamUser.stream_id).where(StreamUser.user_id == user))
    streams = select(Stream.id).where(Stream.id == any_(bindparam("stream_ids", type_=numbers)), or_(everything, heard))
    same = select(func.min(SERIES.id)).where(SERIES.content_hash == bindparam("content_hash"), VISIBLE)
    arrays = (func.array(rows.scalar_subquery()) for rows in (groups, streams))
    source = TABLES["sources"].__table__.c
    position = (select(column).where(source.id == bindparam("obj_id")) for column in (source.ra, source.dec))
    instrument = TABLES["instrument"].__table__.c
    longitude = select(instrument.longitude).where(instrument.id == bindparam("instrument_id"))
    singles = (one.scalar_subquery() for one in (same, longitude, *position))
    return CompiledStatement(select(*named, *arrays, *singles))


_LOOK_UP = _look_up()
