"""The one loop that turns query arguments into a query."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import orjson

from photseries.errors import InvalidError
from photseries.fields import Operator
from photseries.lightcurve.epochs import JULIAN_DATES
from photseries.lightcurve.positions import Cone
from photseries.lightcurve.time_scales import in_every_scale
from photseries.parameters.table import (
    CONTROLS,
    CRITERIA,
    MAX_PER_PAGE,
    SEPARATION,
    SUMMARY_CRITERIA,
    Criterion,
    Parameter,
)
from photseries.parameters.value_types import DECLINATION, MAX_VALUES, MOMENT, RIGHT_ASCENSION, join_values
from photseries.text import closest_names, suggestion

__all__ = [
    "Condition",
    "Cone",
    "Cursor",
    "ParameterValues",
    "Positions",
    "Query",
    "cone_of",
    "likely_mistakes",
    "parse",
    "parse_criteria",
    "positions_of",
    "read",
    "restrictions_of",
    "texts_of",
]

#: Parsed values of parameters by name; the table of parameters states their types.
ParameterValues = Mapping[str, Any]

MAX_POSITIONS = 10_000

#: Maximum length of an unknown name in an answer, and maximum number of problems.
MAX_NAME_LENGTH, MAX_PROBLEMS = 60, 20

#: Maximum number of values of a repeatable parameter; planning thousands of conditions takes minutes.
MAX_REPEATS = 100


@dataclass(frozen=True)
class Condition:
    """A criterion, its field and the value of the request.

    ``by_scale`` has the time in every time scale if the request states the scale of ``value``.
    """

    criterion: Criterion
    field: str
    value: Any
    by_scale: Mapping[str, float] | None = None


class Positions(NamedTuple):
    """The centres of many cones of one radius; all in deg, ICRS."""

    ra: tuple[float, ...]
    dec: tuple[float, ...]
    radius: float


class Cursor(NamedTuple):
    """The last row before a page: its value of the sort key (None: null) and its id.

    For a list of positions the value is the position's index and the squared chord.
    """

    sort_by: str
    descending: bool
    value: object
    id: int

    def text(self) -> str:
        """Encode the cursor as an opaque text."""
        return base64.urlsafe_b64encode(orjson.dumps(list(self))).decode().rstrip("=")


@dataclass(frozen=True)
class Query:
    """A parsed list request."""

    restrictions: tuple[Condition, ...] = ()
    cone: Cone | None = None
    positions: Positions | None = None
    sort_by: str = "obj_id"
    descending: bool = False
    page: int = 1
    per_page: int = 100
    cursor: Cursor | None = None
    include_total: bool = True
    data_format: Literal["json", "hdf5", "none"] = "none"
    features: bool = False


def parse(arguments: Mapping[str, Sequence[str]], positions: object = None) -> Query:
    """Read query arguments.

    Parameters
    ----------
    arguments : mapping of str to sequence of str
        The values of each argument.
    positions : list of [ra, dec], optional
        Unparsed centres [deg, ICRS] for the argument ``radius``.

    Returns
    -------
    Query

    Raises
    ------
    InvalidError
        Naming every unknown, repeated or malformed parameter.
    """
    values = read(arguments, (*CRITERIA, *CONTROLS))
    near = None if positions is None else positions_of(positions, values)
    cone = cone_of(values) if near is None else None
    sort_by = values.get("sortBy", "obj_id" if near is None else SEPARATION)
    if (sort_by == SEPARATION) != (near is not None) and (cone is None or near is not None):
        raise InvalidError.of_field(
            "sortBy",
            "sortBy=separation requires a cone: add ra, dec and radius."
            if near is None
            else "Results for positions are always sorted by separation: leave out sortBy.",
        )
    descending = values["sortOrder"] == "desc"
    return Query(
        restrictions=tuple(restrictions_of(values)),
        cone=cone,
        positions=near,
        sort_by=sort_by,
        descending=descending,
        page=values["pageNumber"],
        per_page=min(values["numPerPage"], MAX_PER_PAGE),
        cursor=_cursor(values, sort_by, descending),
        include_total=values["includeTotal"],
        data_format=values["dataFormat"],
        features=values["features"],
    )


def parse_criteria(arguments: Mapping[str, Sequence[str]]) -> Query:
    """Parse the criteria of query arguments, for an answer without pages; see :func:`parse`."""
    values = read(arguments, SUMMARY_CRITERIA)
    return Query(restrictions=tuple(restrictions_of(values)), cone=cone_of(values))


def read(arguments: Mapping[str, Sequence[str]], parameters: Sequence[Parameter]) -> ParameterValues:
    """Parse arguments by a table of parameters; absent parameters get their defaults.

    Parameters
    ----------
    arguments : mapping of str to sequence of str
    parameters : sequence of Parameter
        The table; other arguments are errors.

    Returns
    -------
    dict
        The values by the parameters' first names; of a repeatable parameter a list.

    Raises
    ------
    InvalidError
        Naming every unknown, repeated or malformed parameter.
    """
    by_spelling = {spelling: parameter for parameter in parameters for spelling in parameter.spellings}
    values: dict[str, Any] = {
        parameter.name: parameter.default for parameter in parameters if parameter.default is not None
    }
    seen: set[str] = set()
    problems: dict[str, list[str]] = {}
    for name, texts in arguments.items():
        if len(problems) == MAX_PROBLEMS:
            problems["more"] = ["Further parameters were not checked."]
            break
        if name not in by_spelling:
            problems[name[:MAX_NAME_LENGTH]] = [f"Unknown parameter {_quote(name)}.{suggestion(name, by_spelling)}"]
            continue
        parameter = by_spelling[name]
        limit = MAX_REPEATS if parameter.repeatable else 1
        if parameter.name in seen or len(texts) > limit:
            problems[name] = [f"Parameter {name} is given more than {'once' if limit == 1 else f'{limit} times'}."]
            continue
        seen.add(parameter.name)
        for text in texts:
            try:
                value = parameter.kind.read(text)
            except ValueError:
                close = suggestion(text, parameter.kind.schema.get("enum", ()))
                problems[name] = [f"Invalid {name}: {_quote(text)}. It must be {parameter.kind.name}.{close}"]
                break
            values[parameter.name] = [*values.get(parameter.name, []), value] if parameter.repeatable else value
    if problems:
        raise InvalidError.of_fields(problems)
    return values


def likely_mistakes(query: Query, filters: Collection[str]) -> list[str]:
    """Return a warning for each value of the criteria that probably explains why nothing matches, at most 20.

    Parameters
    ----------
    query : Query
    filters : collection of str
        The filters that the archive allows.
    """
    unknown_filters = [
        name
        for condition in query.restrictions
        if condition.field == "filter"
        for name in condition.value
        if name not in filters
    ]
    closest = [
        f"This archive has no filter {_quote(name)}. The closest are "
        f"{', '.join(closest_names(name, filters, 5))}, ... (GET /api/enum_types)"
        for name in unknown_filters[:MAX_PROBLEMS]
    ]
    julian_dates = [
        f"{condition.criterion.name} is compared with MJD, and {condition.value:.15g} looks like a Julian date: "
        "MJD = JD - 2400000.5."
        for condition in query.restrictions
        if condition.criterion.kind is MOMENT and JULIAN_DATES[0] <= condition.value < JULIAN_DATES[1]
    ]
    return [*closest, *julian_dates][:MAX_PROBLEMS]


def restrictions_of(values: ParameterValues) -> list[Condition]:
    """Return the restrictions in parameter values."""
    robust, scale = values["useRobustMagAndRMS"], values.get("timeScale")
    return [
        Condition(
            criterion,
            criterion.robust if robust and criterion.robust else criterion.field,
            value,
            in_every_scale(value, scale) if scale and criterion.kind is MOMENT else None,
        )
        for criterion in CRITERIA
        if criterion.name in values and criterion.operator is not Operator.CONE
        for value in (values[criterion.name] if criterion.repeatable else [values[criterion.name]])
    ]


def cone_of(values: ParameterValues) -> Cone | None:
    """Return the cone in parameter values.

    Raises
    ------
    InvalidError
        When a part of it is missing.
    """
    names = [name for name in Cone._fields if name in values]
    if not names:
        return None
    if missing := [name for name in Cone._fields if name not in values]:
        message = (
            f"A cone needs ra, dec and radius: {' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing."
        )
        raise InvalidError(message, fields={name: [message] for name in missing})
    return Cone(*(values[name] for name in Cone._fields))


def _cursor(values: ParameterValues, sort_by: str, descending: bool) -> Cursor | None:
    if "cursor" not in values:
        return None
    if values["pageNumber"] != 1:
        raise InvalidError.of_field("cursor", "cursor and pageNumber cannot be combined: leave out pageNumber.")
    text = values["cursor"]
    try:
        parts = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        cursor = Cursor(*parts)
    except (ValueError, TypeError):
        raise InvalidError.of_field(
            "cursor", f"Invalid cursor: {_quote(text)}. Use the cursor of an answer unchanged."
        ) from None
    if (cursor.sort_by, cursor.descending) != (sort_by, descending):
        raise InvalidError.of_field(
            "cursor", "The cursor was issued for another sortBy or sortOrder. Repeat those, or leave out the cursor."
        )
    if type(cursor.id) is not int or "\0" in str(cursor.value):
        raise InvalidError.of_field("cursor", f"Invalid cursor: {_quote(text)}. Use the cursor of an answer unchanged.")
    return cursor


def positions_of(entries: object, values: ParameterValues, limit: int = MAX_POSITIONS) -> Positions:
    """Parse a list of positions of limited length.

    Raises
    ------
    InvalidError
    """
    if "radius" not in values or "ra" in values or "dec" in values or values.get("sortOrder") == "desc":
        raise InvalidError.of_field(
            "positions", "positions require radius, and cannot be combined with ra, dec or sortOrder=desc."
        )
    if not isinstance(entries, list) or not 0 < len(entries) <= limit:
        raise InvalidError.of_field("positions", f"positions must be a list of 1 to {limit:,} pairs [ra, dec].")
    pairs = []
    for index, pair in enumerate(entries):
        try:
            pairs.append(_pair(pair))
        except (TypeError, ValueError):
            raise InvalidError.of_field(
                "positions",
                f"positions[{index}] is {pair!r:.60}; it must be [ra, dec], "
                f"{RIGHT_ASCENSION.name} and {DECLINATION.name}.",
            ) from None
    right_ascensions, declinations = zip(*pairs, strict=True)
    return Positions(right_ascensions, declinations, values["radius"])


def _pair(pair: object) -> tuple[float, float]:
    if not isinstance(pair, list) or len(pair) != 2:
        raise ValueError
    return RIGHT_ASCENSION.read(_format_value(pair[0])), DECLINATION.read(_format_value(pair[1]))


def texts_of(body: Mapping[str, object]) -> dict[str, list[str]]:
    """Convert the values of a JSON body to the texts of query arguments.

    Parameters
    ----------
    body : mapping
        Texts, numbers, booleans, or lists of them.

    Raises
    ------
    InvalidError
        When a value is not one of these.
    """
    repeatable = {spelling for criterion in CRITERIA if criterion.repeatable for spelling in criterion.spellings}
    texts: dict[str, list[str]] = {}
    for name, value in body.items():
        if isinstance(value, list) and len(value) > MAX_VALUES:
            raise InvalidError.of_field(
                name[:MAX_NAME_LENGTH], f"At most {MAX_VALUES} values are accepted in {_quote(name)}."
            )
        if value == [] and name not in repeatable:
            raise InvalidError.of_field(
                name[:MAX_NAME_LENGTH], f"The list {_quote(name)} is empty. Give a value, or leave it out."
            )
        try:
            if not isinstance(value, list):
                texts[name] = [_format_value(value)]
            elif name in repeatable:
                texts[name] = [_format_value(item) for item in value]
            else:
                texts[name] = [join_values([_format_value(item) for item in value])]
        except TypeError:
            raise InvalidError.of_field(
                name[:MAX_NAME_LENGTH],
                f"{name[:MAX_NAME_LENGTH]} must be a string, a number, true or false, or a list of these.",
            ) from None
    return texts


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        raise TypeError
    return str(value)


def _quote(text: str) -> str:
    short = text if len(text) <= 60 else text[:57] + "..."
    return f'"{"".join(character if character.isprintable() else "?" for character in short)}"'
