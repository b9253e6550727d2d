"""Statements about the usage of owners: series, and bytes of current and earlier files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from sqlalchemy import BigInteger, ColumnElement, Connection, cast, func, select, true

from photseries.errors import QuotaExceededError
from photseries.server.catalogue.models import OwnerUsage, User
from photseries.server.settings import QuotaSettings

__all__ = ["Usage", "require_quota", "usage"]

_COUNTED = ("series", "bytes", "kept_bytes")


@dataclass(frozen=True)
class Usage:
    """The usage of an owner: number of series, size of their files, and of kept earlier files [bytes]."""

    owner_id: int
    username: str
    series: int
    bytes: Annotated[int, "Length of the current files."]
    kept_bytes: Annotated[int, "Length of earlier files that are kept, which count for quotas."]


def usage(connection: Connection, owner_id: int | None = None) -> list[Usage]:
    """Return the usage of an owner, or of every user."""
    chosen: ColumnElement[bool] = true() if owner_id is None else User.id == owner_id
    sums = [cast(func.coalesce(func.sum(getattr(OwnerUsage, name)), 0), BigInteger).label(name) for name in _COUNTED]
    statement = (
        select(User.id.label("owner_id"), User.username, *sums)
        .outerjoin(OwnerUsage, OwnerUsage.owner_id == User.id)
        .where(chosen)
        .group_by(User.id)
        .order_by(User.id)
    )
    return [Usage(**row) for row in connection.execute(statement).mappings()]


def require_quota(connection: Connection, quotas: QuotaSettings, owner_id: int, *, is_new: bool) -> None:
    """Raise an error if the owner exceeds the quotas after the changes of a transaction; call it before COMMIT.

    Other transactions of the owner wait, so that the sum includes all of them.

    Raises
    ------
    QuotaExceededError
    """
    limits = {"series": quotas.series if is_new else 0, "bytes": quotas.bytes}
    if not any(limits.values()):
        return
    connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended("quotas of an owner", owner_id))))
    (used,) = usage(connection, owner_id)
    totals = {"series": used.series, "bytes": used.bytes + used.kept_bytes}
    for name, limit in limits.items():
        if limit and totals[name] > limit:
            earlier = f", including {used.kept_bytes:,} of earlier revisions" if name == "bytes" else ""
            raise QuotaExceededError(
                f"The quota of {used.username} is {limit:,} {name}; this would make {totals[name]:,}{earlier}.",
                details={"quota": name, "limit": limit, "usage": used},
            )
