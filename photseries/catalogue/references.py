"""What a series refers to, looked up in one statement: the things it names, and with whom it may be shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, null, select

from photseries.catalogue.access import joined_groups, joined_streams
from photseries.catalogue.base import Base
from photseries.catalogue.models import Assignment, FollowupRequest, Group, Instrument, Source, Stream
from photseries.principal import EVERYONE, Principal

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
    """What of the things that a series would refer to exists and is open to the principal."""

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
    same_content: ColumnElement[Any] | None = None,
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
    same_content : scalar, optional
        One more value to bring along.
    """
    named = {field: table.__table__.c.id for field, table in REFERENCES.items() if metadata.get(field) is not None}
    group = Group.name == EVERYONE if group_ids == "all" else Group.id.in_(group_ids)
    groups = select(Group.id).where(group, joined_groups(principal))
    streams = select(Stream.id).where(Stream.id.in_(stream_ids), joined_streams(principal))
    statement = select(
        *(select(column).where(column == metadata[field]).exists() for field, column in named.items()),
        func.array(groups.scalar_subquery()),
        func.array(streams.scalar_subquery()),
        null() if same_content is None else same_content,
    )
    *known, group_numbers, stream_numbers, same = connection.execute(statement).one()
    return Referred(dict(zip(named, known, strict=True)), group_numbers, stream_numbers, same)
