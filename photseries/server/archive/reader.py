"""The use cases that read series: get, find, summarize, and read tables and files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import orjson

from photseries.errors import DamagedError, ForbiddenError, NotFoundError
from photseries.fields.stored import file_metadata, with_defaults
from photseries.formats import base64_text, json_columns
from photseries.formats.registry import HDF5, Format
from photseries.hdf5 import StoredContent
from photseries.hdf5.raw import RawTable
from photseries.lightcurve.barycentre import FRAMES, LOCATION
from photseries.lightcurve.select import metadata_of_selection, select, select_counted
from photseries.lightcurve.selection import Selection
from photseries.parameters import SEPARATION, Condition, Cone, Query
from photseries.server.archive.blobs import read_blob, read_range, read_raw, read_table
from photseries.server.archive.table_cache import CachedTable, TableCache
from photseries.server.catalogue import cone_search, history, name_search, registries, series_queries
from photseries.server.catalogue.engine import Catalogue
from photseries.server.catalogue.series_queries import SeriesPage, SeriesRecord
from photseries.server.catalogue.summary import Overview, overview, summary
from photseries.server.catalogue.usage import Usage, usage
from photseries.server.principal import Principal
from photseries.server.storage.contract import Store

__all__ = ["SeriesDocument", "SeriesReader", "needs_location", "not_found"]

T = TypeVar("T")

WHOLE = Selection()

#: The successive search radii for the nearest series [deg].
_WIDENING = (1 / 60, 0.25, 4.0, 180.0)


@dataclass(frozen=True)
class SeriesDocument:
    """The JSON of a series in parts, because joining would copy a long table.

    Attributes
    ----------
    fields : bytes
        A JSON object.
    table : tuple of bytes
        The table, a JSON value in pieces; null if not requested.
    rows : int, optional
        The number of rows before ``max_points`` was applied, for a selection.
    """

    fields: bytes
    table: tuple[bytes, ...] = (b"null",)
    rows: int | None = None

    def pieces(self) -> list[bytes]:
        """Return the JSON object with the table as its field ``data``, in pieces."""
        rows = b"" if self.rows is None else b',"data_rows":%d' % self.rows
        return [b'%b%b,"data":' % (self.fields.removesuffix(b"}"), rows), *self.table, b"}"]


class SeriesReader:
    """Answers queries for a principal, without changes.

    Every method raises UnavailableError when the database or the store is not available. Methods that read the file of
    a series also return the series, because a concurrent change may have replaced both.

    Parameters
    ----------
    catalogue : Catalogue
    store : Store
    table_memory : int
        The size of the table cache [bytes].
    """

    def __init__(self, catalogue: Catalogue, store: Store, table_memory: int) -> None:
        self._catalogue = catalogue
        self._store = store
        self._tables = TableCache(table_memory)

    def get(self, principal: Principal, series_id: int) -> SeriesRecord:
        """Return the current fields of one series, without its table.

        Raises
        ------
        NotFoundError
            When the series is absent or not visible.
        """
        with self._catalogue.reading() as connection:
            series = series_queries.get(connection, principal, series_id)
        if series is None:
            raise not_found(series_id)
        return series

    def file_sizes(self, principal: Principal, ids: Collection[int]) -> dict[int, int]:
        """Return the sizes of the stored files [bytes] of the visible ones among some series."""
        with self._catalogue.reading() as connection:
            return series_queries.file_sizes(connection, principal, ids)

    def find(self, principal: Principal, query: Query) -> tuple[SeriesPage, int | None]:
        """Return a page of the visible series that match, and their total if requested; read no file."""
        with self._catalogue.reading() as connection:
            if query.positions is not None:
                return cone_search.find_near(connection, principal, query, query.positions)
            page = series_queries.find(connection, principal, query)
            return page, series_queries.count(connection, principal, query, page) if query.include_total else None

    def names_like(self, principal: Principal, text: str, limit: int) -> list[str]:
        """Find sources by a part of their name; see :func:`photseries.server.catalogue.name_search.names_like`."""
        with self._catalogue.reading() as connection:
            return name_search.names_like(connection, principal, text, limit)

    def names_alike(self, principal: Principal, text: str, limit: int = 3) -> list[str]:
        """Find the sources with the most similar names; see :mod:`photseries.server.catalogue.name_search`."""
        with self._catalogue.reading() as connection:
            return name_search.names_alike(connection, principal, text, limit)

    def nearest(
        self, principal: Principal, ra: float, dec: float, restrictions: tuple[Condition, ...] = ()
    ) -> SeriesRecord | None:
        """Return the visible series nearest to a position [deg], with its separation, or None."""
        for radius in _WIDENING:
            cone = Query(restrictions, Cone(ra, dec, radius), sort_by=SEPARATION, per_page=1, include_total=False)
            if matches := self.find(principal, cone)[0].records:
                return matches[0]
        return None

    def find_all(self, principal: Principal, query: Query) -> Iterator[SeriesRecord]:
        """Yield all visible series that match, with one page at a time in memory."""
        while True:
            page, _ = self._catalogue.with_retries(partial(self.find, principal, replace(query, include_total=False)))
            yield from page.records
            if page.next is None:
                return
            query = replace(query, cursor=page.next)

    def summarize(self, principal: Principal, query: Query) -> dict[str, object]:
        """Count the visible series that match; see :func:`photseries.server.catalogue.summary.summary`."""
        with self._catalogue.reading() as connection:
            return summary(connection, principal, query)

    def overview(self, principal: Principal) -> Overview:
        """Summarise the archive; see :func:`photseries.server.catalogue.summary.overview`."""
        with self._catalogue.reading() as connection:
            return overview(connection, principal)

    def usage(self, principal: Principal) -> list[Usage]:
        """Return the usage of the principal or, for an admin, of every user."""
        with self._catalogue.reading() as connection:
            return usage(connection, None if principal.is_admin else principal.user_id)

    def with_location(self, metadata: Mapping[str, Any], part: Selection) -> Mapping[str, Any]:
        """Add the location of the instrument to metadata if the selection needs it."""
        if not needs_location(part):
            return metadata

        def location() -> Mapping[str, object]:
            with self._catalogue.reading() as connection:
                return registries.location(connection, metadata["instrument_id"])

        return {**metadata, **self._catalogue.with_retries(location)}

    def location_mark(self, series: SeriesRecord, part: Selection) -> bytes:
        """Return the location of the instrument as bytes if the selection depends on it, for an ETag; else nothing."""
        if not needs_location(part):
            return b""
        located = self.with_location(series.fields, part)
        return repr([located.get(name) for name in LOCATION]).encode()

    def history(self, principal: Principal, series_id: int) -> list[dict[str, object]]:
        """Return the changes of a series; see :func:`photseries.server.catalogue.history.events`.

        Raises
        ------
        NotFoundError
        """
        with self._catalogue.reading() as connection:
            events = history.events(connection, principal, series_id)
        if not events:
            raise not_found(series_id)
        return events

    def revision(
        self, principal: Principal, series_id: int, revision: int, data_format: str = "none"
    ) -> SeriesDocument:
        """Return a series at a revision as JSON; raises like :meth:`past`."""
        return self._document(self.past(principal, series_id, revision), data_format, WHOLE)

    def past(self, principal: Principal, series_id: int, revision: int) -> SeriesRecord:
        """Return a series, even a deleted one, with the fields of its file at a revision.

        Raises
        ------
        NotFoundError
            When the series is not visible, there was no such revision, or its file is no longer kept.
        ForbiddenError
            When the principal may only read the series and the revision is an earlier one.
        """
        with self._catalogue.reading() as connection:
            allowed, blob = history.blob_at(connection, principal, series_id, revision)
        if not allowed:
            raise ForbiddenError("Only the owner and tokens that may change the series can read earlier revisions.")
        try:
            metadata = None if blob is None else read_table(self._store, blob).metadata
        except DamagedError:
            metadata = None
        if blob is None or metadata is None:
            raise NotFoundError(f"Revision {revision} of series {series_id} does not exist, or is no longer kept.")
        fields = {"id": series_id, "revision": revision, **with_defaults(metadata)}
        fields |= {"filename": blob.filename, "hash": blob.hash}
        return SeriesRecord(blob, revision, 0, orjson.dumps(fields), is_past=True)

    def document(
        self, principal: Principal, series: SeriesRecord, data_format: str = "none", part: Selection = WHOLE
    ) -> tuple[SeriesRecord, SeriesDocument]:
        """Return the fields of a series as JSON, with its table or a part of it as ``data``.

        Parameters
        ----------
        principal : Principal
        series : SeriesRecord
            From :meth:`get` or :meth:`find`.
        data_format : {"none", "json", "hdf5"}
            The format of the table; "none" omits it.
        part : Selection

        Raises
        ------
        NotFoundError
            When a concurrent change has made the series invisible.
        DamagedError
            When its blob is missing or altered.
        InvalidError
            When the table has no such part.
        """
        return self._read_with_retry(principal, series, lambda seen: self._document(seen, data_format, part))

    def file(
        self, principal: Principal, series: SeriesRecord, part: Selection = WHOLE, file_format: Format = HDF5
    ) -> tuple[SeriesRecord, bytes]:
        """Return a series, or a part of its table, as a file; for the whole series as HDF5, the stored bytes.

        Raises like :meth:`document`, and NotInstalledError when the service cannot write the format.
        """
        return self._read_with_retry(principal, series, lambda seen: self._file(seen, part, file_format))

    def stored_range(
        self, principal: Principal, series: SeriesRecord, start: int, stop: int
    ) -> tuple[SeriesRecord, bytes]:
        """Return a range of the bytes of the stored file without reading the rest; raises like :meth:`document`."""
        return self._read_with_retry(principal, series, lambda seen: read_range(self._store, seen.blob, start, stop))

    def table(self, principal: Principal, series: SeriesRecord) -> tuple[SeriesRecord, StoredContent]:
        """Return the whole table of a series and the metadata in its file; raises like :meth:`document`."""
        return self._read_with_retry(principal, series, lambda seen: read_table(self._store, seen.blob))

    def cached_table(self, principal: Principal, series: SeriesRecord) -> tuple[SeriesRecord, CachedTable]:
        """Return the read-only table of a series with its light curve; raises like :meth:`document`."""
        return self._read_with_retry(
            principal, series, lambda seen: self._tables.get(seen.blob, partial(read_table, self._store))
        )

    def columns(self, principal: Principal, series: SeriesRecord) -> tuple[SeriesRecord, RawTable]:
        """Return the table of :meth:`table` as plain arrays."""
        return self._read_with_retry(principal, series, lambda seen: read_raw(self._store, seen.blob))

    def _read_with_retry(
        self, principal: Principal, series: SeriesRecord, read: Callable[[SeriesRecord], T]
    ) -> tuple[SeriesRecord, T]:
        """Read from the file of a series; retry if a change has replaced the file and a sweep removed it."""
        try:
            return series, read(series)
        except DamagedError:
            if series.is_past:
                raise
            again = self._catalogue.with_retries(lambda: self.get(principal, series.blob.series_id))
            if again.blob == series.blob:
                raise
            return again, read(again)

    def _document(self, series: SeriesRecord, data_format: str, part: Selection) -> SeriesDocument:
        match data_format:
            case "json":
                if part.is_whole:
                    frame = read_table(self._store, series.blob).frame
                    return SeriesDocument(series.document, (json_columns.encode(frame),))
                table = self._tables.get(series.blob, partial(read_table, self._store))
                metadata = self.with_location(series.fields, part)
                selected, rows = select_counted(table.decoded.frame, part, metadata, table.curve)
                return SeriesDocument(series.document, (json_columns.encode(selected),), rows)
            case "hdf5":
                return SeriesDocument(series.document, (b'"', base64_text.encode(self._file(series, part)), b'"'))
            case _:
                return SeriesDocument(series.document)

    def _file(self, series: SeriesRecord, part: Selection, file_format: Format = HDF5) -> bytes:
        if part.is_whole and file_format is HDF5:
            return read_blob(self._store, series.blob)
        stored = read_table(self._store, series.blob)
        metadata = self.with_location(series.fields, part)
        frame = stored.frame if part.is_whole else select(stored.frame, part, metadata)
        return file_format.write(frame, file_metadata(metadata_of_selection(part, with_defaults(stored.metadata))))


def needs_location(part: Selection) -> bool:
    """Return whether a selection depends on the location of the instrument."""
    return not FRAMES.keys().isdisjoint(part.derive) or part.bin == "night"


def not_found(series_id: int) -> NotFoundError:
    """Return the error about an absent or invisible series."""
    return NotFoundError(f"No photometric series with ID {series_id}.")
