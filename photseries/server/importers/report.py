"""The report of an import as JSON, CSV and counts, written during the import."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

import orjson

from photseries.errors import StartError
from photseries.server.disk import space_for
from photseries.server.importers.differences import Difference

__all__ = ["FAILED", "ImportOutcome", "Report", "Status", "join_warnings"]


class Status(StrEnum):
    """The outcome for a series."""

    TAKEN = "taken"
    THERE = "there"
    CHANGED = "changed"
    EXCLUDED = "excluded"
    MISSING = "missing"
    UNREADABLE = "unreadable"
    REFUSED = "refused"


#: The failures.
FAILED = (Status.MISSING, Status.UNREADABLE, Status.REFUSED)

KEPT = 10  # maximum number of failures in memory
COLUMNS = ("id", "obj_id", "filename", "status", "field", "theirs", "ours", "reason")


@dataclass(frozen=True)
class ImportOutcome:
    """The outcome for one series: its id, if any; the error or warnings; the differences."""

    id: int | None
    obj_id: str | None
    filename: str
    status: Status
    message: str | None = None
    differences: tuple[Difference, ...] = ()


def join_warnings(warnings: Iterable[str]) -> str | None:
    """Return warnings as the message of an outcome."""
    return " ".join(warnings) or None


class Report:
    """Writes ``STEM.json`` and ``STEM.csv``, which get their names when complete, and counts outcomes.

    Memory use is constant.

    Attributes
    ----------
    statuses : Counter
        Number of series by :class:`Status`.
    reasons : Counter
        Number of series with a difference, by reason.
    failures : list of ImportOutcome
        The first failures.

    Raises
    ------
    StartError
        When the files cannot be written.
    """

    def __init__(self, stem: Path) -> None:
        self.statuses: Counter[Status] = Counter()
        self.reasons: Counter[str] = Counter()
        self.failures: list[ImportOutcome] = []
        self.paths = tuple(stem.with_name(f"{stem.name}.{kind}") for kind in ("json", "csv"))
        self._partial = tuple(path.with_name(f".{path.name}.partial") for path in self.paths)
        self._stack = ExitStack()
        try:
            self._json = self._stack.enter_context(self._partial[0].open("wb"))
            table = self._stack.enter_context(self._partial[1].open("w", encoding="utf-8", newline=""))
        except OSError as error:
            raise StartError(f"The report cannot be written: {error}.") from error
        self._csv = csv.writer(table, lineterminator="\n")
        self._csv.writerow(COLUMNS)
        self._json.write(b'{"series":[')
        self._number = 0

    def __enter__(self) -> Report:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # a full disk has ended the import
            self._stack.close()
        for partial in self._partial:
            partial.unlink(missing_ok=True)

    @property
    def failed(self) -> int:
        """The number of series whose import failed."""
        return sum(self.statuses[status] for status in FAILED)

    def add(self, outcome: ImportOutcome) -> None:
        """Write the outcome for a series; series without differences are only counted.

        Raises
        ------
        UnavailableError
            When the disk is full.
        """
        self.statuses[outcome.status] += 1
        self.reasons.update({reason for difference in outcome.differences for reason in difference.reasons})
        if outcome.status in FAILED and len(self.failures) < KEPT:
            self.failures.append(outcome)
        if outcome.status in (Status.TAKEN, Status.THERE) and not (outcome.differences or outcome.message):
            return
        with space_for("the report"):
            self._write(outcome)

    def _write(self, outcome: ImportOutcome) -> None:
        self._json.write(b",\n" if self._number else b"\n")
        self._json.write(orjson.dumps(asdict(outcome)))
        self._number += 1
        columns = (outcome.id, outcome.obj_id, outcome.filename, outcome.status.value)
        if outcome.message or not outcome.differences:
            self._csv.writerow([*map(_cell, columns), "", "", "", _cell(outcome.message)])
        for difference in outcome.differences:
            values = (difference.field, difference.theirs, difference.ours, "; ".join(difference.reasons))
            self._csv.writerow([*map(_cell, columns), *map(_cell, values)])

    def finish(self, facts: Mapping[str, object], notes: Iterable[str]) -> dict[str, object]:
        """Complete the files.

        Parameters
        ----------
        facts : mapping
            Additional content of the JSON file.
        notes : iterable of str
            Sentences.

        Returns
        -------
        dict
            The content of the JSON file without the series.

        Raises
        ------
        UnavailableError
            When the disk is full.
        """
        counts = {status.value: self.statuses[status] for status in Status}
        summary = {"counts": counts, "reasons": dict(self.reasons.most_common()), "notes": list(notes), **facts}
        with space_for("the report"):
            self._json.write(b"\n]," + orjson.dumps(summary, option=orjson.OPT_INDENT_2)[1:] + b"\n")
            self._stack.close()
        for partial, path in zip(self._partial, self.paths, strict=True):
            os.replace(partial, path)
        return summary


def _cell(value: object) -> object:
    """Format a value for a spreadsheet; escape texts that it would evaluate as formulas."""
    if isinstance(value, Mapping | list):
        return orjson.dumps(value).decode()
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return f"'{value}"
    return value
