"""What a series refers to, looked up in one statement: the things it names, and with whom it may be shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, Boolean, Connection, Integer, any_, bindparam, func, or_, select

from photseries.server.catalogue.access import VISIBLE, seeing
from photseries.server.catalogue.base import Base
from photseries.server.catalogue.frozen import Frozen
from photseries.server.catalogue.models import (
    SERIES,
    Assignment,
    FollowupRequest,
    Group,
    GroupUser,
    Instrument,
    Source,
    Stream,
    StreamUser,
)
from photseries.server.principal import EVERYONE, Principal

__all__ = ["REFERENCES", "Referred", "referred"]

#: The fields of a series that name something, and where that stands.
REFERENCES: Mapping[str, type[Base]] = {
    "obj_id": Source,
    "instrument_id": Instrument,
    "followup_request_id": FollowupRequest,
    "assignment_id": Assignment,
}


@dataclass(frozen=True)
class Referred:
    """What of the things that a series would refer to exists and is open to the principal.

    ``same_content`` is the least id of the visible series with the same content.
    """

    known: dict[str, bool]
    group_ids: list[int]
    stream_ids: list[int]
    same_content: int | None


def referred(
    connection: Connection,
    principal: Principal,
    metadata: Mapping[str, Any],
    group_ids: Sequence[int] | str,
    stream_ids: Sequence[int],
    content_hash: str | None = None,
) -> Referred:
    """Look up everything that a series would refer to, in one statement.

    Parameters
    ----------
    metadata : mapping
        Its fields obj_id, instrument_id, followup_request_id and assignment_id are looked up when they are there.
    group_ids : sequence of int or "all"
        Of these, the answer has those that the principal may share with.
    stream_ids : sequence of int
        Likewise.
    content_hash : str, optional
        The series with this content is looked up as well.
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
    *known, group_numbers, stream_numbers, same = tuple[Any, ...](found.one())
    exist = dict(zip(REFERENCES, known, strict=True))
    named = {field: exist[field] for field in REFERENCES if metadata.get(field) is not None}
    return Referred(named, group_numbers, stream_numbers, same)


def _possible(numbers: Sequence[int]) -> list[int]:
    """Leave out what is no id, and would not go into an array of ids."""
    return [number for number in numbers if 0 < number < 2**31]


def _look_up() -> Frozen:
    everything, user = bindparam("everything", type_=Boolean), bindparam("user_id", type_=Integer)
    numbers = ARRAY(Integer)
    named = [
        select(table.__table__).where(table.__table__.c.id == bindparam(field)).exists()
        for field, table in REFERENCES.items()
    ]
    wanted = or_(Group.name == bindparam("everyone"), Group.id == any_(bindparam("group_ids", type_=numbers)))
    joined = Group.id.in_(select(GroupUser.group_id).where(GroupUser.user_id == user))
    groups = select(Group.id).where(wanted, or_(everything, joined))
    heard = Stream.id.in_(select(StreamUser.stream_id).where(StreamUser.user_id == user))
    streams = select(Stream.id).where(Stream.id == any_(bindparam("stream_ids", type_=numbers)), or_(everything, heard))
    same = select(func.min(SERIES.id)).where(SERIES.content_hash == bindparam("content_hash"), VISIBLE)
    arrays = (func.array(rows.scalar_subquery()) for rows in (groups, streams))
    return Frozen(select(*named, *arrays, same.scalar_subquery()))


_LOOK_UP = _look_up()
