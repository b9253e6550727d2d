"""Which archive a store belongs to.

A sweep removes what no row names. Two archives in one place would sweep each other's blobs, and an archive that was
given somebody's bucket by mistake would sweep that. So the first archive to use an empty place leaves its mark there.
"""

from __future__ import annotations

import itertools

from photseries.errors import StartError
from photseries.server.catalogue import blobs
from photseries.server.catalogue.engine import Catalogue
from photseries.server.storage.contract import Store

__all__ = ["MARK", "claim"]

#: The key of the mark; the sweep leaves it alone.
MARK = "photseries.server.archive"
LOOKED_AT = 1000  # blobs of a store without a mark


def claim(store: Store, url: str, catalogue: Catalogue) -> None:
    """Make sure that a store belongs to this archive, and to no other.

    One without a mark is taken when it is empty, or holds blobs of this archive.

    Parameters
    ----------
    store : Store
    url : str
        Its address, for messages.
    catalogue : Catalogue
        Its schema must be of this version's revision.

    Raises
    ------
    StartError
        When it is another archive's, or somebody else's things are there.
    """
    with catalogue.reading() as connection:
        ours = blobs.archive(connection).encode()
    found = store.read(MARK)
    if found is None:
        _require_free(store, url, catalogue)
        try:
            store.create(MARK, ours)
        except FileExistsError:
            found = store.read(MARK)
    if found not in (None, ours):
        raise StartError(f"The store {url} belongs to another archive. Name an empty place.")


def _require_free(store: Store, url: str, catalogue: Catalogue) -> None:
    there = [blob.key for blob in itertools.islice(store.scan(), LOOKED_AT)]
    with catalogue.reading() as connection:
        known = blobs.known(connection, there)
    if there and not known:
        raise StartError(
            f"The store {url} is not empty, and {there[0]!r} is none of this archive's files. Name an empty place."
        )
