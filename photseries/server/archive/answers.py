"""The manifest of an export of a list: entries found, absent and damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from photseries.server.catalogue.series_queries import SeriesRecord

__all__ = ["ListMatches"]

#: Number of series per look-up.
PAGE: Final = 500


class ListMatches:
    """The series that match a list, and their outcomes during the export.

    Parameters
    ----------
    entry_count : int
        The length of the list.
    pairs : ndarray of PAIR, shape (m,)
        Pairs of list position and series id, sorted.
    after : tuple of int, optional
        The pair after which to continue.
    """

    def __init__(self, entry_count: int, pairs: NDArray[np.void], after: tuple[int, int] | None = None) -> None:
        self._entry_count = entry_count
        self._pairs = pairs
        self._first = 0
        if after is not None:
            position, series_id = pairs["asked"], pairs["id"]
            self._first = int(((position < after[0]) | ((position == after[0]) & (series_id <= after[1]))).sum())
        self._gone: set[int] = set()
        self._damaged: dict[int, None] = {}

    @property
    def ids(self) -> list[int]:
        """The ids of all series, each once."""
        return sorted(set(self._pairs["id"].tolist()))

    def records(
        self, look_up: Callable[[Sequence[int]], dict[int, SeriesRecord]]
    ) -> Iterator[tuple[int, SeriesRecord]]:
        """Yield the remaining list positions and their series.

        Parameters
        ----------
        look_up : callable
            Returns series by their ids; a missing one counts as absent.
        """
        for start in range(self._first, len(self._pairs), PAGE):
            page = self._pairs[start : start + PAGE]
            series = look_up(sorted(set(page["id"].tolist())))
            for position, series_id in page.tolist():
                if series_id in series:
                    yield position, series[series_id]
                else:
                    self.mark_gone(series_id)

    def mark_gone(self, series_id: int) -> None:
        """Record that a series was deleted or is no longer visible."""
        self._gone.add(series_id)

    def is_present(self, series_id: int) -> bool:
        """Return whether a series is not recorded as gone."""
        return series_id not in self._gone

    def mark_damaged(self, series_id: int) -> None:
        """Record that the file of a series is missing or altered."""
        self._damaged[series_id] = None

    def manifest(self) -> bytes:
        """Return the manifest as JSON; call it last.

        Returns
        -------
        bytes
            ``asked``, the length of the list; ``found``, the ids of the matching series by position; ``absent``,
            the positions without series; ``damaged``, the ids of found series whose rows are missing.
        """
        ids_by_position: dict[str, list[int]] = {}
        for position, series_id in self._pairs.tolist():
            if series_id not in self._gone:
                ids_by_position.setdefault(str(position), []).append(series_id)
        absent = [position for position in range(self._entry_count) if str(position) not in ids_by_position]
        return orjson.dumps(
            {"asked": self._entry_count, "found": ids_by_position, "absent": absent, "damaged": [*self._damaged]}
        )
