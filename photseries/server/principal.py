"""The user of a token, the user's groups and streams, and the permissions that use cases require."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Concatenate, Literal, ParamSpec, TypeVar

from photseries.errors import ForbiddenError
from photseries.permissions import ADMIN, MANAGE, UPLOAD

__all__ = [
    "ADMIN",
    "ANY_TOKEN",
    "CHANGE_REGISTRIES",
    "CHANGE_SERIES",
    "CREATE_SERIES",
    "CREATE_SOURCES",
    "EVERYONE",
    "MANAGE",
    "PERMISSIONS",
    "STATE_PERIODS",
    "UPLOAD",
    "Grant",
    "Principal",
    "Requirement",
    "anonymous",
    "requirement_of",
    "requires",
]

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")

#: Every permission of tokens, with its description. A token without permissions is read-only.
PERMISSIONS: Mapping[str, str] = MappingProxyType(
    {
        UPLOAD: "create series; change and delete your own series",
        MANAGE: "change and delete all visible series",
        ADMIN: "everything, including the registries",
    }
)

#: The public group: every user is a member, and ``group_ids: "all"`` shares with it.
EVERYONE = "Sitewide Group"


@dataclass(frozen=True)
class Principal:
    """A user with the permissions of one token.

    Parameters
    ----------
    user_id : int
    username : str
    own_group_id : int
        The user's single-user group.
    permissions : frozenset of str
        Keys of :data:`PERMISSIONS`.
    group_ids, stream_ids : frozenset of int
        The groups and streams of the user, including the own group.
    expires_at : datetime, optional
        When the token expires.
    """

    user_id: int
    username: str
    own_group_id: int
    permissions: frozenset[str] = field(default_factory=frozenset)
    group_ids: frozenset[int] = field(default_factory=frozenset)
    stream_ids: frozenset[int] = field(default_factory=frozenset)
    expires_at: datetime | None = None

    @property
    def is_admin(self) -> bool:
        """Whether the token has ``System admin``, which includes every other permission."""
        return ADMIN in self.permissions

    @property
    def is_anonymous(self) -> bool:
        """Whether the request had no token; see :func:`anonymous`."""
        return self.user_id == 0 and not self.is_admin

    def as_member(self) -> Principal:
        """Return the principal without permissions: even an admin sees only their own entries with it."""
        return replace(self, permissions=frozenset())

    def may(self, permission: str) -> bool:
        """Return whether the token has a permission, or ``System admin``."""
        return self.is_admin or permission in self.permissions


def anonymous(public: int) -> Principal:
    """Return the principal of requests without a token, which may only read the series of the public group.

    Parameters
    ----------
    public : int
        The id of :data:`EVERYONE`.
    """
    return Principal(user_id=0, username="anonymous", own_group_id=0, group_ids=frozenset({public}))


@dataclass(frozen=True)
class Grant:
    """A permission that allows a use case: for anything, for the principal's series, or for visible series."""

    permission: str
    scope: Literal["anything", "own", "visible"] = "anything"


_SCOPES = {"anything": "", "own": " for your own series", "visible": " for series that you see"}


@dataclass(frozen=True)
class Requirement:
    """The requirement of a use case: any one of some grants. ``System admin`` includes every grant.

    Parameters
    ----------
    grants : tuple of Grant
        None: any token suffices.
    """

    grants: tuple[Grant, ...] = ()

    @property
    def is_scoped(self) -> bool:
        """Whether the requirement depends on the series, not only on the token."""
        return any(grant.scope != "anything" for grant in self.grants)

    @property
    def words(self) -> str:
        """The requirement in words, permissions in backquotes."""
        if not self.grants:
            return "any token"
        ways = [f"`{grant.permission}`{_SCOPES[grant.scope]}" for grant in self.grants]
        return f"{', '.join(ways)}, or `{ADMIN}`" if self.is_scoped else " or ".join(ways)

    def allows(self, principal: Principal) -> bool:
        """Return whether the token satisfies the requirement, or may do so for some series."""
        return not self.grants or any(principal.may(grant.permission) for grant in self.grants)

    def allows_on(self, principal: Principal, owner_id: int) -> bool:
        """Return whether the token satisfies the requirement for a visible series of an owner."""
        reached = {"anything": True, "own": owner_id == principal.user_id, "visible": True}
        return principal.is_admin or any(
            reached[grant.scope] and principal.may(grant.permission) for grant in self.grants
        )

    def refusal(self) -> ForbiddenError:
        """Return the error about a token that does not satisfy the requirement."""
        words = self.words.replace("`", "'")
        return ForbiddenError(f"This needs {'' if self.is_scoped else 'a token with the permission '}{words}.")

    def check(self, principal: Principal) -> None:
        """Refuse a token that does not satisfy the requirement; the query that finds the series checks a scoped one.

        Raises
        ------
        ForbiddenError
        """
        if not self.is_scoped and not self.allows(principal):
            raise self.refusal()


ANY_TOKEN = Requirement()
CREATE_SERIES = Requirement((Grant(UPLOAD),))
CREATE_SOURCES = Requirement((Grant(UPLOAD),))
CHANGE_SERIES = Requirement((Grant(UPLOAD, "own"), Grant(MANAGE, "visible")))
STATE_PERIODS = Requirement((Grant(UPLOAD), Grant(MANAGE)))
CHANGE_REGISTRIES = Requirement((Grant(ADMIN),))


def requires(
    requirement: Requirement,
) -> Callable[[Callable[Concatenate[S, Principal, P], R]], Callable[Concatenate[S, Principal, P], R]]:
    """Declare the requirement of a use case, and check it before each call (a decorator).

    A use case with a scoped requirement checks the series itself.
    """

    def decorate(use_case: Callable[Concatenate[S, Principal, P], R]) -> Callable[Concatenate[S, Principal, P], R]:
        @functools.wraps(use_case)
        def checked(self: S, principal: Principal, /, *args: P.args, **kwargs: P.kwargs) -> R:
            requirement.check(principal)
            return use_case(self, principal, *args, **kwargs)

        checked.__dict__["requirement"] = requirement
        return checked

    return decorate


def requirement_of(use_case: Callable[..., object]) -> Requirement:
    """Return the requirement of a use case; without a declaration, any token."""
    requirement: Requirement = use_case.__dict__.get("requirement", ANY_TOKEN)
    return requirement
