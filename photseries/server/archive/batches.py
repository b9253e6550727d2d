"""Undo an upload batch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from photseries.errors import NotFoundError, PhotseriesError, UnavailableError
from photseries.server.archive.archive import Archive
from photseries.server.archive.restoring import Restorer
from photseries.server.catalogue import batches
from photseries.server.catalogue.batches import BatchEvent
from photseries.server.catalogue.engine import Catalogue
from photseries.server.principal import CHANGE_SERIES, Principal, requires

__all__ = ["OUTCOMES", "BatchUndo"]

#: The outcomes for the series of a batch, with descriptions.
OUTCOMES = {
    "deleted": "created by the batch, now deleted",
    "restored": "restored to the revision before the batch",
    "changed": "unchanged: the series was changed later",
    "forbidden": "unchanged: the token may not change the series",
    "expired": "unchanged: the file of the revision before the batch is no longer kept",
    "duplicate": "unchanged: another series has the key of the revision before the batch",
    "missing_reference": "unchanged: an entry that the revision before the batch refers to was deleted",
    "quota_exceeded": "unchanged: the quota of the owner does not allow the revision before the batch",
    "damaged": "unchanged: the file of the revision before the batch is missing or altered",
}

# Changes that keep metadata and table.
_UNSTORED = ("share", "purge")

#: Maximum duration of one call, which leaves the rest to the next call [s].
MAX_DURATION = 20.0


@dataclass(frozen=True)
class _Step:
    """The plan for one series at a revision: an outcome, and whether it is still pending."""

    series_id: int
    outcome: str
    revision: int
    target: int | None = None
    pending: bool = False


class BatchUndo:
    """Undoes upload batches.

    Parameters
    ----------
    catalogue : Catalogue
    archive : Archive
    restorer : Restorer
    grace : float
        The grace of unlinked blobs [s].
    """

    def __init__(self, catalogue: Catalogue, archive: Archive, restorer: Restorer, grace: float) -> None:
        self._catalogue = catalogue
        self._archive = archive
        self._restorer = restorer
        self._grace = grace

    @requires(CHANGE_SERIES)
    def undo(self, principal: Principal, batch: str, *, dry_run: bool = False, after: int = 0) -> dict[str, object]:
        """Delete the series that a batch created; restore the others to the revision before the batch.

        Each series is a transaction of its own. Undo is idempotent: series that are undone already count as undone.

        Parameters
        ----------
        principal : Principal
        batch : str
        dry_run : bool
            Whether to change nothing.
        after : int
            Only series with larger ids.

        Returns
        -------
        dict
            The ids by outcome, see :data:`OUTCOMES`; and ``next``: None, or ``after`` of the next call if series
            remain.

        Raises
        ------
        NotFoundError
            When no visible series has or had the batch.
        UnavailableError
        """
        deadline = time.monotonic() + MAX_DURATION
        with self._catalogue.reading() as connection:
            histories = batches.histories(connection, principal, batch, after, self._grace)
            steps = [_step(events, batch) for events in histories]
        if not steps and not after:
            raise NotFoundError(f"No batch {batch[:60]} among the series that you see.")
        undone: dict[str, list[int]] = {outcome: [] for outcome in OUTCOMES}
        following = None
        for step in steps:
            outcome = self._undo(principal, step) if step.pending and not dry_run else step.outcome
            undone[outcome].append(step.series_id)
            if time.monotonic() > deadline and step is not steps[-1]:
                following = step.series_id
                break
        return {**undone, "next": following}

    def _undo(self, principal: Principal, step: _Step) -> str:
        """Undo one series; return the outcome."""
        revision = frozenset({step.revision})
        try:
            if step.target is None:
                self._archive.delete(principal, step.series_id, revision)
            else:
                self._restorer.restore(principal, step.series_id, step.target, revision)
        except UnavailableError:
            raise
        except PhotseriesError as error:
            return error.code if error.code in OUTCOMES else "changed"
        return step.outcome


def _step(events: Sequence[BatchEvent], batch: str) -> _Step:
    """Plan the undo of one series from its history."""
    last, stored, first = events[-1], None, 0
    for index in reversed(range(len(events))):
        if events[index].action in _UNSTORED:  # a purge has the batch of its series
            continue
        if events[index].batch == batch:
            stored, first = stored or events[index], index
        elif stored:
            break
    before = None if events[first].action in ("create", "import") else events[first - 1]
    outcome, pending = _plan_action(last, stored or last, before)
    return _Step(last.series_id, outcome, last.revision, before.revision if before else None, pending)


def _plan_action(last: BatchEvent, stored: BatchEvent, before: BatchEvent | None) -> tuple[str, bool]:
    """Return the outcome for one series, and whether it is still pending.

    Parameters
    ----------
    last, stored : BatchEvent
        The last event of the series, and the last one of the batch.
    before : BatchEvent or None
        The one before the batch; None when the batch created the series.
    """
    if last.action == "delete":
        return ("deleted" if before is None else "changed"), False
    if before is not None and last.filename == before.filename:
        return "restored", False
    # A restore may bring the file of the batch back.
    if last.filename != stored.filename or last.action in _UNSTORED:
        return "changed", False
    if not last.allowed:
        return "forbidden", False
    is_kept = before is None or bool(before.kept)
    return ("deleted" if before is None else "restored" if is_kept else "expired"), is_kept
