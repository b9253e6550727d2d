"""From a request body to metadata and a table that are fit to be stored; nothing is stored here.

All that is wrong with a body is found before it is refused, so that one answer tells everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NoReturn

import pandas as pd

from photseries.errors import InvalidError
from photseries.formats import base64_text, json_columns
from photseries.lightcurve.bandpasses import allowed
from photseries.lightcurve.digest import content_hash
from photseries.lightcurve.metadata import complete_reference, infer, merge
from photseries.lightcurve.statistics import SUMMARY, summarize
from photseries.lightcurve.table import validate
from photseries.schemas.metadata import METADATA, MetadataSchema, load_metadata, without_ignored
from photseries.server.catalogue.engine import Catalogue, Connection
from photseries.server.catalogue.references import Referred, referred
from photseries.server.principal import Principal
from photseries.server.sandbox.pool import Sandbox
from photseries.server.settings import Config

__all__ = ["Intake", "NewSeries", "Sharing", "Upload"]


@dataclass(frozen=True)
class Upload:
    """A request body, decoded: a table or None, the metadata in its file, and the fields beside it."""

    frame: pd.DataFrame | None
    file: Mapping[str, Any]
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class Sharing:
    """With whom a series is to be shared; None leaves that as it is."""

    group_ids: list[int] | str | None = None
    stream_ids: list[int] | None = None


@dataclass(frozen=True)
class NewSeries:
    """A series that may be created: its table, metadata, sharing, the values of its row, and whence each field came."""

    frame: pd.DataFrame
    metadata: Mapping[str, Any]
    sharing: Sharing
    values: Mapping[str, Any]
    sources: Mapping[str, str]


class Intake:
    """Reads and checks request bodies.

    Parameters
    ----------
    catalogue : Catalogue
    sandbox : Sandbox
    config : Config
    """

    def __init__(self, catalogue: Catalogue, sandbox: Sandbox, config: Config) -> None:
        self._catalogue = catalogue
        self._sandbox = sandbox
        self._limits = config.limits
        self._detection_threshold = config.photometry.detection_threshold
        self.filters = allowed(config.photometry.additional_bandpasses)
        self._schema = MetadataSchema(self.filters, config.limits.depth)

    def read(self, principal: Principal, body: Mapping[str, Any]) -> Upload:
        """Decode a request body: columns here, an HDF5 file in a worker.

        Raises
        ------
        InvalidError
            When ``data`` is neither an object of columns nor a readable file; naming what is wrong beside it, too.
        UnavailableError
            When no worker became free in time.
        """
        fields = {name: value for name, value in body.items() if name != "data"}
        try:
            match body.get("data"):
                case None:
                    return Upload(None, {}, fields)
                case dict() as columns:
                    return Upload(json_columns.decode(columns, self._limits), {}, fields)
                case str() | bytes() as file:
                    blob = base64_text.decode(file) if isinstance(file, str) else file
                    decoded = self._sandbox.decode(blob)
                    return Upload(decoded.frame, without_ignored(decoded.metadata), fields)
            raise _bad_data("data must be an object of columns, or an HDF5 file as a base64 text.")
        except InvalidError as error:
            self._raise_with_others(principal, fields, error)

    def new(self, principal: Principal, body: Mapping[str, Any]) -> NewSeries:
        """Read and check the body of a series that is to be created.

        Raises
        ------
        InvalidError
            Naming every problem at once.
        UnavailableError
            When no worker became free in time.
        """
        upload = self.read(principal, body)
        frame = self._required(principal, upload)
        merged = merge({"inferred": infer(frame), "file": upload.file, "body": upload.fields})
        metadata, sharing = self.check(principal, frame, merged.values)
        values = {**self.summarized(frame), **metadata, "owner_id": principal.user_id}
        return NewSeries(frame, metadata, sharing, values, merged.sources)

    def foreign(
        self, file: bytes, fields: Mapping[str, Any], *, describing: bool
    ) -> tuple[NewSeries, Mapping[str, Any]]:
        """Read and check a series of another archive; whether what it refers to is there, only its insertion tells.

        Parameters
        ----------
        file : bytes
            HDF5; read by a worker as any upload.
        fields : mapping
            Metadata as that archive's catalogue has them, and ``owner_id``.
        describing : bool
            Whether the metadata in the file count, too, below the fields.

        Returns
        -------
        series, metadata : NewSeries, mapping
            And the metadata in the file.

        Raises
        ------
        UnreadableFileError
            When the reader refuses the file.
        InvalidError
            Naming every problem at once.
        """
        decoded = self._sandbox.decode(file)
        known = {name: value for name, value in fields.items() if name != "owner_id"}
        file_says = without_ignored(decoded.metadata) if describing else {}
        merged = merge({"inferred": infer(decoded.frame), "file": file_says, "fields": known})
        problems = _Problems()
        metadata, sharing = self._valid(problems, decoded.frame, merged.values)
        problems.raise_any()
        values = {**self.summarized(decoded.frame), **metadata, "owner_id": fields["owner_id"]}
        return NewSeries(decoded.frame, metadata, sharing, values, merged.sources), decoded.metadata

    def rows(self, principal: Principal, body: Mapping[str, Any]) -> pd.DataFrame:
        """Read rows that are to be added to a series.

        Raises
        ------
        InvalidError
            When there is no table, or anything beside it.
        """
        upload = self.read(principal, body)
        if upload.fields:
            raise InvalidError(f"Only data can be appended, not {', '.join(name[:60] for name in upload.fields)}.")
        return self._required(principal, upload)

    def _required(self, principal: Principal, upload: Upload) -> pd.DataFrame:
        """Give the table of an upload.

        Raises
        ------
        InvalidError
            When there is none; naming what else is wrong, too.
        """
        if upload.frame is None:
            missing = _bad_data("Must supply data as an object of columns, or as an HDF5 file in base64.")
            self._raise_with_others(principal, upload.fields, missing)
        return upload.frame

    def _raise_with_others(self, principal: Principal, fields: Mapping[str, Any], error: InvalidError) -> NoReturn:
        """Raise what is wrong with the data together with what is wrong with the fields that are there."""
        if type(error) is not InvalidError:
            raise error
        problems = _Problems([error])
        given = {name: value for name, value in fields.items() if value is not None}
        metadata, refusal = load_metadata(self._schema, given, partial=True)
        if refusal is not None:
            problems.errors.append(refusal)
        self._look_up(problems, principal, metadata, _sharing_of(metadata))
        problems.raise_any()
        raise error

    def check(
        self, principal: Principal, frame: pd.DataFrame | None, merged: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Sharing]:
        """Check a table and its merged metadata.

        Returns
        -------
        metadata, sharing : dict, Sharing
            Every metadata field, None where there is no value.

        Raises
        ------
        InvalidError
            Naming every problem at once.
        """
        problems = _Problems()
        metadata, sharing = self._valid(problems, frame, merged)
        self._look_up(problems, principal, metadata, sharing)
        problems.raise_any()
        return metadata, sharing

    def _valid(
        self, problems: _Problems, frame: pd.DataFrame | None, merged: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Sharing]:
        """Check a table and its merged metadata by themselves."""
        with problems.caught():
            if frame is not None:
                validate(frame, self._limits)
        metadata, refusal = load_metadata(self._schema, merged)
        if refusal is not None:
            problems.errors.append(refusal)
        sharing = _sharing_of(metadata)
        with problems.caught():
            metadata = complete_reference(metadata)
        return {name: metadata.get(name) for name in METADATA}, sharing

    def summarized(self, frame: pd.DataFrame) -> dict[str, Any]:
        """Give the values of a row that the table determines: its summary and content hash."""
        summary = summarize(frame, detection_threshold=self._detection_threshold)
        return {**{name: getattr(summary, name) for name in SUMMARY}, "content_hash": content_hash(frame)}

    def _look_up(
        self, problems: _Problems, principal: Principal, metadata: Mapping[str, Any], sharing: Sharing
    ) -> None:
        with self._catalogue.reading() as connection:
            known = self.referred(connection, principal, metadata, sharing)
        _refuse_unknown(problems, metadata, sharing, known)

    def referred(
        self, connection: Connection, principal: Principal, metadata: Mapping[str, Any], sharing: Sharing, *more: Any
    ) -> Referred:
        """Look up what a series would refer to; see :func:`photseries.server.catalogue.references.referred`."""
        return referred(connection, principal, metadata, sharing.group_ids or [], sharing.stream_ids or [], *more)


def _sharing_of(metadata: dict[str, Any]) -> Sharing:
    """Take out of validated metadata what it says about sharing."""
    return Sharing(metadata.pop("group_ids", None), metadata.pop("stream_ids", None))


def _bad_data(message: str) -> InvalidError:
    return InvalidError(message, fields={"data": [message]})


@dataclass
class _Problems:
    """Collects what is wrong with a body."""

    errors: list[InvalidError] = field(default_factory=list)

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Keep an InvalidError for later."""
        try:
            yield
        except InvalidError as error:
            self.errors.append(error)

    def add(self, name: str, message: str) -> None:
        """Add the problem of one field."""
        self.errors.append(InvalidError(message, fields={name: [message]}))

    def raise_any(self) -> None:
        """Raise what was caught: the one error as it is, several as one."""
        if not self.errors:
            return
        if len(self.errors) == 1:
            raise self.errors[0]
        fields: dict[str, list[str]] = {}
        for error in self.errors:
            for name, texts in error.fields.items():
                fields.setdefault(name, []).extend(texts)
        raise InvalidError(". ".join(error.message.rstrip(". ") for error in self.errors) + ".", fields=fields)


def _refuse_unknown(problems: _Problems, metadata: Mapping[str, Any], sharing: Sharing, known: Referred) -> None:
    """Add a problem for everything that a series would refer to and that is not there for the principal."""
    for name, exists in known.known.items():
        if not exists:
            problems.add(name, f"Invalid {name}: {metadata[name]}")
    if isinstance(sharing.group_ids, list):
        for number in sorted(set(sharing.group_ids) - set(known.group_ids)):
            problems.add("group_ids", f"Invalid group ID: {number}")
    for number in sorted(set(sharing.stream_ids or ()) - set(known.stream_ids)):
        problems.add("stream_ids", f"No stream with ID {number}")
