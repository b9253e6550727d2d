"""Write the files and rows of the series of a bulk upload: many files at once, one transaction for their rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from photseries.errors import InvalidError, PhotseriesError, QuotaExceededError
from photseries.server.archive.archive import same_table_warning
from photseries.server.archive.blobs import BlobWriter, columns_of, key_of
from photseries.server.archive.portions import UploadedSeries
from photseries.server.archive.uploads import NewSeries
from photseries.server.catalogue.bulk import Key, refresh_statistics, same_contents
from photseries.server.catalogue.engine import Catalogue, Connection
from photseries.server.catalogue.series import create_many, documents, duplicate_error
from photseries.server.faults import reached
from photseries.server.principal import Principal

__all__ = ["BulkOutcome", "BulkWriter", "Outcomes", "ValidSeries", "WrittenFiles"]

Status = Literal["created", "skipped", "replaced", "valid", "exists"]


@dataclass(frozen=True)
class BulkOutcome:
    """What became of a series of a body, by its place from 0: its id and a status, or an error."""

    index: int
    id: int | None = None
    status: Status | None = None
    warnings: tuple[str, ...] = ()
    error: PhotseriesError | None = None


#: Outcomes by the places of the series.
Outcomes = dict[int, BulkOutcome]


@dataclass(frozen=True)
class ValidSeries:
    """A valid series: its place in the body, its values to store, and its unique key."""

    entry: UploadedSeries
    new: NewSeries
    key: Key

    @property
    def index(self) -> int:
        """The place in the body."""
        return self.entry.index

    def failed(self, error: PhotseriesError) -> BulkOutcome:
        """Return the outcome of a series that is not stored."""
        return BulkOutcome(self.index, error=error)


@dataclass(frozen=True)
class _WrittenSeries:
    """A series whose file is written: the key and the size [bytes] of the file, and the row to insert."""

    valid: ValidSeries
    filename: str
    size: int
    row: bytes


@dataclass(frozen=True)
class WrittenFiles:
    """Series whose files are written, and the ``time.monotonic`` before the first one [s].

    ``failed`` are the outcomes of series that cannot be encoded, or exceed a quota.
    """

    series: list[_WrittenSeries]
    began: float
    failed: Outcomes = field(default_factory=dict)

    @property
    def keys(self) -> list[str]:
        """The keys of the files."""
        return [item.filename for item in self.series]


class BulkWriter:
    """Writes the series of one upload.

    Parameters
    ----------
    catalogue : Catalogue
    blobs : BlobWriter
    principal : Principal
        Becomes the owner.
    """

    def __init__(self, catalogue: Catalogue, blobs: BlobWriter, principal: Principal) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._principal = principal
        #: The files that no transaction includes.
        self._without_row: set[str] = set()
        #: The quota exceeded last, and what still fits into each exceeded quota, by its name.
        self._exceeded: QuotaExceededError | None = None
        self._room: dict[str, int] = {}

    def write_files(self, valid: Sequence[ValidSeries]) -> WrittenFiles:
        """Store the files of series.

        Raises
        ------
        UnavailableError
            When the store is not available.
        """
        written: list[tuple[ValidSeries, dict[str, Any]]] = []
        blobs: dict[str, bytes] = {}
        failed: Outcomes = {}
        room = dict(self._room)
        for item in valid:
            try:
                content = self._blobs.encode(item.new.frame, item.new.values, item.new.numbers)
            except InvalidError as error:
                failed[item.index] = item.failed(error)
                continue
            left = {name: one - (1 if name == "series" else len(content)) for name, one in room.items()}
            if self._exceeded is not None and min(left.values(), default=0) < 0:  # another thread may just have set it
                failed[item.index] = item.failed(self._exceeded)
                continue
            room = left
            filename = key_of(item.new.values)
            blobs[filename] = content
            references = item.new.checked.references
            group_ids = sorted({*references.group_ids, self._principal.own_group_id})
            shared = {"group_ids": group_ids, "stream_ids": references.stream_ids}
            written.append((item, {**item.new.values, **columns_of(filename, content), **shared}))
        began = time.monotonic()
        if blobs:
            self._blobs.create_many(blobs)
            self._without_row.update(blobs)
        written.sort(key=lambda one: [str(value) for value in one[0].key])
        rows = documents([row for _, row in written])
        series = [
            _WrittenSeries(item, row["filename"], row["blob_size"], text)
            for (item, row), text in zip(written, rows, strict=True)
        ]
        return WrittenFiles(series, began, failed)

    def recent(self, files: WrittenFiles) -> WrittenFiles | None:
        """Return files, or remove them if they are too old for a transaction, as after a long wait for the client."""
        if self._blobs.is_recent(files.began):
            return files
        self._without_row.difference_update(files.keys)
        self._blobs.discard(files.keys)
        return None

    def remove_files_without_row(self) -> None:
        """Remove the files that no transaction includes."""
        self._blobs.discard(self._without_row)

    def insert(self, files: WrittenFiles) -> tuple[Outcomes, list[ValidSeries]]:
        """Insert the rows of files in one transaction.

        Returns
        -------
        outcomes : dict
        lost : list of ValidSeries
            Those whose unique key another upload took meanwhile; they have an error, and their files are removed.

        Raises
        ------
        QuotaExceededError
            When they do not all fit. Later calls of :meth:`write_files` refuse series that do not fit.
        """
        if not files.series:
            return {}, []
        with self._catalogue.transaction() as connection:
            refresh_statistics(connection)
        try:
            with self._transaction(files) as connection:
                outcomes = self._insert(connection, files.series)
                lost = [item for item in files.series if outcomes[item.valid.index].error]
                sizes = [item.size for item in files.series if not outcomes[item.valid.index].error]
                used = {"series": len(sizes), "bytes": sum(sizes)}
        except QuotaExceededError as error:
            name, limit = error.details["quota"], error.details["limit"]
            usage = error.details["usage"]
            total = usage.series if name == "series" else usage.bytes + usage.kept_bytes
            self._exceeded, self._room[name] = error, used[name] - (total - limit)
            raise
        self._room = {name: room - used[name] for name, room in self._room.items()}
        self._blobs.discard(item.filename for item in lost)
        return outcomes, [item.valid for item in lost]

    def insert_all(self, portions: Sequence[WrittenFiles]) -> Outcomes:
        """Insert the rows of all portions in one transaction, or none if a unique key was taken meanwhile.

        Raises
        ------
        QuotaExceededError
            When they do not all fit.
        """
        outcomes: Outcomes = {}
        with suppress(_KeyTakenError), self._transaction(*portions) as connection:
            for files in portions:
                inserted = self._insert(connection, files.series)
                outcomes |= inserted
                if any(outcome.error for outcome in inserted.values()):
                    raise _KeyTakenError
        return outcomes

    @contextmanager
    def _transaction(self, *portions: WrittenFiles) -> Iterator[Connection]:
        """Open the transaction of the rows of files, which decides from now on whether the files stay."""
        keys = [key for files in portions for key in files.keys]
        self._without_row.difference_update(keys)
        began = min((files.began for files in portions), default=time.monotonic())
        with self._blobs.transaction(keys, self._principal.user_id, is_new=True, began=began) as connection:
            yield connection

    def _insert(self, connection: Connection, written: Sequence[_WrittenSeries]) -> Outcomes:
        """Insert rows; those whose unique key was taken meanwhile have an error."""
        contents = {item.filename: str(item.valid.new.values["content_hash"]) for item in written}
        same = same_contents(connection, self._principal, contents.values())
        ids = create_many(connection, [item.row for item in written])
        reached("bulk: rows inserted")
        outcomes: Outcomes = {}
        for item in sorted(written, key=lambda item: item.valid.index):
            index, series_id = item.valid.index, ids.get(item.filename)
            if series_id is None:
                outcomes[index] = item.valid.failed(duplicate_error(item.valid.new.values))
                continue
            first = same.setdefault(contents[item.filename], series_id)
            stored = () if first == series_id else (same_table_warning(first),)
            outcomes[index] = BulkOutcome(index, series_id, "created", (*item.valid.new.warnings, *stored))
        return outcomes


class _KeyTakenError(Exception):
    """The unique key of a series was taken while all were being stored."""
