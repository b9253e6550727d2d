"""The use case that stores an imported series with its id, owner, sharing and dates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from photseries.server.archive.blobs import BlobWriter
from photseries.server.archive.intake import Intake, NewSeries
from photseries.server.catalogue import series
from photseries.server.catalogue.engine import Catalogue
from photseries.server.sandbox.pool import Sandbox
from photseries.server.settings import Config
from photseries.server.storage.contract import Store

__all__ = ["SeriesImporter"]


class SeriesImporter:
    """Parses and stores series of another archive.

    Parameters
    ----------
    catalogue : Catalogue
    store : Store
    sandbox : Sandbox
        The workers that read the files.
    config : Config
    """

    def __init__(self, catalogue: Catalogue, store: Store, sandbox: Sandbox, config: Config) -> None:
        self._blobs = BlobWriter(catalogue, store, config)
        self._intake = Intake(catalogue, sandbox, config)

    def parse(
        self, file: bytes, fields: Mapping[str, object], *, use_file_metadata: bool = False
    ) -> tuple[NewSeries, Mapping[str, object]]:
        """Parse and check a series; see :meth:`photseries.server.archive.intake.Intake.parse_imported`."""
        return self._intake.parse_imported(file, fields, use_file_metadata=use_file_metadata)

    def store(
        self,
        new: NewSeries,
        kept: Mapping[str, object],
        group_ids: Sequence[int],
        stream_ids: Sequence[int],
        changed: Mapping[str, Mapping[str, object]],
    ) -> None:
        """Store a series: first its blob, then its row, as for every other series.

        Parameters
        ----------
        new : NewSeries
        kept : mapping
            ``id``, ``created_at`` and ``modified``.
        group_ids, stream_ids : sequence of int
            The groups and streams that it is shared with; the owner's own group is one of them.
        changed : mapping
            The changes for the history, ``{field: {"from": ..., "to": ...}}``; the new MD5 of the file is added.

        Raises
        ------
        DuplicateError
            When a series with this unique key exists.
        InvalidError
            When an entry that it refers to does not exist.
        UnavailableError
            When a part is not available or full.
        """
        with self._blobs.write(new.frame, new.values) as (connection, blob):
            hashes = {**changed["hash"], "to": blob["hash"]}
            values = {**new.values, **blob, **kept}
            series.take_over(connection, values, group_ids, stream_ids, {**changed, "hash": hashes})
