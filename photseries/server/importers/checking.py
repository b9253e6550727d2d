"""Checks before the import of a SkyPortal, and the import of its registries.

The checks and the import of the registries are one transaction: nothing is stored unless every file is in the folder
and no id of the other archive belongs to another entry here.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from photseries.errors import ConflictError, InvalidError
from photseries.server.catalogue.engine import Connection
from photseries.server.importers import rows
from photseries.server.importers.files import Files, root_of
from photseries.server.importers.rows import Known
from photseries.server.importers.skyportal_schema import SkyPortal

__all__ = ["Checked", "check_series", "files_of", "take_registries"]

#: The registries, in the order of what they refer to.
KINDS = ("users", "groups", "streams", "instrument", "sources", "followup_request", "assignment")
NAMED = 20  # of what stands in the way, so many are named


@dataclass
class Checked:
    """What is known before a series is taken.

    Attributes
    ----------
    series, missing, size : int
        How many there are, how many have no file, and the length of the files [bytes].
    entries : dict
        Of each registry, how many entries are new and how many were there.
    notes : list of str
        What an operator should know.
    problems : list of str
        What stands in the way, the first :data:`NAMED` of ``obstacles``.
    """

    series: int = 0
    missing: int = 0
    size: int = 0
    entries: dict[str, dict[str, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    obstacles: int = 0

    def oppose(self, problems: list[str]) -> None:
        """Note what stands in the way."""
        self.obstacles += len(problems)
        self.problems += problems[: NAMED - len(self.problems)]

    def raise_any(self) -> None:
        """Raise ConflictError when anything stands in the way."""
        if self.obstacles:
            more = self.obstacles - len(self.problems)
            rest = f"; and {more:,} more" if more else ""
            raise ConflictError(f"Nothing was imported. {'; '.join(self.problems)}{rest}.")


def take_registries(source: SkyPortal, there: Connection, here: Connection, checked: Checked) -> None:
    """Take users, groups, streams, instruments, sources, requests and assignments over, and who belongs to what."""
    public_id, greatest = source.group_ids(there)
    rows.make_room_for_groups(here, public_id, greatest)
    owners = source.owned_groups(there)
    nowhere: set[str] = set()
    for kind in KINDS:
        counts = Counter({"new": 0, "there": 0})
        for page in source.entries(there, kind):
            if kind == "sources":
                nowhere |= {row["id"] for row in page if row["ra"] is None}
            entries = [_entry(kind, row, owners, nowhere) for row in page if row["id"] not in nowhere]
            taken = rows.take_entries(here, kind, entries)
            counts.update(new=taken.new, there=taken.there)
            checked.oppose(taken.clashes)
        checked.entries[kind] = dict(counts)
        if checked.obstacles:
            return
    for kind in ("groups", "streams"):
        for page in source.members(there, kind):
            rows.take_members(here, kind, page)
    lacking = rows.settle(here, public_id is not None, source.totals(there)[1])
    if lacking:
        checked.notes.append(f"{lacking:,} users without a group of their own got one.")
    if nowhere:
        some = ", ".join(sorted(nowhere)[:NAMED])
        checked.notes.append(f"{len(nowhere):,} sources without a valid position were not imported: {some}.")


def check_series(
    source: SkyPortal,
    there: Connection,
    here: Connection,
    files: Files,
    unit: str,
    excluded: Collection[int],
    checked: Checked,
) -> None:
    """See that every file lies in the folder, and that no series here has the id of another one there."""
    checked.series = source.totals(there)[0]
    for page in source.places(there):
        known = rows.known_series(here, [place.id for place in page])
        for place in page:
            if place.id in excluded:
                continue
            called = (place.obj_id, place.series_name.replace("\\", "/"), place.series_obj_id)
            found = known.get(place.id)
            if found is not None and _clashes(found, place.hash, called):
                checked.oppose([f"series {place.id} is a different series here (--exclude {place.id} leaves it out)"])
            try:
                size = files.size(files.locate(place.filename))
            except InvalidError as error:
                checked.oppose([f"series {place.id}: {error.message} (--exclude {place.id} leaves it out)"])
                continue
            checked.missing += size is None
            checked.size += size or 0
    if source.unknown:
        names = ", ".join(source.unknown)
        checked.notes.append(f"Unknown columns of photometric_series were ignored: {names}.")
    if number := source.uncertainties(there):
        checked.notes.append(
            f"{number:,} series have ra_unc or dec_unc, which were read in {unit} (--position-unc-unit)."
        )


def files_of(source: SkyPortal, there: Connection, folder: Path, root: str | None, largest: int) -> Files:
    """Return the files of a SkyPortal; without a root, that of most file names is taken."""
    if root is None:
        root = root_of(itertools.chain.from_iterable(source.places(there)), folder)
    return Files(folder, root, largest)


def _entry(kind: str, row: dict[str, Any], owners: dict[int, int], nowhere: set[str]) -> dict[str, object]:
    """Return the row of an entry here."""
    if kind == "groups":
        return {**row, "single_user_id": owners.get(row["id"])}
    return {**row, "obj_id": None} if row.get("obj_id") in nowhere else row


def _clashes(known: Known, md5: str, called: tuple[str, str, str]) -> bool:
    """Return whether an id is that of another series here."""
    if known.changed is None:
        return True
    return known.changed["hash"]["from"] != md5 and known.called not in (None, called)
