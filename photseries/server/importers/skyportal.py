"""Import a SkyPortal archive in an order that permits kills and repetition.

1. Checks and the import of the registries, in one transaction (:mod:`photseries.server.importers.checking`).
2. Each series is read by a worker, checked, recomputed, and stored like any other: blob, then row. Differences are
   stored in its history in the same transaction, so that the report of a repeated import is complete.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Generator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from photseries.errors import ConflictError, InvalidError, UnreadableFileError
from photseries.server.archive.blobs import BlobWriter
from photseries.server.archive.intake import Intake
from photseries.server.catalogue.series import take_over
from photseries.server.importers import rows
from photseries.server.importers.checking import ImportContext, check_series, import_registries, source_files
from photseries.server.importers.differences import (
    Difference,
    archive_metadata,
    compare,
    of_history,
    of_the_file,
    to_history,
)
from photseries.server.importers.files import Files, UnfitFileError
from photseries.server.importers.report import ImportOutcome, Status, join_warnings
from photseries.server.importers.rows import ExistingSeries
from photseries.server.importers.running import in_order
from photseries.server.importers.skyportal_schema import WAIT_WHEN_IDLE, SkyPortal, SkyPortalSeries
from photseries.server.services import Services

__all__ = ["SkyPortalImport"]

PAGE = 100


class _RolledBack(Exception):  # noqa: N818  no error: it rolls a transaction back
    pass


@dataclass(frozen=True)
class SkyPortalImport:
    """An import of a SkyPortal.

    Parameters
    ----------
    services : Services
        Of the importing archive.
    source : SkyPortal
    folder : Path
        The files.
    root : str or None
        The root folder in SkyPortal's file names; None: derived from them.
    unit : {"deg", "arcsec"}
        Of the position uncertainties in SkyPortal.
    excluded : collection of int
        Series to skip.
    keep : bool
        False: read and compare everything, but store nothing.
    """

    services: Services
    source: SkyPortal
    folder: Path
    root: str | None = None
    unit: str = "deg"
    excluded: Collection[int] = ()
    keep: bool = True

    def check(self) -> ImportContext:
        """Run the checks, and import the registries.

        Raises
        ------
        StartError
            When it is not a folder.
        ConflictError
            Naming ids with another meaning in this archive, and files outside the folder.
        """
        checked = ImportContext()
        largest = self.services.config.server.max_body
        with suppress(_RolledBack), self.source.snapshot() as remote, self.services.catalogue.transaction() as local:
            local.execute(WAIT_WHEN_IDLE)
            import_registries(self.source, remote, local, checked)
            files = source_files(self.source, remote, self.folder, self.root, largest)
            check_series(self.source, remote, local, files, self.unit, self.excluded, checked)
            checked.raise_for_obstacles()
            if not self.keep:
                raise _RolledBack
        return checked

    def series(self) -> Generator[ImportOutcome, None, None]:
        """Import the series concurrently, in the order of their ids.

        Yields
        ------
        ImportOutcome
            The outcome for each series; for previously imported ones from their history.

        Raises
        ------
        UnavailableError
            When a part is unavailable or full; running the import again completes it.
        """
        config = self.services.config
        with self.source.snapshot() as remote:
            files = source_files(self.source, remote, self.folder, self.root, config.server.max_body)
        with self.services.catalogue.reading() as connection:
            owned = rows.own_groups(connection)
        intake = Intake(self.services.catalogue, self.services.sandbox, config)
        blobs = BlobWriter(self.services.catalogue, self.services.store, config)
        yield from in_order(
            lambda series: self._store(intake, blobs, files, owned, series), self._pending(), config.sandbox.workers
        )

    def _pending(self) -> Iterator[SkyPortalSeries | ImportOutcome]:
        """Yield all series to import, and the outcomes of those that need no import."""
        last = 0
        while page := self.source.series(last, PAGE):
            last = page[-1].id
            with self.services.catalogue.reading() as connection:
                existing = rows.existing_series(connection, [series.id for series in page])
            for series in page:
                if series.id in self.excluded:
                    yield _outcome(series, Status.EXCLUDED)
                elif (match := existing.get(series.id)) is not None:
                    yield _existing_outcome(series, match)
                else:
                    yield series

    def _store(
        self, intake: Intake, blobs: BlobWriter, files: Files, owned: dict[int, int], series: SkyPortalSeries
    ) -> ImportOutcome:
        """Import one series: first its blob, then its row, as for every other series."""
        own_groups = [owned[series.owner_id]] if series.owner_id in owned else []
        groups, streams = sorted({*series.group_ids, *own_groups}), series.stream_ids
        fields = {
            **archive_metadata(series, self.unit),
            "group_ids": groups,
            "stream_ids": streams,
            "owner_id": series.owner_id,
        }
        try:
            file = files.read(files.locate(series.filename))
            new, metadata = intake.parse_imported(file, fields, use_file_metadata=False)
            md5 = hashlib.md5(file, usedforsecurity=False).hexdigest()
            differences = of_the_file(series, md5, len(new.frame), metadata)
            differences += compare(series, new.frame, new.values)
            if self.keep:
                preserved = {"id": series.id, "created_at": series.created_at, "modified": series.modified}
                changed = to_history(series, differences, new.warnings)
                with blobs.write(new.frame, new.values) as (connection, blob):
                    changed["hash"]["to"] = blob["hash"]
                    take_over(connection, {**new.values, **blob, **preserved}, groups, streams, changed)
        except UnfitFileError as error:
            return _outcome(series, Status.MISSING if error.missing else Status.UNREADABLE, error.message)
        except UnreadableFileError as error:
            return _outcome(series, Status.UNREADABLE, error.message)
        except (InvalidError, ConflictError) as error:
            return _outcome(series, Status.REFUSED, error.message)
        return _outcome(series, Status.TAKEN, join_warnings(new.warnings), differences)


def _existing_outcome(series: SkyPortalSeries, existing: ExistingSeries) -> ImportOutcome:
    changed = existing.changed or {}
    if changed.get("hash", {}).get("from") != series.hash:
        message = "Changed in SkyPortal since the import; the archive keeps the imported version."
        return _outcome(series, Status.CHANGED, message)
    warnings = changed.get("warnings", {}).get("to")
    text = join_warnings(warnings) if isinstance(warnings, list) else None
    return _outcome(series, Status.THERE, text, of_history(changed))


def _outcome(
    series: SkyPortalSeries, status: Status, message: str | None = None, differences: Iterable[Difference] = ()
) -> ImportOutcome:
    return ImportOutcome(series.id, series.fields["obj_id"], series.filename, status, message, tuple(differences))
