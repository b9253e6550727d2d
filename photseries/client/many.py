"""Uploads of many items with the same options, a few at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import chain

from photseries.client.keys import UploadTracker
from photseries.client.queries import none_if_missing
from photseries.client.uploads import FATAL, Outcome, Uploader, data_and_fields, split_options
from photseries.errors import InvalidError, PhotseriesError
from photseries.fields import SETTABLE
from photseries.formats import Reading, ReadOptions, collect
from photseries.lightcurve.metadata import INFERRED

__all__ = ["ManyUploader"]


@dataclass(frozen=True)
class ManyUploader:
    """Uploads items; see :meth:`photseries.Client.upload_many`.

    Parameters
    ----------
    uploader : Uploader
    columns : sequence of str
        The columns that identify the series of a table.
    if_exists, dry_run, options
        As in :meth:`photseries.Client.upload`.
    fields : dict
        The metadata of all series; an item may override them.
    reached : UploadTracker
        The series that items were stored in.
    """

    uploader: Uploader
    columns: Sequence[str]
    if_exists: str
    dry_run: bool
    options: ReadOptions | None
    fields: dict[str, object]
    reached: UploadTracker

    def read(self, data: object, item_fields: dict[str, object]) -> Iterator[tuple[Reading, dict[str, object]]]:
        """Yield the series of an item, each with its fields."""
        options, metadata = split_options(self.options, {**self.fields, **item_fields})
        for reading in collect(data, options):
            for part, key in _split(reading, self.columns):
                yield part, part.merged({**metadata, **key}, replaces=self.if_exists == "replace")

    def upload(self, items: Iterable[object], in_flight: int) -> Iterator[Outcome]:
        """Upload items in threads."""
        if in_flight < 1:
            raise ValueError("in_flight must be at least 1")
        waiting: set[Future[list[Outcome]]] = set()
        with ThreadPoolExecutor(in_flight, thread_name_prefix="upload") as threads:
            try:
                for index, item in enumerate(items):
                    waiting.add(threads.submit(self._outcomes, index, item))
                    if len(waiting) >= in_flight:
                        ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                        yield from _results(ended)
                while waiting:
                    ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from _results(ended)
            finally:
                for future in waiting:
                    future.cancel()

    def _outcomes(self, index: int, item: object) -> list[Outcome]:
        """Return the outcome of each series of an item."""
        outcomes: list[Outcome] = []
        try:
            for reading, fields in self.read(*data_and_fields(item)):
                try:
                    uploaded = self.uploader.upload(reading, fields, self.if_exists, self.dry_run, self.reached)
                except PhotseriesError as error:
                    outcomes.append(Outcome(index, item, error=error))
                else:
                    outcomes.append(Outcome(index, item, uploaded))
        except PhotseriesError as error:
            outcomes.append(Outcome(index, item, error=error))
        return outcomes


def _split(reading: Reading, by: Sequence[str]) -> Iterator[tuple[Reading, dict[str, object]]]:
    """Yield the series of a table, with the fields among their identifying columns.

    Raises
    ------
    InvalidError
        When there is no such column.
    """
    if not by:
        yield reading, {}
        return
    absent = [name for name in by if name not in reading.frame.columns]
    if absent:
        raise InvalidError(f"The table has no column {absent[0]!r:.80} (by).")
    fields = [name for name in by if name in SETTABLE and name not in INFERRED]
    for _, rows in reading.frame.groupby(list(by), sort=False, dropna=False):
        fields_of_part = {name: none_if_missing(rows[name].iloc[0]) for name in fields}
        yield replace(reading, frame=rows.drop(columns=fields).reset_index(drop=True), blob=None), fields_of_part


def _results(ended: Iterable[Future[list[Outcome]]]) -> Iterator[Outcome]:
    """Yield the outcomes of uploads; raise a fatal error after the other outcomes."""
    fatal = None
    for outcome in chain.from_iterable(future.result() for future in ended):
        if isinstance(outcome.error, FATAL):
            fatal = outcome.error
        else:
            yield outcome
    if fatal is not None:
        raise fatal
