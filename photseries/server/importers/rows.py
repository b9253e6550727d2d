"""Statements that insert imported entries and series with their original ids.

All registries are imported in one transaction, so that a clash of ids leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import ARRAY, BigInteger, Connection, Integer, Text, any_, func, literal, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from photseries.fields.values import MAX_TEXT_LENGTH
from photseries.server.catalogue.models import SERIES, Group, GroupUser, Series, SeriesGroup, SeriesHistory, User
from photseries.server.catalogue.registries import MEMBERS, TABLES, move_sequence
from photseries.server.principal import EVERYONE
from photseries.server.schemas.registries import CREATIONS

__all__ = ["ExistingSeries", "PageOutcome"]

Rows = Sequence[Mapping[str, object]]

#: The name column of an entry, and whether it is unique; the name of a source is its id.
_NAMES: Mapping[str, tuple[str, bool]] = {
    "users": ("username", True),
    "groups": ("name", True),
    "streams": ("name", True),
    "instrument": ("name", False),
    "followup_request": ("obj_id", False),
    "assignment": ("obj_id", False),
}


@dataclass(frozen=True)
class PageOutcome:
    """The outcome for a page of entries: numbers of new and existing ones, and the obstacles to their import."""

    new: int
    existing: int
    obstacles: list[str]


@dataclass(frozen=True)
class ExistingSeries:
    """A series of the archive with the id of a series to import.

    ``changed`` is from the import event of its history, None if it was not imported; ``identity`` is its source, its
    series and its name there, None if it was deleted since.
    """

    changed: Mapping[str, Mapping[str, object]] | None
    identity: tuple[str, str, str] | None


def insert_entries(connection: Connection, kind: str, rows: Rows) -> PageOutcome:
    """Insert the missing entries of a page.

    Parameters
    ----------
    kind : str
        A registry, by its name in paths.
    rows : sequence of mapping
        With the columns of its table.
    """
    existing, clashes = _compare_entries(connection, kind, rows)
    new = [row for row in rows if row["id"] not in existing]
    problems = [*clashes, *(problem for row in new for problem in _invalid_texts(kind, row))]
    if new and not problems:
        connection.execute(insert(TABLES[kind]).on_conflict_do_nothing(), new)
    return PageOutcome(len(new), len(rows) - len(new), problems)


def _invalid_texts(kind: str, row: Mapping[str, object]) -> Iterator[str]:
    """Yield the problems of the texts of an entry by the rules of its creation; an empty text is none."""
    schema = CREATIONS[kind]
    texts = {name: value for name, value in row.items() if name in schema.fields and isinstance(value, str | list)}
    for name in schema.validate({name: value for name, value in texts.items() if value}, partial=True):
        rule = f"at most {MAX_TEXT_LENGTH} characters, without control characters"
        yield f"{_noun(kind)} {row['id']!r:.60} has an invalid {name} in SkyPortal: {texts[name]!r:.60} ({rule})"


def _noun(kind: str) -> str:
    return kind.removesuffix("s").replace("_", " ")


def _compare_entries(connection: Connection, kind: str, rows: Rows) -> tuple[set[object], list[str]]:
    """Return the existing ids, and the entries with another name or another id."""
    entries = TABLES[kind].__table__
    ids = literal([row["id"] for row in rows], ARRAY(Text if kind == "sources" else Integer))
    if kind == "sources":
        return set(connection.scalars(select(entries.c.id).where(entries.c.id == any_(ids)))), []
    name, unique = _NAMES[kind]
    condition = entries.c.id == any_(ids)
    if unique:
        names = literal([row[name] for row in rows], ARRAY(Text))
        condition = or_(condition, entries.c[name] == any_(names))
    existing = dict(connection.execute(select(entries.c.id, entries.c[name]).where(condition)).all())
    holders = {text: number for number, text in existing.items()}
    noun, clashes = _noun(kind), []
    for row in rows:
        number, text = row["id"], row[name]
        if number in existing and existing[number] != text:
            clashes.append(f"{noun} {number} is {text!r} in SkyPortal but {existing[number]!r} here")
        elif unique and number not in existing and text in holders:
            clashes.append(f"{noun} {text!r} has the id {number} in SkyPortal but {holders[text]} here")
    return set(existing), clashes


def insert_members(connection: Connection, kind: str, rows: Rows) -> None:
    """Add missing members of groups or streams."""
    connection.execute(insert(MEMBERS[kind][0]).on_conflict_do_nothing(), rows)


def align_public_group(connection: Connection, public_id: int | None, greatest_id: int) -> None:
    """Change the id of the public group of an unused archive to that of the imported archive.

    Parameters
    ----------
    public_id : int or None
        The id of the public group of the other archive, or None.
    greatest_id : int
        Of all groups of the other archive.
    """
    unused = select(Group.id).where(
        Group.name == EVERYONE,
        ~select(GroupUser.group_id).where(GroupUser.group_id == Group.id).exists(),
        ~select(SeriesGroup.group_id).where(SeriesGroup.group_id == Group.id).exists(),
    )
    local_id = connection.scalar(unused)
    target_id = greatest_id + 1 if public_id is None else public_id
    if local_id is None or local_id == target_id:
        return
    if connection.scalar(select(Group.id).where(Group.id == target_id)) is None:
        connection.execute(update(Group).where(Group.__table__.c.id == local_id).values(id=target_id))


def complete_registries(connection: Connection, public: bool, last_series: int) -> int:
    """Advance the sequences past the imported ids, and create each user's own group.

    Parameters
    ----------
    public : bool
        Whether the members of the public group were imported; otherwise all users become members.
    last_series : int
        The greatest series id of the other archive.

    Returns
    -------
    int
        The number of users without an own group.
    """
    for kind, registered in TABLES.items():
        if kind not in ("sources", "tokens"):
            last = connection.scalar(select(func.max(registered.__table__.c.id)))
            if last is not None:
                move_sequence(connection, registered.__tablename__, last)
    if last_series:
        move_sequence(connection, Series.__tablename__, last_series)
    groupless = connection.execute(
        select(User.id, User.username).where(~select(Group.id).where(Group.single_user_id == User.id).exists())
    ).all()
    for user_id, username in groupless:
        other_group = connection.scalar(select(Group.id).where(Group.name == username))
        name = username if other_group is None else f"{username} ({user_id})"
        own_group = connection.scalar(insert(Group).values(name=name, single_user_id=user_id).returning(Group.id))
        connection.execute(insert(GroupUser).values(group_id=own_group, user_id=user_id))
    if not public:
        everyone = select(Group.id).where(Group.name == EVERYONE).scalar_subquery()
        members = select(everyone, User.id)
        connection.execute(insert(GroupUser).from_select(["group_id", "user_id"], members).on_conflict_do_nothing())
    return len(groupless)


def own_groups(connection: Connection) -> dict[int, int]:
    """Return the id of every user's own group."""
    owned = select(User.id, Group.id).join_from(User, Group, Group.single_user_id == User.id)
    return dict(connection.execute(owned).all())


def existing_series(connection: Connection, ids: Sequence[int]) -> dict[int, ExistingSeries]:
    """Return the given ids that a series has or had."""
    numbers = any_(literal(list(ids), ARRAY(BigInteger)))
    columns = (SERIES.id, SERIES.obj_id, SERIES.series_name, SERIES.series_obj_id)
    named = connection.execute(select(*columns).where(SERIES.id == numbers))
    identities = {row.id: (row.obj_id, row.series_name, row.series_obj_id) for row in named}
    first = select(SeriesHistory.series_id, SeriesHistory.action, SeriesHistory.changed).where(
        SeriesHistory.series_id == numbers, SeriesHistory.revision == 1
    )
    changes = {number: changed if action == "import" else None for number, action, changed in connection.execute(first)}
    return {number: ExistingSeries(changes.get(number), identities.get(number)) for number in {*identities, *changes}}
