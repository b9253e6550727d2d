"""The contract of a store; ``tests/server/storage/contract.py`` tests every implementation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

__all__ = ["CHUNK", "Store", "StoredBlob"]

CHUNK = 1024 * 1024  # what is read at once of a blob that is not wanted whole [bytes]


@dataclass(frozen=True)
class StoredBlob:
    """One entry of a store's listing.

    Parameters
    ----------
    key : str
        What to delete it by. Left-overs of killed writers have names of their own, which cannot be read.
    size : int
        Length [bytes].
    age : float
        Time since it was written [s], by the clock of the store and not of this machine.
    """

    key: str
    size: int
    age: float


class Store(ABC):
    """A place for blobs, which are written once under a key of their own and never changed.

    Keys come from :func:`photseries.server.storage.keys.new_key`; all methods refuse anything else with ValueError.
    Threads and processes may share a store. Every method raises :class:`~photseries.errors.UnavailableError` when the
    store is full, read-only or away.
    """

    @abstractmethod
    def create(self, key: str, blob: bytes | memoryview) -> None:
        """Write a blob under a new key.

        On return the blob is complete and durable: it survives a power cut. Before that nobody sees it, nor after a
        failure; only when the connection to a store breaks before the answer, a complete blob may be there, which no
        row will name. Of several writers of one key exactly one succeeds; a blob is never replaced.

        Parameters
        ----------
        key : str
        blob : bytes or memoryview

        Raises
        ------
        FileExistsError
            When the key is taken.
        """

    @abstractmethod
    def create_many(self, blobs: Mapping[str, bytes]) -> None:
        """Write blobs under new keys, as :meth:`create` does each; together that takes less.

        When it fails, some of the blobs may be there, which no row will name.
        """

    @abstractmethod
    def read(self, key: str) -> bytes | None:
        """Return the whole blob, None when there is none."""

    @abstractmethod
    def chunks(self, key: str, start: int = 0, stop: int | None = None) -> Iterator[bytes] | None:
        """Yield a blob, or a range of its bytes, in pieces, so that it need not fit into memory.

        Parameters
        ----------
        key : str
        start : int
            The first byte; it has to lie within the blob unless it is 0.
        stop : int, optional
            Where to end, greater than ``start``; what lies beyond the end of the blob is left out.

        Returns
        -------
        iterator of bytes, or None
            None when there is no such blob.
        """

    @abstractmethod
    def size(self, key: str) -> int | None:
        """Return the length of the blob [bytes], None when there is none."""

    @abstractmethod
    def delete(self, key: str) -> None:
        """Remove a blob, or a left-over by its name in :meth:`scan`; one that is gone already is no error."""

    @abstractmethod
    def scan(self) -> Iterator[StoredBlob]:
        """List all blobs and left-overs, in no order; what comes or goes meanwhile may be listed or not."""

    @abstractmethod
    def read_mark(self) -> bytes | None:
        """Return the mark of the place, None when it has none. No listing shows the mark."""

    @abstractmethod
    def swap_mark(self, seen: bytes | None, new: bytes) -> bool:
        """Replace the mark atomically and durably, if it still is the one that was seen; return whether it was.

        No two marks may be equal: a mark that equals ``new`` counts as written by this call.
        """

    @abstractmethod
    def check(self) -> None:
        """Write, and remove, a probe; for the question whether the service is ready."""
