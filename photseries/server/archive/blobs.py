"""The order of blob and row: the one place where bytes are written before, and taken back after, a transaction."""

from __future__ import annotations

import hashlib
import logging
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pandas as pd

from photseries.errors import DamagedError, InDoubtError, PhotseriesError, UnavailableError, UnreadableFileError
from photseries.hdf5 import Decoded, stored_file
from photseries.schemas.metadata import METADATA
from photseries.server.catalogue import blobs
from photseries.server.catalogue.blobs import Blob
from photseries.server.catalogue.engine import Catalogue, Connection
from photseries.server.catalogue.series import KEY
from photseries.server.faults import reached
from photseries.server.settings import Config
from photseries.server.storage.contract import Store
from photseries.server.storage.keys import new_key

__all__ = ["Blobs", "decoded", "read"]

log = logging.getLogger(__name__)


class Blobs:
    """The bytes of series, tied to their rows.

    Parameters
    ----------
    catalogue : Catalogue
    store : Store
    config : Config
    """

    def __init__(self, catalogue: Catalogue, store: Store, config: Config) -> None:
        self._catalogue = catalogue
        self._store = store
        self._config = config

    def read(self, blob: Blob) -> bytes:
        """Read a blob whole; see :func:`read`."""
        return read(self._store, blob)

    def decoded(self, blob: Blob) -> Decoded:
        """Read the table and the metadata of a blob; see :func:`decoded`."""
        return decoded(self._store, blob)

    @contextmanager
    def written(self, frame: pd.DataFrame, values: Mapping[str, Any]) -> Iterator[tuple[Connection, dict[str, Any]]]:
        """Write a new blob, then give the transaction in which its row is to be written, and the row's values for it.

        The blob is taken back when the transaction is certain not to have been committed; when that is unknown it
        stays, and the sweep decides by the rows.

        Parameters
        ----------
        frame : DataFrame
        values : mapping
            The metadata of the row, of which the file carries what is not None.

        Raises
        ------
        InvalidError
            When the table or the metadata cannot be written.
        UnavailableError
            When the store does not take it, or COMMIT was not reached before the write deadline.
        """
        metadata = {name: values[name] for name in (*METADATA, "owner_id") if values[name] is not None}
        content = stored_file.encode(
            frame, metadata, compression=self._config.store.compression, limits=self._config.limits
        )
        key = new_key(**{name: values[name] for name in KEY if name != "obj_id"})
        self._store.create(key, content)
        reached("write: blob stored")
        deadline = time.monotonic() + self._config.store.write_deadline
        try:
            with self._catalogue.transaction() as connection:
                reached("write: transaction begun")
                yield connection, _described(key, content)
                _require_before(deadline)
                reached("write: before COMMIT")
        except InDoubtError:
            raise
        except Exception:
            reached("write: taking back")
            self._take_back(key)
            raise
        reached("write: committed")

    def unlinked(self, filename: str) -> None:
        """Remove, where the operator wants no grace, a blob that a committed change has unlinked."""
        if self._config.store.grace == 0 and self._take_back(filename):
            reached("unlinked: blob removed")
            try:
                with self._catalogue.transaction() as connection:
                    blobs.forget(connection, [filename])
            except UnavailableError as error:
                # The change itself is committed and must not be denied; the next sweep drops the note.
                log.warning("could not drop the note about the blob %s: %s", filename, error)

    def _take_back(self, key: str) -> bool:
        """Remove a blob that no row names; what cannot be removed now is left to the sweep."""
        try:
            self._store.delete(key)
        except PhotseriesError as error:
            log.warning("could not remove the blob %s, the sweep will: %s", key, error)
            return False
        return True


def read(store: Store, blob: Blob) -> bytes:
    """Read a blob whole and check it against its row.

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


def decoded(store: Store, blob: Blob) -> Decoded:
    """Read the table and the metadata of a blob; see :func:`read`."""
    try:
        return stored_file.decode(read(store, blob))
    except UnreadableFileError as error:
        raise DamagedError(f"{blob.called} is not one that this service wrote, or it was altered.") from error


def _described(key: str, content: bytes) -> dict[str, Any]:
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
