"""The keywords of searches and of parts of tables as query arguments, from the table of query parameters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd

from photseries.errors import InvalidError
from photseries.fields import FIELDS
from photseries.parameters import CONTROLS, CRITERIA, PART, Parameter, snake_case, texts_of
from photseries.parameters.value_types import MOMENT, TEXTS, join_values
from photseries.text import suggestion

__all__ = [
    "KEYWORDS",
    "OF_PART",
    "analysis_arguments",
    "arguments",
    "in_unit",
    "list_arguments",
    "names_of",
    "none_if_missing",
    "pairs_of",
    "part_arguments",
    "plain_fields",
    "single_texts",
    "snake_case",
]

#: The parameters of the answer that a caller may set; the client sets the others itself.
_SHAPING = ("useRobustMagAndRMS", "timeScale", "sortBy", "sortOrder", "numPerPage", "features")


_TABLE: tuple[Parameter, ...] = (*CRITERIA, *(known for known in CONTROLS if known.name in _SHAPING))

#: The criteria whose values are times.
_TIMES = frozenset(known.name for known in CRITERIA if known.kind is MOMENT)

#: The unit of a magnitude that has a zero point, in astropy's spelling.
_AB: Final = "mag(AB)"

#: The units that the service compares with, by criterion.
_UNITS: Mapping[str, str | None] = {known.name: known.unit for known in CRITERIA}

#: The name of every keyword in the table of query parameters.
KEYWORDS: Mapping[str, str] = {snake_case(name): name for known in _TABLE for name in known.spellings}

#: The keywords of criteria that a text, or any text of a list, equals; the spellings of the API take its lists, too.
_OF_TEXTS: Final = frozenset(snake_case(name) for known in CRITERIA if known.kind is TEXTS for name in known.spellings)

_PART: Final = {snake_case(known.name): known.name for known in PART}

#: Parameters of a part that are durations, and those that are times.
_DURATIONS: Final = frozenset(("bin", "detrend"))
_BOUNDS: Final = ("mjdMin", "mjdMax")

#: The names of the parameters of a part of a table.
OF_PART: Final = frozenset(_PART.values())


def arguments(criteria: Mapping[str, object]) -> dict[str, list[str]]:
    """Encode keywords and their values as query arguments.

    Parameters
    ----------
    criteria : Criteria or mapping of str to object
        Texts, numbers, booleans, dates and times, and lists or arrays of these; None is left out. A time of astropy is
        sent as MJD with its scale as ``timeScale``, and then every time of the criteria must be one. A Quantity is
        sent in the unit of its criterion, and the SkyCoord ``position`` as ``ra`` and ``dec``.

    Returns
    -------
    dict of str to list of str
        By the names of the table.

    Raises
    ------
    InvalidError
        Naming an unknown keyword, with the closest known one, a value that no parameter takes, or a time without a
        scale beside one of astropy.
    """
    problems: dict[str, list[str]] = {}
    body: dict[str, object] = {}
    criteria = _with_position(criteria)
    scale, is_stated = _time_scale(criteria)
    for keyword, value in criteria.items():
        name = KEYWORDS.get(keyword, keyword)
        if name not in KEYWORDS.values():
            closest = suggestion(keyword, KEYWORDS if keyword.islower() else KEYWORDS.values())
            problems[keyword[:60]] = [f"There is no criterion {keyword[:60]}.{closest}"]
        elif name in body:
            problems[keyword] = [f"{keyword} is given twice, in two spellings."]
        elif scale is not None and not is_stated and name in _TIMES and value is not None and not _is_time(value):
            problems[keyword] = [f"{keyword} has no time scale, but another time has one: give a Time, or time_scale."]
        elif isinstance(value, str) and keyword in _OF_TEXTS:
            body[name] = [value]  # which may contain commas
        elif value is not None:
            body[name] = _json_value(in_unit(value, _UNITS.get(name), keyword), scale)
    if problems:
        raise InvalidError.of_fields(problems)
    return texts_of(body if scale is None else {"timeScale": scale, **body})


def single_texts(query: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Encode query arguments for a JSON body, where a single text is not in a list."""
    return {name: texts if len(texts) > 1 else texts[0] for name, texts in query.items() if texts}


def list_arguments(options: Mapping[str, object]) -> dict[str, Any]:
    """Encode criteria, and the keywords of a part of each table, for a JSON body or a query."""
    part = {name: value for name, value in options.items() if name in _PART}
    criteria = {name: value for name, value in options.items() if name not in _PART}
    return {**single_texts(arguments(criteria)), **part_arguments(part)}


def part_arguments(options: Mapping[str, Any]) -> dict[str, str]:
    """Encode the keywords of a part of a table as query arguments; omit None."""
    query = {_PART[name]: value for name, value in options.items() if value is not None}
    if "columns" in query:
        query["columns"] = join_values(names_of(query["columns"]))
    if "derive" in query:
        query["derive"] = ",".join(names_of(query["derive"]))
    for name in _DURATIONS & query.keys():
        query[name] = _duration(query[name], name)
    for name in _BOUNDS:
        value, keyword = query.get(name), snake_case(name)
        if _is_time(value) or isinstance(value, date | np.datetime64):
            raise InvalidError.of_field(
                keyword, f"{keyword} must be an MJD in the time scale of the series, such as time.tdb.mjd."
            )
        if value is not None:
            query[name] = in_unit(value, "d", keyword)
    return {name: str(value) for name, value in query.items()}


def analysis_arguments(parameters: Mapping[str, object]) -> dict[str, object]:
    """Encode the keywords of an analysis, such as ``min_period``, as query arguments; a Quantity is a time.

    None is left out.
    """
    return {
        re.sub(r"_([a-z])", lambda match: match[1].upper(), name): (
            _duration(value, name) if name in _DURATIONS else _days(value, name)
        )
        for name, value in parameters.items()
        if value is not None
    }


def _days(value: object, keyword: str) -> object:
    return value / timedelta(days=1) if isinstance(value, timedelta) else in_unit(value, "d", keyword)


def _duration(value: object, keyword: str) -> object:
    """Encode a timedelta or Quantity as a duration; return any other value unchanged."""
    if isinstance(value, timedelta):
        return f"{value.total_seconds()}s"
    seconds = in_unit(value, "s", keyword)
    return value if seconds is value else f"{seconds}s"


def names_of(names: str | Sequence[str]) -> Sequence[str]:
    """Return names as a list; a single text is one name."""
    return [names] if isinstance(names, str) else names


def in_unit(value: object, unit: str | None, keyword: str) -> Any:
    """Return the value of an astropy Quantity in a unit; return any other value unchanged.

    Raises
    ------
    InvalidError
        When the Quantity has a unit of another kind.
    """
    if not (hasattr(value, "to_value") and hasattr(value, "unit")):
        return value
    try:
        return value.to_value(_AB if unit == "mag" and hasattr(value, "physical") else unit or "")
    except ValueError as error:  # astropy's UnitConversionError is one
        expected = f"a Quantity in {unit}" if unit else "a plain number"
        raise InvalidError.of_field(
            keyword, f"{keyword} must be {expected}, not in {str(value.unit) or 'no unit'}."
        ) from error


def plain_fields(fields: Mapping[str, object]) -> dict[str, Any]:
    """Return fields with Quantities as numbers in the units of the service, and a ``position`` as ``ra`` and ``dec``.

    A missing value of pandas (NaN, NaT, NA) becomes None.

    Raises
    ------
    InvalidError
        When a Quantity has a unit of another kind, or the position is neither a SkyCoord nor a pair of numbers.
    """
    units = {name: FIELDS[name].unit if name in FIELDS else None for name in fields}
    plain = {name: in_unit(value, units.get(name), name) for name, value in _with_position(fields).items()}
    return {name: list(value) if isinstance(value, set) else none_if_missing(value) for name, value in plain.items()}


def none_if_missing(value: Any) -> object:
    """Return None for NaN, NaT and NA, and any other value unchanged."""
    return None if pd.api.types.is_scalar(value) and pd.isna(value) else value


def pairs_of(positions: object) -> list[list[float]]:
    """Read positions as pairs of right ascension and declination [deg].

    Raises
    ------
    InvalidError
    """
    if hasattr(positions, "icrs"):
        positions = np.column_stack(_coordinates(positions))
    try:
        pairs = np.asarray(positions, np.float64)
    except (TypeError, ValueError):
        pairs = np.full(1, np.nan)
    if not pairs.size:
        return []
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not np.isfinite(pairs).all():
        raise InvalidError("positions must be pairs of ra and dec [deg], an array of shape (n, 2), or a SkyCoord.")
    coordinates: list[list[float]] = pairs.tolist()
    return coordinates


def _with_position(criteria: Mapping[str, Any]) -> dict[str, object]:
    """Replace a ``position``, a SkyCoord or a pair of numbers [deg], by ``ra`` and ``dec``."""
    remaining = {name: value for name, value in criteria.items() if name != "position"}
    position = criteria.get("position")
    if position is None:
        return remaining
    try:
        ra, dec = _coordinates(position) if hasattr(position, "icrs") else position
        coordinates = {"ra": float(in_unit(ra, "deg", "position")), "dec": float(in_unit(dec, "deg", "position"))}
    except (TypeError, ValueError) as error:
        problem = "position must be one SkyCoord, or one pair of ra and dec [deg]; for many use client.positions()."
        raise InvalidError.of_field("position", problem) from error
    if not coordinates.keys().isdisjoint(remaining):
        raise InvalidError.of_field("position", "position cannot be combined with ra or dec.")
    return coordinates | remaining


def _coordinates(position: Any) -> tuple[Any, Any]:
    """Return right ascension and declination of a SkyCoord, ICRS [deg]."""
    return position.icrs.ra.deg, position.icrs.dec.deg


def _is_time(value: object) -> bool:
    """Return whether a value is an astropy Time, without importing astropy."""
    return hasattr(value, "scale") and hasattr(value, "tdb") and hasattr(value, "mjd")


def _time_scale(criteria: Mapping[str, Any]) -> tuple[str | None, bool]:
    """Return the common scale of the times, None if none has a scale, and whether the caller states it."""
    stated = next((criteria[name] for name in ("timeScale", "time_scale") if criteria.get(name) is not None), None)
    if stated in FIELDS["time_scale"].values:
        return stated, True
    first = next((value for value in criteria.values() if _is_time(value)), None)
    if first is None:
        return None, False
    return first.scale if first.scale in FIELDS["time_scale"].values else "tdb", False


def _json_value(value: object, scale: str | None = None) -> object:
    """Convert a value to JSON types; an astropy Time becomes an MJD in a scale."""
    if isinstance(value, np.datetime64):
        value = value.astype("M8[us]").item()
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if _is_time(value):
        return _json_value(np.asarray(getattr(value, scale or "utc").mjd))
    if isinstance(value, np.generic | np.ndarray):
        return _json_value(value.tolist())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_json_value(item) for item in value]
    return value
