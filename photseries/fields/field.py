"""The declaration of a field: its type, where it is stored, how it is displayed and compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
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
    """The section of a field, which determines where the field is stored.

    RECORD and FILE are columns of the catalogue that the service sets. METADATA is set by clients and stored in the
    catalogue and, if ``in_file``, in the file. SHARING is set by clients and has its own tables. STATISTIC and FEATURE
    are computed when the table is stored; lists include FEATURE only on request. PERIOD is computed later, or stored by
    a user. SEARCH is computed for one answer.
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
    """The comparison of a field with the value of a criterion."""

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

    ``robust`` is the field compared under ``useRobustMagAndRMS``. Without a ``sentence`` or a
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
    """The range of a field, and the message about numbers outside it."""

    message: str
    minimum: float | None = None
    maximum: float | None = None
    excludes_minimum: bool = False
    excludes_maximum: bool = False

    def __contains__(self, value: float) -> bool:
        """Return whether a number lies in the interval."""
        above = self.minimum is None or value > self.minimum or (value == self.minimum and not self.excludes_minimum)
        below = self.maximum is None or value < self.maximum or (value == self.maximum and not self.excludes_maximum)
        return above and below

    @property
    def schema(self) -> dict[str, float]:
        """The keywords of JSON Schema."""
        low = {"exclusiveMinimum" if self.excludes_minimum else "minimum": self.minimum}
        high = {"exclusiveMaximum" if self.excludes_maximum else "maximum": self.maximum}
        return {keyword: bound for keyword, bound in (low | high).items() if bound is not None}


RIGHT_ASCENSION: Final = Interval("Must be in [0, 360) deg.", 0, 360, excludes_maximum=True)
DECLINATION: Final = Interval("Must be in [-90, 90] deg.", -90, 90)
POSITIVE: Final = Interval("Must be positive.", 0, excludes_minimum=True)
NOT_NEGATIVE: Final = Interval("Must not be negative.", 0)

_DISPLAYED: Final = {"deg": "°", "arcsec": "″", "uJy": "µJy"}


def displayed(unit: str | None) -> str:
    """Return a unit in the notation of the pages; empty for None."""
    name, slash, divisor = (unit or "").partition("/")
    return f"{_DISPLAYED.get(name, name)}{slash}{divisor}"


@dataclass(frozen=True)
class Field:
    """A field of a series.

    Parameters
    ----------
    name : str
    type : Type
    label : str
        For pages.
    description : str
        A phrase without a full stop.
    section : Section
    unit : str, optional
        In VOUnits spelling.
    brightness_unit : str, optional
        In place of a unit: a pattern of the unit of the quantity that ``features_of`` names, such as "{}/d".
    digits : int, optional
        Digits after the decimal point in tables and on pages.
    ucd : str, optional
        Of UCD1+.
    required : bool
        Whether the request or its table must contain it.
    filled : bool
        Whether it is never null; follows from ``required`` and ``default``.
    default : str, optional
    file_omits_default : bool
        Whether the stored file omits the default.
    in_file : bool
        Whether the stored file and exports contain it; False for metadata only in the catalogue.
    values : tuple of str
        The allowed values; empty if there is no list.
    value_labels : mapping of str to str
        The usual form of values, for pages; values without a label are displayed unchanged.
    interval : Interval, optional
    refers_to : str, optional
        The kind of registry entry that it refers to.
    criteria : tuple of Comparison
    verbosity : int, optional
        The smallest VERB of a cone search that includes it under its own name.
    on_page : bool
        Whether the page of a series lists it among the metadata or statistics.
    """

    name: str
    type: Type
    label: str
    description: str
    _: KW_ONLY
    section: Section
    unit: str | None = None
    brightness_unit: str = ""
    digits: int | None = None
    ucd: str | None = None
    required: bool = False
    filled: bool = False
    default: str | None = None
    file_omits_default: bool = False
    in_file: bool = True
    values: tuple[str, ...] = ()
    value_labels: Mapping[str, str] = field(default_factory=dict)
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
        """Whether its value is a magnitude in the system of the series, not a difference of magnitudes."""
        return (self.ucd or "").startswith("phot.mag")

    @property
    def units(self) -> str:
        """The unit, or the units that it may have; empty for none."""
        return self.unit or " or ".join(dict.fromkeys(map(self.brightness_unit.format, ("mag", "flux"))))

    @property
    def sentence(self) -> str:
        """The description with the unit."""
        return f"{self.description} [{self.units}]" if self.units else self.description

    def label_of(self, value: str) -> str:
        """Return a text value in its usual form."""
        return displayed(value) if self.type == "unit" else self.value_labels.get(value, value)

    @property
    def displayed_unit(self) -> str:
        """The unit in the notation of the pages."""
        return displayed(self.unit)
