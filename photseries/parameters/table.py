"""THE TABLE of query parameters."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass

from photseries.fields import ANSWERED, FIELDS, Comparison, Field, Operator
from photseries.parameters.value_types import (
    COUNT,
    DECLINATION,
    FLAG,
    FLUX_UNITS,
    INTEGERS,
    MOMENT,
    NUMBER,
    NUMBERS,
    POSITIVE,
    RADIUS,
    RIGHT_ASCENSION,
    STATISTIC,
    TEXT,
    TEXTS,
    ValueType,
    any_of,
    choice,
)

__all__ = [
    "CONTROLS",
    "CRITERIA",
    "OF_SOURCE",
    "SEPARATION",
    "SUMMARY_CRITERIA",
    "Criterion",
    "Parameter",
    "snake_case",
]

MAX_PER_PAGE = 500

FORMATS = ("json", "hdf5", "none")

#: The value of ``sortBy`` that is not a field and needs a cone.
SEPARATION = "separation"


@dataclass(frozen=True)
class Parameter:
    """A query parameter: its spellings, its value type and its description."""

    name: str
    kind: ValueType
    sentence: str
    _: KW_ONLY
    aliases: tuple[str, ...] = ()
    default: object = None
    repeatable: bool = False

    @functools.cached_property
    def spellings(self) -> tuple[str, ...]:
        """All names under which the parameter is accepted."""
        return (self.name, *self.aliases)


def snake_case(name: str) -> str:
    """Return the Python spelling of a parameter: ``minMedianSNR`` is ``min_median_snr``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.replace("NaN", "Nan")).lower()


@dataclass(frozen=True)
class Criterion(Parameter):
    """A parameter that restricts which series match; ``robust`` is the field under ``useRobustMagAndRMS``."""

    _: KW_ONLY
    field: str
    operator: Operator
    label: str
    unit: str | None = None
    robust: str | None = None


_LABELS: Mapping[Operator, str] = {Operator.AT_LEAST: " at least", Operator.AT_MOST: " at most"}


def _criterion(field: Field, comparison: Comparison) -> Criterion:
    """Return the parameter that compares a field."""
    never = " Instrumental magnitudes never match." if field.is_magnitude else ""
    unit = f" [{field.unit}]" if field.unit and field.type == "number" else ""
    return Criterion(
        name=comparison.name,
        aliases=comparison.aliases,
        kind=_kind(field, comparison.operator),
        field=field.name,
        operator=comparison.operator,
        sentence=comparison.sentence or f"Series whose {field.name} {comparison.operator.value} this{unit}.{never}",
        label=comparison.label or f"{field.label}{_LABELS.get(comparison.operator, '')}",
        unit=field.unit,
        robust=comparison.robust,
    )


def _kind(field: Field, operator: Operator) -> ValueType:
    """Return the type of the value that a field is compared with."""
    match operator:
        case Operator.IS | Operator.IS_NULL:
            return FLAG
        case Operator.CONTAINS:
            return TEXT
        case Operator.AT_LEAST | Operator.AT_MOST:
            return {"integer": COUNT, "mjd": MOMENT}.get(field.type, NUMBER)
        case _ if field.values:
            return any_of(*field.values)
        case _:
            kinds = {"unit": FLUX_UNITS, "number": NUMBERS}
            return kinds.get(field.type, TEXTS if field.is_text else INTEGERS)


def _cone(name: str, kind: ValueType, label: str, description: str) -> Criterion:
    sentence = f"{description} of a cone; ra, dec and radius must be given together."
    return Criterion(
        name=name, kind=kind, field="position", operator=Operator.CONE, label=label, unit="deg", sentence=sentence
    )


#: The parameters that restrict which series match.
CRITERIA: tuple[Criterion, ...] = (
    _cone("ra", RIGHT_ASCENSION, FIELDS["ra"].label, "Centre, ICRS,"),
    _cone("dec", DECLINATION, FIELDS["dec"].label, "Centre, ICRS,"),
    _cone("radius", RADIUS, "Radius", "Radius"),
    *(_criterion(field, known) for field in FIELDS.values() for known in field.criteria),
    Criterion(
        name="stat",
        kind=STATISTIC,
        repeatable=True,
        field="statistics",
        operator=Operator.STATISTIC,
        label="Statistic of a column",
        sentence="Series with this statistic of a column, such as medians.bg<600; repeatable.",
    ),
)

#: The criterion of the path of one source.
OF_SOURCE = _criterion(FIELDS["obj_id"], Comparison("obj_id", Operator.ONE_OF, "Series of this source."))

#: The parameters of paging, order and content of the answer.
CONTROLS: tuple[Parameter, ...] = (
    Parameter(
        "useRobustMagAndRMS",
        FLAG,
        "Compare magBrighterThan, magFainterThan, minRMS and maxRMS with robust_mag and robust_rms.",
        default=False,
    ),
    Parameter(
        "timeScale",
        choice(*FIELDS["time_scale"].values),
        "The scale of the times in the criteria, which are converted for each series with a time_scale. "
        "Without this parameter, and for other series, times are compared with the stored MJD.",
    ),
    Parameter(
        "dataFormat",
        choice(*FORMATS),
        "Format of the table of each series: json, hdf5 (base64) or none.",
        default="none",
    ),
    Parameter(
        "sortBy",
        choice(*ANSWERED, SEPARATION),
        "The field to sort by. The id breaks ties, null sorts last, objects and lists sort "
        "as text, and separation needs a cone. "
        "Default: obj_id, or separation for a list of positions.",
    ),
    Parameter(
        "features",
        FLAG,
        "Whether to include the features, such as von_neumann; a single series always includes them.",
        default=False,
    ),
    Parameter("sortOrder", choice("asc", "desc"), "Ascending or descending.", default="asc"),
    Parameter("pageNumber", POSITIVE, "The page, from 1.", default=1),
    Parameter(
        "numPerPage",
        POSITIVE,
        f"Series per page, at most {MAX_PER_PAGE}; a higher number means {MAX_PER_PAGE}.",
        default=100,
    ),
    Parameter(
        "cursor",
        TEXT,
        "The `cursor` of the previous answer, in place of pageNumber. Every page is as fast as the first.",
    ),
    Parameter(
        "includeTotal",
        FLAG,
        "Whether to count all matches (totalMatches), which is slow for many matches.",
        default=True,
    ),
)

#: The parameters of an answer without pages.
SUMMARY_CRITERIA: tuple[Parameter, ...] = (
    *CRITERIA,
    *(known for known in CONTROLS if known.name in ("useRobustMagAndRMS", "timeScale")),
)
