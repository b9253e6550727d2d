"""A cache of long tables for clients that zoom into a light curve."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from photseries.hdf5 import Decoded
from photseries.lightcurve.calibration import calibration_of
from photseries.lightcurve.curve import LightCurve, good_rows, light_curve
from photseries.lightcurve.detection import signal_to_noise
from photseries.lightcurve.photometry import FloatArray
from photseries.server.catalogue.blobs import Blob

__all__ = ["CachedTable", "TableCache"]

#: The least length of a file whose table is kept [bytes]; a shorter one is read again in no time.
LONG = 1024 * 1024


@dataclass(frozen=True, eq=False)
class CachedTable:
    """A table with its metadata and its light curve; read-only, because requests share it."""

    decoded: Decoded
    curve: LightCurve

    @functools.cached_property
    def snr(self) -> FloatArray:
        """The S/N of each row, where the flags of the series leave it; see :func:`signal_to_noise`."""
        return signal_to_noise(self.curve.masked(good_rows(self.decoded.frame, self.decoded.metadata)))

    @property
    def size(self) -> int:
        """The memory that it takes [bytes]."""
        return int(self.decoded.frame.memory_usage().sum()) + 6 * self.curve.mjd.nbytes


class TableCache:
    """Keeps the tables that were read last.

    No entry is ever stale: files never change, and their names are never used again. The caller has checked that the
    principal may see the series.

    Parameters
    ----------
    most : int
        The memory that all tables together may take [bytes].
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, CachedTable] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, blob: Blob, read: Callable[[Blob], Decoded]) -> CachedTable:
        """Return the table of a blob; read it when it is not in the cache."""
        with self._lock:
            if blob.filename in self._kept:
                self._kept.move_to_end(blob.filename)
                return self._kept[blob.filename]
        decoded = read(blob)
        table = CachedTable(decoded, light_curve(decoded.frame, calibration_of(decoded.metadata)))
        if blob.size >= LONG and table.size <= self._most:
            with self._lock:
                self._kept[blob.filename] = table
                while sum(kept.size for kept in self._kept.values()) > self._most:
                    self._kept.popitem(last=False)
        return table
