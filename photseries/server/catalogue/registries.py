"""Statements about registries: users, groups, streams, tokens, sources, instruments, requests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from psycopg2 import errors as pg
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Integer,
    Select,
    delete,
    false,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.exc import IntegrityError

from photseries.errors import DuplicateError, InUseError, InvalidError
from photseries.fields import REFERENCES
from photseries.lightcurve.barycentre import LOCATION
from photseries.server.catalogue.access import visible
from photseries.server.catalogue.models import (
    SERIES,
    TABLES,
    Base,
    Group,
    GroupUser,
    Instrument,
    Series,
    SeriesGroup,
    SeriesStream,
    StreamUser,
    Token,
    User,
)
from photseries.server.principal import Principal

__all__ = ["MEMBERS", "TABLES", "public_columns"]


#: The tables of members, and their column of the group or stream.
MEMBERS: Mapping[str, tuple[type[GroupUser] | type[StreamUser], str]] = {
    "groups": (GroupUser, "group_id"),
    "streams": (StreamUser, "stream_id"),
}

_SECRET = {"digest"}


def create(connection: Connection, kind: str, values: Mapping[str, object]) -> int | str:
    """Insert an entry; an explicit integer id moves the sequence past it.

    Returns
    -------
    int or str
        The id.

    Raises
    ------
    DuplicateError
        When the id or the name is taken.
    InvalidError
        When it refers to something that does not exist.
    """
    table = TABLES[kind]
    number = values.get("id")
    with _refused():
        if isinstance(number, int):
            move_sequence(connection, table.__tablename__, number)
        identity: int | str = connection.execute(
            insert(table).values(**values).returning(table.__table__.c.id)
        ).scalar_one()
    return identity


def add_members(connection: Connection, kind: str, identity: int, user_ids: Sequence[int]) -> None:
    """Add users to a group or a stream.

    Raises
    ------
    InvalidError
        When a user does not exist.
    """
    table, column = MEMBERS[kind]
    if user_ids:
        with _refused():
            connection.execute(insert(table), [{column: identity, "user_id": user_id} for user_id in user_ids])


def lock(connection: Connection, kind: str, identity: int) -> None:
    """Lock an entry against other changes, new members and moves, until the end of the transaction."""
    entry = TABLES[kind].__table__
    connection.execute(select(entry.c.id).where(entry.c.id == identity).with_for_update(key_share=True))


def replace_members(connection: Connection, kind: str, identity: int, user_ids: Sequence[int]) -> None:
    """Replace the members of a locked group or stream: a deletion does not see members in another transaction."""
    table, column = MEMBERS[kind]
    connection.execute(delete(table).where(getattr(table, column) == identity))
    add_members(connection, kind, identity, user_ids)


def change(connection: Connection, kind: str, identity: int, values: Mapping[str, object]) -> None:
    """Set columns of an entry.

    Raises
    ------
    DuplicateError
        When the name is taken.
    """
    with _refused():
        connection.execute(update(TABLES[kind]).where(TABLES[kind].__table__.c.id == identity).values(**values))


def mark_outdated(connection: Connection, instrument_id: int) -> None:
    """Mark the statistics of the series of an instrument as outdated.

    The lock of a changed instrument excludes uploads, which lock it too; see :func:`..series.with_current_version`.
    """
    connection.execute(update(Series).where(SERIES.instrument_id == instrument_id).values(statistics_version=0))


def require_active(connection: Connection, user_id: int) -> None:
    """Refuse deactivated users, and lock the others until the end of the transaction.

    Raises
    ------
    InvalidError
    """
    if connection.scalar(select(User.active).where(User.id == user_id).with_for_update(key_share=True)) is False:
        message = f"User {user_id} is deactivated, so no token would be valid: choose another user."
        raise InvalidError.of_field("user_id", message)


def own_group(connection: Connection, user_id: int) -> int | None:
    """Return the id of an active user's own group; None when there is no such user."""
    group = select(Group.id).join(User, User.id == Group.single_user_id)
    return connection.scalar(group.where(User.id == user_id, User.active))


def deactivate(connection: Connection, user_id: int) -> bool:
    """Deactivate a user and revoke the user's tokens; return whether the user exists."""
    # Wait for a token that is being created, which locks the user.
    exists = connection.execute(update(User).where(User.id == user_id).values(active=False)).rowcount == 1
    connection.execute(delete(Token).where(Token.user_id == user_id))
    return exists


def reactivate(connection: Connection, user_id: int) -> bool:
    """Reactivate a user, who then needs new tokens; return whether the user exists."""
    return connection.execute(update(User).where(User.id == user_id).values(active=True)).rowcount == 1


def remove(connection: Connection, kind: str, identity: int | str) -> bool:
    """Delete an entry; return whether it existed.

    Raises
    ------
    InUseError
        With the counts of referring rows.
    """
    table = TABLES[kind].__table__
    try:
        with connection.begin_nested():
            return connection.execute(delete(TABLES[kind]).where(table.c.id == identity)).rowcount == 1
    except IntegrityError as error:
        if not isinstance(error.orig, pg.ForeignKeyViolation | pg.RestrictViolation):
            raise
        counts = _referring(connection, kind, identity)
        used = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items())
        raise InUseError(f"It is still referred to by {used}.", details={"references": counts}) from error


def get(connection: Connection, principal: Principal, kind: str, identity: int | str) -> dict[str, object] | None:
    """Return an entry that the principal may see, or None."""
    is_entry = TABLES[kind].__table__.c.id == identity
    row = connection.execute(public_columns(kind).where(is_entry, _visible(principal, kind))).mappings().one_or_none()
    return None if row is None else dict(row)


def location(connection: Connection, instrument_id: int) -> dict[str, float | None]:
    """Return the longitude, latitude [deg] and height [m] of an instrument; None where they are unknown."""
    columns = [getattr(Instrument, name) for name in LOCATION]
    row = connection.execute(select(*columns).where(Instrument.id == instrument_id)).mappings().one_or_none()
    return dict(row or {})


def find(connection: Connection, principal: Principal, kind: str, limit: int, offset: int) -> list[dict[str, object]]:
    """Return a page of the entries that the principal may see, ordered by id."""
    statement = public_columns(kind).where(_visible(principal, kind)).order_by(TABLES[kind].__table__.c.id)
    return [dict(row) for row in connection.execute(statement.limit(limit).offset(offset)).mappings()]


def count(connection: Connection, principal: Principal, kind: str) -> int:
    """Count the entries that the principal may see."""
    return connection.scalar(select(func.count()).select_from(TABLES[kind]).where(_visible(principal, kind))) or 0


def by_name(connection: Connection, kind: str, name: str) -> int | None:
    """Return the id of a user, group or stream by its name."""
    table = TABLES[kind].__table__
    return connection.scalar(select(table.c.id).where(table.c["username" if kind == "users" else "name"] == name))


def lock_for_bootstrap(connection: Connection) -> None:
    """Lock the creation of the first user, for one process at a time."""
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtext("photseries bootstrap"))))


def public_columns(kind: str) -> Select[*tuple[object, ...]]:
    """Select the visible part of an entry: its columns without secrets, and the members of a group or a stream."""
    table = TABLES[kind].__table__
    columns: list[ColumnElement[object]] = [column for column in table.columns if column.key not in _SECRET]
    if kind in MEMBERS:
        members, column = MEMBERS[kind]
        listed = select(func.array_agg(aggregate_order_by(members.user_id, members.user_id)))
        listed = listed.where(getattr(members, column) == table.c.id)
        columns.append(func.coalesce(listed.scalar_subquery(), literal([], ARRAY(Integer))).label("user_ids"))
    return select(*columns)


def _visible(principal: Principal, kind: str) -> ColumnElement[bool]:
    """Restrict to the entries that the principal may see; an admin sees all."""
    if principal.is_admin:
        return true()
    if kind in MEMBERS:
        members, column = MEMBERS[kind]
        joined = select(getattr(members, column)).where(members.user_id == principal.user_id)
        return TABLES[kind].__table__.c.id.in_(joined)
    if kind == "tokens":
        return Token.user_id == principal.user_id
    if principal.is_anonymous:
        named = (SERIES[field] for field, of in REFERENCES.items() if of == kind)
        return or_(
            false(), *(TABLES[kind].__table__.c.id.in_(select(entry).where(visible(principal))) for entry in named)
        )
    return true()


def _referring(connection: Connection, kind: str, identity: int | str) -> dict[str, int]:
    """Count the rows that refer to an entry and prevent its deletion, by table."""
    target = TABLES[kind].__table__
    names = {SeriesGroup.__tablename__: Series.__tablename__, SeriesStream.__tablename__: Series.__tablename__}
    counts: dict[str, int] = {}
    for table in Base.metadata.sorted_tables:
        for key in table.foreign_keys:
            if key.column.table is target and key.ondelete is None:
                count = connection.scalar(select(func.count()).select_from(table).where(key.parent == identity)) or 0
                if count:
                    name = str(names.get(table.name, table.name))
                    counts[name] = counts.get(name, 0) + count
    return counts


def move_sequence(connection: Connection, table: str, number: int) -> None:
    """Advance the id sequence of a table past a number.

    The advisory lock keeps two explicit ids from moving the sequence back; automatic ids do not need it.
    """
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(table))))
    sequence = connection.scalar(select(func.pg_get_serial_sequence(table, "id")))
    connection.execute(
        text(
            f"SELECT setval(:sequence, :number) FROM {sequence} "  # noqa: S608
            "WHERE last_value < :number OR (last_value = :number AND NOT is_called)"
        ),
        {"sequence": sequence, "number": number},
    )


@contextmanager
def _refused() -> Iterator[None]:
    """Translate a constraint violation to the error for the client."""
    try:
        yield
    except IntegrityError as error:
        diagnosis = getattr(error.orig, "diag", None)
        constraint: str = getattr(diagnosis, "constraint_name", None) or ""
        if isinstance(error.orig, pg.UniqueViolation):
            field = "id" if constraint.startswith("pk_") else constraint.rsplit("_", 1)[-1]
            raise DuplicateError(f"This {field} is already taken.", fields={field: ["Already taken."]}) from error
        if isinstance(error.orig, pg.ForeignKeyViolation):
            field = "obj_id" if constraint.endswith("obj_id") else "user_id"
            message = f"Invalid {field}: this {field[:-3]} does not exist."
            raise InvalidError(message, fields={field: ["Unknown."]}) from error
        raise
