"""A store in a folder of a local or network disk.

Every path is opened step by step from the root folder by descriptors, without following symbolic links, so that a key
cannot lead out of the root.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from photseries.errors import StartError, UnavailableError
from photseries.server.disk import synchronize, synchronize_all
from photseries.server.faults import reached
from photseries.server.storage.contract import CHUNK, Store, StoredBlob
from photseries.server.storage.keys import MARK, PARTIAL, check_key, check_listed

__all__ = ["LocalStore"]

ATTEMPTS = 100  # at a folder that others remove, because it is empty, before its first use
FOLDER_MODE = 0o750
FILE_MODE = 0o640
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)


class LocalStore(Store):
    """Blobs as files under one folder, which several processes and hosts may share.

    A blob is written to ``.partial/``, synchronized, and linked to its name, which fails when the name is taken.

    Parameters
    ----------
    root : Path
        The folder; created if missing.

    Raises
    ------
    StartError
        When the folder cannot be created.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        try:
            missing = [folder for folder in (root, *root.parents) if not folder.exists()]
            root.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            for folder in missing:
                synchronize(folder.parent)
        except OSError as error:
            raise StartError(f"Cannot create the folder of the store {root}: {error.strerror}.") from error

    def create(self, key: str, blob: bytes | memoryview) -> None:
        """Write a blob under a new key; see :meth:`Store.create`."""
        folders, name = check_key(key)
        with _translated(), self._partial(blob) as (partial, temporary):
            self._link(partial, folders, {temporary: name})

    def create_many(self, blobs: Mapping[str, bytes]) -> None:
        """Write blobs, and synchronize them together; see :meth:`Store.create_many`."""
        names = {key: check_key(key) for key in blobs}
        with _translated(), self._walk([PARTIAL], make=True) as (*_, partial), contextlib.ExitStack() as written:
            made = {}
            for key, blob in blobs.items():
                made[key] = written.enter_context(_temporary_file(partial, blob))
            synchronize_all(partial, made.values())
            reached("store: files synchronized")
            folders: dict[tuple[str, ...], dict[str, str]] = {}
            for key, (parts, name) in names.items():
                folders.setdefault(tuple(parts), {})[made[key]] = name
            for folder, links in folders.items():
                self._link(partial, list(folder), links)

    def _link(self, partial: int, folders: list[str], links: Mapping[str, str]) -> None:
        """Link complete files (final names by partial names) into a folder, durably; after a failure none stays."""
        for _ in range(ATTEMPTS):
            with (
                contextlib.suppress(FileNotFoundError),
                self._walk(folders, make=True) as descriptors,
                _unlinked_on_failure(descriptors[-1]) as linked,
            ):
                reached("store: folders made")
                for temporary, name in links.items():
                    os.link(temporary, name, src_dir_fd=partial, dst_dir_fd=descriptors[-1])
                    linked.append(name)
                    reached("store: blob linked")
                # All folders, because one that another writer has just created may not be durable yet.
                for descriptor in reversed(descriptors):
                    os.fsync(descriptor)
                reached("store: folders synchronized")
                return
        raise UnavailableError("The store is too busy. Try again.")

    def read(self, key: str) -> bytes | None:
        """Return the whole blob, or None."""
        with _translated():
            file = self._open(key)
            if file is None:
                return None
            with file:
                return file.readall()

    def chunks(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes] | None:
        """Return a blob, or a range of its bytes, in pieces; see :meth:`Store.chunks`."""
        with _translated():
            file = self._open(key)
        return None if file is None else _pieces(file, start, stop)

    def size(self, key: str) -> int | None:
        """Return the length of the blob [bytes], or None."""
        folders, name = check_key(key)
        with _translated():
            try:
                with self._walk(folders) as descriptors:
                    return os.stat(name, dir_fd=descriptors[-1], follow_symlinks=False).st_size
            except FileNotFoundError:
                return None

    def delete(self, key: str) -> None:
        """Remove a blob or a left-over, and the folders that this empties."""
        folders, name = check_listed(key)
        with _translated(), contextlib.suppress(FileNotFoundError), self._walk(folders) as descriptors:
            os.unlink(name, dir_fd=descriptors[-1])
            reached("store: blob removed")
            if folders != [PARTIAL]:
                _prune(folders, descriptors)
            reached("store: folders pruned")

    def scan(self) -> Iterator[StoredBlob]:
        """List all blobs and left-overs; foreign files are not listed, and links not followed."""
        with _translated(), self._walk([]) as (root,):
            now = self._now()
            for folder, _, names, descriptor in os.fwalk(".", dir_fd=root, onerror=_raise_unless_gone):
                for name in names:
                    key = Path(folder, name).as_posix()
                    try:
                        check_listed(key)
                        status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                    except (ValueError, FileNotFoundError):
                        continue
                    if stat.S_ISREG(status.st_mode):
                        yield StoredBlob(key, status.st_size, max(0.0, now - status.st_mtime))

    def read_mark(self) -> bytes | None:
        """Return the mark of the place; see :meth:`Store.read_mark`."""
        with _translated(), contextlib.suppress(FileNotFoundError), self._mark(os.O_RDONLY, fcntl.LOCK_SH) as file:
            return file.readall() or None
        return None

    def swap_mark(self, expected: bytes | None, new: bytes) -> bool:
        """Overwrite the mark in place, which also works on a full disk; see :meth:`Store.swap_mark`."""
        with _translated(), self._mark(os.O_RDWR | os.O_CREAT, fcntl.LOCK_EX) as file:
            if (file.readall() or None) != expected:
                return False
            file.seek(0)
            file.write(new)
            file.truncate()
            os.fsync(file.fileno())
        with _translated(), self._walk([]) as (root,):
            os.fsync(root)
        return True

    @contextlib.contextmanager
    def _mark(self, flags: int, lock: int) -> Iterator[io.FileIO]:
        with self._walk([]) as (root,):
            descriptor = os.open(MARK, flags | os.O_NOFOLLOW, FILE_MODE, dir_fd=root)
            with io.FileIO(descriptor, "r" if lock == fcntl.LOCK_SH else "r+") as file:
                fcntl.flock(descriptor, lock)
                yield file

    def check(self) -> None:
        """Write and remove a probe, with a hard link, which some file systems lack."""
        with _translated(), self._partial(b"probe") as (folder, name):
            twin = secrets.token_hex(16)
            os.link(name, twin, src_dir_fd=folder, dst_dir_fd=folder)
            os.unlink(twin, dir_fd=folder)

    def _open(self, key: str) -> io.FileIO | None:
        """Open the file of a blob; None if it is missing."""
        folders, name = check_key(key)
        try:
            with self._walk(folders) as descriptors:
                descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=descriptors[-1])
        except FileNotFoundError:
            return None
        return io.FileIO(descriptor)

    def _now(self) -> float:
        """Return the time of the clock that stamps the files, which is a server's for a network disk.

        Nothing is written, because the sweep of a full disk needs the time.
        """
        with self._walk([PARTIAL], make=True) as (*_, folder):
            os.utime(folder)
            return os.fstat(folder).st_mtime

    @contextlib.contextmanager
    def _partial(self, blob: bytes | memoryview) -> Iterator[tuple[int, str]]:
        """Write a synchronized file that is removed at the end; yield the descriptor of its folder, and its name."""
        with self._walk([PARTIAL], make=True) as (*_, folder), _temporary_file(folder, blob, synchronized=True) as name:
            reached("store: partial file synchronized")
            yield folder, name

    @contextlib.contextmanager
    def _walk(self, folders: list[str], *, make: bool = False) -> Iterator[list[int]]:
        """Open the folders from the root down; return their descriptors, the root's first."""
        flags = os.O_RDONLY | os.O_DIRECTORY
        with contextlib.ExitStack() as stack:
            try:
                descriptors = [os.open(self._root, flags)]
            except FileNotFoundError as error:
                raise UnavailableError("The store is not available. Try again later.") from error
            stack.callback(os.close, descriptors[0])
            for folder in folders:
                if make:
                    with contextlib.suppress(FileExistsError):
                        os.mkdir(folder, FOLDER_MODE, dir_fd=descriptors[-1])
                descriptors.append(os.open(folder, flags | os.O_NOFOLLOW, dir_fd=descriptors[-1]))
                stack.callback(os.close, descriptors[-1])
            yield descriptors


@contextlib.contextmanager
def _temporary_file(folder: int, blob: bytes | memoryview, *, synchronized: bool = False) -> Iterator[str]:
    """Write a file, synchronized or not, that is removed at the end; yield its name."""
    name = secrets.token_hex(16)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = os.open(name, flags, FILE_MODE, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb", buffering=0) as file:
            reached("store: partial file made")
            remaining = memoryview(blob).cast("B")
            while remaining:
                remaining = remaining[file.write(remaining) :]
            reached("store: partial file written")
            if synchronized:
                os.fsync(descriptor)
        yield name
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=folder)
        reached("store: partial file removed")


def _pieces(file: io.FileIO, start: int, stop: int | None) -> Iterator[bytes]:
    with file, _translated():
        file.seek(start)
        while piece := file.read(CHUNK if stop is None else min(CHUNK, stop - file.tell())):
            yield piece


@contextlib.contextmanager
def _unlinked_on_failure(folder: int) -> Iterator[list[str]]:
    """Yield a list of names in a folder, which are removed on failure."""
    names: list[str] = []
    try:
        yield names
    except BaseException:
        for name in names:
            os.unlink(name, dir_fd=folder)
        raise


def _prune(folders: list[str], descriptors: list[int]) -> None:
    """Remove empty folders, innermost first; a writer that has just opened one creates it again."""
    for folder, parent in zip(reversed(folders), reversed(descriptors[:-1]), strict=True):
        try:
            os.rmdir(folder, dir_fd=parent)
        except OSError:
            return


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Translate disk failures to errors for clients; FileExistsError and FileNotFoundError propagate as answers."""
    try:
        yield
    except (FileExistsError, FileNotFoundError):
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise UnavailableError("The store is full. Ask the operator to make room, then try again.") from error
        if error.errno in _REFUSED:
            raise UnavailableError("Access to the store was denied. Contact the operator.") from error
        raise UnavailableError("The store failed. Contact the operator.") from error
