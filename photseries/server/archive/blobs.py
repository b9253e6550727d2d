"""Read blobs, and write them in the right order with their rows: blob first, then the transaction of its row."""

from __future__ import annotations

import hashlib
import logging
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pandas as pd

from photseries.errors import DamagedError, OutcomeUnknownError, PhotseriesError, UnavailableError, UnreadableFileError
from photseries.fields import KEY
from photseries.fields.stored import file_metadata
from photseries.hdf5 import Decoded, frames, stored_file
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

__all__ = [
    "BlobWriter",
    "columns_of",
    "find_problem",
    "key_of",
    "read_blob",
    "read_range",
    "read_raw",
    "read_table",
]

log = logging.getLogger(__name__)


class BlobWriter:
    """Writes the blob of a row before the transaction of the row, and takes it back when the transaction fails.

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
        self, frame: pd.DataFrame, values: Mapping[str, Any], *, is_new: bool = True
    ) -> Iterator[tuple[Connection, dict[str, object]]]:
        """Write a new blob, then open the transaction in which the caller writes its row.

        The blob is removed when the transaction is certain not to have been committed. When the outcome is unknown the
        blob stays, and the sweep decides by the rows.

        Parameters
        ----------
        frame : DataFrame
        values : mapping
            The metadata of the row; :func:`~photseries.fields.stored.file_metadata` says which go into the file.
        is_new : bool
            Whether the series is a new one, for the quotas of its owner.

        Yields
        ------
        connection, columns : Connection, dict
            The transaction, and the columns of the row that describe the blob.

        Raises
        ------
        InvalidError
            When the table or the metadata cannot be written.
        QuotaExceededError
            When the owner would have more than the quotas allow.
        UnavailableError
            When the store refuses the blob, or another copy of the database uses the store, or COMMIT was not reached
            before the write deadline.
        """
        content = self.encode(frame, values)
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
            The columns of the table where they are valid and all of numbers: then the frame is not looked at.
        """
        limits = self._config.limits
        table = frames.writable(frame, limits) if numbers is None else frames.writable_numbers(numbers)
        compression = self._config.store.compression
        return stored_file.encode_table(table, file_metadata(values), compression=compression, limits=limits)

    def create_many(self, blobs: Mapping[str, bytes]) -> None:
        """Store blobs of new series; take them back when the store refuses one.

        Raises
        ------
        UnavailableError
        """
        self.ownership.require()
        try:
            self._store.create_many(blobs)
        except Exception:
            self.take_back(blobs)
            raise

    @contextmanager
    def transaction(
        self, keys: Sequence[str], owner_id: int, *, is_new: bool, began: float | None = None
    ) -> Iterator[Connection]:
        """Open the transaction of rows whose blobs are stored; take the blobs back when it fails for certain.

        Parameters
        ----------
        keys : sequence of str
            Of the blobs.
        owner_id : int
            The owner of the series.
        is_new : bool
            Whether the series are new ones.
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
            reached("write: taking back")
            self.take_back(keys)
            raise
        reached("write: committed")

    def take_back(self, keys: Iterable[str]) -> None:
        """Remove blobs that no row ever named; the sweep removes them later if the store fails now."""
        for key in keys:
            try:
                self._store.delete(key)
            except PhotseriesError as error:
                log.warning("could not remove the blob %s, the sweep will: %s", key, error)


def read_blob(store: Store, blob: Blob) -> bytes:
    """Return the whole content of a blob, checked against its row.

    Raises
    ------
    DamagedError
        When it is missing or altered.
    """
    found = store.read(blob.filename)
    if found is None:
        raise DamagedError(f"{blob.called} is missing from the store.")
    if len(found) != blob.size or zlib.crc32(found) != blob.crc:
        raise DamagedError(f"{blob.called} in the store is damaged.")
    return found


def read_range(store: Store, blob: Blob, start: int, stop: int) -> bytes:
    """Read a range of the bytes of a blob, which no checksum covers.

    Raises
    ------
    DamagedError
        When the blob is missing or shorter.
    """
    pieces = store.chunks(blob.filename, start, stop)
    content = b"" if pieces is None else b"".join(pieces)
    if len(content) != stop - start:
        raise DamagedError(f"{blob.called} in the store is missing or damaged.")
    return content


def read_table(store: Store, blob: Blob) -> Decoded:
    """Return the table and the metadata in a blob; raises what :func:`read_raw` does."""
    raw = read_raw(store, blob)
    return Decoded(frames.build(raw), raw.metadata)


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
        raise DamagedError(f"{blob.called} is not one that this service wrote, or it was altered.") from error


def find_problem(store: Store, blob: Blob) -> str | None:
    """Compare a blob in a store with its row by length and MD5, in chunks; return the difference, None if equal."""
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
    """Make the key of the blob of a series, which was never used before."""
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
