"""Bytes at keys: the contract of a store, the local disk, and how keys are made."""

from photseries.storage.contract import Store, StoredBlob
from photseries.storage.keys import new_key
from photseries.storage.local import LocalStore

__all__ = ["LocalStore", "Store", "StoredBlob", "new_key"]
