"""The archive, and the copy of its database, that owns a place: a store or an export.

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

#: The key of the owner's identity. It is part of every store that exists: never change it. The sweep leaves it alone.
OWNER_KEY = "photseries.archive"

#: How many blobs of a store without an owner are looked up in the catalogue.
_LOOKED_UP = 1000

#: The length of a mark [bytes], less than a sector.
_LENGTH = 256
#: How long a mark that was right is not read again before a write [s].
_TRUSTED = 30.0
#: How often a mark and its row are compared, as another process may replace both in between.
_LOOKS = 5


class MarkedPlace(Protocol):
    """A place that keeps a mark; see :class:`~photseries.server.storage.contract.Store`."""

    def read_mark(self) -> bytes | None:
        """Return the mark, None when there is none."""

    def swap_mark(self, seen: bytes | None, new: bytes) -> bool:
        """Replace the mark if it still is the one that was seen."""


@dataclass(frozen=True)
class Mark:
    """What a place says of its owner: its own random name, the database, the epoch and the turn."""

    place: str
    database: str
    epoch: int
    turn: str

    def encode(self) -> bytes:
        """Return the mark as it is stored: always of one length, so that a full disk has room for the next one."""
        return orjson.dumps(dataclasses.asdict(self)).ljust(_LENGTH)


class Ownership:
    """Whether a place belongs to this database, and no copy of it uses the place.

    Parameters
    ----------
    place : MarkedPlace
    catalogue : Catalogue
    called, remedy : str
        The place, and the command that adopts it, in messages.
    """

    def __init__(
        self,
        place: MarkedPlace,
        catalogue: Catalogue,
        called: str = "The store",
        remedy: str = "photseries adopt-store",
    ) -> None:
        self._place = place
        self._catalogue = catalogue
        self._called = called
        self._remedy = remedy
        self._trusted_until = 0.0

    def require(self) -> None:
        """Refuse to write to a place of another database; mark a place without a mark.

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
        """Begin another turn, which no copy of this database knows.

        One process at a time may call it. After a kill in between, the next call completes the turn.

        Raises
        ------
        NotAdoptedError
        UnavailableError
        """
        self._trusted_until = 0.0
        mark = self._current()
        with self._catalogue.transaction() as connection:
            marks.take(connection, mark.place, mark.turn)  # what a process did not complete that was killed
            next_turn = marks.announce(connection, mark.place, _new_turn())
        reached("mark: turn announced")
        after = dataclasses.replace(mark, turn=next_turn)
        if not self._place.swap_mark(mark.encode(), after.encode()):
            raise self._refusal()
        reached("mark: mark replaced")
        with self._catalogue.transaction() as connection:
            marks.take(connection, mark.place, next_turn)

    def adopt(self) -> Mark:
        """Make the place this database's, whatever its mark says, and begin another epoch.

        Raises
        ------
        NotAdoptedError
            When another process replaced the mark meanwhile.
        UnavailableError
        """
        seen = self._place.read_mark()
        new = self._marked(seen)
        if new is None:
            raise self._refusal()
        return new

    def _marked(self, seen: bytes | None) -> Mark | None:
        """Write a mark of this database in place of the one that was seen; return None when it was replaced since."""
        place, epoch = secrets.token_hex(8), 0
        if seen is not None:
            before = _decoded(seen)
            place, epoch = before.place, before.epoch
        with self._catalogue.transaction() as connection:
            new = Mark(place, marks.database(connection), epoch + 1, _new_turn())
            marks.put(connection, new.place, MarkRow(new.epoch, new.turn, None))
        reached("mark: row written")
        return new if self._place.swap_mark(seen, new.encode()) else None

    def _current(self) -> Mark:
        """Return the mark, which agrees with the database; mark a place that has none."""
        for _ in range(_LOOKS):
            content = self._place.read_mark()
            mark = self._marked(None) if content is None else _decoded(content)
            if mark is not None:
                with self._catalogue.reading() as connection:
                    row, database = marks.get(connection, mark.place), marks.database(connection)
                known = row is not None and row.epoch == mark.epoch and mark.turn in (row.turn, row.next_turn)
                if known and mark.database == database:
                    return mark
        raise self._refusal()

    def _refusal(self) -> NotAdoptedError:
        return NotAdoptedError(
            f"{self._called} was last used by another copy of this database, so nothing is written or removed. Its "
            f"operator has to stop the other one and run `{self._remedy}`."
        )


def _decoded(content: bytes) -> Mark:
    """Read a mark.

    Raises
    ------
    StartError
    """
    try:
        return Mark(**orjson.loads(content))
    except (orjson.JSONDecodeError, TypeError):
        raise StartError("The mark of the store is not one that photseries wrote. Look at it, or remove it.") from None


def _new_turn() -> str:
    return secrets.token_hex(16)


def claim_store(store: Store, url: str, catalogue: Catalogue) -> None:
    """Make this archive the owner of a store, or check that it already is.

    A store without an owner is claimed when it is empty or holds blobs of this archive.

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
        When another archive owns the store, or it holds files that are not this archive's.
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
        known = blobs.known(connection, keys)
    if keys and not known:
        raise StartError(
            f"The store {url} is not empty, and {keys[0]!r} does not belong to this archive. "
            "Choose an empty bucket, prefix or folder."
        )
