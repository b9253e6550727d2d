"""The use cases that change nothing: get, find, sum up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pandas as pd

from photseries.errors import DamagedError, NotFoundError
from photseries.formats import base64_text, json_columns
from photseries.formats.registry import HDF5, Format
from photseries.lightcurve.cutting import chosen, cut
from photseries.lightcurve.part import Part
from photseries.parameters import Query
from photseries.server.archive.blobs import Blobs
from photseries.server.archive.exports import Export, layout_of
from photseries.server.archive.shown import Shown
from photseries.server.archive.tables import Tables
from photseries.server.catalogue import finding, history, near
from photseries.server.catalogue.engine import Catalogue
from photseries.server.catalogue.finding import Found, Page
from photseries.server.catalogue.summary import summary
from photseries.server.principal import Principal

__all__ = ["Reader", "absent"]

T = TypeVar("T")

WHOLE = Part()

#: Tells whether the answer about a series, as it is now, need not be given again.
Known = Callable[[Found], bool]


def nothing(found: Found) -> bool:
    """Know of no answer."""
    return False


class Reader:
    """The half of the archive that only reads.

    Parameters
    ----------
    catalogue : Catalogue
    blobs : Blobs
    tables : Tables
        Those that were looked at a short while ago.
    """

    def __init__(self, catalogue: Catalogue, blobs: Blobs, tables: Tables) -> None:
        self._catalogue = catalogue
        self._blobs = blobs
        self._tables = tables

    def get(
        self,
        principal: Principal,
        series_id: int,
        data_format: str = "none",
        known: Known = nothing,
        part: Part = WHOLE,
    ) -> tuple[Found, Shown | None]:
        """Give one series, with its table as ``data`` unless the format is none.

        Parameters
        ----------
        principal : Principal
        series_id : int
        data_format : {"none", "json", "hdf5"}
        known : callable
            Tells whether the answer need not be given again.
        part : Part
            Of the table.

        Returns
        -------
        found, shown : Found, Shown or None
            The second is None when the answer is known.

        Raises
        ------
        NotFoundError
            When it is absent or not visible.
        DamagedError
            When its blob is missing or altered.
        """
        return self._unless_known(principal, series_id, known, lambda seen: self.shown(seen, data_format, part))

    def file(
        self,
        principal: Principal,
        series_id: int,
        known: Known = nothing,
        part: Part = WHOLE,
        form: Format = HDF5,
    ) -> tuple[Found, bytes | None]:
        """Give one series, or a part of its table, as a file; HDF5 as it is stored; see :meth:`get`.

        Raises
        ------
        NotInstalledError
            When the service cannot write the format.
        """
        return self._unless_known(principal, series_id, known, lambda seen: self._file(seen, part, form))

    def study(
        self,
        principal: Principal,
        series_id: int,
        known: Known,
        work: Callable[[pd.DataFrame, Mapping[str, Any]], T],
    ) -> tuple[Found, T | None]:
        """Give what comes of some work on the table and the fields of one series; see :meth:`get`."""

        def read(seen: Found) -> T:
            return work(self._blobs.decoded(seen.blob).frame, seen.fields)

        return self._unless_known(principal, series_id, known, read)

    def _unless_known(
        self, principal: Principal, series_id: int, known: Known, read: Callable[[Found], T]
    ) -> tuple[Found, T | None]:
        """Give one series and what is read of it, None when the answer is known."""
        found = self.visible(principal, series_id)
        return (found, None) if known(found) else self.latest(principal, found, read)

    def latest(self, principal: Principal, found: Found, read: Callable[[Found], T]) -> tuple[Found, T]:
        """Read the file of a series; once more when a change has replaced it, and a sweep removed it, meanwhile."""
        try:
            return found, read(found)
        except DamagedError:
            again = self.visible(principal, found.blob.series_id)
            if again.blob == found.blob:
                raise
            return again, read(again)

    def history(self, principal: Principal, series_id: int) -> list[dict[str, Any]]:
        """Give the changes of a series; of one that is deleted, to its owner.

        Raises
        ------
        NotFoundError
        """
        with self._catalogue.reading() as connection:
            found = history.events(connection, principal, series_id)
        if not found:
            raise absent(series_id)
        return found

    def get_revision(self, principal: Principal, series_id: int, revision: int, data_format: str = "none") -> Shown:
        """Give what a series was at a revision, from the file of that time, to its owner; deleted or not.

        Raises
        ------
        NotFoundError
            When there was no such revision, its file is no longer kept, or the principal is not the owner.
        """
        with self._catalogue.reading() as connection:
            blob = history.blob_at(connection, principal, series_id, revision)
        try:
            metadata = None if blob is None else self._blobs.decoded(blob).metadata
        except DamagedError:
            metadata = None
        if blob is None or metadata is None:
            raise NotFoundError(f"Revision {revision} of series {series_id} is not kept, or not yours to read.")
        fields = {"id": series_id, "revision": revision, **metadata, "filename": blob.filename, "hash": blob.hash}
        return self.shown(Found(blob, revision, orjson.dumps(fields)), data_format)

    def find(self, principal: Principal, query: Query) -> tuple[Page, int | None]:
        """Give a page of the series that match and are visible, and how many there are; no file is touched."""
        with self._catalogue.reading() as connection:
            if query.positions is None:
                page, count = finding.find(connection, principal, query), finding.count
            else:
                page = near.find_near(connection, principal, query, query.positions)
                count = partial(near.count_near, positions=query.positions)
            return page, count(connection, principal, query) if query.include_total else None

    def every(self, principal: Principal, query: Query) -> Iterator[Found]:
        """Give all series that match and are visible, page after page: a page at a time is in memory."""
        while True:
            with self._catalogue.reading() as connection:
                page = finding.find(connection, principal, query)
            yield from page.found
            if page.next is None:
                return
            query = replace(query, cursor=page.next)

    def export(self, principal: Principal, query: Query, form: Format, part: Part, folder: Path) -> Iterator[bytes]:
        """Give all series that match and are visible as one file; see :mod:`photseries.server.archive.exports`.

        Parameters
        ----------
        principal : Principal
        query : Query
            Of which only the criteria count.
        form : Format
        part : Part
            Of which only the columns and what is derived count, and these for a long table.
        folder : Path
            Where files without names may be.

        Raises
        ------
        NotInstalledError
            When the service cannot write the format.
        InvalidError
            When no series has a column that is asked for.
        """
        form.require_package()
        with self._catalogue.reading() as connection:
            layout = layout_of(connection, principal, query, part)
        return Export(self, self._blobs, principal, query, layout, folder).pieces(form)

    def summary(self, principal: Principal, query: Query) -> dict[str, Any]:
        """Sum up the series that match and are visible; see :func:`photseries.server.catalogue.summary.summary`."""
        with self._catalogue.reading() as connection:
            return summary(connection, principal, query)

    def shown(self, found: Found, data_format: str, part: Part = WHOLE) -> Shown:
        """Give the fields of a series that was found, with its table unless the format is none.

        Raises
        ------
        DamagedError
            When its blob is missing or altered.
        InvalidError
            When the part is none of its table.
        """
        match data_format:
            case "json":
                if part.is_whole:
                    frame = self._blobs.decoded(found.blob).frame
                    return Shown(found.document, (json_columns.encode(frame),))
                table = self._tables.get(found.blob, self._blobs.decoded)
                wanted, rows = chosen(table.decoded.frame, part, found.fields, table.curve)
                return Shown(found.document, (json_columns.encode(wanted),), rows)
            case "hdf5":
                return Shown(found.document, (b'"', base64_text.encode(self._file(found, part)), b'"'))
            case _:
                return Shown(found.document)

    def _file(self, found: Found, part: Part, form: Format = HDF5) -> bytes:
        if part.is_whole and form is HDF5:
            return self._blobs.read(found.blob)
        stored = self._blobs.decoded(found.blob)
        frame = stored.frame if part.is_whole else cut(stored.frame, part, found.fields)
        return form.write(frame, stored.metadata)

    def visible(self, principal: Principal, series_id: int) -> Found:
        """Give one series as it is now, without its table.

        Raises
        ------
        NotFoundError
            When it is absent or not visible.
        """
        with self._catalogue.reading() as connection:
            found = finding.get(connection, principal, series_id)
        if found is None:
            raise absent(series_id)
        return found


def absent(series_id: int) -> NotFoundError:
    """Make the error about a series that is not there, or not visible."""
    return NotFoundError(f"No photometric series with ID {series_id}.")
