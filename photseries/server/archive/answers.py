"""The manifest of an export of a list: entries found, absent and damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from photseries.server.catalogue.series_queries import Found

__all__ = ["Answer"]

#: Series that are looked up together.
PAGE: Final = 500


class Answer:
    """The series that answer a list, and what becomes of them while they are sent.

    Parameters
    ----------
    asked : int
        The length of the list.
    pairs : ndarray of PAIR, shape (m,)
        Which series answers which entry, in order.
    after : tuple of int, optional
        The pair after which to begin.
    """

    def __init__(self, asked: int, pairs: NDArray[np.void], after: tuple[int, int] | None = None) -> None:
        self._asked = asked
        self._pairs = pairs
        self._first = 0
        if after is not None:
            place, series_id = pairs["asked"], pairs["id"]
            self._first = int(((place < after[0]) | ((place == after[0]) & (series_id <= after[1]))).sum())
        self._gone: set[int] = set()
        self._damaged: dict[int, None] = {}

    @property
    def ids(self) -> list[int]:
        """The ids of all series, each once."""
        return sorted(set(self._pairs["id"].tolist()))

    def found(self, look_up: Callable[[Sequence[int]], dict[int, Found]]) -> Iterator[tuple[int, Found]]:
        """Yield the places that remain and their series.

        Parameters
        ----------
        look_up : callable
            Returns series by their ids; one that it leaves out counts as absent.
        """
        for start in range(self._first, len(self._pairs), PAGE):
            page = self._pairs[start : start + PAGE]
            series = look_up(sorted(set(page["id"].tolist())))
            for place, series_id in page.tolist():
                if series_id in series:
                    yield place, series[series_id]
                else:
                    self.lose(series_id)

    def lose(self, series_id: int) -> None:
        """Note that a series was deleted, or is not visible any more."""
        self._gone.add(series_id)

    def has(self, series_id: int) -> bool:
        """Return whether a series is still there, as far as is known."""
        return series_id not in self._gone

    def damage(self, series_id: int) -> None:
        """Note that the file of a series is missing or altered."""
        self._damaged[series_id] = None

    def manifest(self) -> bytes:
        """Return what the answer contains, as JSON; call it last.

        Returns
        -------
        bytes
            ``asked``, the length of the list; ``found``, the ids of the series by the place of the entry that they
            answer; ``absent``, the places without any; ``damaged``, the ids of those found whose rows are missing.
        """
        found: dict[str, list[int]] = {}
        for place, series_id in self._pairs.tolist():
            if series_id not in self._gone:
                found.setdefault(str(place), []).append(series_id)
        absent = [place for place in range(self._asked) if str(place) not in found]
        return orjson.dumps({"asked": self._asked, "found": found, "absent": absent, "damaged": [*self._damaged]})
