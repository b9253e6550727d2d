"""A cache of long tables for clients that zoom into a light curve."""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from photseries.hdf5 import StoredContent
from photseries.lightcurve.calibration import calibration_of
from photseries.lightcurve.curve import LightCurve, good_rows, light_curve
from photseries.lightcurve.detection import signal_to_noise
from photseries.lightcurve.photometry import FloatArray
from photseries.server.catalogue.blobs import Blob

__all__ = ["CachedTable", "TableCache"]

#: Minimum size of a file whose table is cached [bytes]; a smaller file is quickly read again.
LONG = 1024 * 1024


@dataclass(frozen=True, eq=False)
class CachedTable:
    """A table with its metadata and its light curve; read-only, because requests share it."""

    decoded: StoredContent
    curve: LightCurve

    @functools.cached_property
    def snr(self) -> FloatArray:
        """The S/N of each unflagged row; see :func:`signal_to_noise`."""
        return signal_to_noise(self.curve.masked(good_rows(self.decoded.frame, self.decoded.metadata)))

    @functools.cached_property
    def size(self) -> int:
        """The memory use [bytes], including that of texts."""
        return int(self.decoded.frame.memory_usage(deep=True).sum()) + 6 * self.curve.mjd.nbytes


class TableCache:
    """An LRU cache of tables.

    Entries never go stale: files never change, and keys are never reused. The caller has checked that the principal may
    see the series.

    Parameters
    ----------
    max_size : int
        The maximum total size of the tables [bytes].
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._kept: OrderedDict[str, CachedTable] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, blob: Blob, read: Callable[[Blob], StoredContent]) -> CachedTable:
        """Return the table of a blob; read it when it is not in the cache."""
        with self._lock:
            if blob.filename in self._kept:
                self._kept.move_to_end(blob.filename)
                return self._kept[blob.filename]
        decoded = read(blob)
        table = CachedTable(decoded, light_curve(decoded.frame, calibration_of(decoded.metadata)))
        if blob.size >= LONG and table.size <= self._max_size:
            with self._lock:
                self._kept[blob.filename] = table
                while sum(entry.size for entry in self._kept.values()) > self._max_size:
                    self._kept.popitem(last=False)
        return table
