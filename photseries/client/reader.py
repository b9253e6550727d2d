"""The half of the client that only reads."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from photseries.client.endings import OF_MANY, OF_ONE, format_of
from photseries.client.exports import partial
from photseries.client.finding import Finder
from photseries.client.queries import arguments, takes_criteria
from photseries.client.series import Series
from photseries.errors import InvalidError
from photseries.parameters.kinds import joined

__all__ = ["Reader"]


class Reader:
    """What a client finds and gets; the keywords of its searches are the table of query parameters.

    Parameters
    ----------
    finder : Finder
    """

    def __init__(self, finder: Finder) -> None:
        self._finder = finder

    def get(
        self,
        series_id: int,
        *,
        columns: str | Sequence[str] | None = None,
        mjd_min: float | None = None,
        mjd_max: float | None = None,
        row_min: int | None = None,
        row_max: int | None = None,
        max_points: int | None = None,
        derive: str | Sequence[str] | None = None,
        revision: int | None = None,
    ) -> Series:
        """Get a series; its table, or a part of it, is fetched when it is asked for.

        Parameters
        ----------
        series_id : int
        columns : str or sequence of str, optional
            These columns, in this order; default: all.
        mjd_min, mjd_max : float, optional
            Rows between these times, both included [d].
        row_min, row_max : int, optional
            Rows between these numbers, from 0, both included.
        max_points : int, optional
            At most so many rows, for a plot: the first, the last, and the extremes of each run of equally many.
        derive : str or sequence of str, optional
            More columns: of ``mag``, ``magerr``, ``flux``, ``fluxerr``, ``snr``, ``magtot``, ``e_magtot``.
        revision : int, optional
            The whole series as it was at this revision, for its owner, while the file of that time is kept.

        Returns
        -------
        Series

        Raises
        ------
        NotFoundError
            When there is none, or none that the token may see.
        InvalidError
            When a part of an earlier revision is asked for; that there is no such column is said by ``data``.
        """
        part = {
            "columns": None if columns is None else joined(_names(columns)),
            "mjdMin": mjd_min,
            "mjdMax": mjd_max,
            "rowMin": row_min,
            "rowMax": row_max,
            "maxPoints": max_points,
            "derive": None if derive is None else ",".join(_names(derive)),
        }
        asked = {name: str(value) for name, value in part.items() if value is not None}
        if revision is not None:
            if asked:
                raise InvalidError("Of an earlier revision only the whole table can be had.")
            return self._finder.past(series_id, revision)
        return self._finder.series(self._finder.metadata(series_id), asked)

    def save(self, series_id: int, path: str | os.PathLike[str], *, format: str | None = None) -> Path:
        """Download a series as a file.

        Parameters
        ----------
        series_id : int
        path : str or path
            An existing file is replaced when all is there.
        format : str, optional
            One of the formats of docs/formats.md, "hdf5" being the stored file; default: as the path ends.

        Returns
        -------
        Path
            That of the file.

        Raises
        ------
        NotFoundError
            When there is no such series, or none that the token may see.
        InvalidError
            When there is no such format, or the path does not end in one.
        """
        target = Path(path)
        form = format_of(target, OF_ONE) if format is None else format
        with partial(target) as file:
            self._finder.save_one(series_id, form, file)
        return target

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
    def export(
        self,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,
        columns: str | Sequence[str] | None = None,
        derive: str | Sequence[str] | None = None,
        **criteria: Any,
    ) -> Path:
        """Download every series that matches into one file, in memory that does not grow with their number.

        Parameters
        ----------
        path : str or path
            An existing file is replaced when all is there.
        format : {"hdf5", "parquet", "zip"}, optional
            A long table, or a zip of the stored files; default: as the name of the file says.
        columns : str or sequence of str, optional
            Of a long table: these instead of those of the light curve; ``*`` is all that every series has.
        derive : str or sequence of str, optional
            Of a long table: more columns, as in :meth:`get`.
        **criteria
            As in :meth:`find`, without an order.

        Returns
        -------
        Path
            That of the file.

        Raises
        ------
        UnreachableError
            When the answer broke off; nothing was kept then.
        InvalidError
            When the name of the file does not tell a format, a criterion is wrong, or no series has a column.
        """
        target = Path(path)
        shaping = {
            "format": format_of(target, OF_MANY) if format is None else format,
            "columns": None if columns is None else joined(_names(columns)),
            "derive": None if derive is None else ",".join(_names(derive)),
        }
        asked = {**arguments(criteria), **{name: text for name, text in shaping.items() if text is not None}}
        with partial(target) as file:
            self._finder.save(asked, file)
        return target

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

    def history(self, series_id: int) -> list[dict[str, Any]]:
        """List who did what to a series, and when; of a series that was deleted, too, to its owner."""
        return self._finder.history(series_id)

    def entries(self, kind: str) -> list[dict[str, Any]]:
        """List what series can refer to: the entries of a registry that the token may see."""
        return list(self._finder.entries(kind))


def _names(names: str | Sequence[str]) -> Sequence[str]:
    """Take one name as a list of it, not of its letters."""
    return [names] if isinstance(names, str) else names
