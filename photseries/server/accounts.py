"""Users, groups, streams and tokens, and the small registries that series refer to.

The secret of a token is shown once, at its creation; the database stores its SHA-256, which is found by a short prefix.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from photseries.errors import ForbiddenError, InUseError, InvalidError, NotFoundError, UnauthorizedError
from photseries.server.catalogue import audit, credentials, registries
from photseries.server.catalogue.credentials import Owner
from photseries.server.catalogue.engine import Catalogue, Connection
from photseries.server.disk import synchronize
from photseries.server.principal import ADMIN, CHANGE_REGISTRIES, CREATE_SOURCES, EVERYONE, Principal, requires
from photseries.server.schemas.registries import CHANGES, CREATIONS, load_entry

__all__ = ["OPERATOR", "PREFIX_LENGTH", "RESOURCES", "Accounts"]

#: The kinds of entries, as spelled in paths and on the command line.
RESOURCES: tuple[str, ...] = tuple(registries.TABLES)

#: The principal of operator commands: may do everything, but is not a member of any group or stream.
OPERATOR = Principal(user_id=0, username="operator", own_group_id=0, permissions=frozenset({ADMIN}))

#: Length of the public prefix of a token, which the database, lists and the log contain.
PREFIX_LENGTH = 10
_MAX_ID = 2**31 - 1

# Cookies cannot contain this character, so the secret of a link is never a session secret.
_ONCE = "\0"


class Accounts:
    """The use cases of accounts and registries, one transaction each.

    Parameters
    ----------
    catalogue : Catalogue
    token_lifetime : float, optional
        The default lifetime of tokens [s].
    """

    def __init__(self, catalogue: Catalogue, token_lifetime: float | None = None) -> None:
        self._catalogue = catalogue
        self._token_lifetime = token_lifetime

    def authenticate(self, secret: str) -> Principal:
        """Return the principal of a token.

        Raises
        ------
        UnauthorizedError
            When there is no such token, it has expired, or its user is not active.
        """
        with self._catalogue.reading() as connection:
            return _principal(connection, _owner(connection, secret))

    def sign_in(self, secret: str, lifetime: float) -> str:
        """Begin a session for the owner of a token, with a lifetime [s] or until the token ends; return its secret.

        Raises
        ------
        UnauthorizedError
        """
        session = secrets.token_urlsafe(32)
        with self._catalogue.transaction() as connection:
            owner = _owner(connection, secret)
            credentials.begin(connection, _digest(session), owner.token_id, lifetime)
        return session

    def make_sign_in_link(self, secret: str, lifetime: float) -> str:
        """Return the secret of a one-time sign-in link for the owner of a token, valid for ``lifetime`` [s].

        Raises
        ------
        UnauthorizedError
        """
        once = secrets.token_urlsafe(24)
        with self._catalogue.transaction() as connection:
            credentials.begin(connection, _digest(_ONCE + once), _owner(connection, secret).token_id, lifetime)
        return once

    def follow_sign_in_link(self, once: str, lifetime: float) -> str:
        """Exchange the secret of a sign-in link for a session secret; see :meth:`sign_in`.

        Raises
        ------
        UnauthorizedError
            When the link was used or has expired.
        """
        session = secrets.token_urlsafe(32)
        with self._catalogue.transaction() as connection:
            token_id = credentials.redeem(connection, _digest(_ONCE + once)) if _is_wellformed(once) else None
            if token_id is None:
                raise UnauthorizedError("This link was used already, or has expired. Sign in with a token.")
            credentials.begin(connection, _digest(session), token_id, lifetime)
        return session

    def recognize(self, session: str) -> Principal:
        """Return the principal of a session secret.

        Raises
        ------
        UnauthorizedError
            When the session does not exist or has ended.
        """
        with self._catalogue.reading() as connection:
            owner = credentials.by_session(connection, _digest(session)) if _is_wellformed(session) else None
            if owner is None:
                raise UnauthorizedError("You are no longer signed in. Sign in again.")
            return _principal(connection, owner)

    def sign_out(self, session: str) -> None:
        """End a session, if it exists."""
        with self._catalogue.transaction() as connection:
            credentials.end(connection, _digest(session))

    @requires(CHANGE_REGISTRIES)
    def create(self, principal: Principal, kind: str, body: Mapping[str, object]) -> dict[str, Any]:
        """Create an entry of a registry.

        Returns
        -------
        dict
            ``id``, and values only in this answer: a user's ``single_user_group_id``, a token's secret ``token``.

        Raises
        ------
        ForbiddenError, InvalidError, DuplicateError
        """
        return self._create(principal, kind, body)

    @requires(CREATE_SOURCES)
    def create_source(self, principal: Principal, body: Mapping[str, object]) -> dict[str, object]:
        """Create a source, which uploaders may; see :meth:`create`."""
        return self._create(principal, "sources", body)

    def create_token(self, principal: Principal, body: Mapping[str, object]) -> dict[str, Any]:
        """Create a token for the caller with at most the permissions of its token or, as admin, for ``user_id``.

        Raises
        ------
        ForbiddenError, InvalidError
        """
        if body.get("user_id") is None:
            return self._create(principal, "tokens", {**body, "user_id": principal.user_id}, own=True)
        return self.create(principal, "tokens", body)

    def _create(
        self, principal: Principal, kind: str, body: Mapping[str, object], *, own: bool = False
    ) -> dict[str, object]:
        values = load_entry(CREATIONS[kind], body)
        if own:
            _require_at_most(principal, values)
        if kind == "tokens" and "expires_at" not in values:
            ends = [principal.expires_at] if own and principal.expires_at is not None else []
            if self._token_lifetime is not None:
                ends.append(datetime.now(UTC) + timedelta(seconds=self._token_lifetime))
            values |= {"expires_at": min(ends)} if ends else {}
        with self._catalogue.transaction() as connection:
            created = _insert_entry(connection, kind, values)
            if kind in audit.AUDITED:
                audit.note(connection, principal, "create", kind, created["id"], values)
            return created

    def get(self, principal: Principal, kind: str, identity: str) -> dict[str, Any]:
        """Return one entry.

        Raises
        ------
        NotFoundError
            When it is absent or not visible.
        """
        key = _key(kind, identity)
        with self._catalogue.reading() as connection:
            entry = registries.get(connection, principal, kind, key)
        if entry is None:
            raise _not_found(kind, identity)
        return entry

    def find(self, principal: Principal, kind: str, page: int, per_page: int) -> tuple[list[dict[str, Any]], int]:
        """Return a page of the visible entries, and their total."""
        with self._catalogue.reading() as connection:
            entries = registries.find(connection, principal, kind, per_page, (page - 1) * per_page)
            return entries, registries.count(connection, principal, kind)

    @requires(CHANGE_REGISTRIES)
    def change(self, principal: Principal, kind: str, identity: str, body: Mapping[str, object]) -> None:
        """Rename a group, a stream or an instrument, change members or a location; deactivate or reactivate a user.

        Raises
        ------
        ForbiddenError, InvalidError, NotFoundError, DuplicateError
        InUseError
            When no admin would be left.
        """
        key = int(_key(kind, identity))
        values = load_entry(CHANGES[kind], body)
        with self._catalogue.transaction() as connection, _keeping_an_admin(connection, principal, kind):
            registries.lock(connection, kind, key)
            entry = registries.get(connection, principal, kind, key)
            if entry is None:
                raise _not_found(kind, identity)
            if kind == "users":
                (registries.reactivate if values["active"] else registries.deactivate)(connection, key)
            else:
                _require_ordinary(entry)
                _change_entry(connection, kind, entry, values)
            audit.note(connection, principal, "change", kind, key, values)

    @requires(CHANGE_REGISTRIES)
    def remove(self, principal: Principal, kind: str, identity: str) -> None:
        """Remove an entry; a user is deactivated instead, and the user's tokens are revoked.

        Raises
        ------
        ForbiddenError, NotFoundError
        InUseError
            When something still refers to it, or no admin would be left.
        """
        self._remove(principal, kind, identity)

    def remove_token(self, principal: Principal, identity: str) -> None:
        """Remove a token of the caller with at most the permissions of the caller's token or, as admin, any token.

        Raises
        ------
        ForbiddenError, NotFoundError
        InUseError
            When no admin would be left.
        """
        permissions = self.get(principal, "tokens", identity)["permissions"]
        if more := [name for name in permissions if not principal.may(name)]:
            raise ForbiddenError(
                f"Your token does not have the permission {', '.join(more)} of this token. "
                "Use one that has it, or ask an administrator."
            )
        self._remove(principal, "tokens", identity)

    def _remove(self, principal: Principal, kind: str, identity: str) -> None:
        key = _key(kind, identity)
        with self._catalogue.transaction() as connection, _keeping_an_admin(connection, principal, kind):
            if kind == "groups":
                _require_ordinary(registries.get(connection, principal, kind, key) or {})
            gone = (
                registries.deactivate(connection, int(key))
                if kind == "users"
                else registries.remove(connection, kind, key)
            )
            if not gone:
                raise _not_found(kind, identity)
            if kind in audit.AUDITED:
                audit.note(connection, principal, "remove", kind, key, {})

    @requires(CHANGE_REGISTRIES)
    def audit(self, principal: Principal, page: int, per_page: int) -> tuple[list[dict[str, object]], int]:
        """Return a page of the changes of accounts, tokens and sharing, newest first, and their total."""
        with self._catalogue.reading() as connection:
            return audit.find(connection, per_page, (page - 1) * per_page)

    def id_of(self, kind: str, name: str) -> int:
        """Return the id of a user, group or stream by its name.

        Raises
        ------
        NotFoundError
        """
        with self._catalogue.reading() as connection:
            identity = registries.by_name(connection, kind, name)
        if identity is None:
            raise NotFoundError(f"No {_label(kind)} is called {name!r}.")
        return identity

    def bootstrap(self, token_file: Path) -> str | None:
        """Create the admin user and token if there is no admin yet, and write the token to a file of mode 0600.

        Returns
        -------
        str or None
            The token, or None if a user ``admin`` or an admin token exists.
        """
        with self._catalogue.transaction() as connection:
            registries.lock_for_bootstrap(connection)
            if registries.by_name(connection, "users", "admin") or credentials.admin_tokens(connection):
                return None
            user = _create_user(connection, {"username": "admin"})
            token: str = _create_token(
                connection, {"user_id": user["id"], "permissions": [ADMIN], "name": "made at the first start"}
            )["token"]
            # Before COMMIT: a kill in between leaves a file that the next start replaces, never a lost token.
            token_file.unlink(missing_ok=True)
            with open(os.open(token_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(token + "\n")
            synchronize(token_file)
            synchronize(token_file.parent)
        return token


def _owner(connection: Connection, secret: str) -> Owner:
    owner = credentials.by_token(connection, secret[:PREFIX_LENGTH]) if _is_wellformed(secret) else None
    if owner is None or not hmac.compare_digest(owner.digest, _digest(secret)):
        raise UnauthorizedError("This token is not valid. Ask an administrator for a new one.")
    return owner


def _principal(connection: Connection, owner: Owner) -> Principal:
    if not owner.is_noted:
        credentials.note_use(connection, owner.token_id)
    return Principal(
        user_id=owner.user_id,
        username=owner.username,
        own_group_id=owner.own_group_id,
        permissions=frozenset(owner.permissions),
        group_ids=frozenset(owner.group_ids),
        stream_ids=frozenset(owner.stream_ids),
        expires_at=owner.expires_at,
    )


def _require_at_most(principal: Principal, values: Mapping[str, Any]) -> None:
    """Refuse a token with more permissions, or a later expiry, than the token that creates it."""
    if more := [name for name in values["permissions"] if not principal.may(name)]:
        raise ForbiddenError(f"Your token does not have the permission {', '.join(more)}, so it cannot grant it.")
    if principal.expires_at is not None and values.get("expires_at", principal.expires_at) > principal.expires_at:
        message = f"Must not be later than your token expires, {principal.expires_at.isoformat()}."
        raise InvalidError(f"expires_at: {message}", fields={"expires_at": [message]})


def _insert_entry(connection: Connection, kind: str, values: Mapping[str, Any]) -> dict[str, object]:
    row = dict(values)
    match kind:
        case "users":
            return _create_user(connection, row)
        case "tokens":
            return _create_token(connection, row)
        case "groups" | "streams":
            members = row.pop("user_ids", [])
            identity = registries.create(connection, kind, row)
            registries.add_members(connection, kind, int(identity), members)
            return {"id": identity}
        case "sources":
            shared = row.pop("group_ids", None) is not None
            note = "group_ids has no effect: every token can read every source."
            return {"id": registries.create(connection, kind, row), **({"warnings": [note]} if shared else {})}
        case _:
            return {"id": registries.create(connection, kind, row)}


def _change_entry(connection: Connection, kind: str, entry: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Change a locked entry."""
    key = entry["id"]
    members_changed = values.keys() & {"user_ids", "add_user_ids", "remove_user_ids"}
    if columns := {name: value for name, value in values.items() if name not in members_changed}:
        registries.change(connection, kind, key, columns)
    if "longitude" in columns and (columns["longitude"] or 0) != (entry["longitude"] or 0):
        registries.mark_outdated(connection, key)
    if members_changed:
        new_members = set(values.get("user_ids", entry["user_ids"])) | set(values.get("add_user_ids", ()))
        registries.replace_members(connection, kind, key, sorted(new_members - set(values.get("remove_user_ids", ()))))


@contextmanager
def _keeping_an_admin(connection: Connection, principal: Principal, kind: str = "users") -> Iterator[None]:
    """Refuse a change of this transaction that would leave no valid admin token.

    The operator, who can create such tokens on the machine, may do it.
    """
    if kind not in ("users", "tokens") or principal == OPERATOR:
        yield
        return
    registries.lock_for_bootstrap(connection)
    before = credentials.admin_tokens(connection)
    yield
    if before and not credentials.admin_tokens(connection):
        raise InUseError("This is the last System admin. Give another user a System admin token first.")


def _create_user(connection: Connection, values: Mapping[str, object]) -> dict[str, object]:
    """Insert a user and the user's own group, and make the user a member of it and of the public group."""
    own_id = {"id": values["single_user_group_id"]} if "single_user_group_id" in values else {}
    row = {name: value for name, value in values.items() if name != "single_user_group_id"}
    user_id = int(registries.create(connection, "users", row))
    group = {"name": row["username"], "single_user_id": user_id, **own_id}
    own_group = int(registries.create(connection, "groups", group))
    public = registries.by_name(connection, "groups", EVERYONE)
    for group_id in (own_group, public):
        if group_id is not None:
            registries.add_members(connection, "groups", group_id, [user_id])
    return {"id": user_id, "single_user_group_id": own_group}


def _create_token(connection: Connection, values: Mapping[str, Any]) -> dict[str, Any]:
    registries.require_active(connection, values["user_id"])
    secret = secrets.token_urlsafe(32)
    row = {
        "name": "",
        **values,
        "permissions": sorted(set(values.get("permissions", ()))),
        "prefix": secret[:PREFIX_LENGTH],
        "digest": _digest(secret),
    }
    return {"id": registries.create(connection, "tokens", row), "token": secret}


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _is_wellformed(secret: str) -> bool:
    return len(secret) <= 200 and secret.isascii() and secret.isprintable()


def _key(kind: str, identity: str) -> int | str:
    """Parse an id in a path; raise NotFoundError for anything else."""
    if kind == "sources" and "\0" not in identity:
        return identity
    if not (identity.isascii() and identity.isdigit() and len(identity) < 12 and int(identity) <= _MAX_ID):
        raise _not_found(kind, identity)
    return int(identity)


def _not_found(kind: str, identity: str) -> NotFoundError:
    return NotFoundError(f"No {_label(kind)} with ID {identity[:60]}.")


def _label(kind: str) -> str:
    return kind.removesuffix("s").replace("_", " ")


def _require_ordinary(group: Mapping[str, object]) -> None:
    """Refuse to change the groups that the service manages: users' own groups and the public group."""
    if group.get("single_user_id") is not None or group.get("name") == EVERYONE:
        raise InvalidError(f"The group {group['name']!r} belongs to the system and cannot be changed or removed.")
