"""Which archive owns a store.

A sweep removes every blob that no row names. Two archives in one store would sweep each other's blobs, and an archive
that was given a foreign bucket by mistake would empty it. So the first archive that uses an empty store writes its
identity there, and every other archive refuses the store.
"""

from __future__ import annotations

import itertools

from photseries.errors import StartError
from photseries.server.catalogue import blobs
from photseries.server.catalogue.engine import Catalogue
from photseries.server.storage.contract import Store

__all__ = ["OWNER_KEY", "claim_store"]

#: The key of the owner's identity. It is part of every store that exists: never change it. The sweep leaves it alone.
OWNER_KEY = "photseries.archive"

#: How many blobs of a store without an owner are looked up in the catalogue.
_LOOKED_UP = 1000


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
