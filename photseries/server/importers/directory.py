"""Import a directory tree of HDF5 files without a database, each file as an upload of its owner."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from photseries.errors import DuplicateError, InvalidError, UnreadableFileError
from photseries.server.accounts import OPERATOR
from photseries.server.archive.intake import Intake
from photseries.server.importers import rows
from photseries.server.importers.checking import Checked
from photseries.server.importers.files import Files, UnfitFileError
from photseries.server.importers.mapping import FileMapping
from photseries.server.importers.report import Outcome, Status, joined
from photseries.server.importers.running import in_order
from photseries.server.principal import ADMIN, Principal
from photseries.server.services import Services

__all__ = ["DirectoryImport"]


@dataclass(frozen=True)
class DirectoryImport:
    """An import of a tree of files that were written by the how-to's recipe.

    Parameters
    ----------
    services : Services
        Of the archive that takes.
    folder : Path
    mapping : FileMapping
    keep : bool
        False: everything is read and checked, and nothing is kept.
    """

    services: Services
    folder: Path
    mapping: FileMapping
    keep: bool = True

    def check(self) -> int:
        """Count the files.

        Raises
        ------
        StartError
            When the folder is none.
        NotFoundError
            When there is no such owner.
        ConflictError
            Naming files that lead out of the folder.
        """
        self._owner()
        files, checked = self._files(), Checked()
        for name in self._names():
            checked.series += 1
            try:
                files.locate(name)
            except InvalidError as error:
                checked.oppose([error.message])
        checked.raise_any()
        return checked.series

    def series(self) -> Iterator[Outcome]:
        """Take the files in, several at a time, in the order of their names; see :meth:`SkyPortalImport.series`."""
        files, owner = self._files(), self._owner()
        services = self.services
        intake = Intake(services.catalogue, services.sandbox, services.config)
        sources: set[str] = set()
        yield from in_order(
            lambda name: self._taken(intake, files, owner, sources, name),
            self._names(),
            services.config.sandbox.workers,
        )

    def _taken(self, intake: Intake, files: Files, owner: Principal, sources: set[str], name: str) -> Outcome:
        """Take one file in."""
        try:
            fields = self.mapping.of(name)
            file = files.read(files.locate(name))
            if self.mapping.create_sources and fields.get("obj_id") not in sources:
                self._make_source(intake, file, {**fields, "owner_id": owner.user_id}, sources)
            return self._added(owner, name, {**fields, "data": file})
        except UnfitFileError as error:
            status, message = Status.MISSING if error.missing else Status.UNREADABLE, error.message
        except UnreadableFileError as error:
            status, message = Status.UNREADABLE, error.message
        except InvalidError as error:
            status, message = Status.REFUSED, error.message
        return Outcome(None, None, name, status, message)

    def _added(self, owner: Principal, name: str, body: dict[str, object]) -> Outcome:
        """Create the series, unless it is there."""
        archive = self.services.archive
        if not self.keep:
            return self._tried(owner, name, body)
        try:
            created = archive.create(owner, body, refuse_suspicious=False)
        except DuplicateError as error:
            number = error.details["id"]
            there = self.services.reader.get(owner, number).fields
            same = there["content_hash"] == archive.preview(owner, body, refuse_suspicious=False)["content_hash"]
            message = (
                None if same else f"Series {number} has the same key but a different table; it was left unchanged."
            )
            return Outcome(
                number, error.details["key"]["obj_id"], name, Status.THERE if same else Status.CHANGED, message
            )
        return Outcome(created.id, None, name, Status.TAKEN, joined(created.warnings))

    def _tried(self, owner: Principal, name: str, body: dict[str, Any]) -> Outcome:
        """Return what would become of a file."""
        try:
            found = self.services.archive.preview(owner, body, refuse_suspicious=False)
        except InvalidError as error:
            # The name of a source that would be made has been checked: all that can be wrong is that it is not there.
            if not self.mapping.create_sources or set(error.fields) != {"obj_id"}:
                raise
            return Outcome(None, body.get("obj_id"), name, Status.TAKEN)
        status = Status.TAKEN if found["exists"] is None else Status.THERE
        return Outcome(None, found["metadata"]["obj_id"], name, status, joined(found["warnings"]))

    def _make_source(self, intake: Intake, file: bytes, fields: dict[str, object], sources: set[str]) -> None:
        """Make the source of a series, unless it is there; a dry run only checks what it would be made of."""
        new, _ = intake.parse_imported(file, fields, use_file_metadata=True)
        if self.keep:
            position = {name: new.values[name] for name in ("ra", "dec")}
            with suppress(DuplicateError):
                self.services.accounts.create(OPERATOR, "sources", {"id": new.values["obj_id"], **position})
        sources.add(new.values["obj_id"])

    def _owner(self) -> Principal:
        """Return the owner, who may share with every group: who runs this on the machine may do everything."""
        user_id = self.services.accounts.id_of("users", self.mapping.owner)
        with self.services.catalogue.reading() as connection:
            own = rows.own_groups(connection)[user_id]
        return Principal(user_id, self.mapping.owner, own, frozenset({ADMIN}))

    def _files(self) -> Files:
        return Files(self.folder, "", self.services.config.server.max_body)

    def _names(self) -> Iterator[str]:
        """Yield the names of the files from the top of the tree, in order; a folder at a time is in memory."""
        for folder, folders, names in os.walk(self.folder):
            folders.sort()
            for name in sorted(names):
                if fnmatch(name, self.mapping.files):
                    yield Path(folder, name).relative_to(self.folder).as_posix()
