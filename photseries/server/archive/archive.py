"""The use cases that change series: one function each, one transaction each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pandas as pd

from photseries.errors import (
    ConflictError,
    DamagedError,
    DuplicateError,
    ForbiddenError,
    PreconditionFailedError,
)
from photseries.lightcurve.appending import appended
from photseries.lightcurve.metadata import infer, merge
from photseries.server.archive.blobs import Blobs
from photseries.server.archive.changes import RaceLostError, changes, noted, require_won
from photseries.server.archive.intake import Intake, Sharing, Upload
from photseries.server.archive.preview import preview
from photseries.server.archive.reader import Reader, absent
from photseries.server.archive.tables import Tables
from photseries.server.catalogue import blobs, finding, series
from photseries.server.catalogue.engine import Catalogue, Connection
from photseries.server.catalogue.series import Changeable
from photseries.server.faults import reached
from photseries.server.principal import Principal
from photseries.server.sandbox.pool import Sandbox
from photseries.server.settings import Config
from photseries.server.storage.contract import Store

__all__ = ["Archive", "Created"]

#: Revisions that a caller has seen; None when it does not matter.
Revisions = Set[int] | None

#: How often a change is merged again when others changed the series meanwhile.
MERGES = 3


@dataclass(frozen=True)
class Created:
    """A new series: its id, and what the uploader may want to know."""

    id: int
    warnings: tuple[str, ...] = ()


class Archive(Reader):
    """Takes tables and metadata, keeps bytes in a store and rows in a catalogue, answers queries for a principal.

    Every method raises UnavailableError when a part is away or full, and has changed nothing then; those that change
    something raise InDoubtError when it is unknown whether they did.

    Parameters
    ----------
    catalogue : Catalogue
    store : Store
    sandbox : Sandbox
        The workers that read uploaded files.
    config : Config
    """

    def __init__(self, catalogue: Catalogue, store: Store, sandbox: Sandbox, config: Config) -> None:
        super().__init__(catalogue, Blobs(catalogue, store, config), Tables(config.store.table_memory))
        self._intake = Intake(catalogue, sandbox, config)
        self.filters = self._intake.filters

    def create(self, principal: Principal, body: Mapping[str, Any]) -> Created:
        """Store a new series.

        Parameters
        ----------
        principal : Principal
            Becomes the owner.
        body : mapping
            ``data`` (columns, or a base64 HDF5 file) and metadata fields.

        Returns
        -------
        Created

        Raises
        ------
        InvalidError
            Naming every problem of the body.
        DuplicateError
            When the unique key is taken.
        """
        new = self._intake.new(principal, body)
        with self._stored(principal, new.frame, new.values) as (connection, blob):
            content = new.values["content_hash"]
            open_ = self._intake.referred(connection, principal, new.metadata, new.sharing, content)
            group_ids = sorted({*open_.group_ids, principal.own_group_id})
            identity = series.create(connection, {**new.values, **blob}, group_ids, open_.stream_ids)
            reached("create: row inserted")
        same = open_.same_content
        return Created(identity, () if same is None else (f"The same table is already stored as series {same}.",))

    def preview(self, principal: Principal, body: Mapping[str, Any], points: int | None = None) -> dict[str, Any]:
        """Tell what :meth:`create` would store, and store nothing; see :mod:`photseries.server.archive.preview`."""
        new = self._intake.new(principal, body)
        with self._catalogue.reading() as connection:
            return preview(connection, principal, new, points)

    def append(
        self,
        principal: Principal,
        series_id: int,
        body: Mapping[str, Any],
        expected: Revisions = None,
        *,
        drop_repeats: bool = False,
    ) -> None:
        """Put new rows under those of a series; its metadata stay, its statistics are computed anew.

        Raises what :meth:`update` does, InvalidError also when the rows do not fit or repeat some that are there.
        """
        self._changeable(principal, series_id, expected)
        more = self._intake.rows(principal, body)
        from_json = isinstance(body["data"], dict)

        def grow(seen: Changeable) -> None:
            frame = appended(
                self._table(principal, series_id, seen), more, drop_repeats=drop_repeats, from_json=from_json
            )
            self._update(principal, series_id, seen, Upload(frame, {}, {}), inferred={})

        self._repeated(principal, series_id, expected, grow)

    def update(self, principal: Principal, series_id: int, body: Mapping[str, Any], expected: Revisions = None) -> None:
        """Change the metadata, the sharing or the table of a series.

        Concurrent changes of different fields all survive: a change that meets another one is merged again.

        Parameters
        ----------
        principal : Principal
        series_id : int
        body : mapping
            As for :meth:`create`; what is absent stays, null clears.
        expected : set of int, optional
            The revisions one of which the series must have.

        Raises
        ------
        NotFoundError, ForbiddenError, InvalidError, DuplicateError
        PreconditionFailedError
            When the series has another revision than expected.
        ConflictError
            When others kept changing the series.
        """
        self._changeable(principal, series_id, expected)
        upload = self._intake.read(principal, body)
        inferred = {} if upload.frame is None else infer(upload.frame)
        self._repeated(
            principal, series_id, expected, lambda seen: self._update(principal, series_id, seen, upload, inferred)
        )

    def _update(
        self, principal: Principal, series_id: int, seen: Changeable, upload: Upload, inferred: Mapping[str, Any]
    ) -> None:
        """Change a series from the state that was seen."""
        layers = {
            "existing": seen.metadata,
            "inferred": inferred,
            "file": upload.file,
            "body": upload.fields,
        }
        metadata, sharing = self._intake.check(principal, upload.frame, merge(layers, clearing="body").values)
        described = {name: value for name, value in metadata.items() if value is not None} != seen.metadata
        if upload.frame is None and not described:
            if sharing != Sharing():
                self._share(principal, series_id, seen, metadata, sharing)
            return
        values = {**metadata, "owner_id": seen.owner_id}
        if upload.frame is None:
            frame = self._table(principal, series_id, seen)
        else:
            frame = upload.frame
            values |= self._intake.summarized(frame)
        with self._stored(principal, frame, values) as (connection, blob):
            shared = self._permitted(connection, principal, seen, metadata, sharing)
            require_won(series.change(connection, series_id, seen.revision, {**values, **blob}))
            reached("update: row changed")
            series.share(connection, series_id, *shared)
            reached("update: sharing replaced")
            blobs.unlink(connection, seen.blob.filename)
            reached("update: old blob noted")
            changed = changes(seen, metadata, shared, values.get("content_hash"))
            noted(connection, principal, series_id, seen, "update", changed, blob)
            reached("update: history noted")
        self._blobs.unlinked(seen.blob.filename)

    def _share(
        self, principal: Principal, series_id: int, seen: Changeable, metadata: Mapping[str, Any], sharing: Sharing
    ) -> None:
        """Change the sharing alone: no blob is written."""
        with self._catalogue.transaction() as connection:
            shared = self._permitted(connection, principal, seen, metadata, sharing)
            require_won(series.change(connection, series_id, seen.revision, {}))
            reached("share: row changed")
            series.share(connection, series_id, *shared)
            noted(connection, principal, series_id, seen, "share", changes(seen, {}, shared), seen.blob.columns())
            reached("share: history noted")
        reached("share: committed")

    def delete(self, principal: Principal, series_id: int, expected: Revisions = None) -> None:
        """Remove a series; its bytes follow after the grace.

        Raises
        ------
        NotFoundError, ForbiddenError
        PreconditionFailedError
            When the series has another revision than expected.
        ConflictError
            When others kept changing the series.
        """
        self._repeated(principal, series_id, expected, lambda seen: self._delete(principal, series_id, seen))

    def _delete(self, principal: Principal, series_id: int, seen: Changeable) -> None:
        with self._catalogue.transaction() as connection:
            require_won(series.remove(connection, series_id, seen.revision))
            reached("delete: row removed")
            noted(connection, principal, series_id, seen, "delete", {}, {})
            reached("delete: history noted")
        reached("delete: committed")
        self._blobs.unlinked(seen.blob.filename)

    def _repeated(
        self, principal: Principal, series_id: int, expected: Revisions, change: Callable[[Changeable], None]
    ) -> None:
        """Change a series from the state that is seen, again when others changed it meanwhile."""
        with suppress(RaceLostError):
            return change(self._changeable(principal, series_id, expected))
        # Those who lost go on one after the other, so that few of them lose again.
        with self._catalogue.queued(series_id):
            for _ in range(MERGES):
                with suppress(RaceLostError):
                    return change(self._changeable(principal, series_id, expected))
        raise ConflictError("Others keep changing this series. Look at it, and try again.")

    def _table(self, principal: Principal, series_id: int, seen: Changeable) -> pd.DataFrame:
        """Read the table of a series that is to be changed."""
        try:
            return self._blobs.decoded(seen.blob).frame
        except DamagedError:
            require_won(self._changeable(principal, series_id).revision == seen.revision)
            raise

    def _changeable(self, principal: Principal, series_id: int, expected: Revisions = None) -> Changeable:
        with self._catalogue.reading() as connection:
            seen = series.for_change(connection, principal, series_id)
        if seen is None:
            raise absent(series_id)
        if not seen.allowed:
            raise ForbiddenError(
                "Changing or deleting this series needs a token of its owner with 'Upload data', or one with "
                "'Manage photometry'."
            )
        if expected is not None and seen.revision not in expected:
            raise PreconditionFailedError(
                f"The series is at revision {seen.revision}, not at one that If-Match names: somebody changed it. "
                "Look at it, and try again."
            )
        return seen

    def _permitted(
        self,
        connection: Connection,
        principal: Principal,
        seen: Changeable,
        metadata: Mapping[str, Any],
        sharing: Sharing,
    ) -> tuple[list[int] | None, list[int] | None]:
        """Give, inside the transaction of a change, the groups and streams to set; None leaves them."""
        open_ = self._intake.referred(connection, principal, metadata, sharing)
        group_ids = None if sharing.group_ids is None else sorted({*open_.group_ids, seen.owners_group_id})
        return group_ids, None if sharing.stream_ids is None else open_.stream_ids

    @contextmanager
    def _stored(
        self, principal: Principal, frame: pd.DataFrame, values: Mapping[str, Any]
    ) -> Iterator[tuple[Connection, dict[str, Any]]]:
        """Write the file of a series and give the transaction for its row; a duplicate is named when it is visible."""
        try:
            with self._blobs.written(frame, values) as parts:
                yield parts
        except DuplicateError as error:
            with self._catalogue.reading() as connection:
                holder = finding.taken_by(connection, principal, values)
            if holder is not None:
                error.details["id"] = holder
            raise
