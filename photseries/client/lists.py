"""Requests for lists of ids, names, hashes or positions: the series found, and the entries without one.

A list is requested in batches. The answer to each is a zip that is written to disk while it arrives, and checked
against its manifest; an interrupted batch is requested again. Only the metadata are kept in memory.
"""

from __future__ import annotations

import functools
import tempfile
import threading
import time
import warnings
import weakref
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Any, Final, overload

import numpy as np
import orjson
import pandas as pd

from photseries.client.downloads import md5, require_hash
from photseries.client.payload import message
from photseries.client.queries import OF_PART, list_arguments, pairs_of
from photseries.client.search import SERIES, series_frame
from photseries.client.series import Series
from photseries.client.transport import Transport
from photseries.errors import (
    AlteredError,
    DamagedError,
    InvalidError,
    NotFoundError,
    UnreachableError,
    UnreadableFileError,
)
from photseries.fields import FEATURES
from photseries.lightcurve.selection import NoRowsError
from photseries.parameters import LISTS, POSITIONS

__all__ = ["ListQuery", "SeriesList", "get_list", "given_lists", "long_frame", "require_found"]

#: Entries per request.
PORTION: Final = 1000

#: Attempts per interrupted request, and the pause between them [s].
ATTEMPTS: Final = 4
PAUSE: Final = 0.5

_NOT_REQUESTED: Final = "The file of this series was not requested."

#: Maximum number of entries in an error message.
_SHOWN: Final = 3


class ListQuery:
    """A list of series, and the requested part of each.

    Parameters
    ----------
    lists : mapping
        Of :func:`given_lists`: one.
    options : mapping
        Criteria, and the keywords that select a part of each table; for positions the radius.

    Raises
    ------
    InvalidError
        When there is not exactly one list.
    """

    def __init__(self, lists: Mapping[str, Any], options: Mapping[str, object]) -> None:
        self.more = list_arguments(options)
        if len(lists) != 1:
            raise InvalidError(f"Give exactly one of {', '.join((*LISTS, POSITIONS))}, not {len(lists)}.")
        ((self.by, entries),) = lists.items()
        self.entries = entries

    def portions(self, size: int = PORTION) -> Iterator[tuple[int, dict[str, object]]]:
        """Yield the bodies of the requests, each with the index of its first entry."""
        for first in range(0, len(self.entries), size):
            yield first, {**self.more, self.by: self.entries[first : first + size]}


def given_lists(*lists: object) -> dict[str, Any]:
    """Return by name the lists that are not None of ``ids, obj_ids, series_obj_ids, hashes, positions``.

    Raises
    ------
    InvalidError
        When one is not a list.
    """
    return {
        name: _entries(name, entries)
        for name, entries in zip((*LISTS, POSITIONS), lists, strict=True)
        if entries is not None
    }


def _entries(name: str, entries: object) -> list[Any]:
    if name == POSITIONS:
        return pairs_of(entries)
    if isinstance(entries, str) or not isinstance(entries, Iterable):
        raise InvalidError(f"{name} must be a list, not {entries!r:.60}.")
    return [entry.item() if isinstance(entry, np.generic) else entry for entry in entries]


class SeriesList(Sequence[Series]):
    """The series of a list, in its order; tables stay on disk until they are used.

    Attributes
    ----------
    asked : list
        The entries of the list.
    places : list of int
        For each series the index of its entry; a series that matches several entries occurs several times.
    missing : list
        The entries without a visible series.
    damaged : list of int
        The ids of series whose file in the archive is damaged; the list does not contain them.
    """

    def __init__(self, requested: list[object]) -> None:
        self.asked = requested
        self.places: list[int] = []
        self.missing: list[object] = []
        self.damaged: list[int] = []
        self._series: list[Series] = []

    def add(self, index: int, series: Series) -> None:
        """Add a series for the entry at an index."""
        self.places.append(index)
        self._series.append(series)

    def __len__(self) -> int:
        return len(self._series)

    @overload
    def __getitem__(self, index: int) -> Series: ...
    @overload
    def __getitem__(self, index: slice) -> list[Series]: ...
    def __getitem__(self, index: int | slice) -> Series | list[Series]:
        return self._series[index]

    def __repr__(self) -> str:
        counts = (
            f"{len(self)} series of {len(self.asked)} entries, {len(self.missing)} missing, {len(self.damaged)} damaged"
        )
        return f"<SeriesList: {counts}>"

    def _placed(self) -> Iterator[tuple[int, Series]]:
        return zip(self.places, self._series, strict=True)

    @property
    def series(self) -> list[Series]:
        """The series."""
        return list(self._series)

    @property
    def frames(self) -> dict[int, pd.DataFrame]:
        """The tables by series id, without those that have no row in the requested part."""
        return {series.id: frame for _, series, frame in _framed(self._placed())}

    @property
    def metadata(self) -> pd.DataFrame:
        """The fields of all series, including statistics and features, one row per series."""
        documents = ({"asked": index, **series.metadata} for index, series in self._placed())
        return series_frame(documents, ("asked", *FEATURES))

    def of(self, entry: object) -> list[Series]:
        """Return the series of an entry."""
        return [series for index, series in self._placed() if self.asked[index] == entry]

    def to_pandas(self) -> pd.DataFrame:
        """Return all tables concatenated; ``asked`` is the index in the list."""
        return long_frame(self._placed())


def long_frame(series: Iterable[tuple[int, Series]]) -> pd.DataFrame:
    """Put the tables of series, given with their places, under each other, each row with the id, obj_id and filter."""
    parts = []
    for index, item, frame in _framed(series):
        constants = {
            "asked": index,
            "series_id": item.id,
            **{name: item.metadata[name] for name in ("obj_id", "filter")},
        }
        remaining = frame[[name for name in frame if name not in constants]]
        remaining = remaining.reset_index(drop=True)
        parts.append(pd.concat([pd.DataFrame(constants, index=remaining.index), remaining], axis=1))
    return (
        pd.concat(parts, ignore_index=True)
        if parts
        else pd.DataFrame(columns=["asked", "series_id", "obj_id", "filter"])
    )


def _framed(series: Iterable[tuple[int, Series]]) -> Iterator[tuple[int, Series, pd.DataFrame]]:
    """Yield the tables of series that have a row in the requested part.

    Warn of series that cannot have the part, such as a column that they lack; if none can, raise the error.
    """
    refused: dict[int, InvalidError] = {}
    is_empty = True
    for index, item in series:
        try:
            frame = item.data
        except UnreadableFileError:
            raise
        except NoRowsError:
            continue
        except InvalidError as error:
            refused[item.id] = error
            continue
        is_empty = False
        yield index, item, frame
    if refused:
        (first, reason), *_ = refused.items()
        if is_empty:
            raise reason
        warnings.warn(f"{len(refused)} series are left out, the first is {first}: {reason.message}", stacklevel=4)


def get_list(transport: Transport, request: ListQuery, *, files: bool = True) -> SeriesList:
    """Get the series of a list; without files, only their metadata.

    Raises
    ------
    UnreachableError
        When the answer was interrupted repeatedly.
    AlteredError
        When an answer differs from its manifest.
    """
    series_list = SeriesList(request.entries)
    for first, body in request.portions():
        answer = _SharedAnswer()
        _download(transport, {**body, "format": "zip", "files": files}, answer.file)
        _add_answer(answer, first, series_list, is_whole=OF_PART.isdisjoint(body), files=files)
    return series_list


def _download(transport: Transport, body: Mapping[str, object], file: IO[bytes]) -> None:
    for attempt in range(ATTEMPTS):
        try:
            transport.stream(f"{SERIES}/export", message(body), file)
        except UnreachableError:
            if attempt == ATTEMPTS - 1 or not file.tell():
                raise
        else:
            return
        time.sleep(PAUSE * 2**attempt)
        file.seek(0)
        file.truncate()


def require_found(series_list: SeriesList) -> None:
    """Raise an error if the list is incomplete.

    Raises
    ------
    NotFoundError, DamagedError
    """
    if series_list.missing:
        shown = ", ".join(f"{entry!r:.60}" for entry in series_list.missing[:_SHOWN])
        count = f"{len(series_list.missing)} of {len(series_list.asked)}"
        raise NotFoundError(f"{count} entries of the list are absent or not visible: {shown} ...".removesuffix(" ..."))
    if series_list.damaged:
        shown = ", ".join(map(str, series_list.damaged[:_SHOWN]))
        raise DamagedError(f"The files of {len(series_list.damaged)} series are damaged in the archive: {shown}.")


class _SharedAnswer:
    """An answer on disk, closed when no series needs it any more. Thread-safe."""

    def __init__(self) -> None:
        self.file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  see above
        self._lock = threading.Lock()
        weakref.finalize(self, self.file.close)

    @functools.cached_property
    def zip(self) -> zipfile.ZipFile:
        """The zip, once it has been downloaded."""
        return zipfile.ZipFile(self.file)

    def read(self, name: str) -> bytes:
        """Return a file in the zip."""
        try:
            with self._lock:
                return self.zip.read(name)
        except (zipfile.BadZipFile, KeyError) as error:
            raise _incomplete(f"{name} is absent or damaged") from error


def _add_answer(answer: _SharedAnswer, first: int, series_list: SeriesList, *, is_whole: bool, files: bool) -> None:
    """Add the series of an answer, which is checked against its manifest."""
    manifest, lines = orjson.loads(answer.read("manifest.json")), answer.read("series.jsonl").splitlines()
    names = set(answer.zip.namelist())
    pairs: set[tuple[int, int]] = set()
    series_by_id: dict[int, Series] = {}
    for line in lines:
        fields = orjson.loads(line)
        index, file, problem = fields.pop("asked"), fields.pop("file"), fields.pop("data_error", None)
        pairs.add((index, fields["id"]))
        if fields["id"] in manifest["damaged"]:
            continue
        if file not in names and files and problem is None:
            raise _incomplete(f"the file of series {fields['id']} is not in it")
        fetch = functools.partial(_fetch, answer, fields, file if file in names else None, problem, is_whole)
        series_list.add(first + index, series_by_id.setdefault(fields["id"], Series(fields, fetch, is_near=True)))
    expected = {(int(index), series_id) for index, ids in manifest["found"].items() for series_id in ids}
    if pairs != expected:
        raise _incomplete(f"it has {len(pairs)} series, and its manifest {len(expected)}")
    series_list.missing += [series_list.asked[first + index] for index in manifest["absent"]]
    series_list.damaged += manifest["damaged"]


def _fetch(
    answer: _SharedAnswer, fields: dict[str, Any], file: str | None, problem: str | None, is_whole: bool
) -> tuple[dict[str, object], bytes]:
    """Read the file of a series from the zip on disk."""
    if file is None:
        raise NoRowsError if problem == NoRowsError().message else InvalidError(problem or _NOT_REQUESTED)
    blob = answer.read(file)
    if is_whole:
        require_hash(md5(blob), fields.get("hash"))
    return fields, blob


def _incomplete(reason: str) -> AlteredError:
    return AlteredError(f"The answer to the list is incomplete: {reason}. Repeat the request.")
