"""Flush files and folders to disk; the error about a full disk."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from photseries.errors import UnavailableError

__all__ = ["space_for", "synchronize", "synchronize_all"]

#: The first version of Linux whose syncfs reports write errors: https://man7.org/linux/man-pages/man2/sync.2.html
_REPORTS: Final = (5, 8)


@contextlib.contextmanager
def space_for(purpose: str) -> Iterator[None]:
    """Raise UnavailableError when a temporary file for a purpose cannot be made or written."""
    try:
        yield
    except OSError as error:
        raise UnavailableError(f"The disk of the service has no space for {purpose}.") from error


def synchronize(path: Path) -> None:
    """Make a file, or the entries of a folder, durable."""
    _flush(os.open(path, os.O_RDONLY))


def synchronize_all(folder: int, names: Iterable[str]) -> None:
    """Make files in a folder durable; with one syncfs of their file system if possible.

    Parameters
    ----------
    folder : int
        A descriptor of it.
    names : iterable of str
    """
    if _syncfs is not None:
        if _syncfs(folder):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return
    for name in names:
        _flush(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder))


def _flush(descriptor: int) -> None:
    """Flush an open file to disk, and close it."""
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reporting_syncfs() -> Callable[[int], int] | None:
    version = re.match(r"(\d+)\.(\d+)", os.uname().release) if hasattr(os, "uname") else None
    if version is None or (int(version[1]), int(version[2])) < _REPORTS:
        return None
    return getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)


_syncfs = _reporting_syncfs()
