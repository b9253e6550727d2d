"""The unique key of a series, and how the client prevents two tables of one upload from becoming one series."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Final

from photseries.errors import DuplicateError
from photseries.fields import FIELDS, KEY, Operator
from photseries.formats import Reading
from photseries.lightcurve.metadata import infer

__all__ = ["CRITERIA_OF_KEY", "Key", "UploadTracker", "key_of", "same_key_error"]

#: The required fields of a unique key, with the criteria that search for them.
CRITERIA_OF_KEY: Final[Mapping[str, str | None]] = {
    name: next((known.name for known in FIELDS[name].criteria if known.operator is Operator.ONE_OF), None)
    for name in KEY
    if FIELDS[name].required
}
_OPTIONAL: Final = tuple(name for name in KEY if name not in CRITERIA_OF_KEY)

#: The fields of a unique key, in the order of :data:`CRITERIA_OF_KEY`, and the optional ones; as text.
Key = tuple[str | None, ...]

#: Number of ids per bit set.
_PAGE: Final = 4096


def key_of(fields: Mapping[str, object], reading: Reading | None = None) -> Key | None:
    """Return the key of a series, or None if the client does not know all of it.

    For a series that is not stored yet, the reading supplies further fields; its columns are used only if needed.
    """
    if reading is not None:
        fields = {**reading.file_metadata, **fields}
        if fields.get("filter") is None and reading.frame.columns.is_unique:
            fields = {**fields, "filter": infer(reading.frame).get("filter")}
    if any(fields.get(name) is None for name in CRITERIA_OF_KEY):
        return None
    texts = (fields.get(name) for name in (*CRITERIA_OF_KEY, *_OPTIONAL))
    return tuple(None if text is None else str(text) for text in texts)


class UploadTracker:
    """The series that the items of an upload have been stored in. Thread-safe.

    It contains the hashes of the keys of uploads in flight, and a bit for each series: consecutive ids share an
    integer, so that millions of items take little memory.

    Parameters
    ----------
    keeps_keys : bool
        Whether a key stays after its upload: the answer to a bulk upload comes too late to compare its ids.
    """

    def __init__(self, *, keeps_keys: bool = False) -> None:
        self._lock = Lock()
        self._keeps_keys = keeps_keys
        self._keys: set[int] = set()
        self._bits: defaultdict[int, int] = defaultdict(int)

    @contextmanager
    def held(self, key: Key | None) -> Iterator[None]:
        """Hold a key while its table is being sent; it is released if that fails.

        Raises
        ------
        DuplicateError
            When another item holds it.
        """
        if key is None:
            yield
            return
        number = hash(key)
        with self._lock:
            if number in self._keys:
                raise same_key_error()
            self._keys.add(number)
        keeps = False
        try:
            yield
            keeps = self._keeps_keys
        finally:
            if not keeps:
                with self._lock:
                    self._keys.remove(number)

    def require_other(self, series_id: int) -> None:
        """Refuse a series that another item has reached.

        Raises
        ------
        DuplicateError
        """
        page, bit = divmod(series_id, _PAGE)
        with self._lock:
            if self._bits.get(page, 0) >> bit & 1:
                raise same_key_error(id=series_id)

    def add(self, series_id: int) -> None:
        """Record that an item was stored in a series, before its key is released."""
        page, bit = divmod(series_id, _PAGE)
        with self._lock:
            self._bits[page] |= 1 << bit


def same_key_error(**details: int) -> DuplicateError:
    """Return the error of an item whose key another item has."""
    return DuplicateError(
        "Another series of this upload has the same key: give each its own series_name, series_obj_id, channel or "
        "origin.",
        details=details,
    )
