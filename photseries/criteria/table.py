"""THE TABLE of query parameters."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

from photseries.criteria.kinds import INTEGERS, POSITIVE, TEXT, TEXTS, Kind, choice

__all__ = ["CONTROLS", "CRITERIA", "SORTABLE", "Criterion", "Operator", "Parameter"]

MOST_PER_PAGE = 500

FORMATS = ("json", "hdf5", "none")

#: The fields that ``sortBy`` takes.
SORTABLE = (
    "obj_id",
    "id",
    "created_at",
    "modified",
    "series_name",
    "series_obj_id",
    "filter",
    "channel",
    "origin",
    "instrument_id",
    "owner_id",
    "ra",
    "dec",
    "exp_time",
    "frame_rate",
    "num_exp",
    "num_detected",
    "mjd_first",
    "mjd_mid",
    "mjd_last",
    "mjd_last_detected",
    "mag_first",
    "mag_last",
    "mag_last_detected",
    "mean_mag",
    "rms_mag",
    "robust_mag",
    "robust_rms",
    "mean_flux",
    "robust_flux",
    "magref",
    "limiting_mag",
    "median_snr",
    "best_snr",
    "worst_snr",
)


class Operator(Enum):
    """How a criterion compares a field with its value."""

    ONE_OF = "one of"
    CONTAINS = "contains"


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A query parameter: its spellings, the kind of its value and the sentence that the documentation prints."""

    name: str
    kind: Kind
    sentence: str
    aliases: tuple[str, ...] = ()
    default: Any = None

    @property
    def spellings(self) -> tuple[str, ...]:
        """All names under which the parameter is accepted."""
        return (self.name, *self.aliases)


@dataclass(frozen=True, kw_only=True)
class Criterion(Parameter):
    """A parameter that restricts which series match."""

    field: str
    operator: Operator
    unit: str | None = None


#: The parameters that restrict which series match.
CRITERIA: tuple[Criterion, ...] = (
    Criterion(
        name="objectID",
        kind=TEXT,
        field="obj_id",
        operator=Operator.CONTAINS,
        sentence="Series of sources whose obj_id contains this text.",
    ),
    Criterion(
        name="seriesName",
        kind=TEXTS,
        field="series_name",
        operator=Operator.ONE_OF,
        sentence="Series with exactly this series_name.",
    ),
    Criterion(
        name="filter",
        kind=TEXTS,
        field="filter",
        operator=Operator.ONE_OF,
        sentence="Series through this filter.",
    ),
    Criterion(
        name="instrumentID",
        kind=INTEGERS,
        field="instrument_id",
        operator=Operator.ONE_OF,
        sentence="Series taken with this instrument.",
    ),
)

#: The parameters that shape the answer.
CONTROLS: tuple[Parameter, ...] = (
    Parameter(
        name="dataFormat",
        kind=choice(*FORMATS),
        default="none",
        sentence="How the table of each series comes: json, hdf5 (base64) or none.",
    ),
    Parameter(
        name="sortBy",
        kind=choice(*SORTABLE),
        default="obj_id",
        sentence="The field that orders the answer; the id breaks ties, null comes last.",
    ),
    Parameter(name="sortOrder", kind=choice("asc", "desc"), default="asc", sentence="Ascending or descending."),
    Parameter(name="pageNumber", kind=POSITIVE, default=1, sentence="The page, from 1."),
    Parameter(
        name="numPerPage",
        kind=POSITIVE,
        default=100,
        sentence=f"Series on a page; above {MOST_PER_PAGE} acts as {MOST_PER_PAGE}.",
    ),
)
