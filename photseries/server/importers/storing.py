"""The use case of a series that comes from another archive: its id, owner, sharing and dates are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from photseries.server.archive.blobs import Blobs
from photseries.server.archive.intake import Intake, NewSeries
from photseries.server.catalogue import series
from photseries.server.catalogue.engine import Catalogue
from photseries.server.sandbox.pool import Sandbox
from photseries.server.settings import Config
from photseries.server.storage.contract import Store

__all__ = ["Taking"]


class Taking:
    """Takes series over.

    Parameters
    ----------
    catalogue : Catalogue
    store : Store
    sandbox : Sandbox
        The workers that read the files.
    config : Config
    """

    def __init__(self, catalogue: Catalogue, store: Store, sandbox: Sandbox, config: Config) -> None:
        self._blobs = Blobs(catalogue, store, config)
        self._intake = Intake(catalogue, sandbox, config)

    def read(
        self, file: bytes, fields: Mapping[str, Any], *, describing: bool = False
    ) -> tuple[NewSeries, Mapping[str, Any]]:
        """Read and check a series; see :meth:`photseries.server.archive.intake.Intake.foreign`."""
        return self._intake.foreign(file, fields, describing=describing)

    def take(
        self,
        new: NewSeries,
        kept: Mapping[str, Any],
        group_ids: Sequence[int],
        stream_ids: Sequence[int],
        changed: Mapping[str, Any],
    ) -> None:
        """Store a series that was read: first its blob, then its row, as for every other.

        Parameters
        ----------
        new : NewSeries
        kept : mapping
            ``id``, ``created_at`` and ``modified``.
        group_ids, stream_ids : sequence of int
            With whom it is shared; its owner's own group among them.
        changed : mapping
            What the history is to say: ``{field: {"from": ..., "to": ...}}``; the MD5 of the file is added.

        Raises
        ------
        DuplicateError
            When the unique key is taken.
        InvalidError
            When something that it refers to is not there.
        UnavailableError
            When a part is away or full.
        """
        with self._blobs.written(new.frame, new.values) as (connection, blob):
            hashes = {**changed["hash"], "to": blob["hash"]}
            values = {**new.values, **blob, **kept}
            series.take_over(connection, values, group_ids, stream_ids, {**changed, "hash": hashes})
