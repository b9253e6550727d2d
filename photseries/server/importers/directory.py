"""Import a directory tree of HDF5 files without a database, each file as an upload by its owner."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NoReturn

from photseries.errors import DuplicateError, InvalidError, StartError, UnreadableFileError
from photseries.server.accounts import OPERATOR
from photseries.server.archive.intake import Intake
from photseries.server.importers import rows
from photseries.server.importers.checking import ImportContext
from photseries.server.importers.files import Files, UnfitFileError
from photseries.server.importers.mapping import FileMapping
from photseries.server.importers.report import ImportOutcome, Status, join_warnings
from photseries.server.importers.running import in_order
from photseries.server.principal import ADMIN, Principal
from photseries.server.services import Services

__all__ = ["DirectoryImport"]


@dataclass(frozen=True)
class DirectoryImport:
    """An import of a directory tree with the layout of the how-to guide.

    Parameters
    ----------
    services : Services
        Of the importing archive.
    folder : Path
    mapping : FileMapping
    keep : bool
        False: read and check everything, but store nothing.
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
            When it is not a folder, or a folder in it cannot be read.
        NotFoundError
            When there is no such owner.
        ConflictError
            Naming files that lie outside the folder.
        """
        self._owner()
        files, checked = self._files(), ImportContext()
        for name in self._names():
            checked.series += 1
            try:
                files.locate(name)
            except InvalidError as error:
                checked.block([error.message])
        checked.raise_for_obstacles()
        return checked.series

    def series(self) -> Generator[ImportOutcome, None, None]:
        """Import the files concurrently, in the order of their names; see :meth:`SkyPortalImport.series`."""
        files, owner = self._files(), self._owner()
        services = self.services
        intake = Intake(services.catalogue, services.sandbox, services.config)
        sources: set[str] = set()
        yield from in_order(
            lambda name: self._store(intake, files, owner, sources, name),
            self._names(),
            services.config.sandbox.workers,
        )

    def _store(self, intake: Intake, files: Files, owner: Principal, sources: set[str], name: str) -> ImportOutcome:
        """Import one file."""
        printable = name.encode("utf-8", "backslashreplace").decode()
        if printable != name:
            message = "The name of the file is not valid UTF-8. Rename the file."
            return ImportOutcome(None, None, printable, Status.REFUSED, message)
        try:
            fields = self.mapping.of(name)
            file = files.read(files.locate(name))
            if self.mapping.create_sources and fields.get("obj_id") not in sources:
                self._make_source(intake, file, {**fields, "owner_id": owner.user_id}, sources)
            return self._create_series(owner, name, {**fields, "data": file})
        except UnfitFileError as error:
            status, message = Status.MISSING if error.missing else Status.UNREADABLE, error.message
        except UnreadableFileError as error:
            status, message = Status.UNREADABLE, error.message
        except InvalidError as error:
            status, message = Status.REFUSED, error.message
        return ImportOutcome(None, None, name, status, message)

    def _create_series(self, owner: Principal, name: str, body: dict[str, object]) -> ImportOutcome:
        """Create the series, unless it exists."""
        archive = self.services.archive
        if not self.keep:
            return self._preview_series(owner, name, body)
        try:
            created = archive.create(owner, body, refuse_suspicious=False)
        except DuplicateError:
            preview = archive.preview(owner, body, refuse_suspicious=False)
            if preview["exists"] is None:  # it was deleted meanwhile
                raise
            return self._outcome(owner, name, preview)
        return ImportOutcome(created.id, None, name, Status.TAKEN, join_warnings(created.warnings))

    def _preview_series(self, owner: Principal, name: str, body: dict[str, Any]) -> ImportOutcome:
        """Return the outcome of a dry run for a file."""
        try:
            preview = self.services.archive.preview(owner, body, refuse_suspicious=False)
        except InvalidError as error:
            # The name of a source to create has been checked, so the only problem can be that the source is missing.
            if not self.mapping.create_sources or set(error.fields) != {"obj_id"}:
                raise
            return ImportOutcome(None, body.get("obj_id"), name, Status.TAKEN)
        return self._outcome(owner, name, preview)

    def _outcome(self, owner: Principal, name: str, preview: Mapping[str, Any]) -> ImportOutcome:
        """Return the outcome of a file by its preview; compare its table with that of an existing series."""
        number, obj_id = preview["exists"], preview["metadata"]["obj_id"]
        if number is None:
            return ImportOutcome(None, obj_id, name, Status.TAKEN, join_warnings(preview["warnings"]))
        if self.services.reader.get(owner, number).fields["content_hash"] == preview["content_hash"]:
            return ImportOutcome(number, obj_id, name, Status.THERE)
        message = f"Series {number} has the same key but a different table; it was left unchanged."
        return ImportOutcome(number, obj_id, name, Status.CHANGED, message)

    def _make_source(self, intake: Intake, file: bytes, fields: dict[str, object], sources: set[str]) -> None:
        """Create the source of a series, unless it exists; a dry run only validates its fields."""
        new, _ = intake.parse_imported(file, fields, use_file_metadata=True)
        if self.keep:
            position = {name: new.values[name] for name in ("ra", "dec")}
            with suppress(DuplicateError):
                self.services.accounts.create(OPERATOR, "sources", {"id": new.values["obj_id"], **position})
        sources.add(new.values["obj_id"])

    def _owner(self) -> Principal:
        """Return the owner as a principal that may share with every group, because the operator may do everything."""
        user_id = self.services.accounts.id_of("users", self.mapping.owner)
        with self.services.catalogue.reading() as connection:
            own_group = rows.own_groups(connection)[user_id]
        return Principal(user_id, self.mapping.owner, own_group, frozenset({ADMIN}))

    def _files(self) -> Files:
        return Files(self.folder, "", self.services.config.server.max_body)

    def _names(self) -> Iterator[str]:
        """Yield the sorted names of the files in the tree, with one folder at a time in memory."""
        for folder, folders, names in os.walk(self.folder, onerror=_refuse):
            folders.sort()
            for name in sorted(names):
                if fnmatch(name, self.mapping.files):
                    yield Path(folder, name).relative_to(self.folder).as_posix()


def _refuse(error: OSError) -> NoReturn:
    raise StartError(f"The folder {error.filename} cannot be read: {error.strerror}.") from error
