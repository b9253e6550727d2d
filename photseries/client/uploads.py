"""Storing a series: what is sent, and what a refusal or a lost answer means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from photseries.client.payload import Message, Payload, message, payload_of
from photseries.client.transport import Doubt, Transport
from photseries.criteria import MOST_PER_PAGE
from photseries.criteria.kinds import joined
from photseries.errors import DuplicateError, NotFoundError
from photseries.readers import Reading, ReadOptions, collect
from photseries.series.metadata import infer

__all__ = ["Uploaded", "Uploader"]

_SERIES: Final = "/api/photometric_series"

#: The unique key of a series: the fields that it must have, with their criteria, and the others.
_REQUIRED: Final = {
    "obj_id": None,
    "instrument_id": "instrumentID",
    "filter": "filter",
    "series_name": "seriesName",
    "series_obj_id": "seriesObjID",
}
_KEY: Final = (*_REQUIRED, "channel", "origin")

Status = Literal["created", "skipped", "replaced", "valid", "exists"]


@dataclass(frozen=True)
class Uploaded:
    """What became of an upload.

    Attributes
    ----------
    id : int or None
        The id of the series; None after a dry run that found none.
    status : {"created", "skipped", "replaced", "valid", "exists"}
        The last two are of dry runs: it would be created, or there is such a series.
    warnings : tuple of str
        What the reader of the file and the service want to be known.
    report : dict
        What the service says about a dry run.
    """

    id: int | None
    status: Status
    warnings: tuple[str, ...] = ()
    report: Mapping[str, Any] | None = None


class Uploader:
    """Stores series.

    Parameters
    ----------
    transport : Transport
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._looks_first = False

    def upload(
        self, data: Any, fields: Mapping[str, Any], if_exists: str, dry_run: bool, options: ReadOptions
    ) -> Uploaded:
        """Store a series; see :meth:`photseries.Client.upload`."""
        if if_exists not in ("error", "skip", "replace"):
            raise ValueError('if_exists must be "error", "skip" or "replace"')
        reading = collect(data, options)
        merged = _merged(reading, fields)
        if dry_run:
            return self._tried(reading, merged)
        # Series that are there come in runs, as when a large upload is taken up again: then a look is less work for
        # both sides than a refusal. Series that are not there cost one look in all.
        if if_exists == "skip" and self._looks_first:
            there = self._find(_known(reading, merged))
            self._looks_first = there is not None
            if there is not None:
                return Uploaded(there, "skipped", reading.warnings)
        payload = payload_of(reading)
        written = message(payload, merged)
        doubt = Doubt()
        try:
            answer = self._transport.write("POST", _SERIES, written, repeatable=True, doubt=doubt)
        except DuplicateError as refusal:
            return self._settled(refusal, payload, written, doubt, if_exists, reading)
        return Uploaded(answer["id"], "created", (*reading.warnings, *answer.get("warnings", ())))

    def _tried(self, reading: Reading, fields: Mapping[str, Any]) -> Uploaded:
        """Let the service say what it would store."""
        written = message(payload_of(reading, as_read=True), fields)
        report = self._transport.write("POST", _SERIES, written, repeatable=True, params={"dryRun": "true"})
        there = self._find(report["metadata"])
        status: Status = "valid" if there is None else "exists"
        return Uploaded(there, status, (*reading.warnings, *report["warnings"]), report)

    def change(self, data: Any, fields: Mapping[str, Any], options: ReadOptions) -> Message:
        """Write a change; the fields that a reader suggests are for new series only."""
        return message(None if data is None else payload_of(collect(data, options)), fields)

    def _settled(
        self,
        refusal: DuplicateError,
        payload: Payload,
        written: Message,
        doubt: Doubt,
        if_exists: str,
        reading: Reading,
    ) -> Uploaded:
        """Decide what it means that there is such a series."""
        there = refusal.details.get("id")
        if not isinstance(there, int):  # one that the token may not see
            raise refusal
        if doubt.arose and self._is_ours(there, payload):
            return Uploaded(there, "created", reading.warnings)
        if if_exists == "skip":
            self._looks_first = True
            return Uploaded(there, "skipped", reading.warnings)
        if if_exists == "replace":
            self._transport.write("PATCH", f"{_SERIES}/{there}", written, repeatable=True)
            return Uploaded(there, "replaced", reading.warnings)
        raise refusal

    def _find(self, known: Mapping[str, Any]) -> int | None:
        """Look for a series with the same key; None also when not all of the key is known."""
        if any(known.get(name) is None for name in _REQUIRED):
            return None
        asked = {criterion: joined([str(known[name])]) for name, criterion in _REQUIRED.items() if criterion}
        page = self._transport.read(_SERIES, {**asked, "numPerPage": MOST_PER_PAGE, "includeTotal": "false"})
        for found in page["series"]:
            if all(_text(found[name]) == _text(known.get(name)) for name in _KEY):
                return int(found["id"])
        return None

    def _is_ours(self, there: int, payload: Payload) -> bool:
        """Tell whether a series is the one that an attempt without an answer made."""
        try:
            fields = self._transport.read(f"{_SERIES}/{there}", {"dataFormat": "none"})
        except NotFoundError:
            return False
        return bool(fields["content_hash"] == payload.content_hash())


def _merged(reading: Reading, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Put the caller's fields above those that the data suggests; altdata of both is kept."""
    merged = {**reading.fields, **fields}
    suggested, given = reading.fields.get("altdata"), fields.get("altdata")
    if suggested and isinstance(given, Mapping):
        merged["altdata"] = {**suggested, **given}
    return {name: value for name, value in merged.items() if value is not None}


def _known(reading: Reading, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Put together what is known of a series on this side; columns are looked at only when they may tell more."""
    known = {**reading.file_metadata, **fields}
    return known if "filter" in known else {**infer(reading.frame), **known}


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
