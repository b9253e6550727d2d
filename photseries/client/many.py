"""Many uploads, of which a bounded number is on its way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, Final

from photseries.client.uploads import Uploaded
from photseries.errors import PhotseriesError, UnauthorizedError, UnreachableError

__all__ = ["Outcome", "many"]


#: After one of these no other upload can succeed.
_FATAL: Final = (UnreachableError, UnauthorizedError)


@dataclass(frozen=True)
class Outcome:
    """What became of one of many uploads.

    Attributes
    ----------
    index : int
        Its place among the items, from 0.
    item : object
        The item as it was given.
    uploaded : Uploaded or None
        What was uploaded, or is there already.
    error : PhotseriesError or None
        Why it was not.
    """

    index: int
    item: Any
    uploaded: Uploaded | None = None
    error: PhotseriesError | None = None


def many(upload: Callable[[Any, dict[str, Any]], Uploaded], items: Iterable[Any], in_flight: int) -> Iterator[Outcome]:
    """Upload items in threads, a few at a time; see :meth:`photseries.Client.upload_many`."""
    if in_flight < 1:
        raise ValueError("in_flight must be at least 1")
    waiting: set[Future[Outcome]] = set()
    with ThreadPoolExecutor(in_flight, thread_name_prefix="upload") as threads:
        try:
            for index, item in enumerate(items):
                waiting.add(threads.submit(_outcome, upload, index, item))
                if len(waiting) >= in_flight:
                    ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    yield from _results(ended)
            while waiting:
                ended, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                yield from _results(ended)
        finally:
            for future in waiting:
                future.cancel()


def _results(ended: Iterable[Future[Outcome]]) -> Iterator[Outcome]:
    """Give what became of some uploads; what ends them all is raised when the others are told."""
    fatal = None
    for future in ended:
        outcome = future.result()
        if isinstance(outcome.error, _FATAL):
            fatal = outcome.error
        else:
            yield outcome
    if fatal is not None:
        raise fatal


def _outcome(upload: Callable[[Any, dict[str, Any]], Uploaded], index: int, item: Any) -> Outcome:
    data, fields = item if isinstance(item, tuple) else (item, {})
    try:
        return Outcome(index, item, upload(data, dict(fields)))
    except PhotseriesError as error:
        return Outcome(index, item, error=error)
