"""Many series as one file that is made while it is sent: what is in memory does not grow with their number.

A page of the catalogue and a few tables are in memory at a time, and no connection is held between them. What a series
was when its page was read is what comes, since the store keeps the bytes of what is changed or deleted for the grace.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

import orjson

from photseries.errors import InvalidError, NotFoundError, UnavailableError
from photseries.formats.long import SHARED, Extent, Layout, Series, shared
from photseries.formats.long_hdf5 import long_hdf5, require_narrow
from photseries.formats.long_parquet import long_parquet
from photseries.formats.registry import HDF5, Format
from photseries.formats.zipped import Zip
from photseries.lightcurve.curve import MEASUREMENTS
from photseries.lightcurve.part import Part
from photseries.parameters import MOST_PER_PAGE, Query
from photseries.server.archive.blobs import Blobs
from photseries.server.catalogue import finding
from photseries.server.catalogue.blobs import Blob
from photseries.server.catalogue.columns import columns
from photseries.server.catalogue.engine import Connection
from photseries.server.catalogue.finding import Found
from photseries.server.principal import Principal

if TYPE_CHECKING:
    from photseries.server.archive.reader import Reader

__all__ = ["EVERY_COLUMN", "MANIFEST", "Export", "layout_of"]

#: Instead of the name of a column: those of the light curve, and all of numbers that every table has.
EVERY_COLUMN: Final = "*"

#: The file of a zip that holds the fields of its series.
MANIFEST: Final = "series.jsonl"

#: What is read of a file at a time [bytes].
PIECE: Final = 2**20


def layout_of(connection: Connection, principal: Principal, query: Query, part: Part) -> Layout:
    """Settle which columns the long table of some series has.

    Raises
    ------
    InvalidError
        When no series has a column that is asked for.
    """
    if part.columns is None:
        return Layout(derive=part.derive)
    asked = tuple(name for name in part.columns if name not in SHARED)
    if set(asked) <= set(MEASUREMENTS):
        return Layout(asked, part.derive)
    known, total = columns(connection, principal, query), finding.count(connection, principal, query)
    every = (*MEASUREMENTS, *(name for name, number in known.items() if number == total and name not in SHARED))
    missing = [name for name in asked if name not in (*MEASUREMENTS, EVERY_COLUMN) and name not in known]
    if missing and total:
        message = f"No table of a series that matches has a column {missing[0]!r:.80} of numbers."
        raise InvalidError(message, fields={"columns": [message]})
    names = [one for name in asked for one in (every if name == EVERY_COLUMN else (name,))]
    return Layout(tuple(dict.fromkeys(names)), part.derive)


@dataclass(frozen=True)
class Export:
    """All series that match and are visible, in one file.

    Parameters
    ----------
    reader : Reader
    blobs : Blobs
    principal : Principal
    query : Query
        Of which only the criteria count.
    layout : Layout
        Of a long table.
    folder : Path
        Where files without names may be.
    """

    reader: Reader
    blobs: Blobs
    principal: Principal
    query: Query
    layout: Layout
    folder: Path

    def pieces(self, form: Format) -> Iterator[bytes]:
        """Give the file, in pieces of bounded work; an empty one says that there is more to come.

        A series that was deleted, and whose bytes are gone, is left out where the format allows that.

        Raises
        ------
        DamagedError
            When the file of a series is missing or altered: what was given until then is no whole file.
        UnavailableError
            When a part is away, or there is no room for what has to be noted.
        """
        if form.name == "hdf5":
            require_narrow(self.layout)
            return self._hdf5()
        return long_parquet(self._tables(), self.layout) if form.name == "parquet" else self._zip()

    def _found(self) -> Iterator[Found]:
        """Give them by id, which never changes: so none is there twice, whatever is changed from page to page."""
        return self.reader.every(self.principal, replace(self.query, sort_by="id", per_page=MOST_PER_PAGE))

    def _tables(self) -> Iterator[Series]:
        for found in self._found():
            try:
                found, decoded = self.reader.latest(self.principal, found, lambda seen: self.blobs.decoded(seen.blob))
            except NotFoundError:
                continue
            yield Series(found.blob.series_id, decoded.frame, decoded.metadata)

    def _hdf5(self) -> Iterator[bytes]:
        """Note first which series there are: HDF5 has to say at its beginning how many rows will follow."""
        extent = Extent()
        with self._file() as noted:
            for number, found in enumerate(self._found(), 1):
                extent.add(found.fields["num_exp"], shared(found.blob.series_id, found.fields))
                noted.write(orjson.dumps(asdict(found.blob), option=orjson.OPT_APPEND_NEWLINE))
                if number % MOST_PER_PAGE == 0:
                    yield b""
            noted.seek(0)
            yield from long_hdf5(self._noted(noted), self.layout, extent)

    def _noted(self, noted: IO[bytes]) -> Iterator[Series]:
        for line in noted:
            blob = Blob(**orjson.loads(line))
            decoded = self.blobs.decoded(blob)
            yield Series(blob.series_id, decoded.frame, decoded.metadata)

    def _zip(self) -> Iterator[bytes]:
        with self._file() as directory, self._file() as fields:
            made, length, crc = Zip(directory), 0, 0
            for found in self._found():
                try:
                    found, content = self.reader.latest(self.principal, found, lambda seen: self.blobs.read(seen.blob))
                except NotFoundError:
                    continue
                name = f"photometric_series_{found.blob.series_id}.{HDF5.extension}"
                line = found.document + b"\n"
                fields.write(line)
                length, crc = length + len(line), zlib.crc32(line, crc)
                yield made.file(name, found.blob.size, found.blob.crc) + content
            yield made.file(MANIFEST, length, crc)
            fields.seek(0)
            while piece := fields.read(PIECE):
                yield piece
            yield from made.end()

    @contextmanager
    def _file(self) -> Iterator[IO[bytes]]:
        """Give a file without a name, and say of a full disk what it is."""
        try:
            with tempfile.TemporaryFile(dir=self.folder) as file:
                yield file
        except OSError as error:
            raise UnavailableError("The disk of the service has no room for what an export has to note.") from error
