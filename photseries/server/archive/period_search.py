"""Search for the periods of series without one, for the background worker and ``photseries analyse``."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from photseries.errors import DamagedError, InvalidError, LateError
from photseries.lightcurve.calibration import calibration_of
from photseries.lightcurve.curve import good_rows
from photseries.lightcurve.periods import MIN_POINTS, FoundPeriod, find_period
from photseries.lightcurve.samples import samples, unit_of
from photseries.server.archive.blobs import read_table
from photseries.server.catalogue import periods
from photseries.server.catalogue.engine import Catalogue
from photseries.server.catalogue.periods import WaitingSeries
from photseries.server.settings import AnalysisSettings
from photseries.server.storage.contract import Store

__all__ = ["Outcome", "PeriodSearcher", "SearchOutcome"]

Outcome = Literal["period", "none", "failed"]


@dataclass(frozen=True)
class SearchOutcome:
    """The outcome for one series.

    Attributes
    ----------
    series_id : int
    outcome : {"period", "none", "failed"}
        "none": too few points, or no peak that is a period.
    seconds : float
    problem : str, optional
        Why it failed.
    """

    series_id: int
    outcome: Outcome
    seconds: float
    problem: str | None = None


class PeriodSearcher:
    """Searches the periods of series and stores them.

    A series that changes meanwhile is searched again. Therefore several searches may run concurrently, and one may be
    killed at any moment.

    Parameters
    ----------
    catalogue : Catalogue
    store : Store
    settings : AnalysisSettings
    """

    def __init__(self, catalogue: Catalogue, store: Store, settings: AnalysisSettings) -> None:
        self._catalogue = catalogue
        self._store = store
        self._settings = settings

    def total(self) -> int:
        """Count the series that :meth:`run_all` would search."""
        with self._catalogue.reading() as connection:
            return periods.number_waiting(connection, only_new=False)

    def run_new(self) -> Iterator[int | SearchOutcome]:
        """Search new and changed series, newest first; yield each id before its search.

        Raises
        ------
        UnavailableError
            When the database or the store is not available.
        """
        while (series := self._next_waiting(only_new=True)) is not None:
            yield series.blob.series_id
            yield self._search(series)

    def run_all(self) -> Iterator[SearchOutcome]:
        """Search the series that this version has not searched, by id; raise like :meth:`run_new`."""
        after = 0
        while (series := self._next_waiting(only_new=False, after=after)) is not None:
            after = series.blob.series_id
            yield self._search(series)

    def give_up(self, series_id: int) -> None:
        """Leave a new series, whose search has killed the worker, to :meth:`run_all`."""
        with self._catalogue.transaction() as connection:
            periods.give_up(connection, series_id)

    def _next_waiting(self, *, only_new: bool, after: int = 0) -> WaitingSeries | None:
        with self._catalogue.reading() as connection:
            return periods.next_waiting(connection, only_new=only_new, after=after)

    def _search(self, series: WaitingSeries) -> SearchOutcome:
        begin = time.monotonic()
        result: FoundPeriod | None = None
        outcome: Outcome = "none"
        problem: str | None = None
        try:
            result = self._period(series)
            outcome = "none" if result is None else "period"
        except InvalidError:
            pass  # a light curve with fewer than two times, or without variation
        except (DamagedError, LateError) as error:
            outcome, problem = "failed", error.message
        except MemoryError:
            outcome, problem = "failed", "The search needs more memory than analysis.memory allows."
        with self._catalogue.transaction() as connection:
            if outcome == "failed":
                periods.give_up(connection, series.blob.series_id, series.revision)
            else:
                periods.finish(connection, series, result)
        return SearchOutcome(series.blob.series_id, outcome, time.monotonic() - begin, problem)

    def _period(self, series: WaitingSeries) -> FoundPeriod | None:
        if series.num_exp < MIN_POINTS:
            return None
        frame = read_table(self._store, series.blob).frame
        calibration = calibration_of(series.metadata)
        points = samples(frame, unit_of(frame, calibration), calibration, good=good_rows(frame, series.metadata))
        settings = self._settings
        return find_period(points, max_frequencies=settings.frequencies, seconds=settings.deadline)
