"""The keywords that select a part of each table, and their query arguments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict

from photseries.client.criteria import ConeCriteria
from photseries.parameters import PART, snake_case
from photseries.parameters.value_types import joined

__all__ = ["OF_PART", "ListOptions", "PartOptions", "divided", "names_of", "part_arguments"]


class PartOptions(TypedDict, total=False):
    """Which columns and rows of each table; as in :meth:`photseries.Client.get`."""

    columns: str | Sequence[str] | None
    mjd_min: float | None
    mjd_max: float | None
    row_min: int | None
    row_max: int | None
    max_points: int | None
    derive: str | Sequence[str] | None
    bin: str | None
    detrend: str | None
    clip: float | None


class ListOptions(ConeCriteria, PartOptions, total=False):
    """Criteria, and a part of each table."""


_NAMES: Final = {snake_case(known.name): known.name for known in PART}

#: The names of the parameters of a part.
OF_PART: Final = frozenset(_NAMES.values())


def names_of(names: str | Sequence[str]) -> Sequence[str]:
    """Take one name as a list of it, not of its letters."""
    return [names] if isinstance(names, str) else names


def part_arguments(options: Mapping[str, Any]) -> dict[str, str]:
    """Write the keywords of a part as query arguments; None is left out."""
    given = {_NAMES[name]: value for name, value in options.items() if value is not None}
    if "columns" in given:
        given["columns"] = joined(names_of(given["columns"]))
    if "derive" in given:
        given["derive"] = ",".join(names_of(given["derive"]))
    return {name: str(value) for name, value in given.items()}


def divided(options: Mapping[str, object]) -> tuple[dict[str, object], dict[str, str]]:
    """Divide keywords into criteria, and the query arguments of a part."""
    part = {name: value for name, value in options.items() if name in _NAMES}
    return {name: value for name, value in options.items() if name not in part}, part_arguments(part)
