"""The outcomes of an upload: a text or JSON line per file, and a summary."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click
import orjson

from photseries.cli.options import path_text, safe
from photseries.cli.reading import in_options
from photseries.errors import PhotseriesError

if TYPE_CHECKING:
    from photseries.client import Outcome, Uploaded

__all__ = ["UploadTally"]

#: Maximum number of files listed per reason.
_NAMED = 5

#: Maximum number of reasons in the summary.
_REASONS = 20

#: The names of the statuses of uploads in the summary, in this order.
_CALLED = {
    "created": "created",
    "replaced": "replaced",
    "skipped": "skipped (exist already)",
    "valid": "valid",
    "exists": "exist already",
    "failed": "failed",
}


class UploadTally:
    """Counts uploads.

    Parameters
    ----------
    total : int
        How many files there are.
    lines : {"json", "text", "none"}
        The output for each file.
    batch : str, optional
        The batch of the uploads.
    """

    def __init__(self, total: int, lines: Literal["json", "text", "none"], batch: str | None) -> None:
        self._total = total
        self._batch = batch
        self._lines = lines
        self._counts: Counter[str] = Counter()
        self._notes: dict[str, defaultdict[str, list[Path]]] = {
            title: defaultdict(list) for title in ("warning", "failed")
        }
        self._reason = ""
        self._is_done: dict[Path, bool] = {}
        self._began = time.monotonic()

    @property
    def failed(self) -> int:
        """The number of uploads that failed; a file may contain several series."""
        return self._counts["failed"]

    @property
    def succeeded(self) -> int:
        """The number of uploads that did not fail."""
        return self._counts.total() - self.failed

    @property
    def done(self) -> int:
        """The number of files all of whose series were stored or exist."""
        return sum(self._is_done.values())

    def count(self, outcome: Outcome) -> bool:
        """Count an upload; return whether it is the first of its file."""
        file = outcome.item[0]
        is_first = file not in self._is_done
        if outcome.error is not None:
            self.count_failure(file, outcome.error)
        elif outcome.uploaded is not None:
            self._uploaded(file, outcome.uploaded)
        return is_first

    def count_failure(self, file: Path, error: PhotseriesError) -> None:
        """Count one that failed."""
        self._counts["failed"] += 1
        self.count_incomplete(file)
        self._reason = error.message
        reason = error.message.removeprefix(f"{file.name}: ")
        self._notes["failed"][reason].append(file)
        facts = {"file": path_text(file), "status": "failed", "code": error.code, "message": error.message}
        self._print(
            {**facts, "fields": error.fields}, f"failed - {file}: {in_options(reason)}" if self._total > 1 else None
        )

    def count_incomplete(self, file: Path) -> None:
        """Count a file as not done, whatever became of its other series."""
        self._is_done[file] = False

    def report(self) -> None:
        """Print problems, the batch and counts on standard error; one line if a single file failed."""
        if self._total == 1 and self.failed:
            click.echo(f"photseries: {in_options(safe(self._reason))}", err=True)
            return
        for title, notes in self._notes.items():
            for text, files in islice(notes.items(), _REASONS):
                file_count = f" ({len(files):,} files)" if len(files) > 1 else ""
                click.echo(f"{title}{file_count}: {in_options(safe(text))}", err=True)
                for file in files[:_NAMED]:
                    click.echo(f"    {safe(str(file))}", err=True)
                if len(files) > _NAMED:
                    click.echo(f"    and {len(files) - _NAMED:,} more", err=True)
            if len(notes) > _REASONS:
                click.echo(f"{title}: {len(notes) - _REASONS:,} other reasons, which --json lists.", err=True)
        if self._batch and (self._counts["created"] or self._counts["replaced"]):
            click.echo(f"batch {safe(self._batch)}", err=True)
        if self._total > 1:
            parts = [f"{self._counts[status]:,} {called}" for status, called in _CALLED.items() if self._counts[status]]
            took = time.monotonic() - self._began
            rate = self._counts.total() / max(took, 0.001)
            click.echo(f"{', '.join(parts) or 'Nothing done'} ({took:.1f} s, {rate:.1f}/s).", err=True)

    def _uploaded(self, file: Path, uploaded: Uploaded) -> None:
        self._counts[uploaded.status] += 1
        self._is_done.setdefault(file, True)
        for warning in uploaded.warnings:
            self._notes["warning"][warning].append(file)
        facts = {"file": path_text(file), "status": uploaded.status, "id": uploaded.id, "warnings": uploaded.warnings}
        self._print(
            {**facts, "batch": self._batch}, f"{uploaded.status} {'-' if uploaded.id is None else uploaded.id} {file}"
        )

    def _print(self, facts: Mapping[str, object], text: str | None) -> None:
        if self._lines == "json":
            click.echo(orjson.dumps(facts))
        elif self._lines == "text" and text is not None:
            click.echo(safe(text))
