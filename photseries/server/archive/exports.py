"""Export many series as one streamed file, in constant memory.

One page of the catalogue and one block of tables are in memory at a time, and no connection is held between pages. The
export contains each series as of the time of its page, because the store keeps the files of changed and deleted series
for the grace.
"""

from __future__ import annotations

import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import orjson

from photseries.errors import DamagedError, InvalidError, NotFoundError
from photseries.formats.long import ASKED, SHARED, WHOLE, Extent, LongLayout, LongSeries, blocks, shared
from photseries.formats.long_arrow import Manifest, long_arrow
from photseries.formats.long_hdf5 import long_hdf5, require_narrow
from photseries.formats.long_ndjson import long_ndjson
from photseries.formats.long_parquet import long_parquet
from photseries.formats.registry import EXPORTS, HDF5, Format
from photseries.formats.spool import BlockSpool
from photseries.formats.zipped import Zip
from photseries.lightcurve.binning import OF_BINS
from photseries.lightcurve.curve import MEASUREMENTS
from photseries.lightcurve.selection import Selection
from photseries.parameters import MAX_PER_PAGE, ListRequest, Query
from photseries.server.archive.answers import ListMatches
from photseries.server.archive.blobs import read_raw
from photseries.server.archive.reader import SeriesReader, needs_location
from photseries.server.catalogue import list_queries as lists
from photseries.server.catalogue import series_queries
from photseries.server.catalogue.blobs import Blob
from photseries.server.catalogue.engine import Catalogue, Connection
from photseries.server.catalogue.series_queries import SeriesRecord
from photseries.server.catalogue.summary import column_counts
from photseries.server.disk import space_for
from photseries.server.principal import Principal
from photseries.server.storage.contract import Store
from photseries.text import file_name

__all__ = ["EVERY_COLUMN", "FIELDS_OF_FILES", "MANIFEST", "Exporter"]

#: Instead of a column name: the columns of the light curve, and every numeric column that all tables have.
EVERY_COLUMN: Final = "*"

#: The file in a zip with the fields of its series.
FIELDS_OF_FILES: Final = "series.jsonl"

#: The manifest of a list: a file in a zip, a dataset in HDF5.
MANIFEST: Final = "manifest.json"

#: Chunk size of reads [bytes].
PIECE: Final = 2**20

#: Time slice of a thread, after which other requests have a turn [s].
TURN: Final = 0.05

#: The series to export, each with its position in a list.
_Records = Iterator[tuple[int | None, SeriesRecord]]

_LONG: Final = {"parquet": long_parquet, "arrow": long_arrow, "ndjson": long_ndjson}

_Read = TypeVar("_Read")


def _layout(
    connection: Connection, principal: Principal, query: Query, part: Selection, ids: list[int] | None
) -> LongLayout:
    """Return the columns of the long table of the matching series, or of the series with these ids.

    Raises
    ------
    InvalidError
        When no series has a requested column.
    """
    of_rows = replace(part, columns=None, derive=())
    shared_fields = SHARED if ids is None else ASKED
    fixed = (*SHARED, "asked")
    measured = MEASUREMENTS if part.bin is None else (*MEASUREMENTS, *OF_BINS)
    layout = LongLayout(measured, part.derive, of_rows, shared_fields)
    if part.columns is not None:
        requested = tuple(name for name in part.columns if name not in fixed)
        if not set(requested) <= set(measured):
            requested = _known_columns(connection, principal, query, requested, ids, measured)
        layout = replace(layout, columns=requested)
    # A table column, with a value per row, has precedence over a field, which the rows of a series share.
    return replace(layout, shared={name: kind for name, kind in shared_fields.items() if name not in layout.measured})


def _known_columns(
    connection: Connection,
    principal: Principal,
    query: Query,
    requested: tuple[str, ...],
    ids: list[int] | None,
    measured: tuple[str, ...],
) -> tuple[str, ...]:
    """Resolve requested columns against those of tables, or the ``measured`` ones of bins; ``*`` means all."""
    series_counts: Mapping[str, int] = {}
    total, tables = 1, "Tables of bins do not have"
    if measured == MEASUREMENTS:
        series_counts = column_counts(connection, principal, query, ids)
        total = series_queries.count(connection, principal, query) if ids is None else len(ids)
        tables = "No table of a series that matches has"
    every = (*measured, *(name for name, number in series_counts.items() if number == total and name not in SHARED))
    missing = [name for name in requested if name not in (*every, EVERY_COLUMN) and name not in series_counts]
    if missing and total:
        raise InvalidError.of_field("columns", f"{tables} a column {missing[0]!r:.80} of numbers.")
    names = [column for name in requested for column in (every if name == EVERY_COLUMN else (name,))]
    return tuple(dict.fromkeys(names))


class Exporter:
    """Writes many visible series as one file: those that match a query, or those of a list.

    Parameters
    ----------
    catalogue : Catalogue
    store : Store
    reader : SeriesReader
    folder : Path
        A folder for unnamed temporary files.
    """

    def __init__(self, catalogue: Catalogue, store: Store, reader: SeriesReader, folder: Path) -> None:
        self._catalogue = catalogue
        self._store = store
        self._reader = reader
        self._folder = folder

    def export(self, principal: Principal, query: Query, file_format: Format, part: Selection) -> Iterator[bytes]:
        """Return the file as an iterator of pieces of bounded work; an empty piece means that more follows.

        A series that is deleted and removed during the export is left out if the format allows.

        Parameters
        ----------
        principal : Principal
        query : Query
            Only its criteria are used.
        file_format : Format
        part : Selection
            Only its columns and derived columns are used, and only for a long table.

        Raises
        ------
        NotInstalledError
            When the service cannot write the format.
        InvalidError
            When no series has a requested column, or HDF5 cannot store that many.
        DamagedError
            While iterating, when the file of a series is missing or altered: the pieces so far are not a complete file.
        UnavailableError
            When a part is not available, or the disk has no room for temporary files.
        """
        file_format.require_package()
        with self._catalogue.reading() as connection:
            layout = _layout(connection, principal, query, part, None)

        def find_records(*, documents: bool) -> _Records:
            """Yield the series by id, which never changes: none is repeated, even with changes between two pages."""
            if documents:
                by_id = replace(query, sort_by="id", per_page=MAX_PER_PAGE, features=True)
                yield from ((None, record) for record in self._reader.find_all(principal, by_id))
                return
            after = 0
            while page := self._page(principal, query, after):
                yield from ((None, record) for record in page)
                after = page[-1].blob.series_id

        return _Export(self._store, self._reader, principal, part, layout, self._folder, find_records).file(file_format)

    def _page(self, principal: Principal, query: Query, after_id: int) -> list[SeriesRecord]:
        with self._catalogue.reading() as connection:
            return lists.files_page(connection, principal, query, after_id, MAX_PER_PAGE)

    def answer(self, principal: Principal, request: ListRequest) -> Iterator[bytes]:
        """Return a file of the series of a list, as :meth:`export` does, with a manifest at the end.

        The manifest lists absent, invisible and damaged series; none of them ends the answer.

        Parameters
        ----------
        principal : Principal
        request : ListRequest

        Raises
        ------
        NotInstalledError
            When the service cannot write the format.
        InvalidError
            When no series has a requested column, HDF5 cannot store that many, or too many series match.
        UnavailableError
            When a part is not available, or the disk has no room for temporary files.
        """
        file_format = EXPORTS[request.format]
        file_format.require_package()
        with self._catalogue.reading() as connection:
            answer = ListMatches(len(request), lists.matching_pairs(connection, principal, request), request.after)
            part = Selection() if file_format.name == "zip" else request.part
            layout = _layout(connection, principal, request.query, part, answer.ids)

        def look_up(statement: Callable[..., dict[int, SeriesRecord]], ids: object) -> dict[int, SeriesRecord]:
            with self._catalogue.reading() as connection:
                return statement(connection, principal, ids)

        def find_records(*, documents: bool) -> _Records:
            return answer.records(partial(look_up, lists.documents if documents else lists.files))

        export = _Export(self._store, self._reader, principal, request.part, layout, self._folder, find_records, answer)
        return replace(export, files=request.files).file(file_format)


@dataclass(frozen=True)
class _Export:
    """A running export."""

    store: Store
    reader: SeriesReader
    principal: Principal
    part: Selection
    layout: LongLayout
    folder: Path
    find_records: Callable[..., _Records]
    answer: ListMatches | None = None
    files: bool = True
    locations: dict[int, Mapping[str, object]] = field(default_factory=dict)

    def file(self, file_format: Format) -> Iterator[bytes]:
        """Yield the file in a format."""
        if file_format.name == "zip":
            return self._zip()
        if file_format.name != "hdf5":
            return _LONG[file_format.name](blocks(self._tables(), self.layout), self.layout, self._manifest)
        require_narrow(self.layout)
        is_known = self.answer is None and self.layout.part == WHOLE
        return self._hdf5() if is_known else self._spooled_hdf5()

    @property
    def _manifest(self) -> Manifest:
        return None if self.answer is None else self.answer.manifest

    def _readable(self, series: SeriesRecord, read: Callable[[SeriesRecord], _Read]) -> _Read | None:
        """Read from the file of a series; None when the file is gone and the export continues without it."""
        try:
            return read(series)
        except NotFoundError:
            if self.answer is not None:
                self.answer.mark_gone(series.blob.series_id)
        except DamagedError:
            if self.answer is None:
                raise
            self.answer.mark_damaged(series.blob.series_id)
        return None

    def _tables(self) -> Iterator[LongSeries | None]:
        begin = time.monotonic()
        for position, series in self.find_records(documents=False):
            read = self._readable(series, partial(self.reader.columns, self.principal))
            if read is not None:
                _, table = read
                yield LongSeries(series.blob.series_id, table, self._with_location(table.metadata), position)
            if time.monotonic() - begin > TURN:
                yield None
                begin = time.monotonic()

    def _with_location(self, metadata: Mapping[str, Any]) -> Mapping[str, object]:
        """Add the location of the instrument to metadata if needed; each is looked up once."""
        part = replace(self.layout.part, derive=self.layout.derive)
        if not needs_location(part):
            return metadata
        instrument = metadata["instrument_id"]
        if instrument not in self.locations:
            located = self.reader.with_location(metadata, part)
            self.locations[instrument] = {name: located[name] for name in located.keys() - metadata.keys()}
        return {**metadata, **self.locations[instrument]}

    def _hdf5(self) -> Iterator[bytes]:
        """Yield a long table as HDF5; its header states the number of rows, so the blobs are listed first."""
        extent = Extent()
        with self._temporary_file() as listed:
            for number, (_, series) in enumerate(self.find_records(documents=True), 1):
                extent.add(series.fields["num_exp"], shared(series.blob.series_id, series.fields))
                listed.write(orjson.dumps(asdict(series.blob), option=orjson.OPT_APPEND_NEWLINE))
                if number % MAX_PER_PAGE == 0:
                    yield b""
            listed.seek(0)
            yield from long_hdf5(blocks(self._read_listed(listed), self.layout), self.layout, extent)

    def _read_listed(self, listed: IO[bytes]) -> Iterator[LongSeries]:
        for line in listed:
            blob = Blob(**orjson.loads(line))
            table = read_raw(self.store, blob)
            yield LongSeries(blob.series_id, table, self._with_location(table.metadata))

    def _spooled_hdf5(self) -> Iterator[bytes]:
        """Yield a long table of a list or of selected rows, whose number is known only after all files are read."""
        with self._temporary_file() as file:
            spool = BlockSpool(file, self.layout)
            for block in blocks(self._tables(), self.layout):
                if block is not None:
                    spool.add(block)
                yield b""
            texts = {} if self._manifest is None else {MANIFEST: self._manifest()}
            yield from long_hdf5(spool.blocks(), self.layout, spool.extent, texts)

    def _zip(self) -> Iterator[bytes]:
        """Yield a zip of the stored files, or of selections of them, with a file of the fields of their series."""
        with self._temporary_file() as directory, self._temporary_file() as fields:
            writer, length, crc, sent = Zip(directory), 0, 0, set()
            for position, series in self.find_records(documents=True):
                is_sent = not self.files or series.blob.series_id in sent
                line, content, name = self._one_file(series, position, is_sent=is_sent)
                fields.write(line)
                length, crc = length + len(line), zlib.crc32(line, crc)
                if content:
                    sent.add(series.blob.series_id)
                    yield writer.file(name, len(content), zlib.crc32(content)) + content
            yield writer.file(FIELDS_OF_FILES, length, crc)
            fields.seek(0)
            while piece := fields.read(PIECE):
                yield piece
            if self.answer is not None:
                manifest = self.answer.manifest()
                yield writer.file(MANIFEST, len(manifest), zlib.crc32(manifest)) + manifest
            yield from writer.end()

    def _one_file(self, series: SeriesRecord, position: int | None, *, is_sent: bool) -> tuple[bytes, bytes, str]:
        """Return the line of fields of a series, its file (empty if there is none to send) and the file's name."""
        content, problem = b"", None
        try:
            read_part = partial(self.reader.file, self.principal, part=self.part)
            read = None if is_sent else self._readable(series, read_part)
        except InvalidError as error:
            read, problem = None, error.message
        if read is not None:
            series, content = read
        elif not is_sent and problem is None:
            if self.answer is None or not self.answer.is_present(series.blob.series_id):
                return b"", b"", ""
            problem = "The file of this series is damaged."
        if problem is not None and self.answer is None:
            return b"", b"", ""  # every bin is empty
        name = file_name(series.fields, f".{HDF5.extension}")
        extra: dict[str, object] = {} if position is None else {"asked": position, "file": name}
        extra |= {} if problem is None else {"data_error": problem}
        return orjson.dumps({**extra, **series.fields}, option=orjson.OPT_APPEND_NEWLINE), content, name

    @contextmanager
    def _temporary_file(self) -> Iterator[IO[bytes]]:
        """Open an unnamed file; a full disk raises UnavailableError."""
        with space_for("the temporary file of an export"), tempfile.TemporaryFile(dir=self.folder) as file:
            yield file
