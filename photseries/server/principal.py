"""Who asks: the user behind a token, what the user belongs to, and what the token may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

__all__ = ["ADMIN", "EVERYONE", "MANAGE", "PERMISSIONS", "UPLOAD", "Principal", "anonymous"]

UPLOAD = "Upload data"
MANAGE = "Manage photometry"
ADMIN = "System admin"

#: Every permission that a token can carry, with what it allows. A token without any only reads.
PERMISSIONS: Mapping[str, str] = MappingProxyType(
    {
        UPLOAD: "create series; change and delete one's own",
        MANAGE: "change and delete every series that one can see",
        ADMIN: "everything, the registries included",
    }
)

#: The public group: every user is a member, and ``group_ids: "all"`` shares with it.
EVERYONE = "Sitewide Group"


@dataclass(frozen=True)
class Principal:
    """A user as one token presents him: the permissions are those of the token, not of the person.

    Parameters
    ----------
    user_id : int
    username : str
    own_group_id : int
        The user's single-user group.
    permissions : frozenset of str
        Keys of :data:`PERMISSIONS`.
    group_ids, stream_ids : frozenset of int
        What the user belongs to, one's own group included.
    """

    user_id: int
    username: str
    own_group_id: int
    permissions: frozenset[str] = field(default_factory=frozenset)
    group_ids: frozenset[int] = field(default_factory=frozenset)
    stream_ids: frozenset[int] = field(default_factory=frozenset)

    @property
    def is_admin(self) -> bool:
        """Whether the token carries ``System admin``, which includes every other permission."""
        return ADMIN in self.permissions

    def may(self, permission: str) -> bool:
        """Tell whether the token carries a permission, or ``System admin``."""
        return self.is_admin or permission in self.permissions


def anonymous(public: int) -> Principal:
    """Give the principal of those who show no token: it sees what the public group shares, and may do nothing.

    Parameters
    ----------
    public : int
        The id of :data:`EVERYONE`.
    """
    return Principal(user_id=0, username="anonymous", own_group_id=0, group_ids=frozenset({public}))
