"""What the bench asks: for each row of its table, a stream of varied queries in the service's own parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from bench.population import CROWDED, FILTERS, FIRST_DAY, LAST_DAY, Population
from photseries.parameters import Query, parse

__all__ = ["PAGES", "SORTS", "TOTALS", "Question"]

Arguments = dict[str, str]
Draw = Callable[[np.random.Generator, Population], Arguments]

#: What orders the pages: the default, and the newest first.
SORTS: dict[str, Arguments] = {"obj_id": {}, "mjd_last": {"sortBy": "mjd_last", "sortOrder": "desc"}}

ARCSEC, ARCMIN = 1 / 3600, 1 / 60  # [deg]


@dataclass(frozen=True)
class Question:
    """A row of the table: what is asked, and whether its page may not slow down as the archive grows."""

    name: str
    draw: Draw
    limited: bool = True
    deep: bool = False

    def queries(self, population: Population, extra: Arguments, seed: int) -> Iterator[Query]:
        """Give queries without end, the same for the same seed."""
        rng = np.random.default_rng(seed)
        while True:
            arguments = {"includeTotal": "false", **self.draw(rng, population), **extra}
            yield parse({name: [value] for name, value in arguments.items()})


def _everything(rng: np.random.Generator, population: Population) -> Arguments:
    return {}


def _filter_and_time(rng: np.random.Generator, population: Population) -> Arguments:
    """Ask for one filter in a night, a month, a season or three years."""
    width = float(rng.choice([1, 30, 200, 1000]))
    begin = rng.uniform(FIRST_DAY, LAST_DAY - width)
    return {"filter": str(rng.choice(FILTERS)), "startAfter": f"{begin:.6f}", "endBefore": f"{begin + width:.6f}"}


def _portion(least: int, most: int) -> Draw:
    """Ask for a portion of the name of a source that is there."""

    def draw(rng: np.random.Generator, population: Population) -> Arguments:
        name = population.names[rng.integers(len(population.names))]
        length = int(rng.integers(least, min(most, len(name)) + 1))
        begin = int(rng.integers(0, len(name) - length + 1))
        portion = name[begin : begin + length]
        return {"objectID": portion} if portion == portion.strip() else draw(rng, population)

    return draw


def _cone(radius: float) -> Draw:
    """Ask, a third each, around a source anywhere, around a place in the crowded field, anywhere on the sky."""

    def draw(rng: np.random.Generator, population: Population) -> Arguments:
        kind, source = rng.integers(3), int(rng.integers(len(population.names)))
        ra, dec = float(population.ra[source]), float(population.dec[source])
        if kind == 1:
            ra, dec = CROWDED[0] + rng.uniform(-0.5, 0.5), CROWDED[1] + rng.uniform(-0.5, 0.5)
        elif kind == 2:
            ra, dec = rng.uniform(0, 360), float(np.degrees(np.arcsin(rng.uniform(-1, 1))))
        return {"ra": f"{ra:.9f}", "dec": f"{dec:.9f}", "radius": f"{radius:.9f}"}

    return draw


def _statistic(rng: np.random.Generator, population: Population) -> Arguments:
    """Ask for one series in two to one in a hundred by a statistic."""
    return {"stat": f"medians.bg<{np.exp(6 + rng.uniform(-2.3, 0)):.3f}"}


def _statistic_among(rng: np.random.Generator, population: Population) -> Arguments:
    return {**_filter_and_time(rng, population), **_statistic(rng, population)}


#: The pages, each asked for by everybody and in each order.
PAGES: tuple[Question, ...] = (
    Question("first page", _everything),
    Question("page 1,000 by cursor", _everything, deep=True),
    Question("filter and time range", _filter_and_time),
    Question("objectID, 3 to 12 characters", _portion(3, 12)),
    Question("objectID, 2 characters", _portion(2, 2), limited=False),
    Question("cone of 2 arcsec", _cone(2 * ARCSEC)),
    Question("cone of 1 arcmin", _cone(ARCMIN)),
    Question("cone of 1 deg", _cone(1.0)),
    Question("stat with filter and time range", _statistic_among, limited=False),
    Question("stat alone", _statistic, limited=False),
)

#: What is asked of all that matches, where order does not matter.
TOTALS: tuple[Question, ...] = (
    Question("everything", _everything, limited=False),
    Question("filter and time range", _filter_and_time, limited=False),
    Question("cone of 1 deg", _cone(1.0), limited=False),
)
