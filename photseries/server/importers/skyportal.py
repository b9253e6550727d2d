"""Import a SkyPortal archive in an order that permits kills and repetition.

1. Checks and the import of the registries, in one transaction (:mod:`photseries.server.importers.checking`).
2. Each series is read by a worker, checked, recomputed, and stored like any other: blob, then row. Differences are
   stored in its history in the same transaction, so that the report of a repeated import is complete.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from photseries.errors import ConflictError, InvalidError, UnreadableFileError
from photseries.server.archive.blobs import BlobWriter
from photseries.server.archive.intake import Intake
from photseries.server.catalogue.series import take_over
from photseries.server.importers import rows
from photseries.server.importers.checking import Checked, check_series, files_of, take_registries
from photseries.server.importers.differences import Difference, compared, given, of_history, of_the_file, to_history
from photseries.server.importers.files import Files, UnfitFileError
from photseries.server.importers.report import Outcome, Status, joined
from photseries.server.importers.rows import Known
from photseries.server.importers.running import in_order
from photseries.server.importers.skyportal_schema import SkyPortal, SkyPortalSeries
from photseries.server.services import Services

__all__ = ["SkyPortalImport"]

PAGE = 100


class _Undone(Exception):  # noqa: N818  no error: it rolls a transaction back
    pass


@dataclass(frozen=True)
class SkyPortalImport:
    """An import of a SkyPortal.

    Parameters
    ----------
    services : Services
        Of the archive that takes.
    source : SkyPortal
    folder : Path
        The files.
    root : str or None
        The folder as SkyPortal's file names write it; None: found from them.
    unit : {"deg", "arcsec"}
        Of the uncertainties of positions there.
    excluded : collection of int
        Series that are not to be taken.
    keep : bool
        False: everything is read and compared, and nothing is kept.
    """

    services: Services
    source: SkyPortal
    folder: Path
    root: str | None = None
    unit: str = "deg"
    excluded: Collection[int] = ()
    keep: bool = True

    def check(self) -> Checked:
        """See that everything fits, and take the registries over.

        Raises
        ------
        StartError
            When the folder is none.
        ConflictError
            Naming ids that mean something else here, and files that lie outside the folder.
        """
        checked = Checked()
        largest = self.services.config.server.max_body
        with suppress(_Undone), self.source.snapshot() as there, self.services.catalogue.transaction() as here:
            take_registries(self.source, there, here, checked)
            files = files_of(self.source, there, self.folder, self.root, largest)
            check_series(self.source, there, here, files, self.unit, self.excluded, checked)
            checked.raise_any()
            if not self.keep:
                raise _Undone
        return checked

    def series(self) -> Iterator[Outcome]:
        """Take the series over, several at a time, in the order of their ids.

        Yields
        ------
        Outcome
            Of each series; those that an earlier import took are given as it found them.

        Raises
        ------
        UnavailableError
            When a part is away or full: what is done is done, and the same import does the rest.
        """
        config = self.services.config
        with self.source.snapshot() as there:
            files = files_of(self.source, there, self.folder, self.root, config.server.max_body)
        with self.services.catalogue.reading() as connection:
            owned = rows.own_groups(connection)
        intake = Intake(self.services.catalogue, self.services.sandbox, config)
        blobs = BlobWriter(self.services.catalogue, self.services.store, config)
        yield from in_order(
            lambda series: self._taken(intake, blobs, files, owned, series), self._wanted(), config.sandbox.workers
        )

    def _wanted(self) -> Iterator[SkyPortalSeries | Outcome]:
        """Yield all series; those that need nothing more as their outcome."""
        last = 0
        while page := self.source.series(last, PAGE):
            last = page[-1].id
            with self.services.catalogue.reading() as connection:
                known = rows.known_series(connection, [series.id for series in page])
            for series in page:
                if series.id in self.excluded:
                    yield _outcome(series, Status.EXCLUDED)
                elif (found := known.get(series.id)) is not None:
                    yield _there(series, found)
                else:
                    yield series

    def _taken(
        self, intake: Intake, blobs: BlobWriter, files: Files, owned: dict[int, int], series: SkyPortalSeries
    ) -> Outcome:
        """Take one series over: first its blob, then its row, as for every other series."""
        own = [owned[series.owner_id]] if series.owner_id in owned else []
        groups, streams = sorted({*series.group_ids, *own}), series.stream_ids
        fields = {**given(series, self.unit), "group_ids": groups, "stream_ids": streams, "owner_id": series.owner_id}
        try:
            file = files.read(files.locate(series.filename))
            new, metadata = intake.parse_imported(file, fields, use_file_metadata=False)
            md5 = hashlib.md5(file, usedforsecurity=False).hexdigest()
            differences = of_the_file(series, md5, len(new.frame), metadata)
            differences += compared(series, new.frame, new.values)
            if self.keep:
                kept = {"id": series.id, "created_at": series.created_at, "modified": series.modified}
                changed = to_history(series, differences, new.warnings)
                with blobs.write(new.frame, new.values) as (connection, blob):
                    changed["hash"]["to"] = blob["hash"]
                    take_over(connection, {**new.values, **blob, **kept}, groups, streams, changed)
        except UnfitFileError as error:
            return _outcome(series, Status.MISSING if error.missing else Status.UNREADABLE, error.message)
        except UnreadableFileError as error:
            return _outcome(series, Status.UNREADABLE, error.message)
        except (InvalidError, ConflictError) as error:
            return _outcome(series, Status.REFUSED, error.message)
        return _outcome(series, Status.TAKEN, joined(new.warnings), differences)


def _there(series: SkyPortalSeries, known: Known) -> Outcome:
    changed = known.changed or {}
    if changed.get("hash", {}).get("from") != series.hash:
        message = "Changed in SkyPortal since the import; the archive keeps the imported version."
        return _outcome(series, Status.CHANGED, message)
    warnings = changed.get("warnings", {}).get("to")
    said = joined(warnings) if isinstance(warnings, list) else None
    return _outcome(series, Status.THERE, said, of_history(changed))


def _outcome(
    series: SkyPortalSeries, status: Status, message: str | None = None, differences: Iterable[Difference] = ()
) -> Outcome:
    return Outcome(series.id, series.fields["obj_id"], series.filename, status, message, tuple(differences))
