"""The use cases that change series: one method each, one transaction each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import pandas as pd

from photseries.errors import InvalidError, NotFoundError
from photseries.lightcurve.appending import append_rows
from photseries.lightcurve.calibration import with_fields_of_altdata
from photseries.lightcurve.metadata import infer, merge
from photseries.lightcurve.photometry import Array
from photseries.lightcurve.units import flux_unit_of
from photseries.server.archive.blobs import BlobWriter, find_problem
from photseries.server.archive.changes import (
    append_history,
    changed_fields,
    deleted_fields,
    differ,
    ensure_current_revision,
    naming_holder,
    read_table_to_change,
    require_changeable,
    retry_change,
)
from photseries.server.archive.intake import Intake, inferred_fields
from photseries.server.archive.preview import preview
from photseries.server.archive.upkeep import Upkeep
from photseries.server.archive.uploads import SentRows, Sharing, Upload, ValidUpload
from photseries.server.catalogue import blobs, history, series
from photseries.server.catalogue.engine import Catalogue, Connection
from photseries.server.catalogue.references import look_up_references
from photseries.server.catalogue.series import ChangeTarget
from photseries.server.faults import reached
from photseries.server.principal import CHANGE_SERIES, CREATE_SERIES, UPLOAD, Principal, requires
from photseries.server.sandbox.pool import Sandbox
from photseries.server.settings import Config
from photseries.server.storage.contract import Store

__all__ = ["Archive", "Created", "same_table_warning"]

#: The revisions that a caller accepts; None: any.
Revisions = Set[int] | None

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Created:
    """The id of a new series, and warnings for the uploader."""

    id: int
    warnings: Annotated[tuple[str, ...], "Suspicious input, which was accepted."] = ()


class Archive:
    """Takes tables and metadata, and keeps bytes in a store and rows in a catalogue.

    Every method raises UnavailableError, without a change, when a part is unavailable or full. Those that
    commit raise OutcomeUnknownError when the outcome of the commit is unknown.

    Parameters
    ----------
    catalogue : Catalogue
    store : Store
    sandbox : Sandbox
        The readers of uploaded files.
    config : Config
    """

    def __init__(self, catalogue: Catalogue, store: Store, sandbox: Sandbox, config: Config) -> None:
        self._catalogue = catalogue
        self._store = store
        self._blobs = BlobWriter(catalogue, store, config)
        self._upkeep = Upkeep(catalogue, store, config)
        self.ownership = self._blobs.ownership
        self._intake = Intake(catalogue, sandbox, config)
        self.filters = self._intake.filters

    @property
    def intake(self) -> Intake:
        """The parser of request bodies."""
        return self._intake

    @requires(CREATE_SERIES)
    def create(self, principal: Principal, body: Mapping[str, object], *, refuse_suspicious: bool = True) -> Created:
        """Store a new series.

        Parameters
        ----------
        principal : Principal
            Becomes the owner.
        body : mapping
            ``data`` (columns, or a base64 HDF5 file) and metadata fields.
        refuse_suspicious : bool
            False, for imports, reports several filters and times other than MJD as warnings instead of errors.

        Returns
        -------
        Created

        Raises
        ------
        InvalidError
            Naming every problem of the body.
        DuplicateError
            When a series with this unique key exists.
        """
        new = self._intake.parse_create(principal, body, refuse_suspicious=refuse_suspicious)
        with self._blob_and_transaction(principal, new.frame, new.values, new.numbers) as (connection, blob):
            named, content = new.checked.sharing.reference(new.checked.metadata), new.values["content_hash"]
            references = look_up_references(connection, principal, named, content)
            group_ids = sorted({*references.group_ids, principal.own_group_id})
            identity = series.create(connection, {**new.values, **blob}, group_ids, references.stream_ids)
            reached("create: row inserted")
        same = references.same_content
        stored = () if same is None else (same_table_warning(same),)
        return Created(identity, (*new.warnings, *stored))

    @requires(CREATE_SERIES)
    def preview(
        self,
        principal: Principal,
        body: Mapping[str, object],
        points: int | None = None,
        *,
        refuse_suspicious: bool = True,
    ) -> dict[str, Any]:
        """Preview :meth:`create`; see :mod:`photseries.server.archive.preview`."""
        new = self._intake.parse_create(principal, body, refuse_suspicious=refuse_suspicious)
        with self._catalogue.reading() as connection:
            return preview(connection, principal, new, points)

    @requires(CHANGE_SERIES)
    def append(
        self,
        principal: Principal,
        series_id: int,
        body: Mapping[str, object],
        expected: Revisions = None,
        *,
        drop_repeats: bool = False,
    ) -> tuple[str, ...]:
        """Append rows to the table of a series.

        Statistics and inferred metadata are computed again; given metadata stay.

        Returns warnings about the new rows. Raises like :meth:`update`, and InvalidError when the rows do not fit
        or repeat existing ones.
        """
        self._changeable(principal, series_id, expected)
        more, upload = self._intake.parse_append(principal, body)
        from_json = isinstance(body["data"], dict)

        def grow(state: ChangeTarget) -> tuple[str, ...]:
            _require_same_calibration(upload.file, state.metadata)
            before = self._table(principal, series_id, state)
            frame = append_rows(before, more, drop_repeats=drop_repeats, from_json=from_json)
            sent = SentRows.of(frame, frame.iloc[len(before) :])
            inferred = {name: value for name, value in infer(frame).items() if name in state.inferred}
            return self._update(principal, series_id, state, Upload(frame, {}, upload.fields), sent, inferred)

        return self._retry(principal, series_id, expected, grow)

    @requires(CHANGE_SERIES)
    def update(
        self, principal: Principal, series_id: int, body: Mapping[str, object], expected: Revisions = None
    ) -> tuple[str, ...]:
        """Change the metadata, the sharing or the table of a series.

        Concurrent changes of different fields all survive: a change is merged again after a conflict.

        Parameters
        ----------
        principal : Principal
        series_id : int
        body : mapping
            As for :meth:`create`; absent fields stay, null clears a field.
        expected : set of int, optional
            The series must be at one of these revisions.

        Returns
        -------
        tuple of str
            Warnings about the new table.

        Raises
        ------
        NotFoundError, ForbiddenError, InvalidError, DuplicateError
        PreconditionFailedError
            When the series is at another revision.
        ConflictError
            When too many concurrent changes occur.
        """
        self._changeable(principal, series_id, expected)
        return self.replace(principal, series_id, self._intake.parse_body(principal, body), expected)

    @requires(CHANGE_SERIES)
    def replace(
        self, principal: Principal, series_id: int, upload: Upload, expected: Revisions = None
    ) -> tuple[str, ...]:
        """Change a series by a decoded request body; see :meth:`update`."""
        sent = None if upload.frame is None else SentRows.of(upload.frame)
        inferred = {} if sent is None else sent.inferred
        return self._retry(
            principal,
            series_id,
            expected,
            lambda state: self._update(principal, series_id, state, upload, sent, inferred),
        )

    def _update(
        self,
        principal: Principal,
        series_id: int,
        state: ChangeTarget,
        upload: Upload,
        sent: SentRows | None,
        inferred: Mapping[str, object],
    ) -> tuple[str, ...]:
        """Apply an update to the current state; return warnings about the uploaded rows."""
        layers = {
            "existing": with_fields_of_altdata(state.metadata, prefer_altdata=True),
            "inferred": inferred,
            "file": upload.file,
            "body": upload.fields,
        }
        merged = merge(layers, clearing="body")
        checked = self._intake.check(principal, sent, merged)
        metadata, sharing = checked.metadata, checked.sharing
        frame, derived = self._derive(principal, series_id, state, upload, checked)
        # A new batch alone changes the series only if the request has no other fields.
        compared = metadata if upload.fields.keys() == {"batch"} else metadata.keys() - {"batch"}
        described = any(differ(state.metadata.get(name), metadata[name]) for name in compared)
        if not described and (upload.frame is None or self._holds(state, derived["content_hash"])):
            if sharing != Sharing():
                self._share(principal, series_id, state, metadata, sharing)
            return checked.warnings
        inferred_now = inferred_fields(merged, state.inferred)
        values = {**metadata, "owner_id": state.owner_id, "inferred": inferred_now, **derived}
        batch = metadata["batch"] if merged.sources.get("batch") in ("file", "body") else None
        frame = self._table(principal, series_id, state) if frame is None else frame
        with self._blob_and_transaction(principal, frame, values, is_new=False) as (connection, blob):
            shared = self._resolve_sharing(connection, principal, state, metadata, sharing)
            ensure_current_revision(series.change(connection, series_id, state.revision, {**values, **blob}))
            reached("update: row changed")
            series.share(connection, series_id, *shared)
            reached("update: sharing replaced")
            earlier = blobs.unlink(connection, state.blob, state.owner_id)
            reached("update: old blob noted")
            changed = changed_fields(state, metadata, shared, values.get("content_hash"))
            append_history(
                connection,
                principal,
                series_id,
                state,
                "update",
                changed,
                **blob,
                batch=batch,
                inferred=values["inferred"],
            )
            reached("update: history noted")
        self._upkeep.prune(series_id, earlier)
        return checked.warnings

    def _derive(
        self, principal: Principal, series_id: int, state: ChangeTarget, upload: Upload, checked: ValidUpload
    ) -> tuple[pd.DataFrame | None, dict[str, Any]]:
        """Return the table if it or its calibration changed, with the derived values of the row."""
        frame = upload.frame
        if frame is None:
            if not _is_recalibrated(state.metadata, checked.metadata):
                return None, {}
            frame = self._table(principal, series_id, state)
            self._intake.check_table(frame, checked.metadata)
        return frame, self._intake.derived_values(frame, checked.metadata, checked.longitude)

    def _share(
        self, principal: Principal, series_id: int, state: ChangeTarget, fields: Mapping[str, object], sharing: Sharing
    ) -> None:
        """Change only the sharing, if it differs; write no blob."""
        with self._catalogue.transaction() as connection:
            shared = self._resolve_sharing(connection, principal, state, fields, sharing)
            changed = changed_fields(state, {}, shared)
            if not changed:
                return
            ensure_current_revision(series.change(connection, series_id, state.revision, {}))
            reached("share: row changed")
            series.share(connection, series_id, *shared)
            append_history(connection, principal, series_id, state, "share", changed, **state.blob.columns())
            reached("share: history noted")
        reached("share: committed")

    @requires(CHANGE_SERIES)
    def delete(self, principal: Principal, series_id: int, expected: Revisions = None) -> None:
        """Delete a series; the sweep removes its bytes after the grace.

        Raises
        ------
        NotFoundError, ForbiddenError
        PreconditionFailedError
            When the series is at another revision.
        ConflictError
            When too many concurrent changes occur.
        """
        self._retry(principal, series_id, expected, lambda state: self._delete(principal, series_id, state))

    def _delete(self, principal: Principal, series_id: int, state: ChangeTarget) -> None:
        with self._catalogue.transaction() as connection:
            ensure_current_revision(series.remove(connection, series_id, state.revision))
            reached("delete: row removed")
            append_history(connection, principal, series_id, state, "delete", deleted_fields(state))
            reached("delete: history noted")
        reached("delete: committed")
        self._upkeep.prune(series_id, 0)

    @requires(CHANGE_SERIES)
    def purge(self, principal: Principal, series_id: int, expected: Revisions = None) -> None:
        """Remove the values and files of earlier revisions of a series; the owner may purge a deleted series.

        The history keeps revisions, times, users and actions. Raises like :meth:`delete`.
        """
        self.ownership.require()
        retry_change(self._catalogue, series_id, lambda: self._purge(principal, series_id, expected))
        reached("purge: committed")
        self._upkeep.prune(series_id)

    def _purge(self, principal: Principal, series_id: int, expected: Revisions) -> None:
        try:
            state = self._changeable(principal, series_id, expected)
        except NotFoundError:
            if not principal.may(UPLOAD):
                raise
            with self._catalogue.transaction() as connection:
                blobs.purge(connection, series_id)
                if not history.purge(connection, series_id, deleted_for=principal):
                    ensure_current_revision(series.for_change(connection, principal, series_id) is None)
                    raise
            return
        with self._catalogue.transaction() as connection:
            ensure_current_revision(series.change(connection, series_id, state.revision, {}))
            blobs.purge(connection, series_id)
            history.purge(connection, series_id)
            kept = {**state.blob.columns(), "batch": state.metadata.get("batch")}
            append_history(connection, principal, series_id, state, "purge", {}, **kept)
            reached("purge: history cleared")

    def _retry(
        self, principal: Principal, series_id: int, expected: Revisions, change: Callable[[ChangeTarget], _Result]
    ) -> _Result:
        """Apply a change to the current state of a series; retry after concurrent changes."""
        self.ownership.require()
        return retry_change(
            self._catalogue, series_id, lambda: change(self._changeable(principal, series_id, expected))
        )

    def _table(self, principal: Principal, series_id: int, state: ChangeTarget) -> pd.DataFrame:
        return read_table_to_change(self._catalogue, self._store, principal, series_id, state)

    def _holds(self, state: ChangeTarget, content: str) -> bool:
        """Return whether the stored file of a series has this content and is intact."""
        return content == state.content_hash and find_problem(self._store, state.blob) is None

    def _changeable(self, principal: Principal, series_id: int, expected: Revisions = None) -> ChangeTarget:
        with self._catalogue.reading() as connection:
            state = series.for_change(connection, principal, series_id)
        return require_changeable(state, series_id, expected)

    def _resolve_sharing(
        self,
        connection: Connection,
        principal: Principal,
        state: ChangeTarget,
        metadata: Mapping[str, object],
        sharing: Sharing,
    ) -> tuple[list[int] | None, list[int] | None]:
        """Look up the groups and streams to set in the transaction of the change; None leaves them unchanged."""
        references = look_up_references(connection, principal, sharing.reference(metadata))
        group_ids = None if sharing.group_ids is None else sorted({*references.group_ids, state.owners_group_id})
        return group_ids, None if sharing.stream_ids is None else references.stream_ids

    @contextmanager
    def _blob_and_transaction(
        self,
        principal: Principal,
        frame: pd.DataFrame,
        values: Mapping[str, object],
        numbers: Mapping[str, Array] | None = None,
        *,
        is_new: bool = True,
    ) -> Iterator[tuple[Connection, dict[str, object]]]:
        """Write the blob of a series and open the transaction of its row; a duplicate error gets the id if visible."""
        blob = self._blobs.write(frame, values, numbers, is_new=is_new)
        with naming_holder(self._catalogue, principal, values), blob as parts:
            yield parts


def same_table_warning(series_id: int) -> str:
    """Return the warning about a table that another series already has."""
    return f"The same table is already stored as series {series_id}."


def _require_same_calibration(file: Mapping[str, object], series: Mapping[str, object]) -> None:
    """Refuse a file to append whose unit, system, time frame or filter is not that of the series."""
    for name in ("flux_unit", "magsys", "time_scale", "time_refpos", "time_stamp_alignment", "filter"):
        stated, existing = file.get(name), with_fields_of_altdata(series, prefer_altdata=True).get(name)
        if name == "flux_unit" and isinstance(stated, str):
            with suppress(ValueError):
                stated = flux_unit_of(stated).name  # as it is stored
        if stated is not None and stated != existing:
            if existing is None:
                message = f"The file has {name}={stated!r:.60}, and the series has none: set that of the series first."
            else:
                message = f"The file has {name}={stated!r:.60}, and the series {existing!r:.60}: convert the rows."
            raise InvalidError.of_field(name, message)


def _is_recalibrated(before: Mapping[str, object], after: Mapping[str, object]) -> bool:
    """Return whether new metadata change the calibration, the flags or the nights, and therefore the statistics."""
    deciding = ("flux_unit", "magsys", "brightness", "flag_column", "good_values", "instrument_id")
    return any(before.get(name) != after.get(name) for name in deciding)
