"""The periods of a series: those found by the service and those stored by users."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from photseries.server.archive.reader import not_found
from photseries.server.catalogue import periods, series_queries
from photseries.server.catalogue.engine import Catalogue, Connection
from photseries.server.catalogue.periods import Period
from photseries.server.principal import CHANGE_SERIES, STATE_PERIODS, Principal, requires

__all__ = ["Periods"]


class Periods:
    """Lists and stores periods; every method raises NotFoundError when the series is absent or not visible.

    A period does not change the revision or the history of the series.

    Parameters
    ----------
    catalogue : Catalogue
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def list(self, principal: Principal, series_id: int) -> list[Period]:
        """Return the periods of a series, the preferred one first; who stated them is not for anonymous readers."""
        with self._catalogue.reading() as connection:
            if series_queries.get(connection, principal, series_id) is None:
                raise not_found(series_id)
            stored = periods.list_periods(connection, series_id)
        return [replace(period, who=None) for period in stored] if principal.is_anonymous else stored

    @requires(STATE_PERIODS)
    def put(self, principal: Principal, series_id: int, values: Mapping[str, object]) -> None:
        """Store a period, in place of the principal's earlier one of the same method.

        Parameters
        ----------
        principal : Principal
        series_id : int
        values : mapping
            ``period`` [d], ``method``, and ``preferred``, whether it becomes the period of the series.

        Raises
        ------
        ForbiddenError
            When the period is preferred, and the principal may not change the series.
        """
        with self._catalogue.transaction() as connection:
            may_change = self._rights(connection, principal, series_id)
            if values["preferred"] and not may_change:
                raise CHANGE_SERIES.refusal()
            periods.put(connection, series_id, principal.user_id, values)

    @requires(STATE_PERIODS)
    def delete(self, principal: Principal, series_id: int, method: str | None = None) -> int:
        """Remove the principal's periods, all or one method's; return their number."""
        with self._catalogue.transaction() as connection:
            self._rights(connection, principal, series_id)
            return periods.remove(connection, series_id, principal.user_id, method)

    def number_waiting(self) -> int:
        """Count the new series that wait for a period search, up to 10,000."""
        with self._catalogue.reading() as connection:
            return periods.number_waiting(connection, only_new=True)

    def _rights(self, connection: Connection, principal: Principal, series_id: int) -> bool:
        """Return whether the principal may change the series, and lock it until the end of the transaction."""
        may_change = periods.rights(connection, principal, series_id)
        if may_change is None:
            raise not_found(series_id)
        return may_change
