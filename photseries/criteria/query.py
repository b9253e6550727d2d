"""The one loop that turns query arguments into a query."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from photseries.criteria.table import CONTROLS, CRITERIA, MOST_PER_PAGE, Criterion, Parameter
from photseries.errors import InvalidError

__all__ = ["Query", "Restriction", "parse", "read"]


@dataclass(frozen=True)
class Restriction:
    """A criterion with the value that a request gives it."""

    criterion: Criterion
    value: Any


@dataclass(frozen=True)
class Query:
    """What a list request asks for."""

    restrictions: tuple[Restriction, ...] = ()
    sort_by: str = "obj_id"
    descending: bool = False
    page: int = 1
    per_page: int = 100
    data_format: Literal["json", "hdf5", "none"] = "none"


def parse(arguments: Mapping[str, Sequence[str]]) -> Query:
    """Read query arguments.

    Parameters
    ----------
    arguments : mapping of str to sequence of str
        The values of each argument, as they came.

    Returns
    -------
    Query

    Raises
    ------
    InvalidError
        Naming every unknown, repeated or malformed parameter.
    """
    values = read(arguments, (*CRITERIA, *CONTROLS))
    return Query(
        restrictions=tuple(Restriction(known, values[known.name]) for known in CRITERIA if known.name in values),
        sort_by=values["sortBy"],
        descending=values["sortOrder"] == "desc",
        page=values["pageNumber"],
        per_page=min(values["numPerPage"], MOST_PER_PAGE),
        data_format=values["dataFormat"],
    )


def read(arguments: Mapping[str, Sequence[str]], parameters: Sequence[Parameter]) -> dict[str, Any]:
    """Read arguments by a table of parameters; a parameter that is absent has its default, if there is one.

    Parameters
    ----------
    arguments : mapping of str to sequence of str
    parameters : sequence of Parameter
        The table; an argument that is not in it is an error.

    Returns
    -------
    dict of str to Any
        The values by the parameters' first names.

    Raises
    ------
    InvalidError
        Naming every unknown, repeated or malformed parameter.
    """
    known = {spelling: parameter for parameter in parameters for spelling in parameter.spellings}
    values = {parameter.name: parameter.default for parameter in parameters if parameter.default is not None}
    given: set[str] = set()
    problems: dict[str, list[str]] = {}
    for name, texts in arguments.items():
        if name not in known:
            problems[name] = [f"Unknown parameter {_shown(name)}.{_suggestion(name, known)}"]
            continue
        parameter = known[name]
        if len(texts) > 1 or parameter.name in given:
            problems[name] = [f"Parameter {name} is given more than once."]
            continue
        given.add(parameter.name)
        try:
            values[parameter.name] = parameter.kind.read(texts[0])
        except ValueError:
            problems[name] = [f"Invalid {name}: {_shown(texts[0])}. It must be {parameter.kind.name}."]
    if problems:
        raise InvalidError(" ".join(text for texts in problems.values() for text in texts), fields=problems)
    return values


def _shown(text: str) -> str:
    short = text if len(text) <= 60 else text[:57] + "..."
    return f'"{"".join(character if character.isprintable() else "?" for character in short)}"'


def _suggestion(name: str, known: Mapping[str, Parameter]) -> str:
    lower = {spelling.lower(): spelling for spelling in known}
    close = difflib.get_close_matches(name.lower()[:60], lower, n=1, cutoff=0.6)
    return f" Did you mean {lower[close[0]]}?" if close else ""
