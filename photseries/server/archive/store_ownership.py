"""The ownership of a place (a store or an export) by an archive and one copy of its database.

A sweep removes every blob that no row names. Two archives in one store would sweep each other's blobs, and an archive
configured with the wrong bucket would empty it. Therefore the first archive that uses an empty store writes its
identity there (:func:`claim_store`), and every other archive refuses the store.

Every dump contains that identity, so a restored dump has it too. A second entry, the mark, distinguishes copies of one
database (:class:`Ownership`). It names the database cluster, which a dump does not contain, and a turn, a random text
that every sweep replaces in the database and in the mark. A copy with the same cluster, from a snapshot or a base
backup, has an old turn as soon as the original has swept again.
"""

from __future__ import annotations

import dataclasses
import itertools
import secrets
import time
from dataclasses import dataclass
from typing import Protocol

import orjson

from photseries.errors import NotAdoptedError, StartError
from photseries.server.catalogue import blobs, marks
from photseries.server.catalogue.engine import Catalogue
from photseries.server.catalogue.marks import MarkRow
from photseries.server.faults import reached
from photseries.server.storage.contract import Store

__all__ = ["OWNER_KEY", "Mark", "Ownership", "claim_store"]

#: The key of the owner's identity. Never change it: every existing store has it. The sweep skips it.
OWNER_KEY = "photseries.archive"

#: Number of blobs of a store without an owner to look up in the catalogue.
_LOOKED_UP = 1000

#: The length of a mark [bytes], less than a sector.
_LENGTH = 256
#: How long a checked mark stays valid for writes [s].
_TRUSTED = 30.0
#: Maximum number of comparisons of a mark and its row, which another process may replace in between.
_LOOKS = 5


class MarkedPlace(Protocol):
    """A place with a mark; see :class:`~photseries.server.storage.contract.Store`."""

    def read_mark(self) -> bytes | None:
        """Return the mark, None when there is none."""

    def swap_mark(self, expected: bytes | None, new: bytes) -> bool:
        """Replace the mark if it is unchanged (compare-and-swap)."""


@dataclass(frozen=True)
class Mark:
    """The content of a mark: a random name of the place, the database, the epoch and the turn."""

    place: str
    database: str
    epoch: int
    turn: str

    def encode(self) -> bytes:
        """Return the stored form of the mark; its length is fixed, so that a full disk has room for the next one."""
        return orjson.dumps(dataclasses.asdict(self)).ljust(_LENGTH)


class Ownership:
    """The ownership of a place by this database and by no copy of it.

    Parameters
    ----------
    place : MarkedPlace
    catalogue : Catalogue
    label, remedy : str
        The name of the place and the command that adopts it, for messages.
    """

    def __init__(
        self, place: MarkedPlace, catalogue: Catalogue, label: str = "The store", remedy: str = "photseries adopt-store"
    ) -> None:
        self._place = place
        self._catalogue = catalogue
        self._called = label
        self._remedy = remedy
        self._trusted_until = 0.0

    def require(self) -> None:
        """Refuse to write to a place of another database; write a mark if the place has none.

        Raises
        ------
        NotAdoptedError
        UnavailableError
        """
        if time.monotonic() < self._trusted_until:
            return
        self._current()
        self._trusted_until = time.monotonic() + _TRUSTED

    def advance(self) -> None:
        """Begin a new turn, which no copy of this database knows.

        Only one process at a time may call it. After a kill in between, the next call completes the turn.

        Raises
        ------
        NotAdoptedError
        UnavailableError
        """
        self._trusted_until = 0.0
        mark = self._current()
        with self._catalogue.transaction() as connection:
            marks.take(connection, mark.place, mark.turn)  # a turn that a killed process did not complete
            next_turn = marks.announce(connection, mark.place, _new_turn())
        reached("mark: turn announced")
        after = dataclasses.replace(mark, turn=next_turn)
        if not self._place.swap_mark(mark.encode(), after.encode()):
            raise self._refusal()
        reached("mark: mark replaced")
        with self._catalogue.transaction() as connection:
            marks.take(connection, mark.place, next_turn)

    def adopt(self) -> Mark:
        """Take ownership of the place regardless of its mark, and begin a new epoch.

        Raises
        ------
        NotAdoptedError
            When another process replaced the mark concurrently.
        UnavailableError
        """
        seen = self._place.read_mark()
        new = self._replace_mark(seen)
        if new is None:
            raise self._refusal()
        return new

    def _replace_mark(self, expected: bytes | None) -> Mark | None:
        """Replace a mark by one of this database; return None if the mark has changed."""
        place, epoch = secrets.token_hex(8), 0
        if expected is not None:
            before = _decode(expected)
            place, epoch = before.place, before.epoch
        with self._catalogue.transaction() as connection:
            new = Mark(place, marks.database(connection), epoch + 1, _new_turn())
            marks.put(connection, new.place, MarkRow(new.epoch, new.turn, None))
        reached("mark: row written")
        return new if self._place.swap_mark(expected, new.encode()) else None

    def _current(self) -> Mark:
        """Return the mark after checking that it agrees with the database; write a mark if the place has none."""
        for _ in range(_LOOKS):
            content = self._place.read_mark()
            mark = self._replace_mark(None) if content is None else _decode(content)
            if mark is not None:
                with self._catalogue.reading() as connection:
                    row, database = marks.get(connection, mark.place), marks.database(connection)
                is_current = row is not None and row.epoch == mark.epoch and mark.turn in (row.turn, row.next_turn)
                if is_current and mark.database == database:
                    return mark
        raise self._refusal()

    def _refusal(self) -> NotAdoptedError:
        return NotAdoptedError(
            f"{self._called} was last used by another copy of this database, so nothing is written or removed. The "
            f"operator must stop the other copy and run `{self._remedy}`."
        )


def _decode(content: bytes) -> Mark:
    """Read a mark; raise StartError if it is damaged."""
    try:
        return Mark(**orjson.loads(content))
    except (orjson.JSONDecodeError, TypeError):
        raise StartError("photseries did not write the mark in the store. Check it, or remove it.") from None


def _new_turn() -> str:
    return secrets.token_hex(16)


def claim_store(store: Store, url: str, catalogue: Catalogue) -> None:
    """Make this archive the owner of a store, or check that it already is.

    A store without an owner is claimed if it is empty or contains blobs of this archive.

    Parameters
    ----------
    store : Store
    url : str
        The address of the store, for messages.
    catalogue : Catalogue
        Its schema must be at this version's revision.

    Raises
    ------
    StartError
        When another archive owns the store, or it contains files of another archive.
    """
    with catalogue.reading() as connection:
        identity = blobs.archive(connection).encode()
    owner = store.read(OWNER_KEY)
    if owner is None:
        _require_free(store, url, catalogue)
        try:
            store.create(OWNER_KEY, identity)
        except FileExistsError:
            owner = store.read(OWNER_KEY)
    if owner not in (None, identity):
        raise StartError(f"The store {url} belongs to another archive. Choose an empty bucket, prefix or folder.")


def _require_free(store: Store, url: str, catalogue: Catalogue) -> None:
    keys = [blob.key for blob in itertools.islice(store.scan(), _LOOKED_UP)]
    with catalogue.reading() as connection:
        known_keys = blobs.recorded_filenames(connection, keys)
    if keys and not known_keys:
        raise StartError(
            f"The store {url} is not empty, and {keys[0]!r} does not belong to this archive. "
            "Choose an empty bucket, prefix or folder."
        )
