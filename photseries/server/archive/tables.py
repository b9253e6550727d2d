"""Long tables that were read a short while ago, for those who look at one stretch after the other."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from photseries.hdf5 import Decoded
from photseries.lightcurve.curve import LightCurve, light_curve
from photseries.server.catalogue.blobs import Blob

__all__ = ["Table", "Tables"]

#: The file of a table that is worth keeping [bytes]; a shorter one is read again in no time.
LONG = 1024 * 1024


@dataclass(frozen=True, eq=False)
class Table:
    """A table with its metadata and its light curve; nobody may change them."""

    decoded: Decoded
    curve: LightCurve

    @property
    def size(self) -> int:
        """What it takes in memory [bytes]."""
        return int(self.decoded.frame.memory_usage().sum()) + 5 * self.curve.mjd.nbytes


class Tables:
    """Keeps the tables that were asked for last. Files never change and their names never return, so no table is old.

    Who may see a table is decided before, each time.

    Parameters
    ----------
    most : int
        What all of them may take [bytes].
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, Table] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, blob: Blob, read: Callable[[Blob], Decoded]) -> Table:
        """Give the table of a blob, which is read when it is not here."""
        with self._lock:
            if blob.filename in self._kept:
                self._kept.move_to_end(blob.filename)
                return self._kept[blob.filename]
        decoded = read(blob)
        table = Table(decoded, light_curve(decoded.frame))
        if blob.size >= LONG and table.size <= self._most:
            with self._lock:
                self._kept[blob.filename] = table
                while sum(kept.size for kept in self._kept.values()) > self._most:
                    self._kept.popitem(last=False)
        return table
