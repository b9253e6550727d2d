"""The read options, and the error for invalid data."""

from __future__ import annotations

import contextlib
import itertools
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal

from photseries.errors import InvalidError

__all__ = [
    "MAX_COLUMNS",
    "OPTIONS",
    "SHARED",
    "ReadOptions",
    "Unit",
    "abbreviated",
    "column_called",
    "conditions_of",
    "invalid",
    "list_names",
    "map_of",
    "names_of",
    "normal_name",
    "numbered",
    "require_column",
    "require_few_names",
    "table_index",
]

#: The read options by name, for the command line and for requests.
OPTIONS: Final[Mapping[str, str]] = {
    "format": "Format of the files. Default: detected from content and name.",
    "table": "Key, name or sheet of the table in a file with several tables.",
    "names": "Comma-separated column names for a text file without a header.",
    "time_col": "Column with the times.",
    "flux_col": "Column with the fluxes.",
    "fluxerr_col": "Column with the flux errors.",
    "mag_col": "Column with the magnitudes.",
    "magerr_col": "Column with the magnitude errors.",
    "time_format": "Format of the times",
    "zero_point": "AB magnitude of one unit of flux, to convert fluxes to uJy: a number, a column",
    "filter_col": "Column with the filters.",
    "filter_map": "Filters by their names in the files: zg=ztfg,zr=ztfr.",
    "where": "COLUMN=VALUE: read only these rows; several conditions must all hold.",
    "split_by": "Column whose values each become a series.",
    "limit": "keep or drop rows with upper limits. Default: keep.",
}

#: Fields of a series that are also read options: fluxes are converted to uJy by their unit.
SHARED: Final = ("flux_unit", "magsys", "time_scale", "time_refpos")

#: A stored file can have neither as many columns nor names as long [characters].
MAX_COLUMNS, _MAX_NAME_LENGTH = 10_000, 1000
#: Maximum length of a name in a list of names [characters].
_SHOWN: Final = 100

#: A Julian date in the name of a column.
_JULIAN: Final = re.compile(r"(modified[ _-]?)?julian[ _-]?(?:date|day)|j\.d\.", re.IGNORECASE)

#: The unit of a column as written, None if not stated.
Unit = str | None


@dataclass(frozen=True)
class ReadOptions:
    """Options for reading a file.

    Parameters
    ----------
    format : str, optional
        The name of a format; default: detected from the content and the name of the file.
    table : str, optional
        Key, name or sheet of the table in a file with several tables.
    names : str or sequence of str, optional
        Column names of a text file without a header line; comma-separated if given as one text.
    time_col, flux_col, fluxerr_col, mag_col, magerr_col : str, optional
        The columns; default: those with common names.
    time_format : str, optional
        One of :data:`photseries.formats.TIME_FORMATS`, or one with an offset, such as ``jd-2450000``; default: by the
        file or the name of the column.
    time_scale, time_refpos : str, optional
        Scale and reference position of the times, if the file does not state them.
    flux_unit : str, optional
        The unit of the fluxes; flux densities become uJy.
    zero_point : float or str, optional
        The AB magnitude of one unit of flux, to convert the fluxes to uJy [mag]; the name of a column with it; or the
        name of a published zero point in :data:`photseries.formats.ZERO_POINTS`.
    magsys : str, optional
        The system of the magnitudes: ``ab``, ``vega`` or ``instrumental``.
    filter_col : str, optional
        Column with the filters.
    filter_map : mapping or str, optional
        Bandpasses by the filters of the file, also as a text ``zg=ztfg,zr=ztfr``.
    where : str or sequence of str, optional
        Conditions ``COLUMN=VALUE``; only rows that meet all of them are read.
    split_by : str, optional
        Column whose values each become a series.
    limit : {"keep", "drop"}
        Whether to keep rows with upper limits.
    """

    format: str | None = None
    table: str | None = None
    names: str | Sequence[str] | None = None
    time_col: str | None = None
    flux_col: str | None = None
    fluxerr_col: str | None = None
    mag_col: str | None = None
    magerr_col: str | None = None
    time_format: str | None = None
    time_scale: str | None = None
    time_refpos: str | None = None
    flux_unit: str | None = None
    zero_point: float | str | None = None
    magsys: str | None = None
    filter_col: str | None = None
    filter_map: Mapping[str, str] | str | None = None
    where: str | Sequence[str] | None = None
    split_by: str | None = None
    limit: Literal["keep", "drop"] = "keep"

    def __post_init__(self) -> None:
        if self.limit not in ("keep", "drop"):
            raise invalid(f"limit must be keep or drop, not {self.limit!r:.40}.")

    @classmethod
    def of_texts(cls, texts: Mapping[str, Any]) -> ReadOptions:
        """Return options given as texts, as in a request.

        Raises
        ------
        InvalidError
        """
        values = dict(texts)
        with contextlib.suppress(KeyError, ValueError):
            values["zero_point"] = float(values["zero_point"])
        return cls(**values)

    def given(self, *names: str) -> list[str]:
        """Return the names of the given options that differ from their default."""
        return [
            field.name for field in fields(self) if field.name in names and getattr(self, field.name) != field.default
        ]


def invalid(message: str, details: Mapping[str, str] | None = None) -> InvalidError:
    """Return the error of invalid data, in one line."""
    line = " ".join(message.splitlines())
    return InvalidError(line, fields={"data": [line]}, details=details)


def names_of(value: str | Sequence[str] | None) -> list[str]:
    """Return the names of columns; a text is comma-separated."""
    names = value.split(",") if isinstance(value, str) else list(value or ())
    return [name.strip() for name in names]


def numbered(names: Sequence[str]) -> list[str]:
    """Name unnamed columns, and number repeated names, as pandas does."""
    require_few_names(names)
    unique: dict[str, None] = {}
    numbers: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)
    for index, name in enumerate(names):
        base = name or f"Unnamed: {index}"
        candidates = (f"{base}.{number}" if number else base for number in numbers[base])
        unique[next(free for free in candidates if free not in unique)] = None
    return list(unique)


def require_few_names(names: Collection[object]) -> None:
    """Refuse names that no stored table can have, before they are searched.

    Raises
    ------
    InvalidError
    """
    if len(names) > MAX_COLUMNS:
        raise invalid(f"The table has {len(names):,} columns; at most {MAX_COLUMNS:,} are read.")
    longest = max(map(str, names), key=len, default="")
    if len(longest) > _MAX_NAME_LENGTH:
        raise invalid(
            f"The column name {longest!r:.60} has {len(longest):,} characters; at most {_MAX_NAME_LENGTH:,} are read."
        )


def conditions_of(value: str | Sequence[str] | None) -> list[tuple[str, str]]:
    """Return conditions ``COLUMN=VALUE`` as pairs."""
    return [_pair("where", text) for text in ([value] if isinstance(value, str) else value or ())]


def map_of(option: Mapping[str, str] | str | None) -> dict[str, str]:
    """Return bandpasses by the filters of a file."""
    if isinstance(option, Mapping):
        return {str(name): str(value) for name, value in option.items()}
    return dict(_pair("filter_map", text) for text in (option.split(",") if option else ()))


def table_index(names: Sequence[str], options: ReadOptions) -> int:
    """Return the index of the table to read.

    Raises
    ------
    InvalidError
        When there are several and none is selected, or no table has the name.
    """
    if options.table is not None:
        index = next((n for n, name in enumerate(names) if name.strip("/") == options.table.strip("/")), None)
        if index is None:
            raise invalid(f"There is no table {options.table!r:.60} (table). The tables are {list_names(names)}.")
        return index
    if len(names) > 1:
        raise invalid(f"It has {len(names)} tables: {list_names(names)}. Name one (table).")
    return 0


def column_called(columns: Iterable[object], names: Iterable[str]) -> str | None:
    """Return the column with the first of some names, given in lower case; None if there is none."""
    lower = {str(name).lower(): str(name) for name in reversed(list(columns))}
    return next((lower[name] for name in names if name in lower), None)


def require_column(columns: Iterable[object], name: str, option: str) -> None:
    """Raise an error if an option names an unknown column.

    Raises
    ------
    InvalidError
        Listing the columns of the table.
    """
    names = list(columns)
    if name not in names:
        raise invalid(f"There is no column {name!r} ({option}). The columns are {list_names(names)}.")


def list_names(names: Iterable[object]) -> str:
    """Return the first 30 of some names as text."""
    shown = [str(name)[:_SHOWN] for name in itertools.islice(names, 31)]
    return ", ".join(shown[:30]) + (" ..." if len(shown) > 30 else "")


def normal_name(name: str) -> str:
    """Return the name of a column for patterns: ``obsTime  [BJD]`` is ``obs_time [bjd]``."""
    return " ".join(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", abbreviated(name)).lower().split())


def abbreviated(name: str) -> str:
    """Return the name of a column with ``JD`` for ``Julian Date`` or ``J.D.``, and ``MJD`` for the modified one."""
    return _JULIAN.sub(lambda match: "MJD" if match[1] else "JD", name)


def _pair(option: str, text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not name.strip() or not value.strip():
        raise invalid(f"{option} must be NAME=VALUE, not {text!r:.60}.")
    return name.strip(), value.strip()
