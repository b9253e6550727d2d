"""Upload single series, and handle refusals and lost answers."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from photseries.client.keys import CRITERIA_OF_KEY, Key, UploadTracker, key_of
from photseries.client.payload import Message, is_of, message
from photseries.client.queries import plain_fields
from photseries.client.search import SERIES, metadata, path_of
from photseries.client.transport import RetryState, Transport
from photseries.errors import (
    DuplicateError,
    InvalidError,
    NotFoundError,
    PhotseriesError,
    UnauthorizedError,
    UnreachableError,
)
from photseries.formats import Reading, ReadOptions
from photseries.formats.selection import filter_hint
from photseries.parameters import MAX_PER_PAGE
from photseries.parameters.value_types import join_values

__all__ = ["FATAL", "Outcome", "Uploaded", "Uploader", "data_and_fields", "split_options"]

#: The warning for a skipped series whose stored table differs.
_OTHER_TABLE: Final = (
    "The stored series has the same key and another table; the new one was not stored: replace the stored series, or "
    "give the new one another key."
)

#: Errors after which no other upload can succeed.
FATAL: Final = (UnreachableError, UnauthorizedError)

Status = Literal["created", "skipped", "replaced", "valid", "exists"]


@dataclass(frozen=True)
class Uploaded:
    """The result of an upload.

    Attributes
    ----------
    id : int or None
        The id of the series; None after a dry run that found none.
    status : {"created", "skipped", "replaced", "valid", "exists"}
        The last two are results of dry runs: the series would be created, or exists.
    warnings : tuple of str
        Warnings of the file reader and of the service.
    report : dict
        The service's report of a dry run.
    """

    id: int | None
    status: Status
    warnings: tuple[str, ...] = ()
    report: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Outcome:
    """The result of one of many uploads.

    Attributes
    ----------
    index : int
        Index of the item, from 0.
    item : object
        The item as it was given.
    uploaded : Uploaded or None
        The result, if the upload succeeded or the series exists.
    error : PhotseriesError or None
        The error, if the upload failed.
    """

    index: int
    item: Any
    uploaded: Uploaded | None = None
    error: PhotseriesError | None = None


class Uploader:
    """Stores series over a transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._looks_first = False

    def upload(
        self,
        reading: Reading,
        fields: Mapping[str, object],
        if_exists: str,
        dry_run: bool,
        reached: UploadTracker | None = None,
    ) -> Uploaded:
        """Store a series; see :meth:`photseries.Client.upload`. Uploads with one ``reached`` get distinct series."""
        if if_exists not in ("error", "skip", "replace"):
            raise ValueError('if_exists must be "error", "skip" or "replace"')
        merged, reached = reading.merged(fields, replaces=if_exists == "replace"), reached or UploadTracker()
        try:
            if dry_run:
                return self._tried(reading, merged)
            key = key_of(merged, reading)
            with reached.held(key):
                uploaded = self._create(reading, merged, key, if_exists, reached)
                if uploaded.id is not None:
                    reached.add(uploaded.id)
        except InvalidError as error:
            if "filter" not in error.fields or reading.filter is None:
                raise
            hinted = f"{error.message} {filter_hint(reading.filter)}"
            raise InvalidError(hinted, fields=error.fields, details=error.details) from error
        return uploaded

    def _tried(self, reading: Reading, fields: Mapping[str, object]) -> Uploaded:
        """Return the service's report of the series it would store."""
        written = message(fields, reading, as_read=True)
        query = {"dryRun": "true"}
        report = self._transport.write("POST", SERIES, written, changes=False, params=query)
        existing = self._find(key_of(report["metadata"]))
        warnings = (*reading.warnings, *report["warnings"])
        if existing is None:
            return Uploaded(None, "valid", warnings, report)
        return Uploaded(int(existing["id"]), "exists", warnings, report)

    def _create(
        self, reading: Reading, fields: Mapping[str, object], key: Key | None, if_exists: str, reached: UploadTracker
    ) -> Uploaded:
        """Store a series unless it exists."""
        # Existing series come in runs, for instance when a large upload is resumed: a look-up first is then cheaper for
        # both sides than a refusal. A run of new series costs one look-up in all.
        if if_exists == "skip" and self._looks_first:
            existing = self._find(key)
            self._looks_first = existing is not None
            if existing is not None:
                reached.require_other(existing["id"])
                return _skipped(existing, reading)
        written = message(fields, reading)
        retry_state = RetryState()
        try:
            answer = self._transport.write("POST", SERIES, written, repeatable=True, retry_state=retry_state)
        except DuplicateError as refusal:
            existing_id = refusal.details.get("id")
            if not isinstance(existing_id, int):  # the token may not see the series
                raise
            reached.require_other(existing_id)
            settled = self._resolve_existing(existing_id, written, retry_state, if_exists, reading)
            if settled is None:
                raise
            return settled
        return Uploaded(answer["id"], "created", (*reading.warnings, *answer.get("warnings", ())))

    def _resolve_existing(
        self, existing_id: int, written: Message, retry_state: RetryState, if_exists: str, reading: Reading
    ) -> Uploaded | None:
        """Return the outcome for an existing series; None if it is a conflict."""
        existing = None
        if retry_state.outcome_unknown or if_exists == "skip":
            with suppress(NotFoundError):
                existing = metadata(self._transport, existing_id)
        if existing is not None and retry_state.outcome_unknown and is_of(existing["content_hash"], reading):
            return Uploaded(existing_id, "created", reading.warnings)
        if existing is not None and if_exists == "skip":
            self._looks_first = True
            return _skipped(existing, reading)
        if if_exists == "replace":
            answer = self._transport.write("PATCH", path_of(existing_id), written, repeatable=True)
            return Uploaded(existing_id, "replaced", (*reading.warnings, *answer.get("warnings", ())))
        return None

    def _find(self, key: Key | None) -> dict[str, Any] | None:
        """Find a series by its key; return None also when the key is incomplete."""
        if key is None:
            return None
        pairs = zip(CRITERIA_OF_KEY.values(), key, strict=False)
        query = {criterion: join_values([text]) for criterion, text in pairs if criterion and text is not None}
        page = self._transport.read(SERIES, {**query, "numPerPage": MAX_PER_PAGE, "includeTotal": "false"})
        return next((series for series in page["series"] if key_of(series) == key), None)


def _skipped(existing: Mapping[str, Any], reading: Reading) -> Uploaded:
    """Skip an existing series; warn if its table differs."""
    other = () if is_of(existing["content_hash"], reading) else (_OTHER_TABLE,)
    return Uploaded(int(existing["id"]), "skipped", (*reading.warnings, *other))


def data_and_fields(item: object) -> tuple[object, dict[str, object]]:
    """Return the data of an item of several uploads, and its own fields if it is a pair.

    Raises
    ------
    InvalidError
        When it is a tuple, but not of data and a mapping.
    """
    if not isinstance(item, tuple):
        return item, {}
    if len(item) != 2 or not isinstance(item[1], Mapping):
        raise InvalidError(f"An item must be data or a pair of data and a dict of fields, not {item!r:.80}.")
    return item[0], dict(item[1])


def split_options(options: ReadOptions | None, fields: Mapping[str, Any]) -> tuple[ReadOptions, dict[str, object]]:
    """Move the fields that describe the numbers of a table to its read options; convert the others to plain values."""
    plain = plain_fields(fields)
    moved = {name: plain[name] for name in ("flux_unit", "magsys") if plain.get(name) is not None}
    remaining = {name: value for name, value in plain.items() if name not in moved}
    return replace(options or ReadOptions(), **moved), remaining
