"""Statements that insert imported entries and series with their original ids.

All registries are imported in one transaction, so that a clash of ids leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, BigInteger, Connection, Integer, Text, any_, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from photseries.server.catalogue.models import SERIES, Group, GroupUser, Series, SeriesGroup, SeriesHistory, User
from photseries.server.catalogue.registries import MEMBERS, TABLES, move_sequence
from photseries.server.principal import EVERYONE

__all__ = ["Known", "Page"]

Rows = Sequence[Mapping[str, object]]

#: What an entry is called, and whether that is unique; sources are called by their ids.
_NAMES: Mapping[str, tuple[str, bool]] = {
    "users": ("username", True),
    "groups": ("name", True),
    "streams": ("name", True),
    "instrument": ("name", False),
    "followup_request": ("obj_id", False),
    "assignment": ("obj_id", False),
}


@dataclass(frozen=True)
class Page:
    """What became of a page of entries: how many are new, how many were there, and which clash with others."""

    new: int
    there: int
    clashes: list[str]


@dataclass(frozen=True)
class Known:
    """A series of the archive that has the id of one that is to be taken over.

    ``changed`` is what the history says of its import, None when it did not come by one; ``called`` is its source, its
    series and its name there, None when it has been deleted since.
    """

    changed: Mapping[str, Mapping[str, object]] | None
    called: tuple[str, str, str] | None


def take_entries(connection: Connection, kind: str, rows: Rows) -> Page:
    """Insert the entries of a page that are not there yet.

    Parameters
    ----------
    kind : str
        A registry, by its name in paths.
    rows : sequence of mapping
        With the columns of its table.
    """
    there, clashes = _compared(connection, kind, rows)
    new = [row for row in rows if row["id"] not in there]
    if new and not clashes:
        connection.execute(insert(TABLES[kind]).on_conflict_do_nothing(), new)
    return Page(len(new), len(rows) - len(new), clashes)


def _compared(connection: Connection, kind: str, rows: Rows) -> tuple[set[object], list[str]]:
    """Return the ids that are there, and what is there under another name or another id."""
    entries = TABLES[kind].__table__
    ids = literal([row["id"] for row in rows], ARRAY(Text if kind == "sources" else Integer))
    if kind == "sources":
        return set(connection.scalars(select(entries.c.id).where(entries.c.id == any_(ids)))), []
    name, unique = _NAMES[kind]
    wanted = entries.c.id == any_(ids)
    if unique:
        names = literal([row[name] for row in rows], ARRAY(Text))
        wanted = or_(wanted, entries.c[name] == any_(names))
    found = dict(connection.execute(select(entries.c.id, entries.c[name]).where(wanted)).all())
    holders = {text: number for number, text in found.items()}
    called, clashes = kind.removesuffix("s").replace("_", " "), []
    for row in rows:
        number, text = row["id"], row[name]
        if number in found and found[number] != text:
            clashes.append(f"{called} {number} is {text!r} in SkyPortal but {found[number]!r} here")
        elif unique and number not in found and text in holders:
            clashes.append(f"{called} {text!r} has the id {number} in SkyPortal but {holders[text]} here")
    return set(found), clashes


def take_members(connection: Connection, kind: str, rows: Rows) -> None:
    """Add the members of groups or streams that are not members yet."""
    connection.execute(insert(MEMBERS[kind][0]).on_conflict_do_nothing(), rows)


def make_room_for_groups(connection: Connection, public_id: int | None, greatest_id: int) -> None:
    """Change the id of the public group of an archive that nobody has used yet to that of the imported archive.

    Parameters
    ----------
    public_id : int or None
        The id of the public group there; None when there is none.
    greatest_id : int
        Of all groups there.
    """
    unused = select(Group.id).where(
        Group.name == EVERYONE,
        ~select(GroupUser.group_id).where(GroupUser.group_id == Group.id).exists(),
        ~select(SeriesGroup.group_id).where(SeriesGroup.group_id == Group.id).exists(),
    )
    ours = connection.scalar(unused)
    wanted = greatest_id + 1 if public_id is None else public_id
    if ours is None or ours == wanted:
        return
    if connection.scalar(select(Group.id).where(Group.id == wanted)) is None:
        connection.execute(update(Group).where(Group.__table__.c.id == ours).values(id=wanted))


def settle(connection: Connection, public: bool, last_series: int) -> int:
    """Move the sequences past what was taken, and give every user a group of the user's own.

    Parameters
    ----------
    public : bool
        Whether the members of the public group were taken; else everybody becomes one.
    last_series : int
        The greatest id of a series there.

    Returns
    -------
    int
        How many users had no group of their own.
    """
    for kind, registered in TABLES.items():
        if kind not in ("sources", "tokens"):
            last = connection.scalar(select(func.max(registered.__table__.c.id)))
            if last is not None:
                move_sequence(connection, registered.__tablename__, last)
    if last_series:
        move_sequence(connection, Series.__tablename__, last_series)
    lacking = connection.execute(
        select(User.id, User.username).where(~select(Group.id).where(Group.single_user_id == User.id).exists())
    ).all()
    for user_id, username in lacking:
        taken = connection.scalar(select(Group.id).where(Group.name == username))
        name = username if taken is None else f"{username} ({user_id})"
        own = connection.scalar(insert(Group).values(name=name, single_user_id=user_id).returning(Group.id))
        connection.execute(insert(GroupUser).values(group_id=own, user_id=user_id))
    if not public:
        everyone = select(Group.id).where(Group.name == EVERYONE).scalar_subquery()
        members = select(everyone, User.id)
        connection.execute(insert(GroupUser).from_select(["group_id", "user_id"], members).on_conflict_do_nothing())
    return len(lacking)


def own_groups(connection: Connection) -> dict[int, int]:
    """Return the id of every user's own group."""
    owned = select(User.id, Group.id).join_from(User, Group, Group.single_user_id == User.id)
    return dict(connection.execute(owned).all())


def known_series(connection: Connection, ids: Sequence[int]) -> dict[int, Known]:
    """Return those of some ids that a series has or had."""
    numbers = any_(literal(list(ids), ARRAY(BigInteger)))
    columns = (SERIES.id, SERIES.obj_id, SERIES.series_name, SERIES.series_obj_id)
    named = connection.execute(select(*columns).where(SERIES.id == numbers))
    called = {row.id: (row.obj_id, row.series_name, row.series_obj_id) for row in named}
    first = select(SeriesHistory.series_id, SeriesHistory.action, SeriesHistory.changed).where(
        SeriesHistory.series_id == numbers, SeriesHistory.revision == 1
    )
    changes = {number: changed if action == "import" else None for number, action, changed in connection.execute(first)}
    return {number: Known(changes.get(number), called.get(number)) for number in {*called, *changes}}
