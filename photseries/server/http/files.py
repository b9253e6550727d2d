"""A series as a file in any format, with byte ranges, validators and a file name."""

from __future__ import annotations

import dataclasses
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import ClassVar
from urllib.parse import quote

from photseries import parameters
from photseries.errors import (
    BusyError,
    DamagedError,
    ForbiddenError,
    NotAcceptableError,
    NotInstalledError,
    PhotseriesError,
)
from photseries.formats.registry import HDF5, WRITERS, Format
from photseries.parameters import PART, REVISION, Parameter, choice
from photseries.server.catalogue.series_queries import SeriesRecord
from photseries.server.http.answers import failure
from photseries.server.http.base import ANY, BaseHandler
from photseries.server.http.contract import IF_NONE_MATCH, RANGE, Contract, Raw
from photseries.server.http.etags import is_known, set_validators, tag_of
from photseries.server.http.media import preferred_type
from photseries.server.http.series import number_of
from photseries.server.http.turns import MANY_ROWS
from photseries.text import file_name, file_stem

__all__ = ["EXTENSIONS", "FILE", "ExtensionHandler", "FileHandler", "RangeError"]

#: The parameters of a request for a file; a path with an extension has all but the first.
FILE: tuple[Parameter, ...] = (
    Parameter(
        name="format",
        kind=choice(*WRITERS),
        sentence="The format of the file. Default: by the header Accept, else hdf5.",
    ),
    REVISION,
    *PART,
)

#: The extensions of files, as a pattern.
EXTENSIONS = "|".join(one.extension for one in WRITERS.values())

_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")


class RangeError(PhotseriesError):
    """An unsatisfiable range of bytes."""

    status = 416
    code = "range"


@dataclasses.dataclass(frozen=True)
class _File:
    """A file or a range of it; no content if the client's copy is current. ``stored``: whether it is the blob."""

    record: SeriesRecord
    form: Format
    tag: str
    content: bytes | None = None
    length: int = 0
    span: tuple[int, int] | None = None
    stored: bool = False


def byte_range(headers: Mapping[str, str], length: int, tag: str) -> tuple[int, int] | None:
    """Return the requested range of bytes of a file (RFC 9110, 14.2).

    Returns
    -------
    start, stop : int
        As of a slice; ``start >= stop`` when the file has no such bytes. None if the request is for the whole file,
        several ranges, or an outdated version.
    """
    match = _RANGE.fullmatch(headers.get("Range", ""))
    if match is None or match.groups() == ("", "") or headers.get("If-Range", tag) != tag:
        return None
    first, last = match.groups()
    start = int(first) if first else max(0, length - int(last))
    return start, min(int(last) + 1, length) if first and last else length


def _disposition(fields: Mapping[str, object], extension: str) -> str:
    """Return Content-Disposition with a file name from source, filter and series (RFC 6266)."""
    plain, full = file_name(fields, f".{extension}"), f"{file_stem(fields)}.{extension}"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(full, safe='')}"


_BY_EXTENSION = Contract(
    query=FILE[1:],
    headers=(IF_NONE_MATCH, RANGE),
    gives=Raw(tuple(one.plain_type for one in WRITERS.values())),
    also={206: "The byte range.", 304: "Unchanged since the ETag in If-None-Match."},
    fails=(DamagedError, NotInstalledError, RangeError, BusyError, ForbiddenError),
)
_FILE = dataclasses.replace(_BY_EXTENSION, query=FILE, fails=(*_BY_EXTENSION.fails, NotAcceptableError))


class FileHandler(BaseHandler):
    """A series as a file."""

    needs: ClassVar = {"GET": ANY}
    public: ClassVar[bool] = True

    @_FILE
    async def get(self, identity: str) -> None:
        """Return a series, or a part of its table, as a file, with byte ranges."""
        await self.send_file(identity)

    async def send_file(self, identity: str, extension: str | None = None) -> None:
        """Send the file, in the format of the extension, if any."""
        file = await self.run(lambda: self._read(identity, extension), heavy=True)
        set_validators(self, file.tag, *([] if extension else ["Accept"]))
        if file.content is None:
            self.set_status(304)
            await self.send([])
            return
        self.set_header("Content-Type", file.form.media_type)
        self.set_header("Content-Disposition", _disposition(file.record.fields, file.form.extension))
        self.set_header("Accept-Ranges", "bytes")
        if file.stored:
            digest = b64encode(bytes.fromhex(file.record.blob.hash)).decode()
            self.set_header("Repr-Digest", f"md5=:{digest}:")
        await self.send([file.content if file.span is None else self._partial(file.content, file.span, file.length)])

    def _read(self, identity: str, extension: str | None) -> _File:
        """Read the file, unless the copy of the client is current; call it in a thread."""
        series_id = number_of(identity)
        values = parameters.read(self.arguments(), FILE[1:] if extension else FILE)
        form, part = self._form(extension, values.get("format")), parameters.selection_of(values)
        series = self._find(series_id, values.get("revision"))
        location = self.services.reader.location_mark(series, part)
        tag = tag_of(series, form.extension, location)
        if is_known(self.request.headers, tag):
            return _File(series, form, tag)
        stored = form is HDF5 and part.is_whole
        span = byte_range(self.request.headers, series.blob.size, tag) if stored else None
        if span is not None:
            is_empty = span[0] >= span[1]
            content = b"" if is_empty else self.services.reader.stored_range(self.principal, series, *span)[1]
            return _File(series, form, tag, content, series.blob.size, span, stored)
        self.weigh(not stored and series.fields.get("num_exp", MANY_ROWS + 1) > MANY_ROWS)
        series, content = self.services.reader.file(self.principal, series, part, form)
        tag = tag_of(series, form.extension, location)
        span = byte_range(self.request.headers, len(content), tag)
        wanted = content if span is None else content[slice(*span)]
        return _File(series, form, tag, wanted, len(content), span, stored)

    def _partial(self, content: bytes, span: tuple[int, int], length: int) -> bytes:
        """Set the status and headers of a range, and return its bytes, or the error about an unsatisfiable range."""
        start, stop = span
        if start >= stop:
            # Not raised, because Tornado clears the headers on an error.
            self.set_status(RangeError.status)
            self.set_header("Content-Type", "application/json; charset=UTF-8")
            self.set_header("Content-Range", f"bytes */{length}")
            return failure(RangeError(f"The file has {length} bytes."))
        self.set_status(206)
        self.set_header("Content-Range", f"bytes {start}-{stop - 1}/{length}")
        return content

    def _find(self, series_id: int, revision: int | None) -> SeriesRecord:
        """Return the current series, or the series at a revision."""
        reader = self.services.reader
        if revision is None:
            return reader.get(self.principal, series_id)
        return reader.past(self.principal, series_id, revision)

    def _form(self, extension: str | None, name: str | None) -> Format:
        """Choose the format: by the extension of the path, by the parameter, or by the header Accept."""
        if extension is not None:
            return next(writer for writer in WRITERS.values() if writer.extension == extension)
        if name is not None:
            return WRITERS[name]
        offers = {writer.plain_type: writer for writer in WRITERS.values() if writer.is_installed}
        return offers[preferred_type(self.request.headers, list(offers))]


class ExtensionHandler(FileHandler):
    """A series as a file whose format the path names."""

    @_BY_EXTENSION
    async def get(self, identity: str, extension: str) -> None:  # type: ignore[override]
        """Return a series, or a part of its table, as a file in the format of the extension, with byte ranges."""
        await self.send_file(identity, extension)
