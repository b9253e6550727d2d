"""Searches for series, page by page."""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import numpy as np
import pandas as pd

from photseries.client.display import SearchResult
from photseries.client.downloads import require_hash
from photseries.client.payload import message
from photseries.client.queries import coordinates, in_unit
from photseries.client.series import Series
from photseries.client.transport import Transport
from photseries.errors import ConflictError, InvalidError
from photseries.fields import LISTED
from photseries.formats import base64_text
from photseries.parameters import MOST_PER_PAGE
from photseries.parameters.query import MOST_POSITIONS

__all__ = ["SERIES", "Finder", "framed", "pairs_of", "path_of"]

#: The path of all series.
SERIES: Final = "/api/photometric_series"

_WHOLE: Final[Mapping[str, str]] = {}

#: The part of a long table that a small plot needs.
_PREVIEW: Final[Mapping[str, str]] = {"maxPoints": "1000"}

#: How often to look for a moment at which the fields and the file of a series belong together.
_ATTEMPTS: Final = 5


Arguments = Mapping[str, Sequence[str]]


def path_of(series_id: int | str) -> str:
    """Return the path of a series.

    Raises
    ------
    InvalidError
        When it is neither a whole number nor its digits.
    """
    digits = str(series_id)
    if not (digits.isascii() and digits.isdigit()):
        raise InvalidError(f"The id of a series is a whole number, not {series_id!r:.80}.")
    return f"{SERIES}/{digits}"


class Finder:
    """Finds and fetches series.

    Parameters
    ----------
    transport : Transport
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def metadata(self, series_id: int) -> dict[str, Any]:
        """Get the fields of one series."""
        return _without_table(self._transport.read(path_of(series_id), {"dataFormat": "none"}))

    def past(self, series_id: int, revision: int) -> Series:
        """Get a series as it was."""
        asked = {"dataFormat": "hdf5", "revision": revision}
        fields = self._transport.read(path_of(series_id), asked)
        blob = base64_text.decode(fields.pop("data"))
        _require_stored(blob, fields)
        return Series(fields, lambda: (fields, blob))

    def file(self, metadata: dict[str, Any], part: Mapping[str, str]) -> tuple[dict[str, object], bytes]:
        """Get the file of a series, or one of a part of it, and the fields of the same moment.

        Parameters
        ----------
        metadata : dict
            The fields as they are known; asked for again only when the series has changed since.
        part : mapping

        Raises
        ------
        ConflictError
            When the series changes all the time.
        AlteredError
            When a whole file is not the stored one.
        """
        path = f"{SERIES}/{metadata['id']:d}"
        for _ in range(_ATTEMPTS):
            file = self._transport.download(f"{path}/data", part)
            if file.revision != metadata["revision"]:
                metadata = self.metadata(metadata["id"])
            if file.revision == metadata["revision"]:
                if not part:
                    _require_stored(file.content, metadata)
                return metadata, file.content
        raise ConflictError(f"Series {metadata['id']} changes all the time.")

    def series(self, metadata: dict[str, object], part: Mapping[str, str] = _WHOLE) -> Series:
        """Make a series of fields that were found."""
        preview = None if part else functools.partial(self.file, metadata, _PREVIEW)
        return Series(metadata, functools.partial(self.file, metadata, part), preview)

    def walk(self, asked: Arguments) -> Iterator[dict[str, object]]:
        """Yield the fields of all series that match, by cursor: each page costs as little as the first."""
        page: dict[str, object] = {"numPerPage": str(MOST_PER_PAGE), **asked, "includeTotal": "false"}
        while True:
            answer = self._transport.read(SERIES, page)
            yield from map(_without_table, answer["series"])
            if not answer["cursor"]:
                return
            page["cursor"] = answer["cursor"]

    def near(self, positions: object, radius: object, asked: Arguments) -> Iterator[dict[str, object]]:
        """Yield the fields of all series around positions."""
        pairs = pairs_of(positions)
        criteria = {name: texts if len(texts) > 1 else texts[0] for name, texts in asked.items()}
        for first in range(0, len(pairs), MOST_POSITIONS):
            body: dict[str, object] = {
                "numPerPage": MOST_PER_PAGE,
                **criteria,
                "radius": float(in_unit(radius, "deg", "radius")),
                "positions": pairs[first : first + MOST_POSITIONS],
                "includeTotal": False,
            }
            while True:
                answer = self._transport.request("POST", f"{SERIES}/query", message(None, body), repeatable=True)
                for found in map(_without_table, answer["series"]):
                    yield {**found, "position": found["position"] + first}
                if not answer["cursor"]:
                    break
                body["cursor"] = answer["cursor"]

    def entries(self, kind: str) -> Iterator[dict[str, object]]:
        """Yield the entries of a registry."""
        for page in itertools.count(1):
            asked = {"numPerPage": MOST_PER_PAGE, "pageNumber": page}
            answer = self._transport.read(f"/api/{quote(kind, safe='')}", asked)
            yield from answer[kind]
            if page * MOST_PER_PAGE >= answer["totalMatches"]:
                return


def framed(found: Iterable[dict[str, object]]) -> pd.DataFrame:
    """Make a frame of fields; without any it has columns, too."""
    rows = list(found)
    return SearchResult(rows) if rows else SearchResult(columns=list(LISTED))


def _require_stored(blob: bytes, fields: Mapping[str, Any]) -> None:
    """Refuse a file that is not the one that the fields of its series describe."""
    require_hash(hashlib.md5(blob, usedforsecurity=False).hexdigest(), fields.get("hash"))


def pairs_of(positions: object) -> list[list[float]]:
    """Read positions as pairs of right ascension and declination [deg].

    Raises
    ------
    InvalidError
    """
    if hasattr(positions, "icrs"):
        positions = np.column_stack(coordinates(positions))
    try:
        pairs = np.asarray(positions, np.float64)
    except (TypeError, ValueError):
        pairs = np.empty(0)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not np.isfinite(pairs).all():
        raise InvalidError("positions must be pairs of ra and dec [deg], an array of shape (n, 2), or a SkyCoord.")
    found: list[list[float]] = pairs.tolist()
    return found


def _without_table(fields: dict[str, object]) -> dict[str, Any]:
    """Return the fields of a series without the empty place of its table."""
    fields.pop("data", None)
    return fields
