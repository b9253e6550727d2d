"""A series as a file, in every format, with ranges, validators and a name."""

from __future__ import annotations

import dataclasses
import re
from typing import ClassVar

from photseries import parameters
from photseries.errors import DamagedError, NotAcceptableError, NotInstalledError, PhotseriesError
from photseries.formats.registry import WRITERS, Format
from photseries.parameters import PART, Parameter, choice
from photseries.server.http.answers import failure
from photseries.server.http.base import ANY, BaseHandler
from photseries.server.http.contract import IF_NONE_MATCH, RANGE, Contract, Raw
from photseries.server.http.media import accepted
from photseries.server.http.series import number_of
from photseries.server.http.streams import send_whole
from photseries.server.http.tags import is_known, may_be_kept, tag_of

__all__ = ["EXTENSIONS", "FILE", "ExtensionHandler", "FileHandler", "RangeError"]

#: The parameters of a request for a file.
FILE: tuple[Parameter, ...] = (
    Parameter(
        name="format",
        kind=choice(*WRITERS),
        sentence="The format of the file; without it the header Accept decides, and hdf5 where that does not say.",
    ),
    *PART,
)

#: The extensions of files, as a pattern.
EXTENSIONS = "|".join(one.extension for one in WRITERS.values())

_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")


class RangeError(PhotseriesError):
    """A range of bytes that the file does not have."""

    status = 416
    code = "range"


_BY_EXTENSION = Contract(
    query=PART,
    headers=(IF_NONE_MATCH, RANGE),
    gives=Raw(tuple(one.plain_type for one in WRITERS.values())),
    also={206: "The range of its bytes.", 304: "It is still as If-None-Match says."},
    fails=(DamagedError, NotInstalledError, RangeError),
)
_FILE = dataclasses.replace(_BY_EXTENSION, query=FILE, fails=(*_BY_EXTENSION.fails, NotAcceptableError))


class FileHandler(BaseHandler):
    """A series as a file."""

    needs: ClassVar = {"GET": ANY}
    public: ClassVar[bool] = True

    @_FILE
    async def get(self, identity: str) -> None:
        """Give a series, or a part of its table, as a file: whole, or a range of its bytes."""
        await self.send_file(identity)

    async def send_file(self, identity: str, extension: str | None = None) -> None:
        """Send the file, in the format of an extension if there is one."""

        def read() -> tuple[int, Format, str, bytes | None]:
            series_id = number_of(identity)
            values = parameters.read(self.arguments(), PART if extension else FILE)
            form = self._form(extension, values.get("format"))
            found = self.services.reader.get(self.principal, series_id)
            if is_known(self.request.headers, tag_of(found, form.extension)):
                return series_id, form, tag_of(found, form.extension), None
            found, content = self.services.reader.file(self.principal, found, parameters.part_of(values), form)
            return series_id, form, tag_of(found, form.extension), content

        series_id, form, tag, content = await self.run(read, heavy=True)
        may_be_kept(self, tag, *([] if extension else ["Accept"]))
        if content is None:
            self.set_status(304)
            self.finish()
            return
        self.set_header("Content-Type", form.media_type)
        name = f"photometric_series_{series_id}.{form.extension}"
        self.set_header("Content-Disposition", f'attachment; filename="{name}"')
        self.set_header("Accept-Ranges", "bytes")
        await send_whole(self, [self._asked_for(content, tag)])

    def _form(self, extension: str | None, name: str | None) -> Format:
        """Choose the format: by the extension of the path, by the parameter, or by the header Accept."""
        if extension is not None:
            return next(one for one in WRITERS.values() if one.extension == extension)
        if name is not None:
            return WRITERS[name]
        offers = {one.plain_type: one for one in WRITERS.values() if one.is_installed}
        return offers[accepted(self.request.headers, list(offers))]

    def _asked_for(self, content: bytes, tag: str) -> bytes:
        """Give the range that is asked for, if one is, and if the file is still the one that was seen."""
        asked = _RANGE.fullmatch(self.request.headers.get("Range", ""))
        if asked is None or asked.groups() == ("", "") or self.request.headers.get("If-Range", tag) != tag:
            return content
        first, last = asked.groups()
        start = int(first) if first else max(0, len(content) - int(last))
        stop = min(int(last) + 1, len(content)) if first and last else len(content)
        if start >= stop:
            # Not raised: with an error Tornado forgets the headers that were set.
            self.set_status(RangeError.status)
            self.set_header("Content-Type", "application/json; charset=UTF-8")
            self.set_header("Content-Range", f"bytes */{len(content)}")
            return failure(RangeError(f"The file has {len(content)} bytes."))
        self.set_status(206)
        self.set_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
        return content[start:stop]


class ExtensionHandler(FileHandler):
    """A series as a file whose format the path names."""

    @_BY_EXTENSION
    async def get(self, identity: str, extension: str) -> None:  # type: ignore[override]
        """Give a series, or a part of its table, as a file of a format: whole, or a range of its bytes."""
        await self.send_file(identity, extension)
