"""Blobs by key: the contract of a store, local disk, object storage, and keys."""

from photseries.server.storage.contract import Store, StoredBlob
from photseries.server.storage.keys import new_key
from photseries.server.storage.local import LocalStore
from photseries.server.storage.opening import open_store

__all__ = ["LocalStore", "Store", "StoredBlob", "new_key", "open_store"]
