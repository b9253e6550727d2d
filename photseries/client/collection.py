"""Collections: series that are fetched during iteration and cached on disk."""

from __future__ import annotations

import functools
import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

import pandas as pd

from photseries.client.downloads import partial
from photseries.client.lists import SeriesList, long_frame
from photseries.client.search import framed
from photseries.client.series import Series

__all__ = ["Collection"]

#: Series that are fetched with one request.
BATCH: Final = 64

T = TypeVar("T")
S = TypeVar("S")
Fields = dict[str, Any]


class Collection:
    """Series that are prefetched during iteration, a few at a time.

    Each iteration begins with a new search. A cached table is not fetched again while the ``content_hash`` and the
    ``hash`` of its series are unchanged.

    Parameters
    ----------
    find : callable
        Returns the fields of all series.
    fetch : callable
        Returns the series with given ids.
    single : callable
        Makes a series that is fetched separately.
    export : callable
        Writes all series to a file.
    cache : path, optional
        A folder for the files.
    workers : int
        Number of simultaneous requests.
    progress : bool, optional
        Whether to show a progress bar; default: in a terminal or a notebook.
    """

    def __init__(
        self,
        find: Callable[[], list[Fields]],
        fetch: Callable[[Sequence[int]], SeriesList],
        single: Callable[[Fields], Series],
        export: Callable[[Path], Path],
        *,
        cache: str | os.PathLike[str] | None = None,
        workers: int = 2,
        progress: bool | None = None,
    ) -> None:
        self._find = find
        self._fetch = fetch
        self._single = single
        self._export = export
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
        return framed(self.fields).set_index("id")

    def __len__(self) -> int:
        return len(self.fields)

    def __repr__(self) -> str:
        return f"<Collection of {'series' if self._fields is None else f'{len(self)} series'}>"

    def __iter__(self) -> Iterator[Series]:
        self._fields = self._find()
        batches = [self._fields[first : first + BATCH] for first in range(0, len(self._fields), BATCH)]
        fetched = _ahead(self._batch, batches, self._workers)
        return _shown((one for batch in fetched for one in batch), len(self._fields), self._progress)

    def map(self, function: Callable[[Series], T], workers: int = 4) -> list[T]:
        """Call a function for each series, in threads; return the results in the order of the series.

        Parameters
        ----------
        function : callable
        workers : int
            Number of threads.
        """
        return list(_ahead(function, self, workers))

    def to_pandas(self) -> pd.DataFrame:
        """Return all tables concatenated, each row with the id, obj_id and filter of its series."""
        return long_frame(enumerate(self))

    def to_parquet(self, path: str | os.PathLike[str]) -> Path:
        """Download the long table of all series as Parquet; see :meth:`photseries.Client.export`."""
        return self._export(Path(path))

    def _batch(self, several: Sequence[Fields]) -> list[Series]:
        cached = {one["id"]: self._cached(one) for one in several if self._has(one)}
        rest = [one["id"] for one in several if one["id"] not in cached]
        fetched = {one.id: one for one in self._fetch(rest)} if rest else {}
        if self._cache is not None:
            fetched = {number: self._kept(one) for number, one in fetched.items()}
        # What was deleted meanwhile, or is damaged, says so when its table is asked for.
        return [{**cached, **fetched}.get(one["id"]) or self._single(one) for one in several]

    def _path(self, fields: Fields) -> Path:
        content, file = str(fields["content_hash"]), str(fields["hash"])
        return (self._cache or Path()) / content[:2] / f"{content}.{file}.h5"

    def _has(self, fields: Fields) -> bool:
        return self._cache is not None and self._path(fields).exists()

    def _cached(self, fields: Fields) -> Series:
        return Series(fields, functools.partial(self._from_cache, fields), is_near=True)

    def _from_cache(self, fields: Fields) -> tuple[Fields, bytes]:
        """Read a file of the cache; one that was altered is fetched again."""
        blob = self._path(fields).read_bytes()
        if hashlib.md5(blob, usedforsecurity=False).hexdigest() != fields["hash"]:
            series = self._single(fields)
            blob = series.blob
            self._write(series.metadata, blob)
            return series.metadata, blob
        return fields, blob

    def _kept(self, series: Series) -> Series:
        self._write(series.metadata, series.blob)
        return self._cached(series.metadata)

    def _write(self, fields: Fields, blob: bytes) -> None:
        path = self._path(fields)
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial(path) as file:
            file.write(blob)


def _ahead(function: Callable[[S], T], items: Iterable[S], workers: int) -> Iterator[T]:
    """Yield what a function returns for each item, in order, while the next ones are computed in threads."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[T]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _shown(series: Iterator[S], total: int, wanted: bool | None) -> Iterator[S]:
    """Show a bar while a program goes through series."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    is_shown = (console.is_terminal or console.is_jupyter) if wanted is None else wanted
    yield from track(series, "series", total, console=console, disable=not is_shown)
