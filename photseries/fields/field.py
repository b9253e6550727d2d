"""The declaration of a field: its type, where it is stored, how it is displayed and compared."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final, Literal

__all__ = [
    "DECLINATION",
    "NOT_NEGATIVE",
    "POSITIVE",
    "RIGHT_ASCENSION",
    "Comparison",
    "Field",
    "Interval",
    "Operator",
    "Section",
    "Type",
    "displayed",
]

Type = Literal[
    "text",
    "unit",  # a unit of flux
    "name",  # a text that becomes part of a file name
    "path",  # the same, with slashes
    "number",
    "mjd",
    "integer",
    "id",
    "boolean",
    "moment",  # date and time
    "object",  # any JSON object
    "units",  # an object with a text for each of some columns of the table
    "values",  # a list of integers, texts or booleans
    "per column",  # an object with a number for each numeric column of the table
    "ids",
    "entries",  # a list of objects with id and name
]


class Section(Enum):
    """The part of the table that a field belongs to, which determines where the field is stored.

    RECORD and FILE are columns of the catalogue that the service sets. METADATA is set by clients and stands in the
    catalogue and, where ``in_file``, in the stored file. SHARING is set by clients and has tables of its own. STATISTIC
    is computed from the table of the series when it is stored; so is FEATURE, which a list has only on request. PERIOD
    is computed later, or stated by a user. SEARCH is computed for one answer.
    """

    RECORD = "record"
    METADATA = "metadata"
    SHARING = "sharing"
    FILE = "file"
    STATISTIC = "statistic"
    FEATURE = "feature"
    PERIOD = "period"
    SEARCH = "search"


class Operator(Enum):
    """How a criterion compares a field with its value."""

    ONE_OF = "equals"
    NONE_OF = "differs from"
    CONTAINS = "contains"
    AT_LEAST = "is at least"
    AT_MOST = "is at most"
    IS = "is"
    IS_NULL = "is null"
    SHARED_WITH = "is shared with"
    CONE = "lies within"
    STATISTIC = "compares"


@dataclass(frozen=True)
class Comparison:
    """A query parameter that compares a field with a value.

    ``robust`` names the field that is compared instead under ``useRobustMagAndRMS``. Without a ``sentence`` or a
    ``label`` the parameter is described by the field and the operator.
    """

    name: str
    operator: Operator
    sentence: str = ""
    label: str = ""
    aliases: tuple[str, ...] = ()
    robust: str | None = None


@dataclass(frozen=True)
class Interval:
    """The numbers that a field accepts, and the message about any other number."""

    message: str
    least: float | None = None
    most: float | None = None
    open_least: bool = False
    open_most: bool = False

    def __contains__(self, value: float) -> bool:
        """Return whether a number lies in the interval."""
        above = self.least is None or value > self.least or (value == self.least and not self.open_least)
        below = self.most is None or value < self.most or (value == self.most and not self.open_most)
        return above and below

    @property
    def schema(self) -> dict[str, float]:
        """The keywords of JSON Schema."""
        low = {"exclusiveMinimum" if self.open_least else "minimum": self.least}
        high = {"exclusiveMaximum" if self.open_most else "maximum": self.most}
        return {keyword: bound for keyword, bound in (low | high).items() if bound is not None}


RIGHT_ASCENSION: Final = Interval("Must be in [0, 360) deg.", 0, 360, open_most=True)
DECLINATION: Final = Interval("Must be in [-90, 90] deg.", -90, 90)
POSITIVE: Final = Interval("Must be positive.", 0, open_least=True)
NOT_NEGATIVE: Final = Interval("Must not be negative.", 0)

_DISPLAYED: Final = {"deg": "°", "arcsec": "″", "uJy": "µJy"}


def displayed(unit: str | None) -> str:
    """Return a unit as pages write it; none is empty."""
    return _DISPLAYED.get(unit or "", unit or "")


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of a series.

    Parameters
    ----------
    name : str
    type : Type
    section : Section
    label : str
        For pages.
    description : str
        A phrase without a full stop.
    unit : str, optional
        As VOUnits spells it.
    digits : int, optional
        Digits after the decimal point in tables and on pages.
    ucd : str, optional
        Of UCD1+.
    required : bool
        Whether a client must give it, or its table must contain it.
    filled : bool
        Whether it is never null; follows from ``required`` and ``default``.
    default : str, optional
    file_omits_default : bool
        Whether the stored file carries it only where it is not the default.
    in_file : bool
        Whether the stored file and exports carry it; False for metadata that only the catalogue has.
    values : tuple of str
        The allowed values; empty if there is no list.
    interval : Interval, optional
    refers_to : str, optional
        The kind of registry entry whose id it holds.
    criteria : tuple of Comparison
    verbosity : int, optional
        The least VERB of a cone search that shows it under its own name.
    on_page : bool
        Whether the page of a series lists it among the metadata or statistics.
    """

    name: str
    type: Type
    section: Section
    label: str
    description: str
    unit: str | None = None
    digits: int | None = None
    ucd: str | None = None
    required: bool = False
    filled: bool = False
    default: str | None = None
    file_omits_default: bool = False
    in_file: bool = True
    values: tuple[str, ...] = ()
    interval: Interval | None = None
    refers_to: str | None = None
    criteria: tuple[Comparison, ...] = ()
    verbosity: int | None = None
    on_page: bool = True

    @property
    def nullable(self) -> bool:
        """Whether its value can be null."""
        return not (self.required or self.filled or self.default is not None)

    @property
    def is_column(self) -> bool:
        """Whether the catalogue has a column of this name."""
        return self.section not in (Section.SHARING, Section.SEARCH)

    @property
    def is_text(self) -> bool:
        """Whether its value is a text."""
        return self.type in ("text", "name", "path", "unit")

    @property
    def is_magnitude(self) -> bool:
        """Whether its value is a magnitude, which depends on the system, and no difference of magnitudes."""
        return (self.ucd or "").startswith("phot.mag")

    @property
    def sentence(self) -> str:
        """The description with the unit."""
        return f"{self.description} [{self.unit}]" if self.unit else self.description

    @property
    def displayed_unit(self) -> str:
        """The unit as pages write it."""
        return displayed(self.unit)
