"""Exports of a list: the series with some ids, names or hashes, or around some positions."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from photseries.errors import InvalidError
from photseries.lightcurve.selection import Selection
from photseries.parameters.query import Query, cone_of, positions_of, read, restrictions_of, texts_of
from photseries.parameters.series_parameters import PART, selection_of
from photseries.parameters.table import SUMMARY_CRITERIA, Parameter
from photseries.parameters.value_types import FLAG, TEXT, choice

__all__ = ["LISTS", "MAX_ENTRIES", "POSITIONS", "ListRequest", "asked_parameters", "parse_list_request"]

#: Maximum number of entries of a list.
MAX_ENTRIES: Final = 100_000

_MAX_ID: Final = 2**63 - 1

#: The list of positions; entries of other lists equal a field.
POSITIONS: Final = "positions"

_CURSOR: Final = re.compile(r"([0-9]{1,6})\.([0-9]{1,19})")


def _id(value: object) -> int:
    if type(value) is not int or not abs(value) <= _MAX_ID:
        raise ValueError
    return value


def _parse_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004  as for texts that are not such a value
    text: str = TEXT.read(value)
    return text


@dataclass(frozen=True)
class _List:
    """A kind of list: the field that its entries equal, their name in messages, their parser, and their JSON schema."""

    field: str
    name: str
    read: Callable[[object], object]
    schema: Mapping[str, object]


_STRING: Final = {"type": "string", "minLength": 1, "maxLength": 1000}

#: The kinds of lists besides positions.
LISTS: Final[Mapping[str, _List]] = {
    "ids": _List("id", "an integer", _id, {"type": "integer"}),
    "obj_ids": _List("obj_id", "a string", _parse_text, _STRING),
    "series_obj_ids": _List(
        "series_obj_id",
        "a string or an integer",
        lambda value: _parse_text(str(value) if type(value) is int else value),
        {"anyOf": [_STRING, {"type": "integer"}]},
    ),
    "hashes": _List("hash", "a string", _parse_text, _STRING),
}


@dataclass(frozen=True)
class ListRequest:
    """A request for an export of a list.

    Parameters
    ----------
    by : str
        One of :data:`LISTS`, or positions.
    values : tuple
        The entries of the list; positions are those of the query.
    query : Query
        The criteria, and the positions.
    format : str
    part : Selection
    after : tuple of int, optional
        The list position and the series id after which to continue.
    files : bool
        Whether a zip contains the files.
    """

    by: str
    values: tuple[object, ...]
    query: Query
    format: str
    part: Selection
    after: tuple[int, int] | None = None
    files: bool = True

    def __len__(self) -> int:
        return len(self.values) if self.query.positions is None else len(self.query.positions.ra)


def asked_parameters(formats: Sequence[str]) -> tuple[Parameter, ...]:
    """Return the parameters of an export of a list."""
    cursor = Parameter(
        "cursor",
        TEXT,
        "Continue an interrupted answer: `asked` and `series_id` of the last complete series, with a "
        "dot between them, such as 17.4711. The manifest covers the whole list.",
    )
    files = Parameter(
        "files",
        FLAG,
        "With format=zip: whether to include the files, or only series.jsonl and manifest.json.",
        default=True,
    )
    form = Parameter("format", choice(*formats), "The format of the answer.", default=formats[0])
    return (form, *PART, files, cursor)


def parse_list_request(body: Mapping[str, object], formats: Sequence[str]) -> ListRequest:
    """Parse the body of an export of a list.

    Parameters
    ----------
    body : mapping
        A JSON object.
    formats : sequence of str
        The default first.

    Raises
    ------
    InvalidError
        Naming every unknown or malformed member; or the list, when there is not exactly one, or it is too long.
    """
    rest = dict(body)
    lists = {name: rest.pop(name) for name in (*LISTS, POSITIONS) if name in rest}
    if len(lists) != 1:
        names = ", ".join((*LISTS, POSITIONS))
        raise InvalidError.of_field(
            next(iter(lists), "ids"), f"The body must have exactly one of {names} (with radius), not {len(lists)}."
        )
    ((by, entries),) = lists.items()
    if not isinstance(entries, list) or not 0 < len(entries) <= MAX_ENTRIES:
        raise InvalidError.of_field(by, f"{by} must be a list of 1 to {MAX_ENTRIES:,} entries.")
    values = read(texts_of(rest), (*SUMMARY_CRITERIA, *asked_parameters(formats)))
    positions = positions_of(entries, values, MAX_ENTRIES) if by == POSITIONS else None
    return ListRequest(
        by,
        () if by == POSITIONS else tuple(_parse_entries(by, entries)),
        Query(
            restrictions=tuple(restrictions_of(values)),
            cone=cone_of(values) if positions is None else None,
            positions=positions,
        ),
        values["format"],
        selection_of(values),
        _parse_cursor(values.get("cursor")),
        values["files"],
    )


def _parse_entries(by: str, entries: Sequence[object]) -> list[object]:
    values = []
    for index, entry in enumerate(entries):
        try:
            values.append(LISTS[by].read(entry))
        except ValueError:
            raise InvalidError.of_field(by, f"{by}[{index}] is {entry!r:.60}; it must be {LISTS[by].name}.") from None
    return values


def _parse_cursor(cursor: str | None) -> tuple[int, int] | None:
    if cursor is None:
        return None
    match = _CURSOR.fullmatch(cursor)
    if match is None or int(match[2]) > _MAX_ID:
        raise InvalidError.of_field(
            "cursor",
            f"Invalid cursor: {cursor[:60]!r}. It must be `asked` and `series_id` of a row, with a dot between them, "
            "such as 17.4711.",
        )
    return int(match[1]), int(match[2])
