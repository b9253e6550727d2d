"""Store many series from one body: parse, check and write them in portions, with one transaction each.

A portion is stored by the same functions as a single series in :class:`~photseries.server.archive.archive.Archive`:
blobs first, then the transaction of their rows. Stored portions stay if a later one fails.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, TypeVar

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
from photseries.server.archive.archive import Archive
from photseries.server.archive.blobs import BlobWriter
from photseries.server.archive.bulk_writer import BulkOutcome, BulkWriter, Outcomes, ValidSeries, WrittenFiles
from photseries.server.archive.portions import UploadedSeries, portions_of
from photseries.server.archive.uploads import NewSeries
from photseries.server.catalogue.bulk import Key, KeyHolder, holders
from photseries.server.catalogue.engine import Catalogue
from photseries.server.catalogue.series import duplicate_error
from photseries.server.principal import CREATE_SERIES, Principal, requires
from photseries.server.sandbox.bulk_pool import BulkSandbox
from photseries.server.sandbox.bulk_request import BulkRequest, fields_too_large_error
from photseries.server.settings import Config, LimitSettings
from photseries.server.storage.contract import Store

__all__ = ["MAX_ATOMIC_SERIES", "MAX_SERIES", "BulkOptions", "BulkUpload", "request_of"]


#: Maximum number of series of a body, and of a body that is stored atomically.
MAX_SERIES: Final = 100_000
MAX_ATOMIC_SERIES: Final = 10_000

#: Ignored columns of our own exports: the position in a list, and fields that clients cannot set.
IGNORED: Final = frozenset({"asked", "series_id", *(name for name in FIELDS if name not in SETTABLE)})

_OTHER_TABLE: Final = "The series that exists has the same key and another table; this one was not stored."

_Item = TypeVar("_Item")
_Answers = Generator[list[BulkOutcome], None, None]


@dataclass(frozen=True)
class BulkOptions:
    """The options for reading and storing a body.

    Parameters
    ----------
    media : {"arrow", "parquet"}
    by : tuple of str
        The columns that identify the series of a long body; empty: the body is nested.
    if_exists : {"error", "skip", "replace"}
        What to do with a series whose unique key is taken.
    abort : bool
        Store nothing unless all series are valid.
    dry_run : bool
        Store nothing.
    fields : mapping
        Fields that all series share; they override columns.
    """

    media: str
    by: tuple[str, ...] = ()
    if_exists: str = "error"
    abort: bool = False
    dry_run: bool = False
    fields: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class _Portion:
    """A checked portion: the outcomes of some series, the series to store with their files, and the existing series.

    ``repeated`` are the series whose key an earlier series of the body has.
    """

    outcomes: Outcomes
    valid: list[ValidSeries]
    existing: list[tuple[ValidSeries, KeyHolder]]
    repeated: list[ValidSeries]
    files: WrittenFiles | None = None
    failure: PhotseriesError | None = None


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
    def upload(self, principal: Principal, body: int, options: BulkOptions) -> _Answers:
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
            message = "ifExists=replace cannot be combined with onError=abort: a replacement cannot be undone."
            raise InvalidError.of_field("onError", message)
        writer = BulkWriter(self._catalogue, self._blobs, principal)
        run = _Run(self._catalogue, writer, self._archive, principal, options)
        read = partial(self._portions, body, options)
        return run.together(read) if options.abort else run.each(read)

    @contextmanager
    def _portions(self, body: int, options: BulkOptions) -> Iterator[Iterator[list[UploadedSeries]]]:
        """Read a body; yield its series in portions."""
        request = request_of(self._limits, options.media, options.by)
        with self._sandbox.series(body, request) as (number, received):
            if options.abort and number > MAX_ATOMIC_SERIES:
                message = f"onError=abort takes at most {MAX_ATOMIC_SERIES:,} series; the body has {number:,}."
                raise InvalidError.of_field("onError", message)
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
        self, catalogue: Catalogue, writer: BulkWriter, archive: Archive, principal: Principal, options: BulkOptions
    ) -> None:
        self._catalogue = catalogue
        self._writer = writer
        self._archive = archive
        self._principal = principal
        self._options = options
        self._seen: set[Key] = set()
        self._successful: dict[Key, int] = {}

    def each(self, read: _Read) -> _Answers:
        """Store the portions one after the other; an invalid series does not stop the others."""
        with self._prepared_portions(read, write=not self._options.dry_run) as portions:
            yield []
            for portion in portions:
                self._resolve_existing(portion.existing, portion.outcomes)
                failure = portion.failure
                if failure is not None:
                    self._fail(portion.valid, failure, portion.outcomes)
                elif portion.files is not None and portion.valid:
                    failure = self._store(portion.valid, portion.outcomes, self._writer.recent(portion.files))
                failure = self._resolve_repeated(portion, failure)
                yield _in_order(portion.outcomes)
                if failure is not None:
                    raise failure

    def together(self, read: _Read) -> _Answers:
        """Store all series in one transaction if all are valid, else nothing."""
        outcomes: Outcomes = {}
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

    def _store_all(self, read: _Read) -> Generator[list[BulkOutcome], None, Outcomes]:
        """Write the files of all series, and then all rows in one transaction; after any error nothing is stored."""
        outcomes: Outcomes = {}
        written: list[WrittenFiles] = []
        with self._prepared_portions(read, write=True) as portions:
            for portion in portions:
                if portion.failure is not None:
                    raise portion.failure
                self._resolve_existing(portion.existing, portion.outcomes)
                outcomes |= portion.outcomes
                written += [portion.files] if portion.files else []
                if any(outcome.error for outcome in outcomes.values()):
                    return outcomes
                yield []
            return outcomes | self._writer.insert_all(written)

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
            self._writer.remove_files_without_row()

    def _parse(self, portion: list[UploadedSeries]) -> _Parsed:
        uploads = [entry.upload for entry in portion]
        return list(zip(portion, self._archive.intake.parse_many(self._principal, uploads), strict=True))

    def _prepare(self, parsed: _Parsed, *, write: bool) -> _Portion:
        """Check a portion against the rows that exist, and write its files."""
        portion = self._check(parsed)
        if not write:
            return portion
        try:
            files = self._writer.write_files(portion.valid)
        except PhotseriesError as error:
            return replace(portion, failure=error)
        return replace(portion, outcomes=portion.outcomes | files.failed, files=files)

    def _check(self, parsed: _Parsed) -> _Portion:
        """Sort the series of a portion into invalid ones, those to store, existing ones and repeated ones."""
        outcomes: Outcomes = {}
        valid: list[ValidSeries] = []
        repeated: list[ValidSeries] = []
        for entry, new in parsed:
            if isinstance(new, InvalidError):
                outcomes[entry.index] = BulkOutcome(entry.index, error=new)
                continue
            key: Key = tuple(new.values[name] for name in KEY)
            (repeated if key in self._seen else valid).append(ValidSeries(entry, new, key))
            self._seen.add(key)
        existing = self._existing(valid)
        existing_indexes = {item.index for item, _ in existing}
        fresh = [item for item in valid if item.index not in existing_indexes]
        if self._options.dry_run or self._options.abort:
            outcomes |= {item.index: BulkOutcome(item.index, None, "valid", item.new.warnings) for item in fresh}
        return _Portion(outcomes, fresh, existing, repeated)

    def _existing(self, valid: Sequence[ValidSeries]) -> list[tuple[ValidSeries, KeyHolder]]:
        """Return the series whose unique key is taken, each with the series that has it."""
        if not valid:
            return []
        with self._catalogue.reading() as connection:
            existing = holders(connection, self._principal, [item.key for item in valid])
        matches = [(item, existing[item.key]) for item in valid if item.key in existing]
        return [(item, holder) for item, holder in matches if holder.is_visible or not self._options.dry_run]

    def _resolve_existing(self, existing: Sequence[tuple[ValidSeries, KeyHolder]], outcomes: Outcomes) -> None:
        """Replace, skip or refuse series whose unique key is taken."""
        for item, holder in existing:
            outcomes[item.index] = self._resolve(item, holder)

    def _resolve_repeated(self, portion: _Portion, failure: PhotseriesError | None = None) -> PhotseriesError | None:
        """Refuse series with the key of an earlier stored one; store the others. Return the error that ends the run."""
        outcomes = portion.outcomes
        self._note_successful([*portion.valid, *(item for item, _ in portion.existing)], outcomes)
        for item in portion.repeated:
            index, first = item.index, self._successful.get(item.key)
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

    def _note_successful(self, items: Sequence[ValidSeries], outcomes: Outcomes) -> None:
        self._successful |= {item.key: item.index for item in items if not outcomes[item.index].error}

    def _resolve(self, valid: ValidSeries, holder: KeyHolder) -> BulkOutcome:
        """Settle a series whose unique key is taken."""
        index, if_exists = valid.index, self._options.if_exists
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
            stored: Outcomes = {}
            self._store([valid], stored)
            return stored[index]
        except PhotseriesError as error:
            return BulkOutcome(index, error=error)
        return BulkOutcome(index, holder.id, "replaced", warnings)

    def _store(
        self, valid: Sequence[ValidSeries], outcomes: Outcomes, files: WrittenFiles | None = None
    ) -> PhotseriesError | None:
        """Store series in one transaction; one by one if it fails. Return the error that ends the upload."""
        try:
            if files is None:
                files = self._writer.write_files(valid)
                outcomes.update(files.failed)
            inserted, valid = self._writer.insert(files)  # from here on only the others can fail
            outcomes.update(inserted)
            self._resolve_existing(self._existing(valid), outcomes)
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

    def _fail(self, valid: Sequence[ValidSeries], error: PhotseriesError, outcomes: Outcomes) -> None:
        outcomes.update({item.index: item.failed(error) for item in valid})


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


def _in_order(outcomes: Outcomes) -> list[BulkOutcome]:
    return [outcomes[index] for index in sorted(outcomes)]


def _repeated_key_error(values: Mapping[str, object], first: int) -> DuplicateError:
    """Return the error of a series whose key an earlier one of its body has."""
    error = duplicate_error(values)
    error.details["index"] = first
    error.message = f"{error.message.removesuffix('.')} (series {first} of this body)."
    return error
