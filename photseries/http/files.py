"""The file of a series, as it is: for programs that read HDF5, with ranges, validators and a name."""

from __future__ import annotations

import re
from typing import ClassVar

from photseries import criteria
from photseries.criteria import PART
from photseries.errors import PhotseriesError
from photseries.http.answers import failure
from photseries.http.base import ANY, BaseHandler
from photseries.http.series import number_of, revisions

__all__ = ["FileHandler", "RangeError"]

_RANGE = re.compile(r"bytes=([0-9]{0,15})-([0-9]{0,15})")


class RangeError(PhotseriesError):
    """A range of bytes that the file does not have."""

    status = 416
    code = "range"


class FileHandler(BaseHandler):
    """The HDF5 file of a series."""

    needs: ClassVar = {"GET": ANY}

    async def get(self, identity: str) -> None:
        """Give the HDF5 file itself, whole, a range of its bytes, or one of a part of the table."""

        def read() -> tuple[int, str, bytes | None]:
            series_id = number_of(identity)
            part = criteria.part_of(criteria.read(self.arguments(), PART))
            known = revisions(self.request.headers, "If-None-Match", series_id) or frozenset()
            revision, content = self.services.archive.file(self.principal, series_id, known, part)
            return series_id, f'"{series_id}.{revision}.h5"', content

        series_id, tag, content = await self.run(read, heavy=True)
        self.set_header("ETag", tag)
        self.set_header("Cache-Control", "private, no-cache")
        self.set_header("Vary", "Authorization")
        if content is None:
            self.set_status(304)
            self.finish()
            return
        self.set_header("Content-Type", "application/x-hdf5")
        self.set_header("Content-Disposition", f'attachment; filename="photometric_series_{series_id}.h5"')
        self.set_header("Accept-Ranges", "bytes")
        self.finish(self._asked_for(content, tag))

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
