"""The files of another archive, found only below one folder."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from photseries.errors import InvalidError, StartError

__all__ = ["FileLocation", "Files", "UnfitFileError", "root_of"]


class UnfitFileError(InvalidError):
    """A file that is missing or unreadable; ``missing`` distinguishes the two."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.missing = missing


class FileLocation(NamedTuple):
    """The path of the file of a series in the other archive, and the name of the series there."""

    id: int
    filename: str
    series_name: str
    hash: str
    obj_id: str
    series_obj_id: str


class Files:
    """The files below a folder.

    Parameters
    ----------
    folder : Path
    root : str
        The prefix of the other archive's file names; the rest is the path below our folder.
    largest : int
        Maximum size of a file to read [bytes].

    Raises
    ------
    StartError
        When there is no such folder.
    """

    def __init__(self, folder: Path, root: str, largest: int) -> None:
        if not folder.is_dir():
            raise StartError(f"{folder} is not a folder.")
        self._folder = Path(os.path.realpath(folder))
        self._root = _parts(root)
        self._largest = largest

    def locate(self, filename: str) -> Path:
        """Return the path of a file, which may not exist.

        Raises
        ------
        InvalidError
            When it lies outside the folder, also by a link.
        """
        parts = _parts(filename)
        inside = parts[len(self._root) :]
        if parts[: len(self._root)] != self._root or not inside:
            raise InvalidError(f"{filename!r} lies outside the folder {'/'.join(self._root) or '/'!r}")
        if any(part in ("", ".", "..") or "\0" in part for part in inside):
            raise InvalidError(f"{filename!r} is not a plain path: it has an empty part, '.', '..' or a NUL character")
        path = Path(os.path.realpath(self._folder.joinpath(*inside)))
        if not path.is_relative_to(self._folder):
            raise InvalidError(f"{filename!r} is a link that leads out of the folder")
        return path

    def size(self, path: Path) -> int | None:
        """Return the length of a file [bytes]; None if it is missing."""
        try:
            return path.stat().st_size
        except OSError:
            return None

    def read(self, path: Path) -> bytes:
        """Read a file.

        Parameters
        ----------
        path : Path
            Of :meth:`locate`.

        Raises
        ------
        UnfitFileError
            When it is missing, too large, not a file, or unreadable.
        """
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(descriptor, "rb", buffering=0) as file:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    raise UnfitFileError("The path is not a regular file.")
                if status.st_size > self._largest:
                    raise UnfitFileError(
                        f"The file has {status.st_size:,} bytes; the limit is {self._largest:,} (server.max_body)."
                    )
                return file.readall()
        except FileNotFoundError:
            raise UnfitFileError("The file is missing.", missing=True) from None
        except OSError as error:
            raise UnfitFileError(f"The file cannot be read: {error.strerror}.") from error


def root_of(locations: Iterable[FileLocation], folder: Path) -> str:
    """Find the root folder of SkyPortal's files: the most frequent part before the name of the series.

    Parameters
    ----------
    folder : Path
        File names below it need no other root.

    Returns
    -------
    str
        The folder itself if no file name determines the root.
    """
    here = _parts(str(folder.absolute()))
    votes: Counter[tuple[str, ...]] = Counter()
    for location in locations:
        parent, name = _parts(location.filename)[:-1], _parts(location.series_name.strip("/\\"))
        if parent[: len(here)] == here:
            votes[tuple(here)] += 1
        elif parent[-len(name) :] == name:
            votes[tuple(parent[: -len(name)])] += 1
    return "/".join(votes.most_common(1)[0][0]) if votes else str(folder.absolute())


def _parts(path: str) -> list[str]:
    """Split a path; the first part of an absolute path is empty, and an empty path has no parts."""
    path = path.replace("\\", "/")
    return path.rstrip("/").split("/") if path.rstrip("/") else [""] if path else []
