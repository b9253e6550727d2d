"""Requests for single series and for searches, page by page."""

from __future__ import annotations

import functools
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import pandas as pd

from photseries.client.display import SearchResult
from photseries.client.downloads import md5, require_hash
from photseries.client.payload import message
from photseries.client.queries import in_unit, pairs_of, single_texts
from photseries.client.series import Series
from photseries.client.transport import Transport
from photseries.errors import ConflictError, InvalidError
from photseries.fields import LISTED
from photseries.formats import base64_text
from photseries.parameters import MAX_PER_PAGE
from photseries.parameters.query import MAX_POSITIONS

__all__ = ["SERIES", "entries", "get", "metadata", "near", "path_of", "series_frame", "series_of", "walk"]

#: The path of all series.
SERIES: Final = "/api/photometric_series"

_WHOLE: Final[Mapping[str, str]] = {}

#: The selection for a small plot of a long table.
_PREVIEW: Final[Mapping[str, str]] = {"maxPoints": "1000"}

#: Maximum number of attempts to get the fields and the file of one revision.
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


def metadata(transport: Transport, series_id: int) -> dict[str, Any]:
    """Get the fields of a series."""
    return _without_table(transport.read(path_of(series_id), {"dataFormat": "none"}))


def get(transport: Transport, series_id: int, part: Mapping[str, str], revision: int | None) -> Series:
    """Get a series; see :meth:`photseries.Client.get`."""
    if revision is None:
        return series_of(transport, metadata(transport, series_id), part)
    if part:
        raise InvalidError(
            "Only the whole table of an earlier revision is available: leave out columns, times and derive."
        )
    fields = transport.read(path_of(series_id), {"dataFormat": "hdf5", "revision": revision})
    blob = base64_text.decode(fields.pop("data"))
    require_hash(md5(blob), fields.get("hash"))
    return Series(fields, lambda: (fields, blob))


def series_of(transport: Transport, metadata: dict[str, object], part: Mapping[str, str] = _WHOLE) -> Series:
    """Return a series with the given fields."""
    fetch = functools.partial(_file, transport, metadata)
    return Series(metadata, functools.partial(fetch, part), None if part else functools.partial(fetch, _PREVIEW))


def _file(transport: Transport, fields: dict[str, Any], part: Mapping[str, str]) -> tuple[dict[str, object], bytes]:
    """Get the file of a series, or of a part of it, and the fields of the same revision.

    The known fields are requested again only if the series has changed since.

    Raises
    ------
    ConflictError
        When the series changes during every attempt.
    AlteredError
        When a whole file differs from the stored one.
    """
    for _ in range(_ATTEMPTS):
        file = transport.download(f"{path_of(fields['id'])}/data", part)
        if file.revision != fields["revision"]:
            fields = metadata(transport, fields["id"])
        if file.revision == fields["revision"]:
            if not part:
                require_hash(md5(file.content), fields.get("hash"))
            return fields, file.content
    raise ConflictError(f"Series {fields['id']} changed during every attempt. Try again.")


def walk(transport: Transport, query: Arguments) -> Iterator[dict[str, object]]:
    """Yield the fields of all series that match."""
    page = {"numPerPage": str(MAX_PER_PAGE), **query, "includeTotal": "false"}
    return _pages(functools.partial(transport.read, SERIES), page)


def near(transport: Transport, positions: object, radius: object, query: Arguments) -> Iterator[dict[str, object]]:
    """Yield the fields of all series around positions."""
    pairs = pairs_of(positions)
    body = {"numPerPage": MAX_PER_PAGE, **single_texts(query), "includeTotal": False}
    body["radius"] = float(in_unit(radius, "deg", "radius"))

    def ask(page: Mapping[str, object]) -> Any:
        return transport.query(f"{SERIES}/query", message(page))

    for first in range(0, len(pairs), MAX_POSITIONS):
        for document in _pages(ask, {**body, "positions": pairs[first : first + MAX_POSITIONS]}):
            yield {**document, "position": document["position"] + first}


def _pages(ask: Callable[[Mapping[str, object]], Any], page: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the fields of series, page by page with a cursor."""
    while True:
        answer = ask(page)
        for text in answer.get("warnings", ()):
            warnings.warn(text, stacklevel=2)
        yield from map(_without_table, answer["series"])
        if not answer["cursor"]:
            return
        page["cursor"] = answer["cursor"]


def entries(transport: Transport, kind: str) -> Iterator[dict[str, object]]:
    """Yield the entries of a registry."""
    for page in itertools.count(1):
        query = {"numPerPage": MAX_PER_PAGE, "pageNumber": page}
        answer = transport.read(f"/api/{quote(kind, safe='')}", query)
        yield from answer[kind]
        if page * MAX_PER_PAGE >= answer["totalMatches"]:
            return


def series_frame(documents: Iterable[dict[str, object]], more: Sequence[str] = ()) -> pd.DataFrame:
    """Return a frame of fields; an empty one has the same columns: the listed fields and ``more``."""
    rows = list(documents)
    return SearchResult(rows) if rows else SearchResult(columns=[*LISTED, *more])


def _without_table(fields: dict[str, object]) -> dict[str, Any]:
    """Return the fields of a series without the empty ``data``."""
    fields.pop("data", None)
    return fields
