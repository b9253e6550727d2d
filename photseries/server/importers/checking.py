"""Checks before the import of a SkyPortal, and the import of its registries.

The checks and the import of the registries are one transaction: nothing is stored unless every file exists and no id of
the other archive belongs to a different entry of this archive.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from photseries.errors import ConflictError, InvalidError
from photseries.lightcurve.barycentre import LOCATION
from photseries.server.catalogue.engine import Connection
from photseries.server.importers import rows
from photseries.server.importers.files import Files, root_of
from photseries.server.importers.rows import ExistingSeries
from photseries.server.importers.skyportal_schema import SkyPortal
from photseries.server.schemas.registries import InstrumentSchema

__all__ = ["ImportContext", "check_series", "import_registries", "source_files"]

#: The registries, ordered by their references.
KINDS = ("users", "groups", "streams", "instrument", "sources", "followup_request", "assignment")
NAMED = 20  # maximum number of obstacles in the message


@dataclass
class ImportContext:
    """The facts known before the import of series.

    Attributes
    ----------
    series, missing, size : int
        Number of series, number of missing files, and total size of the files [bytes].
    entries : dict
        Numbers of new and existing entries, by registry.
    notes : list of str
        Notes for the operator.
    problems : list of str
        The first :data:`NAMED` of ``obstacles``.
    """

    series: int = 0
    missing: int = 0
    size: int = 0
    entries: dict[str, dict[str, int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    obstacles: int = 0

    def block(self, problems: list[str]) -> None:
        """Record an obstacle."""
        self.obstacles += len(problems)
        self.problems += problems[: NAMED - len(self.problems)]

    def raise_for_obstacles(self) -> None:
        """Raise ConflictError if there are obstacles."""
        if self.obstacles:
            more = self.obstacles - len(self.problems)
            suffix = f"; and {more:,} more" if more else ""
            raise ConflictError(f"Nothing was imported. {'; '.join(self.problems)}{suffix}.")


def import_registries(source: SkyPortal, remote: Connection, local: Connection, checked: ImportContext) -> None:
    """Import users, groups, streams, instruments, sources, requests, assignments and memberships."""
    public_id, greatest = source.group_ids(remote)
    rows.align_public_group(local, public_id, greatest)
    owners = source.owned_groups(remote)
    nowhere: set[str] = set()
    mislocated: list[str] = []
    for kind in KINDS:
        counts = Counter({"new": 0, "there": 0})
        for page in source.entries(remote, kind):
            if kind == "sources":
                nowhere |= {row["id"] for row in page if row["ra"] is None}
            entries = [_entry(kind, row, owners, nowhere, mislocated) for row in page if row["id"] not in nowhere]
            outcome = rows.insert_entries(local, kind, entries)
            counts.update(new=outcome.new, there=outcome.existing)
            checked.block(outcome.obstacles)
        checked.entries[kind] = dict(counts)
        if checked.obstacles:
            return
    for kind in ("groups", "streams"):
        for page in source.members(remote, kind):
            rows.insert_members(local, kind, page)
    groupless = rows.complete_registries(local, public_id is not None, source.totals(remote)[1])
    if groupless:
        checked.notes.append(f"{groupless:,} users without a single-user group got one.")
    _note(checked, mislocated, "instruments have impossible coordinates, which were not imported")
    _note(checked, nowhere, "sources without a valid position were not imported")


def _note(checked: ImportContext, names: Collection[str], words: str) -> None:
    """Note the entries with these names, if any."""
    if names:
        checked.notes.append(f"{len(names):,} {words}: {', '.join(sorted(names)[:NAMED])}.")


def check_series(
    source: SkyPortal,
    remote: Connection,
    local: Connection,
    files: Files,
    unit: str,
    excluded: Collection[int],
    checked: ImportContext,
) -> None:
    """Check that every file exists, and that no series of this archive has the id of a different series there."""
    checked.series = source.totals(remote)[0]
    for page in source.places(remote):
        existing = rows.existing_series(local, [location.id for location in page])
        for location in page:
            if location.id in excluded:
                continue
            identity = (location.obj_id, location.series_name.replace("\\", "/"), location.series_obj_id)
            match = existing.get(location.id)
            if match is not None and _clashes(match, location.hash, identity):
                checked.block(
                    [f"series {location.id} is a different series here (--exclude {location.id} leaves it out)"]
                )
            try:
                size = files.size(files.locate(location.filename))
            except InvalidError as error:
                checked.block([f"series {location.id}: {error.message} (--exclude {location.id} leaves it out)"])
                continue
            checked.missing += size is None
            checked.size += size or 0
    if source.unknown:
        names = ", ".join(source.unknown)
        checked.notes.append(f"Unknown columns of photometric_series were ignored: {names}.")
    if number := source.uncertainties(remote):
        checked.notes.append(
            f"{number:,} series have ra_unc or dec_unc, which were read in {unit} (--position-unc-unit)."
        )


def source_files(source: SkyPortal, remote: Connection, folder: Path, root: str | None, largest: int) -> Files:
    """Return the files of a SkyPortal; the default root is that of most file names."""
    if root is None:
        root = root_of(itertools.chain.from_iterable(source.places(remote)), folder)
    return Files(folder, root, largest)


def _entry(
    kind: str, row: dict[str, Any], owners: dict[int, int], nowhere: set[str], mislocated: list[str]
) -> dict[str, object]:
    """Return the row of an entry for this archive, without impossible coordinates of an instrument."""
    if kind == "groups":
        return {**row, "single_user_id": owners.get(row["id"])}
    if kind == "instrument":
        impossible = InstrumentSchema().validate({name: row[name] for name in LOCATION}, partial=True)
        mislocated += [row["name"]] if impossible else []
        return {**row, **dict.fromkeys(impossible)}
    return {**row, "obj_id": None} if row.get("obj_id") in nowhere else row


def _clashes(existing: ExistingSeries, md5: str, identity: tuple[str, str, str]) -> bool:
    """Return whether an id belongs to a different series of this archive."""
    if existing.changed is None:
        return True
    return existing.changed["hash"]["from"] != md5 and existing.identity not in (None, identity)
