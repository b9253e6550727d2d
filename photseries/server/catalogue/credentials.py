"""Queries that resolve the secret of a token or of a session to a user."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, delete, func, insert, or_, select

from photseries.server.catalogue.engine import CompiledStatement
from photseries.server.catalogue.models import Group, GroupUser, Session, StreamUser, Token, User

__all__ = ["Owner", "begin", "by_session", "by_token", "end"]


@dataclass(frozen=True)
class Owner:
    """What the catalogue knows of a token: its id and digest, and whom and what it stands for."""

    token_id: int
    digest: bytes
    permissions: list[str]
    user_id: int
    username: str
    own_group_id: int
    group_ids: list[int]
    stream_ids: list[int]


def by_token(connection: Connection, prefix: str) -> Owner | None:
    """Find the valid token with a prefix; None when there is none, it has expired or its user is not active."""
    return _found(connection, _BY_TOKEN, prefix=prefix)


def by_session(connection: Connection, digest: bytes) -> Owner | None:
    """Find the token with which a session began that has not ended; None also when the token is no longer valid."""
    return _found(connection, _BY_SESSION, session=digest)


def begin(connection: Connection, digest: bytes, token_id: int, lifetime: float) -> None:
    """Begin a session, which ends by itself after a lifetime [s]; forget those that have ended."""
    now = func.clock_timestamp()
    connection.execute(delete(Session).where(Session.expires_at <= now))
    expires_at = now + func.make_interval(0, 0, 0, 0, 0, 0, lifetime)
    connection.execute(insert(Session).values(digest=digest, token_id=token_id, expires_at=expires_at))


def end(connection: Connection, digest: bytes) -> None:
    """End a session, if there is one."""
    connection.execute(delete(Session).where(Session.digest == digest))


def _found(connection: Connection, statement: CompiledStatement, **values: Any) -> Owner | None:
    row = statement.execute(connection, **values).one_or_none()
    if row is None:
        return None
    token_id, digest, *others = tuple[Any, ...](row)
    return Owner(token_id, bytes(digest), *others)


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
        )
        .join(User, User.id == Token.user_id)
        .join(Group, Group.single_user_id == User.id)
        .where(*conditions, User.active)
        .where(or_(Token.expires_at.is_(None), Token.expires_at > func.clock_timestamp()))
    )


_BY_TOKEN = CompiledStatement(_valid(Token.prefix == bindparam("prefix")))
_BY_SESSION = CompiledStatement(
    _valid(Session.digest == bindparam("session"), Session.expires_at > func.clock_timestamp()).join(
        Session, Session.token_id == Token.id
    )
)
