"""Export many series as one file, made while it is sent: the memory needed does not grow with their number.

A page of the catalogue and a few tables are in memory at a time, and no connection is held between pages. The export
contains a series as it was when its page was read: the store keeps the bytes of changed and deleted series for the
grace.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final

import orjson

from photseries.errors import InvalidError, NotFoundError, UnavailableError
from photseries.formats.long import SHARED, Extent, Layout, Series, shared
from photseries.formats.long_hdf5 import long_hdf5, require_narrow
from photseries.formats.long_parquet import long_parquet
from photseries.formats.registry import HDF5, Format
from photseries.formats.zipped import Zip
from photseries.hdf5 import Decoded
from photseries.lightcurve.barycentre import PLACE
from photseries.lightcurve.binning import OF_BINS
from photseries.lightcurve.curve import MEASUREMENTS
from photseries.lightcurve.cutting import cut, metadata_of_part
from photseries.lightcurve.part import Part
from photseries.parameters import MOST_PER_PAGE, Query
from photseries.server.archive.blobs import read_table
from photseries.server.archive.reader import SeriesReader
from photseries.server.catalogue import finding
from photseries.server.catalogue.blobs import Blob
from photseries.server.catalogue.engine import Catalogue, Connection
from photseries.server.catalogue.finding import Found
from photseries.server.catalogue.summary import column_counts
from photseries.server.principal import Principal
from photseries.server.storage.contract import Store
from photseries.text import file_name

__all__ = ["EVERY_COLUMN", "MANIFEST", "Exporter"]

#: In place of a column name: the columns of the light curve, and every column of numbers that all tables have.
EVERY_COLUMN: Final = "*"

#: The file in a zip that contains the fields of its series.
MANIFEST: Final = "series.jsonl"

#: How much of a file is read at a time [bytes].
PIECE: Final = 2**20


def _layout(connection: Connection, principal: Principal, query: Query, part: Part) -> Layout:
    """Return the columns of the long table of the series that match.

    Raises
    ------
    InvalidError
        When no series has a requested column.
    """
    every: tuple[str, ...] = MEASUREMENTS if part.bin is None else (*MEASUREMENTS, *OF_BINS)
    if part.columns is None:
        return Layout(every, part.derive)
    asked = tuple(name for name in part.columns if name not in SHARED)
    if set(asked) <= set(every):
        return Layout(asked, part.derive)
    known: Mapping[str, int] = {}
    total = 1
    if part.bin is None:
        known, total = column_counts(connection, principal, query), finding.count(connection, principal, query)
    every = (*every, *(name for name, number in known.items() if number == total and name not in SHARED))
    missing = [name for name in asked if name not in (*every, EVERY_COLUMN) and name not in known]
    if missing and total:
        tables = "No table of a series that matches has" if part.bin is None else "Tables of bins do not have"
        message = f"{tables} a column {missing[0]!r:.80} of numbers."
        raise InvalidError(message, fields={"columns": [message]})
    names = [one for name in asked for one in (every if name == EVERY_COLUMN else (name,))]
    return Layout(tuple(dict.fromkeys(names)), part.derive)


class Exporter:
    """Writes all series that match a query and are visible as one file.

    Parameters
    ----------
    catalogue : Catalogue
    store : Store
    reader : SeriesReader
    folder : Path
        A folder for temporary files without names.
    """

    def __init__(self, catalogue: Catalogue, store: Store, reader: SeriesReader, folder: Path) -> None:
        self._catalogue = catalogue
        self._store = store
        self._reader = reader
        self._folder = folder

    def export(self, principal: Principal, query: Query, form: Format, part: Part) -> Iterator[bytes]:
        """Return the file as an iterator of pieces of bounded work; an empty piece says that there is more to come.

        A series that is deleted while the file is made, and whose bytes are gone, is left out where the format allows.

        Parameters
        ----------
        principal : Principal
        query : Query
            Only its criteria count.
        form : Format
        part : Part
            Only its columns, derived columns and bins count; for a zip only the bins.

        Raises
        ------
        NotInstalledError
            When the service cannot write the format.
        InvalidError
            When no series has a requested column, or HDF5 cannot hold that many.
        DamagedError
            While iterating, when the file of a series is missing or altered: the pieces so far are no whole file.
        UnavailableError
            When a part is not available, or the disk has no room for temporary files.
        """
        form.require_package()
        with self._catalogue.reading() as connection:
            layout = _layout(connection, principal, query, part)
        export = _Export(self._store, self._reader, principal, query, layout, part, self._folder)
        if form.name == "hdf5":
            require_narrow(layout)
            return export.hdf5()
        return export.parquet() if form.name == "parquet" else export.zip()


@dataclass(frozen=True)
class _Export:
    """One export under way."""

    store: Store
    reader: SeriesReader
    principal: Principal
    query: Query
    layout: Layout
    part: Part
    folder: Path
    places: dict[int, Mapping[str, Any]] = field(default_factory=dict)

    def _found(self) -> Iterator[Found]:
        """Yield the series by id, which never changes: none comes twice, whatever changes between two pages."""
        return self.reader.find_all(
            self.principal, replace(self.query, sort_by="id", per_page=MOST_PER_PAGE, features=True)
        )

    def parquet(self) -> Iterator[bytes]:
        """Yield a long table as Parquet."""
        return long_parquet(self._tables(), self.layout)

    def _tables(self) -> Iterator[Series]:
        for found in self._found():
            try:
                found, decoded = self.reader.table(self.principal, found)
            except NotFoundError:
                continue
            series = self._series(found.blob.series_id, decoded)
            if series is not None:
                yield series

    def _series(self, series_id: int, decoded: Decoded) -> Series | None:
        """Return what a long table has of a series, in bins if these are asked for; None when no bin has a point.

        An instrument has the same place throughout: that of its first series.
        """
        asked = Part(derive=self.part.derive, bin=self.part.bin)
        instrument = decoded.metadata["instrument_id"]
        if instrument not in self.places:
            placed = self.reader.placed(decoded.metadata, asked)
            self.places[instrument] = {name: placed[name] for name in PLACE if name in placed}
        metadata = {**decoded.metadata, **self.places[instrument]}
        if self.part.bin is None:
            return Series(series_id, decoded.frame, metadata)
        bins = Part(bin=self.part.bin)
        try:
            return Series(series_id, cut(decoded.frame, bins, metadata), metadata_of_part(bins, metadata))
        except InvalidError:
            return None

    def hdf5(self) -> Iterator[bytes]:
        """Yield a long table as HDF5, whose beginning states the number of rows: so the blobs are listed first."""
        extent = Extent()
        with self._temporary_file() as listed:
            for number, found in enumerate(self._found(), 1):
                rows = found.fields["num_exp"]
                if self.part.bin is not None:
                    series = self._series(found.blob.series_id, read_table(self.store, found.blob))
                    if series is None:
                        continue
                    rows = len(series.frame)
                    yield b""
                extent.add(rows, shared(found.blob.series_id, found.fields))
                listed.write(orjson.dumps(asdict(found.blob), option=orjson.OPT_APPEND_NEWLINE))
                if number % MOST_PER_PAGE == 0:
                    yield b""
            listed.seek(0)
            yield from long_hdf5(self._read_listed(listed), self.layout, extent)

    def _read_listed(self, listed: IO[bytes]) -> Iterator[Series]:
        for line in listed:
            blob = Blob(**orjson.loads(line))
            series = self._series(blob.series_id, read_table(self.store, blob))
            if series is not None:
                yield series

    def zip(self) -> Iterator[bytes]:
        """Yield a zip of the stored files, and of a file with the fields of their series."""
        with self._temporary_file() as directory, self._temporary_file() as fields:
            made, length, crc = Zip(directory), 0, 0
            for found in self._found():
                try:
                    found, content = self.reader.file(self.principal, found, Part(bin=self.part.bin))
                except NotFoundError:
                    continue
                except InvalidError:
                    continue  # no bin has a point
                name = file_name(found.fields, f".{HDF5.extension}")
                line = found.document + b"\n"
                fields.write(line)
                length, crc = length + len(line), zlib.crc32(line, crc)
                size, checksum = found.blob.size, found.blob.crc
                if self.part.bin is not None:
                    size, checksum = len(content), zlib.crc32(content)
                yield made.file(name, size, checksum) + content
            yield made.file(MANIFEST, length, crc)
            fields.seek(0)
            while piece := fields.read(PIECE):
                yield piece
            yield from made.end()

    @contextmanager
    def _temporary_file(self) -> Iterator[IO[bytes]]:
        """Open a file without a name; a full disk is UnavailableError."""
        try:
            with tempfile.TemporaryFile(dir=self.folder) as file:
                yield file
        except OSError as error:
            raise UnavailableError(
                "The disk of the service is full, so the export cannot store its list of series."
            ) from error
