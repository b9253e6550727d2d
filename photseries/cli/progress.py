"""A progress bar with rate and remaining time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeRemainingColumn
from rich.text import Text

__all__ = ["progress", "tracked"]

T = TypeVar("T")


class _Rate(ProgressColumn):
    """How many a second."""

    def render(self, task: Task) -> Text:
        """Write the rate."""
        return Text("" if task.speed is None else f"{task.speed:.1f}/s")


@contextmanager
def progress(total: int | None) -> Iterator[Callable[[], None]]:
    """Show a bar on standard error, if there is a total, and yield a function to call after each step."""
    if total is None:
        yield lambda: None
        return
    columns = (BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    # Output appears above the bar, unless it goes to a file.
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)


def tracked(items: Iterable[T], count: Callable[[], int]) -> Iterator[T]:
    """Yield items, with a bar if standard error is a terminal; only the bar needs their count."""
    with progress(count() if sys.stderr.isatty() else None) as advance:
        for item in items:
            yield item
            advance()
