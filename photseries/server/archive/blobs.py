"""Read blobs, and write each before the transaction of its row."""

from __future__ import annotations

import hashlib
import logging
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd

from photseries.cancellation import check_cancelled
from photseries.errors import DamagedError, OutcomeUnknownError, PhotseriesError, UnavailableError, UnreadableFileError
from photseries.fields import KEY
from photseries.fields.stored import file_metadata
from photseries.hdf5 import StoredContent, frames, stored_file
from photseries.hdf5.raw import RawTable
from photseries.lightcurve.photometry import Array
from photseries.server.archive.store_ownership import Ownership
from photseries.server.catalogue.blobs import Blob
from photseries.server.catalogue.engine import Catalogue, Connection
from photseries.server.catalogue.usage import require_quota
from photseries.server.faults import reached
from photseries.server.settings import Config
from photseries.server.storage.contract import Store
from photseries.server.storage.keys import new_key

__all__ = ["BlobWriter", "columns_of", "find_problem", "key_of", "read_blob", "read_range", "read_raw", "read_table"]

log = logging.getLogger(__name__)


class BlobWriter:
    """Writes the blob of a row before the transaction of the row, and removes it when the transaction fails.

    Parameters
    ----------
    catalogue : Catalogue
    store : Store
    config : Config
    """

    def __init__(self, catalogue: Catalogue, store: Store, config: Config) -> None:
        self._catalogue = catalogue
        self._store = store
        self.ownership = Ownership(store, catalogue)
        self._config = config

    @contextmanager
    def write(
        self,
        frame: pd.DataFrame,
        values: Mapping[str, Any],
        numbers: Mapping[str, Array] | None = None,
        *,
        is_new: bool = True,
    ) -> Iterator[tuple[Connection, dict[str, object]]]:
        """Write a new blob, then open the transaction in which the caller writes its row.

        The blob is removed if the transaction certainly did not commit. If the outcome is unknown, the blob stays until
        the sweep checks the rows.

        Parameters
        ----------
        frame : DataFrame
        values : mapping
            The metadata of the row; :func:`~photseries.fields.stored.file_metadata` selects those of the file.
        numbers : mapping of str to ndarray, optional
            See :meth:`encode`.
        is_new : bool
            Whether the series is new, for the quotas of its owner.

        Yields
        ------
        connection, columns : Connection, dict
            The transaction, and the columns of the row that describe the blob.

        Raises
        ------
        InvalidError
            When the table or the metadata cannot be written.
        QuotaExceededError
            When the quotas of the owner would be exceeded.
        UnavailableError
            When the store refuses the blob, or another copy of the database uses the store, or COMMIT was not reached
            before the write deadline.
        """
        content = self.encode(frame, values, numbers)
        self.ownership.require()
        key = key_of(values)
        self._store.create(key, content)
        with self.transaction([key], values["owner_id"], is_new=is_new) as connection:
            yield connection, columns_of(key, content)

    def encode(
        self, frame: pd.DataFrame, values: Mapping[str, object], numbers: Mapping[str, Array] | None = None
    ) -> bytes:
        """Write the file of a series; raise InvalidError when its table or its metadata cannot be written.

        Parameters
        ----------
        frame : DataFrame
        values : mapping
            All values of its row.
        numbers : mapping of str to ndarray, optional
            The columns of the table if valid and numeric, and its index is 0..n-1; then the frame is not checked.
        """
        limits = self._config.limits
        table = frames.writable(frame, limits) if numbers is None else frames.writable_numbers(numbers, limits)
        compression = self._config.store.compression
        return stored_file.encode_table(table, file_metadata(values), compression=compression, limits=limits)

    def create_many(self, blobs: Mapping[str, bytes]) -> None:
        """Store blobs of new series; remove them all if the store refuses one.

        Raises
        ------
        UnavailableError
        """
        self.ownership.require()
        try:
            self._store.create_many(blobs)
        except Exception:
            self.discard(blobs)
            raise

    @contextmanager
    def transaction(
        self, keys: Sequence[str], owner_id: int, *, is_new: bool, began: float | None = None
    ) -> Iterator[Connection]:
        """Open the transaction of rows whose blobs are stored; remove the blobs if it certainly failed.

        Parameters
        ----------
        keys : sequence of str
            Of the blobs.
        owner_id : int
            The owner of the series.
        is_new : bool
            Whether the series are new.
        began : float, optional
            When the first blob was stored, of ``time.monotonic`` [s]; default: now.

        Raises
        ------
        QuotaExceededError, UnavailableError
            As :meth:`write` does.
        """
        reached("write: blob stored")
        deadline = (time.monotonic() if began is None else began) + self._config.store.write_deadline
        try:
            with self._catalogue.transaction() as connection:
                reached("write: transaction begun")
                yield connection
                require_quota(connection, self._config.quotas, owner_id, is_new=is_new)
                _require_before(deadline)
                reached("write: before COMMIT")
        except OutcomeUnknownError:
            raise
        except Exception:
            reached("write: discarding")
            self.discard(keys)
            raise
        reached("write: committed")

    def is_recent(self, began: float) -> bool:
        """Return whether blobs of this time, of ``time.monotonic`` [s], leave a transaction half of the deadline."""
        return time.monotonic() - began < self._config.store.write_deadline / 2

    def discard(self, keys: Iterable[str]) -> None:
        """Remove blobs that no row ever named; if the store fails, the sweep removes them later."""
        for key in keys:
            try:
                self._store.delete(key)
            except PhotseriesError as error:
                log.warning("could not remove the blob %s, the sweep will: %s", key, error)


def read_blob(store: Store, blob: Blob) -> bytes:
    """Return a blob, verified against its row.

    Raises
    ------
    DamagedError
        When it is missing or altered.
    """
    check_cancelled()
    content = store.read(blob.filename)
    if content is None:
        raise DamagedError(f"{blob.label} is missing from the store.")
    if len(content) != blob.size or zlib.crc32(content) != blob.crc:
        raise DamagedError(f"{blob.label} in the store is damaged.")
    return content


def read_range(store: Store, blob: Blob, start: int, stop: int) -> bytes:
    """Return a range of the bytes of a blob, without verification.

    Raises
    ------
    DamagedError
        When the blob is missing or shorter.
    """
    pieces = store.chunks(blob.filename, start, stop)
    content = b"" if pieces is None else b"".join(pieces)
    if len(content) != stop - start:
        raise DamagedError(f"{blob.label} in the store is missing or damaged.")
    return content


def read_table(store: Store, blob: Blob) -> StoredContent:
    """Return the table and metadata of a blob; raises like :func:`read_raw`."""
    raw = read_raw(store, blob)
    return StoredContent(frames.build(raw), raw.metadata)


def read_raw(store: Store, blob: Blob) -> RawTable:
    """Return the columns of the table in a blob, and the metadata.

    Raises
    ------
    DamagedError
        When it is missing or altered.
    """
    try:
        return stored_file.read(read_blob(store, blob))
    except UnreadableFileError as error:
        raise DamagedError(f"{blob.label} is not one that this service wrote, or it was altered.") from error


def find_problem(store: Store, blob: Blob) -> str | None:
    """Compare the length and MD5 of a blob with its row, in chunks; return the difference, None if equal."""
    chunks = store.chunks(blob.filename)
    if chunks is None:
        return "is missing"
    size, digest = 0, hashlib.md5(usedforsecurity=False)
    for chunk in chunks:
        size += len(chunk)
        digest.update(chunk)
    if size != blob.size:
        return f"has {size} bytes instead of {blob.size}"
    return None if digest.hexdigest() == blob.hash else "has another MD5"


def key_of(values: Mapping[str, Any]) -> str:
    """Return a new, unique key for the blob of a series."""
    return new_key(**{name: values[name] for name in KEY if name != "obj_id"})


def columns_of(key: str, content: bytes) -> dict[str, object]:
    """Return the columns of a row that describe its blob."""
    return {
        "filename": key,
        "hash": hashlib.md5(content, usedforsecurity=False).hexdigest(),
        "blob_size": len(content),
        "blob_crc": zlib.crc32(content),
        "blob_format": stored_file.BLOB_FORMAT,
    }


def _require_before(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise UnavailableError("Storing this took too long, so nothing was stored. Try again.")
