"""The contract of a store; ``tests/server/storage/contract.py`` tests every implementation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["CHUNK", "Store", "StoredBlob"]

CHUNK = 1024 * 1024  # chunk size of reads of a blob [bytes]


@dataclass(frozen=True)
class StoredBlob:
    """One entry of a store's listing.

    Parameters
    ----------
    key : str
        The key, or the name of a left-over of a killed writer, which can be removed but not read.
    size : int
        Length [bytes].
    age : float
        Age [s] by the clock of the store, not of this machine.
    """

    key: str
    size: int
    age: float


class Store(ABC):
    """A store of blobs, each written once under a unique key and never changed.

    Keys come from :func:`photseries.server.storage.keys.new_key`; all methods raise ValueError for other keys.
    Threads and processes may share a store. Every method raises :class:`~photseries.errors.UnavailableError` when the
    store is full, read-only or unavailable.
    """

    @abstractmethod
    def create(self, key: str, blob: bytes | memoryview) -> None:
        """Write a blob under a new key.

        On return the blob is complete and durable: it survives a power cut. It is invisible before that, and after a
        failure; only if the connection to a store breaks before the answer, a complete blob without a row may remain.
        Of concurrent writers of one key exactly one succeeds; a blob is never replaced.

        Parameters
        ----------
        key : str
        blob : bytes or memoryview

        Raises
        ------
        FileExistsError
            When the key exists.
        """

    @abstractmethod
    def create_many(self, blobs: Mapping[str, bytes]) -> None:
        """Write blobs under new keys, like :meth:`create` but faster.

        After a failure, some of the blobs may remain without rows.
        """

    @abstractmethod
    def read(self, key: str) -> bytes | None:
        """Return the whole blob, or None."""

    @abstractmethod
    def chunks(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes] | None:
        """Yield a blob, or a range of its bytes, in chunks of bounded size.

        Parameters
        ----------
        key : str
        start : int
            The first byte, which must lie within the blob unless it is 0.
        stop : int, optional
            The end of the range, greater than ``start``; limited to the end of the blob.

        Returns
        -------
        iterator of bytes, or None
            None when there is no such blob.
        """

    @abstractmethod
    def size(self, key: str) -> int | None:
        """Return the length of the blob [bytes], or None."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove a blob, or a left-over by its name in :meth:`scan`; a missing one is no error."""

    @abstractmethod
    def scan(self) -> Iterator[StoredBlob]:
        """List all blobs and left-overs, unordered; concurrent changes may be listed or not."""

    @abstractmethod
    def read_mark(self) -> bytes | None:
        """Return the mark of the place, or None. Listings do not contain the mark."""

    @abstractmethod
    def swap_mark(self, expected: bytes | None, new: bytes) -> bool:
        """Replace the mark atomically and durably if it is unchanged; return whether it was.

        No two marks may be equal: a mark that equals ``new`` counts as written by this call.
        """

    @abstractmethod
    def check(self) -> None:
        """Write and remove a probe, for the readiness check."""
