"""Bytes at keys: the contract of a store, local disk, object storage, and how keys are made."""

from photseries.storage.contract import Store, StoredBlob
from photseries.storage.keys import new_key
from photseries.storage.local import LocalStore
from photseries.storage.opening import open_store

__all__ = ["LocalStore", "Store", "StoredBlob", "new_key", "open_store"]
