"""Parse and check the bodies of requests that create or change series; nothing is stored here.

A refusal lists all problems of a body.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Final, NoReturn, TypeVar

import pandas as pd

from photseries.errors import InvalidError
from photseries.fields import METADATA, STATISTICS
from photseries.fields.stored import with_defaults
from photseries.fields.texts import without_ignored
from photseries.formats import base64_text, json_columns
from photseries.lightcurve.bandpasses import allowed_filters
from photseries.lightcurve.calibration import AB_MICROJANSKY, calibration_of, with_fields_of_altdata
from photseries.lightcurve.curve import brightness_spellings, good_rows, light_curve, require_one_brightness
from photseries.lightcurve.digest import content_hash, content_hash_of
from photseries.lightcurve.features import features
from photseries.lightcurve.metadata import MergedMetadata, complete_reference, merge
from photseries.lightcurve.quality import distance_warnings, inspect
from photseries.lightcurve.statistics import STATISTICS_VERSION, ColumnSummary, summarize
from photseries.lightcurve.table import validate
from photseries.server.archive.problems import Problems
from photseries.server.archive.uploads import InBlock, NewSeries, SentRows, Sharing, Upload, ValidUpload
from photseries.server.catalogue.engine import Catalogue
from photseries.server.catalogue.references import NOTHING, References, look_up_many, look_up_references
from photseries.server.catalogue.registries import location
from photseries.server.principal import Principal
from photseries.server.sandbox.pool import Sandbox
from photseries.server.schemas.metadata import MetadataSchema, load_metadata
from photseries.server.settings import Config
from photseries.text import first_names

__all__ = ["LAYERS", "Intake", "inferred_fields", "statistics_of"]

#: The sources of metadata of a new series, lowest precedence first.
LAYERS = ("inferred", "file", "body")

#: Tables with more values on average are parsed in several threads.
MANY_VALUES: Final = 50_000
THREADS: Final = min(4, os.cpu_count() or 1)

_T = TypeVar("_T")
_U = TypeVar("_U")


class Intake:
    """Parses and checks request bodies.

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
        self.filters = allowed_filters(config.photometry.additional_bandpasses)
        self._schema = MetadataSchema(self.filters, config.limits.depth)

    def parse_body(self, principal: Principal, body: Mapping[str, object]) -> Upload:
        """Decode a request body: columns in this process, an HDF5 file in a worker.

        Raises
        ------
        InvalidError
            When ``data`` is neither an object of columns nor a readable file; it names the problems of the fields too.
        UnavailableError
            When no worker became free in time.
        """
        fields = {name: value for name, value in body.items() if name != "data"}
        try:
            match body.get("data"):
                case None:
                    return Upload(None, {}, with_fields_of_altdata(fields))
                case dict() as columns:
                    return Upload(json_columns.decode(columns, self._limits), {}, with_fields_of_altdata(fields))
                case str() | bytes() as file:
                    blob = base64_text.decode(file) if isinstance(file, str) else file
                    decoded = self._sandbox.decode(blob, principal.user_id)
                    file_metadata = with_fields_of_altdata(without_ignored(decoded.metadata))
                    if "owner_id" in decoded.metadata:  # a file of the service, which omits some defaults
                        file_metadata = {**with_defaults({}), **file_metadata}
                    return Upload(decoded.frame, file_metadata, with_fields_of_altdata(fields))
            raise InvalidError.of_field(
                "data", "data must be an object of columns, or the base64 text of an HDF5 file."
            )
        except InvalidError as error:
            self._raise_with_others(principal, fields, error)

    def parse_create(
        self, principal: Principal, body: Mapping[str, object], *, refuse_suspicious: bool = True
    ) -> NewSeries:
        """Parse and check the body of a new series.

        Parameters
        ----------
        principal : Principal
        body : mapping
        refuse_suspicious : bool
            False turns the refusal of several filters, and of times that are not MJD, into warnings.

        Raises
        ------
        InvalidError
            With all problems at once.
        UnavailableError
            When no worker became free in time.
        """
        upload = self.parse_body(principal, body)
        frame = self._required(principal, upload)
        sent, merged = _merge(frame, replace(upload, block=InBlock.alone(frame)))
        checked = self.check(principal, sent, merged, refuse_suspicious=refuse_suspicious)
        return self._new_series(frame, merged, checked, principal.user_id)

    def parse_many(self, principal: Principal, uploads: Sequence[Upload]) -> list[NewSeries | InvalidError]:
        """Check many new series, as :meth:`parse_create` does one, with one look-up of all their references.

        Parameters
        ----------
        principal : Principal
        uploads : sequence of Upload

        Returns
        -------
        list of NewSeries or InvalidError
            For each upload: the values to store, or all its problems.
        """
        parallel = sum(0 if upload.frame is None else upload.frame.size for upload in uploads) > MANY_VALUES * len(
            uploads
        )
        begun = _map_in_threads(self._check_alone, uploads, parallel=parallel)
        references = [upload.checked.sharing.reference(upload.checked.metadata) for upload in begun]
        with self._catalogue.reading() as connection:
            look_ups = look_up_many(connection, principal, references)
        pairs = list(zip(begun, look_ups, strict=True))
        return _map_in_threads(lambda pair: self._ended(*pair, principal), pairs, parallel=parallel)

    def _check_alone(self, upload: Upload) -> _PendingUpload:
        """Check an upload without the catalogue."""
        problems = Problems()
        if upload.frame is not None:
            sent, merged = _merge(upload.frame, upload)
            checked = self._valid(problems, sent, merged, refuse_suspicious=True)
            return _PendingUpload(problems, sent, merged, checked)
        problems.errors.append(upload.error or InvalidError.of_field("data", "Must supply data."))
        merged = merge({"file": upload.file, "body": upload.fields})
        metadata, refusal = load_metadata(self._schema, merged.values, partial=True)
        if refusal is not None:
            problems.errors.append(refusal)
        return _PendingUpload(problems, None, merged, ValidUpload(metadata, _sharing_of(metadata), ()))

    def _ended(self, begun: _PendingUpload, references: References, principal: Principal) -> NewSeries | InvalidError:
        """Complete a parsed upload with its references."""
        _refuse_unknown(begun.problems, begun.checked.metadata, begun.checked.sharing, references)
        try:
            checked = _complete(begun.problems, begun.sent, begun.checked, references)
        except InvalidError as error:
            return error
        return self._new_series(begun.frame, begun.merged, checked, principal.user_id)

    def parse_imported(
        self, file: bytes, fields: Mapping[str, Any], *, use_file_metadata: bool
    ) -> tuple[NewSeries, Mapping[str, object]]:
        """Parse and check a series of another archive; its references are checked when it is inserted.

        Several filters, and times that are not MJD, are warnings here.

        Parameters
        ----------
        file : bytes
            HDF5; a worker reads it, as it reads every upload.
        fields : mapping
            Metadata from the catalogue of that archive, and ``owner_id``.
        use_file_metadata : bool
            Whether the metadata in the file fill in for absent fields.

        Returns
        -------
        series, metadata : NewSeries, mapping
            The series, and the metadata in the file.

        Raises
        ------
        UnreadableFileError
            When the worker refuses the file.
        InvalidError
            With all problems at once.
        """
        decoded = self._sandbox.decode(file)
        body_fields = {name: value for name, value in fields.items() if name != "owner_id"}
        file_says = without_ignored(decoded.metadata) if use_file_metadata else {}
        sent = SentRows.of(decoded.frame)
        layers = {"inferred": sent.inferred, "file": file_says, "fields": body_fields}
        merged = merge({name: with_fields_of_altdata(layer) for name, layer in layers.items()})
        problems = Problems()
        checked = self._valid(problems, sent, merged, refuse_suspicious=False)
        problems.raise_any()
        with self._catalogue.reading() as connection:
            longitude = location(connection, checked.metadata["instrument_id"]).get("longitude")
        checked = replace(checked, references=replace(NOTHING, longitude=longitude or 0.0))
        return self._new_series(decoded.frame, merged, checked, fields["owner_id"]), decoded.metadata

    def parse_append(self, principal: Principal, body: Mapping[str, object]) -> tuple[pd.DataFrame, Upload]:
        """Parse the rows to append to a series, and the ``batch`` beside them.

        Raises
        ------
        InvalidError
            When there is no table, or a field beside it.
        """
        upload = self.parse_body(principal, body)
        if other_fields := [name for name in upload.fields if name != "batch"]:
            raise InvalidError(f"Only data can be appended, not {', '.join(first_names(other_fields))}.")
        return self._required(principal, upload), upload

    def _required(self, principal: Principal, upload: Upload) -> pd.DataFrame:
        """Return the table of an upload.

        Raises
        ------
        InvalidError
            When there is none; it names the problems of the fields too.
        """
        if upload.frame is None:
            message = "Must supply data: an object of columns, or the base64 text of an HDF5 file."
            self._raise_with_others(principal, upload.fields, InvalidError.of_field("data", message))
        return upload.frame

    def _raise_with_others(self, principal: Principal, fields: Mapping[str, object], error: InvalidError) -> NoReturn:
        """Raise the problem of the data together with the problems of the given fields."""
        if type(error) is not InvalidError:
            raise error
        problems = Problems([error])
        stated = {name: value for name, value in fields.items() if value is not None}
        metadata, refusal = load_metadata(self._schema, stated, partial=True)
        if refusal is not None:
            problems.errors.append(refusal)
        self._look_up(problems, principal, metadata, _sharing_of(metadata))
        problems.raise_any()
        raise error

    def check(
        self, principal: Principal, sent: SentRows | None, merged: MergedMetadata, *, refuse_suspicious: bool = True
    ) -> ValidUpload:
        """Check the table that a request sent, if it sent one, and the merged metadata.

        Raises
        ------
        InvalidError
            With all problems at once.
        """
        problems = Problems()
        checked = self._valid(problems, sent, merged, refuse_suspicious=refuse_suspicious)
        references = self._look_up(problems, principal, checked.metadata, checked.sharing)
        return _complete(problems, sent, checked, references)

    def _valid(
        self, problems: Problems, sent: SentRows | None, merged: MergedMetadata, *, refuse_suspicious: bool
    ) -> ValidUpload:
        """Check a table and its merged metadata, without the catalogue."""
        metadata, refusal = load_metadata(self._schema, merged.values)
        is_table = False
        plain = sent.plain if sent is not None and self._is_plain(sent, metadata) else None
        with problems.caught():
            if sent is not None and plain is None:
                self.check_table(sent.frame, metadata)
                is_table = True
        if refusal is not None:
            problems.errors.append(refusal)
        sharing = _sharing_of(metadata)
        with problems.caught():
            metadata = complete_reference(metadata)
        warnings = []
        if sent is not None and is_table:
            said = {name for name, source in merged.sources.items() if source != "inferred"}  # without defaults
            stated = {name: value for name, value in metadata.items() if name in said}
            quality = inspect(sent.frame, sent.rows, sent.inferred, stated)
            warnings = quality.warnings
            if refuse_suspicious:
                for column, message in quality.problems.items():
                    problems.add(f"data.{column}", message)
            else:
                warnings = [*quality.problems.values(), *warnings]
        values = {name: metadata.get(name) for name in METADATA}
        return ValidUpload(values, sharing, tuple(warnings), plain=plain)

    def _is_plain(self, sent: SentRows, metadata: Mapping[str, object]) -> bool:
        """Return whether a table passes all checks, as plain ones do under the usual calibration."""
        plain = sent.plain
        if plain is None or metadata.get("flag_column") is not None or calibration_of(metadata) != AB_MICROJANSKY:
            return False
        if plain.block.is_valid is None:
            try:
                validate(sent.frame, self._limits, brightness_spellings(AB_MICROJANSKY))
                plain.block.is_valid = True
            except InvalidError:
                plain.block.is_valid = False
        return plain.block.is_valid

    def _new_series(
        self, frame: pd.DataFrame, merged: MergedMetadata, checked: ValidUpload, owner_id: int
    ) -> NewSeries:
        derived = {
            **self.derived_values(frame, checked.metadata, checked.longitude, checked.plain),
            "inferred": inferred_fields(merged),
        }
        values = {**derived, **checked.metadata, "owner_id": owner_id}
        return NewSeries(frame, checked, values, merged.sources)

    def check_table(self, frame: pd.DataFrame, metadata: Mapping[str, object]) -> None:
        """Check that a table can be a series, and has the brightness that its metadata speak of.

        Raises
        ------
        InvalidError
        """
        calibration = calibration_of(metadata)
        validate(frame, self._limits, brightness_spellings(calibration))
        require_one_brightness(frame, calibration)
        good_rows(frame, metadata)

    def derived_values(
        self, frame: pd.DataFrame, metadata: Mapping[str, object], longitude: float, plain: InBlock | None = None
    ) -> dict[str, object]:
        """Return the values of a row that follow from the table and its calibration: statistics and content hash."""
        if plain is not None:
            summary = plain.block.summary(plain.place, self._detection_threshold)
            return {
                **_row_of(summary, plain.block.features(plain.place, longitude), longitude),
                "content_hash": content_hash_of(plain.columns),
            }
        return {
            **statistics_of(frame, metadata, self._detection_threshold, longitude),
            "content_hash": content_hash(frame),
        }

    def _look_up(
        self, problems: Problems, principal: Principal, metadata: Mapping[str, object], sharing: Sharing
    ) -> References:
        with self._catalogue.reading() as connection:
            references = look_up_references(connection, principal, sharing.reference(metadata))
        _refuse_unknown(problems, metadata, sharing, references)
        return references


def _map_in_threads(function: Callable[[_T], _U], items: Sequence[_T], *, parallel: bool) -> list[_U]:
    """Call a function with each item, in threads where its work is on long arrays, which releases Python's lock."""
    if not parallel:
        return [function(item) for item in items]
    with ThreadPoolExecutor(THREADS, "intake") as threads:
        return list(threads.map(function, items))


def inferred_fields(merged: MergedMetadata, before: Set[str] = frozenset()) -> list[str]:
    """Name the fields whose values were inferred from columns, now or ``before`` they were merged."""
    return sorted(
        name
        for name, source in merged.sources.items()
        if source == "inferred" or (source == "existing" and name in before)
    )


def statistics_of(
    frame: pd.DataFrame, metadata: Mapping[str, object], detection_threshold: float, longitude: float
) -> dict[str, object]:
    """Return the statistics of a table under its calibration, with their version and the longitude, for a row."""
    good = good_rows(frame, metadata)
    curve = light_curve(frame, calibration_of(metadata)).masked(good)
    summary = summarize(frame, curve, good=good, detection_threshold=detection_threshold)
    return _row_of(summary, features(curve, longitude), longitude)


def _row_of(summary: ColumnSummary, of_variability: Mapping[str, object], longitude: float) -> dict[str, object]:
    statistics = {name: getattr(summary, name) for name in STATISTICS}
    return {**statistics, **of_variability, "statistics_version": STATISTICS_VERSION, "longitude": longitude}


def _merge(frame: pd.DataFrame, upload: Upload) -> tuple[SentRows, MergedMetadata]:
    """Return a table with the fields inferred from it, and the metadata of a new series from all sources."""
    sent = SentRows.of(frame, block=upload.block)
    return sent, merge(dict(zip(LAYERS, (sent.inferred, upload.file, upload.fields), strict=True)))


def _complete(problems: Problems, sent: SentRows | None, checked: ValidUpload, references: References) -> ValidUpload:
    """Add the fields that follow from the references of a series; raise all problems if there are any."""
    problems.raise_any()
    checked = replace(checked, references=references)
    if sent is None:
        return checked
    far = distance_warnings(checked.metadata["ra"], checked.metadata["dec"], references.source_position)
    return replace(checked, warnings=(*checked.warnings, *far))


def _sharing_of(metadata: dict[str, Any]) -> Sharing:
    """Move the sharing out of validated metadata."""
    return Sharing(metadata.pop("group_ids", None), metadata.pop("stream_ids", None))


@dataclass(frozen=True)
class _PendingUpload:
    """One of many uploads that was checked without the catalogue."""

    problems: Problems
    sent: SentRows | None
    merged: MergedMetadata
    checked: ValidUpload

    @property
    def frame(self) -> pd.DataFrame:
        """The table; empty when there is a problem with it."""
        return pd.DataFrame() if self.sent is None else self.sent.frame


def _refuse_unknown(
    problems: Problems, metadata: Mapping[str, object], sharing: Sharing, references: References
) -> None:
    """Add a problem for every reference that does not exist, or that the principal may not use."""
    for name, exists in references.exists.items():
        if not exists:
            problems.add(name, f"Invalid {name}: {metadata[name]}")
    if isinstance(sharing.group_ids, list):
        for number in sorted(set(sharing.group_ids) - set(references.group_ids)):
            problems.add("group_ids", f"Invalid group ID: {number}")
    for number in sorted(set(sharing.stream_ids or ()) - set(references.stream_ids)):
        problems.add("stream_ids", f"No stream with ID {number}")
