"""Queries that resolve the secret of a token or of a session to a user."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.exc import DBAPIError

from photseries.server.catalogue.models import Group, GroupUser, Session, StreamUser, Token, User
from photseries.server.catalogue.statements import CompiledStatement
from photseries.server.principal import ADMIN

__all__ = ["Owner", "begin", "by_session", "by_token", "end", "redeem"]

#: Minimum interval between records of the use of a token [min].
_NOTED_EVERY = 5


@dataclass(frozen=True)
class Owner:
    """A token in the catalogue: its id, digest, user and permissions."""

    token_id: int
    digest: bytes
    permissions: list[str]
    user_id: int
    username: str
    own_group_id: int
    group_ids: list[int]
    stream_ids: list[int]
    expires_at: datetime | None
    is_noted: bool  # whether the use of the token was recorded recently


def by_token(connection: Connection, prefix: str) -> Owner | None:
    """Find the valid token with a prefix; None if it is absent, has expired or its user is not active."""
    return _token(connection, _BY_TOKEN, prefix=prefix)


def by_session(connection: Connection, digest: bytes) -> Owner | None:
    """Find the token of a session; None if the session has ended or the token is no longer valid."""
    return _token(connection, _BY_SESSION, session=digest)


def begin(connection: Connection, digest: bytes, token_id: int, lifetime: float) -> None:
    """Begin a session with a lifetime [s]; delete expired sessions."""
    now = func.clock_timestamp()
    connection.execute(delete(Session).where(Session.expires_at <= now))
    expires_at = now + func.make_interval(0, 0, 0, 0, 0, 0, lifetime)
    connection.execute(insert(Session).values(digest=digest, token_id=token_id, expires_at=expires_at))


def end(connection: Connection, digest: bytes) -> None:
    """End a session, if it exists."""
    connection.execute(delete(Session).where(Session.digest == digest))


def redeem(connection: Connection, digest: bytes) -> int | None:
    """End a session and return the id of its token; None when there is no such session."""
    valid = (Session.digest == digest, Session.expires_at > func.clock_timestamp())
    return connection.scalar(delete(Session).where(*valid).returning(Session.token_id))


def _token(connection: Connection, statement: CompiledStatement, **values: object) -> Owner | None:
    rows = statement.execute(connection, **values)
    if not rows:
        return None
    ((token_id, digest, *owner_fields),) = rows
    return Owner(token_id, bytes(digest), *owner_fields)


def note_use(connection: Connection, token_id: int) -> None:
    """Record the use of a token, unless another process just did or the database is read-only."""
    unnoted = or_(Token.last_used_at.is_(None), Token.last_used_at <= _lately())
    used = update(Token).where(Token.id == token_id, unnoted).values(last_used_at=func.clock_timestamp())
    with suppress(DBAPIError):
        connection.execute(used)


def admin_tokens(connection: Connection) -> int:
    """Count the valid tokens of active users that carry ``System admin``."""
    tokens = _valid(Token.permissions.contains(array([ADMIN]))).subquery()
    return connection.scalar(select(func.count()).select_from(tokens)) or 0


def _lately() -> ColumnElement[object]:
    return func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, _NOTED_EVERY)


def _valid(*conditions: ColumnElement[bool]) -> Select[Any]:
    groups = select(GroupUser.group_id).where(GroupUser.user_id == User.id).correlate(User).scalar_subquery()
    streams = select(StreamUser.stream_id).where(StreamUser.user_id == User.id).correlate(User).scalar_subquery()
    return (
        select(
            Token.id,
            Token.digest,
            Token.permissions,
            User.id,
            User.username,
            Group.id,
            func.array(groups),
            func.array(streams),
            Token.expires_at,
            func.coalesce(Token.last_used_at > _lately(), False),
        )
        .join(User, User.id == Token.user_id)
        .join(Group, Group.single_user_id == User.id)
        .where(*conditions, User.active)
        .where(or_(Token.expires_at.is_(None), Token.expires_at > func.clock_timestamp()))
    )


_BY_TOKEN = CompiledStatement("token", _valid(Token.prefix == bindparam("prefix")))
_BY_SESSION = CompiledStatement(
    "session",
    _valid(Session.digest == bindparam("session"), Session.expires_at > func.clock_timestamp()).join(
        Session, Session.token_id == Token.id
    ),
)
