"""What the bench of the service is asked to do, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from bench.processes import Cost

__all__ = ["Fairness", "Figure", "Plan", "Results", "Start", "Step", "Upload"]


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes
    ----------
    seconds : float
        For each operation with each number of clients; its recipe, and all parts of its floor, get half of it.
    least : int
        Requests at least, where they take so long.
    clients : tuple of int
    listed : tuple of int
        Series in the lists.
    starts : int
    tries : int
        Small requests of the fairness part, which may take ``patience`` seconds together and begin ``ramp`` seconds
        after the heavy ones do.
    heavy_rows : int
        Rows of the series that the heavy requests read.
    only : str
        Only what has this in its name.
    """

    seconds: float = 2.0
    least: int = 8
    clients: tuple[int, ...] = (1, 8)
    listed: tuple[int, ...] = (100, 500)
    starts: int = 3
    tries: int = 1000
    heavy_rows: int = 2_000_000
    patience: float = 45.0
    ramp: float = 2.0
    only: str = ""

    def wants(self, name: object) -> bool:
        """Whether something of this name is to be measured."""
        return self.only in str(name)


class Step(NamedTuple):
    """An operation on a series."""

    operation: str
    series: str

    def __str__(self) -> str:
        return f"{self.operation}, series {self.series}"


@dataclass(frozen=True)
class Figure:
    """Requests of one kind: how many, a second, their times [ms]; CPU of each [ms]; the service's peak [MiB]; bytes."""

    requests: int
    rate: float
    p50: float
    p95: float
    cpu: float
    peak: float
    sent: int
    received: int


@dataclass(frozen=True)
class Upload:
    """One upload to a fresh service: its bytes, and how much memory it took beyond that at rest [MiB]."""

    sent: int
    process: float
    tree: float


@dataclass
class Start:
    """Of each start on a warm data directory: seconds to the ready line, to the first answer; memory at rest [MiB]."""

    ready: list[float] = field(default_factory=list)
    answer: list[float] = field(default_factory=list)
    rest: list[float] = field(default_factory=list)
    uploads: dict[str, Upload] = field(default_factory=dict)


@dataclass(frozen=True)
class Fairness:
    """Small requests beside the heavy ones of another user: how many, their times [ms]; heavy ones a second."""

    tries: int
    p50: float
    p95: float
    longest: float
    quiet_p50: float
    quiet_p95: float
    heavy: float
    refused: int


@dataclass
class Results:
    """All that was found."""

    service: dict[tuple[Step, int], Figure] = field(default_factory=dict)
    recipe: dict[Step, Cost] = field(default_factory=dict)
    floor: dict[Step, dict[str, Cost]] = field(default_factory=dict)
    statements: dict[str, int] = field(default_factory=dict)
    start: Start | None = None
    fairness: Fairness | None = None
