"""The methods of the client that look for series; their keywords are the table of query parameters."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import pandas as pd

from photseries.client.finding import Finder
from photseries.client.queries import arguments, takes_criteria
from photseries.client.series import Series

__all__ = ["Searches"]


class Searches:
    """What a client finds.

    Parameters
    ----------
    finder : Finder
    """

    def __init__(self, finder: Finder) -> None:
        self._finder = finder

    @takes_criteria
    def find(self, *, limit: int | None = None, **criteria: Any) -> pd.DataFrame:
        """Find series.

        Parameters
        ----------
        limit : int, optional
            At most so many; default: all that match.
        **criteria
            What to look for, as in the interface (``minMedianSNR``) or as Python spells it (``min_median_snr``). Lists
            are alternatives; times are MJD, ISO texts, datetimes (UTC unless they say otherwise) or astropy's.

        Returns
        -------
        DataFrame
            The metadata, a row for each series.

        Raises
        ------
        InvalidError
            Naming an unknown criterion, with the closest known one, or a bad value.
        """
        asked = arguments(criteria)
        if limit is not None:
            asked.setdefault("numPerPage", [str(max(limit, 1))])
        return self._finder.framed(islice(self._finder.walk(asked), limit))

    @takes_criteria
    def iter(self, **criteria: Any) -> Iterator[Series]:
        """Walk through all series that match, page after page; their tables are fetched when they are asked for.

        Parameters
        ----------
        **criteria
            As in :meth:`find`; ``num_per_page`` is how many come in one answer.

        Yields
        ------
        Series
        """
        asked = arguments(criteria)
        return (self._finder.series(metadata) for metadata in self._finder.walk(asked))

    @takes_criteria
    def count(self, **criteria: Any) -> int:
        """Count the series that match criteria, which are as in :meth:`find`."""
        return self._finder.count(arguments(criteria))

    @takes_criteria
    def summary(self, **criteria: Any) -> dict[str, Any]:
        """Count the series that match, by instrument, filter, series_name and owner; their sources and time span."""
        return self._finder.summary(arguments(criteria))

    @takes_criteria
    def positions(self, positions: Any, radius: float, **criteria: Any) -> pd.DataFrame:
        """Find the series around each of many positions.

        Parameters
        ----------
        positions : array_like of shape (n, 2), or astropy SkyCoord of shape (n,)
            Right ascension and declination, ICRS [deg].
        radius : float
            [deg]
        **criteria
            As in :meth:`find`, without an order.

        Returns
        -------
        DataFrame
            As of :meth:`find`, with the index of the ``position`` and the ``separation`` [arcsec], ordered by these; a
            series near several positions is there several times.
        """
        return self._finder.framed(self._finder.near(positions, radius, arguments(criteria)))
