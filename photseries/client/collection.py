"""Collections: series that are fetched during iteration and cached on disk."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import pandas as pd

from photseries.client.downloads import md5, partial
from photseries.client.exports import export
from photseries.client.lists import ListQuery, get_list, long_frame
from photseries.client.queries import arguments
from photseries.client.search import series_frame, series_of, walk
from photseries.client.series import Series
from photseries.client.threads import ahead
from photseries.client.transport import Transport
from photseries.errors import AlteredError
from photseries.fields import FEATURES

__all__ = ["Collection"]

#: Series fetched per request.
BATCH: Final = 64

#: The names of files in the cache: a SHA-256 and an MD5.
_CACHED: Final = re.compile(r"[0-9a-f]{64}\.[0-9a-f]{32}")

#: Search keywords that do not apply to results without pages.
_OF_PAGES: Final = frozenset(("sort_by", "sortBy", "sort_order", "sortOrder", "num_per_page", "numPerPage", "features"))

T = TypeVar("T")
S = TypeVar("S")
Fields = dict[str, Any]


class Collection:
    """Series that are prefetched during iteration, a few at a time.

    Each iteration begins with a new search. A cached table is not fetched again while the ``content_hash`` and the
    ``hash`` of its series are unchanged.

    Parameters
    ----------
    transport : Transport
    lists : mapping
        Of :func:`~photseries.client.lists.given_lists`; empty: all series that match the criteria.
    criteria : mapping
    cache, workers, progress
        As in :meth:`photseries.Client.collection`.
    """

    def __init__(
        self,
        transport: Transport,
        lists: Mapping[str, Any],
        criteria: Mapping[str, object],
        *,
        cache: str | os.PathLike[str] | None,
        workers: int,
        progress: bool | None,
    ) -> None:
        self._transport = transport
        self._lists = lists
        self._criteria = criteria
        self._cache = None if cache is None else Path(cache).expanduser()
        self._workers = workers
        self._progress = progress
        self._fields: list[Fields] | None = None

    @property
    def fields(self) -> list[Fields]:
        """The fields of the series found by the last search."""
        if self._fields is None:
            self._fields = self._find()
        return self._fields

    @property
    def statistics(self) -> pd.DataFrame:
        """The fields of the series, including statistics and features, by id."""
        return series_frame(self.fields, FEATURES).set_index("id")

    def __len__(self) -> int:
        return len(self.fields)

    def __repr__(self) -> str:
        return f"<Collection of {'series' if self._fields is None else f'{len(self)} series'}>"

    def __iter__(self) -> Iterator[Series]:
        self._fields = self._find()
        batches = [self._fields[first : first + BATCH] for first in range(0, len(self._fields), BATCH)]
        fetched = ahead(self._batch, batches, self._workers)
        return _with_progress((series for batch in fetched for series in batch), len(self._fields), self._progress)

    def map(self, function: Callable[[Series], T], workers: int = 4) -> list[T]:
        """Call a function for each series, in threads; return the results in the order of the series.

        Parameters
        ----------
        function : callable
        workers : int
            Number of threads.
        """
        return list(ahead(function, self, workers))

    def to_pandas(self) -> pd.DataFrame:
        """Return all tables concatenated, each row with the id, obj_id and filter of its series."""
        return long_frame(enumerate(self))

    def to_parquet(self, path: str | os.PathLike[str]) -> Path:
        """Download the long table of all series as Parquet; see :meth:`photseries.Client.export`."""
        return export(self._transport, Path(path).expanduser(), "parquet", self._lists, self._unordered)

    @property
    def _unordered(self) -> dict[str, object]:
        return {name: value for name, value in self._criteria.items() if name not in _OF_PAGES}

    def _find(self) -> list[Fields]:
        if not self._lists:
            return list(walk(self._transport, {"features": ["true"], **arguments(self._criteria)}))
        series_list = get_list(self._transport, ListQuery(self._lists, self._unordered), files=False)
        return list({series.id: series.metadata for series in series_list}.values())

    def _batch(self, metadata_list: Sequence[Fields]) -> list[Series]:
        is_cached = self._cache is not None
        loaded = {
            metadata["id"]: self._cached(metadata)
            for metadata in metadata_list
            if is_cached and self._path(metadata).exists()
        }
        missing = [metadata["id"] for metadata in metadata_list if metadata["id"] not in loaded]
        for series in get_list(self._transport, ListQuery({"ids": missing}, {})) if missing else ():
            if is_cached:
                self._write(series.metadata, series.blob)
            loaded[series.id] = self._cached(series.metadata) if is_cached else series
        # A series that was deleted meanwhile or is damaged raises its error when its table is requested.
        return [
            loaded[metadata["id"]] if metadata["id"] in loaded else series_of(self._transport, metadata)
            for metadata in metadata_list
        ]

    def _path(self, fields: Fields) -> Path:
        name = f"{fields['content_hash']}.{fields['hash']}"
        if not _CACHED.fullmatch(name):  # it could name a file outside the cache
            raise AlteredError(f"Series {fields['id']} has no valid hashes: {name!r:.100}.")
        return (self._cache or Path()) / name[:2] / f"{name}.h5"

    def _cached(self, fields: Fields) -> Series:
        return Series(fields, functools.partial(self._from_cache, fields), is_near=True)

    def _from_cache(self, fields: Fields) -> tuple[Fields, bytes]:
        """Read a file from the cache; fetch it again if it was altered or removed."""
        path = self._path(fields)
        blob = path.read_bytes() if path.exists() else b""
        if md5(blob) != fields["hash"]:
            series = series_of(self._transport, fields)
            blob = series.blob
            self._write(series.metadata, blob)
            return series.metadata, blob
        return fields, blob

    def _write(self, fields: Fields, blob: bytes) -> None:
        path = self._path(fields)
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial(path) as file:
            file.write(blob)


def _with_progress(series: Iterator[S], total: int, progress: bool | None) -> Iterator[S]:
    """Show a progress bar during the iteration over series."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    is_shown = (console.is_terminal or console.is_jupyter) if progress is None else progress
    yield from track(series, "series", total, console=console, disable=not is_shown)
