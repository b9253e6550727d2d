"""Store many series from one body: parse, check and write them in batches, with one transaction each.

A batch is stored by the same functions as a single series in :class:`~photseries.server.archive.archive.Archive`: blobs
first, then the transaction of their rows. Stored batches stay if a later batch fails.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Literal, TypeVar

from photseries.errors import (
    AbortedError,
    DuplicateError,
    InvalidError,
    NotFoundError,
    PhotseriesError,
    QuotaExceededError,
)
from photseries.fields import FIELDS, KEY, SETTABLE
from photseries.lightcurve.calibration import with_fields_of_altdata
from photseries.lightcurve.metadata import INFERRED
from photseries.server.archive.archive import Archive, same_table_warning
from photseries.server.archive.blobs import BlobWriter, columns_of, key_of
from photseries.server.archive.portions import PORTION, UploadedSeries, portions_of
from photseries.server.archive.uploads import NewSeries
from photseries.server.catalogue.bulk import (
    Key,
    KeyHolder,
    create_many,
    documents,
    holders,
    refresh_statistics,
    same_contents,
)
from photseries.server.catalogue.engine import Catalogue, Connection
from photseries.server.catalogue.series import duplicate_error
from photseries.server.faults import reached
from photseries.server.principal import CREATE_SERIES, Principal, requires
from photseries.server.sandbox.bulk_pool import BulkSandbox
from photseries.server.sandbox.bulk_request import BulkRequest, fields_too_large_error
from photseries.server.settings import Config, LimitSettings
from photseries.server.storage.contract import Store

__all__ = ["MAX_ATOMIC_SERIES", "MAX_SERIES", "BulkOptions", "BulkOutcome", "BulkUpload", "request_of"]


#: How many series a body may have, and one that is stored as a whole or not at all.
MAX_SERIES: Final = 100_000
MAX_ATOMIC_SERIES: Final = 10_000

#: Columns that are left out: place in a list, and fields of our own exports that nobody can set.
IGNORED: Final = frozenset({"asked", "series_id", *(name for name in FIELDS if name not in SETTABLE)})

_OTHER_TABLE: Final = "The series that exists has the same key and another table; this one was not stored."

_Item = TypeVar("_Item")
_Outcomes = Generator[list["BulkOutcome"], None, None]
Status = Literal["created", "skipped", "replaced", "valid", "exists"]


@dataclass(frozen=True)
class BulkOptions:
    """How a body is to be read and stored.

    Parameters
    ----------
    media : {"arrow", "parquet"}
    by : tuple of str
        The columns that identify the series of a long body; empty: the body is nested.
    if_exists : {"error", "skip", "replace"}
        What to do with a series whose unique key is taken.
    abort : bool
        Store nothing unless all series are right.
    dry_run : bool
        Store nothing.
    fields : mapping
        Fields that all series share; they win over columns.
    """

    media: str
    by: tuple[str, ...] = ()
    if_exists: str = "error"
    abort: bool = False
    dry_run: bool = False
    fields: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class BulkOutcome:
    """What became of a series of a body, by its place from 0: its id and a status, or an error."""

    index: int
    id: int | None = None
    status: Status | None = None
    warnings: tuple[str, ...] = ()
    error: PhotseriesError | None = None


@dataclass(frozen=True)
class _ValidSeries:
    """A valid series: its place, its values to store, and its unique key."""

    entry: UploadedSeries
    new: NewSeries
    key: Key


@dataclass(frozen=True)
class _WrittenSeries:
    """A series whose file is written: the key and the size [bytes] of the file, and the row to insert."""

    valid: _ValidSeries
    filename: str
    size: int
    row: bytes


@dataclass(frozen=True)
class _Files:
    """Series whose files are written, and when the first one was, of ``time.monotonic`` [s]."""

    encoded: list[_WrittenSeries]
    began: float


@dataclass(frozen=True)
class _Portion:
    """A checked portion: the outcomes of some series, the series to store with their files, and the existing series.

    ``repeated`` are the series whose key an earlier series of the body has.
    """

    outcomes: dict[int, BulkOutcome]
    valid: list[_ValidSeries]
    existing: list[tuple[_ValidSeries, KeyHolder]]
    repeated: list[_ValidSeries]
    files: _Files | None
    failure: PhotseriesError | None


class BulkUpload:
    """Stores the series of a body.

    Parameters
    ----------
    catalogue : Catalogue
    store : Store
    sandbox : BulkSandbox
        The processes that read bodies.
    archive : Archive
        Checks series, and replaces those that exist.
    config : Config
    """

    def __init__(
        self, catalogue: Catalogue, store: Store, sandbox: BulkSandbox, archive: Archive, config: Config
    ) -> None:
        self._catalogue = catalogue
        self._blobs = BlobWriter(catalogue, store, config)
        self._sandbox = sandbox
        self._archive = archive
        self._limits = config.limits

    @requires(CREATE_SERIES)
    def upload(self, principal: Principal, body: int, options: BulkOptions) -> _Outcomes:
        """Store the series of a body; yield their outcomes in order, portion by portion.

        Parameters
        ----------
        principal : Principal
            Becomes the owner.
        body : int
            The descriptor of a file with the body.
        options : BulkOptions

        Yields
        ------
        list of BulkOutcome
            Empty if more will follow: first when the number of series is known.

        Raises
        ------
        InvalidError
            When the body cannot be read; what was yielded before is stored.
        UnavailableError
            When a part is not available; the series of the last list that was yielded have this error.
        """
        if options.abort and options.if_exists == "replace":
            message = "ifExists=replace cannot be combined with onError=abort: a replaced series cannot be taken back."
            raise InvalidError(message, fields={"onError": [message]})
        run = _Run(self._catalogue, self._blobs, self._archive, principal, options)
        read = partial(self._portions, body, options)
        return run.together(read) if options.abort else run.each(read)

    @contextmanager
    def _portions(self, body: int, options: BulkOptions) -> Iterator[Iterator[list[UploadedSeries]]]:
        """Read a body; yield its series in portions."""
        request = request_of(self._limits, options.media, options.by)
        with self._sandbox.series(body, request) as (number, received):
            if options.abort and number > MAX_ATOMIC_SERIES:
                message = f"onError=abort takes at most {MAX_ATOMIC_SERIES:,} series; the body has {number:,}."
                raise InvalidError(message, fields={"onError": [message]})
            if number * len(json.dumps(dict(options.fields))) > self._limits.bulk_fields:
                raise fields_too_large_error(self._limits.bulk_fields)
            yield portions_of(received, with_fields_of_altdata(options.fields))


def request_of(limits: LimitSettings, media: str, by: tuple[str, ...] = ()) -> BulkRequest:
    """Return the request for the reader of a body."""
    return BulkRequest(
        media=media,
        by=by,
        fields=frozenset(SETTABLE),
        lists=frozenset(name for name in SETTABLE if FIELDS[name].type in ("ids", "values")),
        measured=frozenset(INFERRED),
        ignored=IGNORED,
        series=MAX_SERIES,
        size=limits.bulk,
        metadata=limits.bulk_fields,
        rows=limits.rows,
        columns=limits.columns,
        table=limits.table,
    )


class _Run:
    """One upload under way."""

    def __init__(
        self, catalogue: Catalogue, blobs: BlobWriter, archive: Archive, principal: Principal, options: BulkOptions
    ) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._archive = archive
        self._principal = principal
        self._options = options
        self._seen: set[Key] = set()
        self._successful: dict[Key, int] = {}
        self._without_row: set[str] = set()
        #: The quota that was exceeded last, and by the name of each that was: what still fits.
        self._exceeded: QuotaExceededError | None = None
        self._room: dict[str, int] = {}

    def each(self, read: _Read) -> _Outcomes:
        """Store the portions one after the other; an invalid series does not stop the others."""
        with self._prepared_portions(read, write=not self._options.dry_run) as portions:
            yield []
            for portion in portions:
                self._resolve_existing(portion.existing, portion.outcomes)
                failure = portion.failure
                if failure is not None:
                    self._fail(portion.valid, failure, portion.outcomes)
                elif portion.files is not None and portion.valid:
                    failure = self._store(portion.valid, portion.outcomes, self._recent_or_removed(portion.files))
                failure = self._resolve_repeated(portion, failure)
                yield _in_order(portion.outcomes)
                if failure is not None:
                    raise failure

    def together(self, read: _Read) -> _Outcomes:
        """Store all series in one transaction, once all are known to be right, or nothing."""
        outcomes: dict[int, BulkOutcome] = {}
        with self._prepared_portions(read, write=False) as portions:
            yield []
            for portion in portions:
                self._resolve_existing(portion.existing, portion.outcomes)
                self._resolve_repeated(portion)
                outcomes |= portion.outcomes
                yield []
        if not self._options.dry_run and not any(result.error for result in outcomes.values()):
            outcomes = yield from self._store_all(read)
        if any(outcome.error for outcome in outcomes.values()):
            aborted = AbortedError("Not stored: another series of the body is not valid, and onError=abort.")
            outcomes = {
                index: outcome if outcome.error else BulkOutcome(index, error=aborted)
                for index, outcome in outcomes.items()
            }
        yield _in_order(outcomes)

    def _store_all(self, read: _Read) -> Generator[list[BulkOutcome], None, dict[int, BulkOutcome]]:
        """Write the files of all series, and then all rows in one transaction; on any error nothing stays."""
        outcomes: dict[int, BulkOutcome] = {}
        encoded: list[_WrittenSeries] = []
        began = time.monotonic()
        with self._prepared_portions(read, write=True) as portions:
            for portion in portions:
                if portion.failure is not None:
                    raise portion.failure
                self._resolve_existing(portion.existing, portion.outcomes)
                outcomes |= portion.outcomes
                encoded += portion.files.encoded if portion.files else []
                if any(outcome.error for outcome in outcomes.values()):
                    return outcomes
                yield []
            with suppress(_KeyTakenError), self._transaction(_Files(encoded, began)) as connection:
                for start in range(0, len(encoded), PORTION):
                    inserted = self._insert(connection, encoded[start : start + PORTION])
                    outcomes |= inserted
                    if any(outcome.error for outcome in inserted.values()):
                        raise _KeyTakenError
        return outcomes

    @contextmanager
    def _prepared_portions(self, read: _Read, *, write: bool) -> Iterator[Iterator[_Portion]]:
        """Read, parse and check the portions, and write their files, in two threads; the caller's thread inserts rows.

        Files that were not part of a transaction are removed at exit.
        """
        self._seen, self._successful = set(), {}
        try:
            with (
                read() as portions,
                _one_ahead(map(self._parse, portions)) as parsed,
                _one_ahead(map(partial(self._prepare, write=write), parsed)) as prepared,
            ):
                yield prepared
        finally:
            self._blobs.take_back(self._without_row)

    def _parse(self, portion: list[UploadedSeries]) -> _Parsed:
        uploads = [entry.upload for entry in portion]
        return list(zip(portion, self._archive.intake.parse_many(self._principal, uploads), strict=True))

    def _prepare(self, portion: _Parsed, *, write: bool) -> _Portion:
        """Check a portion against the rows that exist, and write its files."""
        outcomes, valid, existing, repeated = self._check(portion)
        files, failure = None, None
        if write:
            try:
                files = self._write_files(valid, outcomes)
            except PhotseriesError as error:
                failure = error
        return _Portion(outcomes, valid, existing, repeated, files, failure)

    def _check(
        self, portion: _Parsed
    ) -> tuple[dict[int, BulkOutcome], list[_ValidSeries], list[tuple[_ValidSeries, KeyHolder]], list[_ValidSeries]]:
        """Return the outcomes of some series, the series to store, the existing ones, and the repeated ones."""
        outcomes: dict[int, BulkOutcome] = {}
        valid: list[_ValidSeries] = []
        repeated: list[_ValidSeries] = []
        for entry, new in portion:
            if isinstance(new, InvalidError):
                outcomes[entry.index] = BulkOutcome(entry.index, error=new)
                continue
            key: Key = tuple(new.values[name] for name in KEY)
            (repeated if key in self._seen else valid).append(_ValidSeries(entry, new, key))
            self._seen.add(key)
        existing = self._existing(valid)
        existing_indexes = {item.entry.index for item, _ in existing}
        fresh = [item for item in valid if item.entry.index not in existing_indexes]
        if self._options.dry_run or self._options.abort:
            outcomes |= {
                new_item.entry.index: BulkOutcome(new_item.entry.index, None, "valid", new_item.new.warnings)
                for new_item in fresh
            }
        return outcomes, fresh, existing, repeated

    def _existing(self, valid: Sequence[_ValidSeries]) -> list[tuple[_ValidSeries, KeyHolder]]:
        """Return the series whose unique key is taken, each with the series that has it."""
        if not valid:
            return []
        with self._catalogue.reading() as connection:
            existing = holders(connection, self._principal, [item.key for item in valid])
        matches = [(item, existing[item.key]) for item in valid if item.key in existing]
        return [(item, holder) for item, holder in matches if holder.is_visible or not self._options.dry_run]

    def _resolve_existing(
        self, existing: Sequence[tuple[_ValidSeries, KeyHolder]], outcomes: dict[int, BulkOutcome]
    ) -> None:
        """Replace, skip or refuse series whose unique key is taken."""
        for item, holder in existing:
            outcomes[item.entry.index] = self._resolve(item, holder)

    def _resolve_repeated(self, portion: _Portion, failure: PhotseriesError | None = None) -> PhotseriesError | None:
        """Refuse series with the key of an earlier stored one; store the others. Return the error that ends the run."""
        outcomes = portion.outcomes
        self._note_successful([*portion.valid, *(item for item, _ in portion.existing)], outcomes)
        for item in portion.repeated:
            index, first = item.entry.index, self._successful.get(item.key)
            if first is not None:
                outcomes[index] = BulkOutcome(index, error=_repeated_key_error(item.new.values, first))
            elif failure is not None:
                self._fail([item], failure, outcomes)
            elif self._options.abort or self._options.dry_run:  # the earlier series has an error: nothing is stored
                outcomes[index] = BulkOutcome(index, None, "valid", item.new.warnings)
            else:
                failure = self._store([item], outcomes)
            self._note_successful([item], outcomes)
        return failure

    def _note_successful(self, items: Sequence[_ValidSeries], outcomes: Mapping[int, BulkOutcome]) -> None:
        self._successful |= {item.key: item.entry.index for item in items if not outcomes[item.entry.index].error}

    def _resolve(self, valid: _ValidSeries, holder: KeyHolder) -> BulkOutcome:
        """Settle a series whose unique key is taken."""
        index, if_exists = valid.entry.index, self._options.if_exists
        if self._options.dry_run and holder.is_visible and not (self._options.abort and if_exists == "error"):
            return BulkOutcome(index, holder.id, "exists", valid.new.warnings)
        if not holder.is_visible or if_exists == "error":
            error = duplicate_error(valid.new.values)
            if holder.is_visible:
                error.details["id"] = holder.id
            return BulkOutcome(index, error=error)
        if if_exists == "skip":
            other = () if holder.content_hash == valid.new.values["content_hash"] else (_OTHER_TABLE,)
            return BulkOutcome(index, holder.id, "skipped", (*valid.new.warnings, *other))
        try:
            warnings = self._archive.replace(self._principal, holder.id, valid.entry.upload)
        except NotFoundError:  # it was deleted meanwhile
            stored: dict[int, BulkOutcome] = {}
            self._store([valid], stored)
            return stored[index]
        except PhotseriesError as error:
            return BulkOutcome(index, error=error)
        return BulkOutcome(index, holder.id, "replaced", warnings)

    def _store(
        self, valid: Sequence[_ValidSeries], outcomes: dict[int, BulkOutcome], files: _Files | None = None
    ) -> PhotseriesError | None:
        """Store series in one transaction; one by one if it fails. Return the error that ends the upload."""
        try:
            outcomes |= self._outcomes_of_stored(valid, outcomes, files)
        except QuotaExceededError:
            return self._store(valid, outcomes)  # fewer of them, because the room is known now
        except InvalidError as error:
            if len(valid) > 1:
                failures = [self._store([item], outcomes) for item in valid]
                return next((failure for failure in failures if failure is not None), None)
            self._fail(valid, error, outcomes)
        except PhotseriesError as error:
            self._fail(valid, error, outcomes)
            return error
        return None

    def _recent_or_removed(self, files: _Files) -> _Files | None:
        """Return files, or remove them if they are too old for a transaction, as after a long wait for the client."""
        if self._blobs.is_recent(files.began):
            return files
        keys = [item.filename for item in files.encoded]
        self._without_row.difference_update(keys)
        self._blobs.take_back(keys)
        return None

    def _fail(self, valid: Sequence[_ValidSeries], error: PhotseriesError, outcomes: dict[int, BulkOutcome]) -> None:
        for item in valid:
            outcomes[item.entry.index] = BulkOutcome(item.entry.index, error=error)

    def _outcomes_of_stored(
        self, valid: Sequence[_ValidSeries], outcomes: dict[int, BulkOutcome], files: _Files | None
    ) -> dict[int, BulkOutcome]:
        with self._catalogue.transaction() as connection:
            refresh_statistics(connection)
        files = files or self._write_files(valid, outcomes)
        if not files.encoded:
            return {}
        try:
            with self._transaction(files) as connection:
                inserted = self._insert(connection, files.encoded)
                lost = [item for item in files.encoded if inserted[item.valid.entry.index].error]
                sizes = [item.size for item in files.encoded if not inserted[item.valid.entry.index].error]
                used = {"series": len(sizes), "bytes": sum(sizes)}
        except QuotaExceededError as error:
            name, limit = error.details["quota"], error.details["limit"]
            usage = error.details["usage"]
            total = usage.series if name == "series" else usage.bytes + usage.kept_bytes
            self._exceeded, self._room[name] = error, used[name] - (total - limit)
            raise
        self._room = {name: room - used[name] for name, room in self._room.items()}
        self._blobs.take_back(item.filename for item in lost)  # another upload was faster
        self._resolve_existing(self._existing([item.valid for item in lost]), inserted)
        return inserted

    def _write_files(self, valid: Sequence[_ValidSeries], outcomes: dict[int, BulkOutcome]) -> _Files:
        """Store the files of series; those that cannot be written, or exceed a quota, have an error."""
        written: list[tuple[_ValidSeries, dict[str, Any]]] = []
        blobs: dict[str, bytes] = {}
        room = dict(self._room)
        for item in valid:
            try:
                numbers = None if item.new.plain is None else item.new.plain.columns
                content = self._blobs.encode(item.new.frame, item.new.values, numbers)
            except InvalidError as error:
                self._fail([item], error, outcomes)
                continue
            left = {name: one - (1 if name == "series" else len(content)) for name, one in room.items()}
            if self._exceeded is not None and min(left.values()) < 0:
                self._fail([item], self._exceeded, outcomes)
                continue
            room = left
            filename = key_of(item.new.values)
            blobs[filename] = content
            group_ids = sorted({*item.new.references.group_ids, self._principal.own_group_id})
            shared = {"group_ids": group_ids, "stream_ids": item.new.references.stream_ids}
            written.append((item, {**item.new.values, **columns_of(filename, content), **shared}))
        began = time.monotonic()
        if blobs:
            self._blobs.create_many(blobs)
            self._without_row.update(blobs)
        written.sort(key=lambda one: [str(value) for value in one[0].key])
        rows = documents([row for _, row in written])
        encoded = [
            _WrittenSeries(item, row["filename"], row["blob_size"], text)
            for (item, row), text in zip(written, rows, strict=True)
        ]
        return _Files(encoded, began)

    @contextmanager
    def _transaction(self, files: _Files) -> Iterator[Connection]:
        """Open the transaction of the rows of files, which decides from now on whether the files stay."""
        keys = [item.filename for item in files.encoded]
        self._without_row.difference_update(keys)
        owner_id = self._principal.user_id
        with self._blobs.transaction(keys, owner_id, is_new=True, began=files.began) as connection:
            yield connection

    def _insert(self, connection: Connection, encoded: Sequence[_WrittenSeries]) -> dict[int, BulkOutcome]:
        """Insert rows; those whose unique key was taken meanwhile have an error."""
        contents = {item.filename: str(item.valid.new.values["content_hash"]) for item in encoded}
        same = same_contents(connection, self._principal, contents.values())
        ids = create_many(connection, [item.row for item in encoded])
        reached("bulk: rows inserted")
        outcomes = {}
        for item in sorted(encoded, key=lambda item: item.valid.entry.index):
            index, series_id = item.valid.entry.index, ids.get(item.filename)
            if series_id is None:
                outcomes[index] = BulkOutcome(index, error=duplicate_error(item.valid.new.values))
                continue
            first = same.setdefault(contents[item.filename], series_id)
            stored = () if first == series_id else (same_table_warning(first),)
            outcomes[index] = BulkOutcome(index, series_id, "created", (*item.valid.new.warnings, *stored))
        return outcomes


class _KeyTakenError(Exception):
    """The unique key of a series was taken while all were being stored."""


_Read = Callable[[], AbstractContextManager[Iterator[list[UploadedSeries]]]]

#: The series of a portion, and the values to store or all problems of each.
_Parsed = list[tuple[UploadedSeries, NewSeries | InvalidError]]


@contextmanager
def _one_ahead(items: Iterator[_Item]) -> Iterator[Iterator[_Item]]:
    """Compute the items of an iterator in a thread, one item ahead of the caller."""
    with ThreadPoolExecutor(1, "bulk") as thread:

        def computed() -> Iterator[_Item]:
            coming = thread.submit(next, items, None)
            while (item := coming.result()) is not None:
                coming = thread.submit(next, items, None)
                yield item

        yield computed()


def _in_order(outcomes: Mapping[int, BulkOutcome]) -> list[BulkOutcome]:
    return [outcomes[index] for index in sorted(outcomes)]


def _repeated_key_error(values: Mapping[str, object], first: int) -> DuplicateError:
    """Return the error of a series whose key an earlier one of its body has."""
    error = duplicate_error(values)
    error.details["index"] = first
    error.message = f"{error.message.removesuffix('.')} (series {first} of this body)."
    return error
