"""THE TABLE of query parameters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from photseries.parameters.kinds import (
    COUNT,
    DECLINATION,
    FLAG,
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
    Kind,
    choice,
)

__all__ = [
    "CONTROLS",
    "CRITERIA",
    "OF_SOURCE",
    "SEPARATION",
    "SORTABLE",
    "SUMMED_UP",
    "Criterion",
    "Operator",
    "Parameter",
    "snake_case",
]

MOST_PER_PAGE = 500

FORMATS = ("json", "hdf5", "none")

#: What ``sortBy`` takes beside the fields, where there is a cone.
SEPARATION = "separation"

#: The fields that ``sortBy`` takes.
SORTABLE = tuple(
    """
    obj_id id created_at modified series_name series_obj_id filter channel origin instrument_id owner_id ra dec
    exp_time frame_rate num_exp num_detected mjd_first mjd_mid mjd_last mjd_last_detected mag_first mag_last
    mag_last_detected mean_mag rms_mag robust_mag robust_rms mean_flux rms_flux robust_flux robust_rms_flux magref
    limiting_mag median_snr best_snr worst_snr
    """.split()  # noqa: SIM905
)


class Operator(Enum):
    """How a criterion compares a field with its value."""

    ONE_OF = "equals"
    NONE_OF = "differs from"
    CONTAINS = "contains"
    AT_LEAST = "at least"
    AT_MOST = "at most"
    IS = "is"
    IS_NULL = "is null"
    SHARED_WITH = "is shared with"
    CONE = "lies within"
    STATISTIC = "compares"


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A query parameter: its spellings, the kind of its value and the sentence that the documentation prints."""

    name: str
    kind: Kind
    sentence: str
    aliases: tuple[str, ...] = ()
    default: Any = None
    repeatable: bool = False

    @property
    def spellings(self) -> tuple[str, ...]:
        """All names under which the parameter is accepted."""
        return (self.name, *self.aliases)


def snake_case(name: str) -> str:
    """Give the Python spelling of a parameter: ``minMedianSNR`` is ``min_median_snr``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.replace("NaN", "Nan")).lower()


@dataclass(frozen=True, kw_only=True)
class Criterion(Parameter):
    """A parameter that restricts which series match; ``robust`` is the field under ``useRobustMagAndRMS``."""

    field: str
    operator: Operator
    unit: str | None = None
    robust: str | None = None


def _one_of(name: str, field: str, kind: Kind, what: str, *aliases: str) -> Criterion:
    sentence = f"Series {what}."
    return Criterion(name=name, kind=kind, field=field, operator=Operator.ONE_OF, sentence=sentence, aliases=aliases)


def _contains(name: str, field: str) -> Criterion:
    sentence = f"Series whose {field} contains this text; % and _ are plain characters."
    return Criterion(name=name, kind=TEXT, field=field, operator=Operator.CONTAINS, sentence=sentence)


def _range(low: str, high: str, field: str, kind: Kind, unit: str | None = None, **more: Any) -> Iterator[Criterion]:
    """Give the two parameters that bound a field, bounds included."""
    low_aliases, high_aliases = more.pop("aliases", ((), ()))
    for name, aliases, operator in ((low, low_aliases, Operator.AT_LEAST), (high, high_aliases, Operator.AT_MOST)):
        sentence = f"Series whose {field} is {operator.value} this."
        yield Criterion(
            name=name, aliases=aliases, kind=kind, field=field, operator=operator, unit=unit, sentence=sentence, **more
        )


def _min_max(what: str, field: str, kind: Kind = NUMBER, unit: str | None = None, **more: Any) -> Iterator[Criterion]:
    return _range(f"min{what}", f"max{what}", field, kind, unit, **more)


def _magnitudes(what: str, field: str, **more: Any) -> Iterator[Criterion]:
    return _range(f"{what}FainterThan", f"{what}BrighterThan", field, NUMBER, "AB", **more)


def _cone(name: str, kind: Kind, what: str) -> Criterion:
    sentence = f"{what} of a cone; ra, dec and radius come together."
    return Criterion(name=name, kind=kind, field="position", operator=Operator.CONE, unit="deg", sentence=sentence)


#: The parameters that restrict which series match.
CRITERIA: tuple[Criterion, ...] = (
    _cone("ra", RIGHT_ASCENSION, "Centre, ICRS,"),
    _cone("dec", DECLINATION, "Centre, ICRS,"),
    _cone("radius", RADIUS, "Radius"),
    _contains("objectID", "obj_id"),
    Criterion(
        name="rejectedObjectIDs",
        aliases=("rejectedObjectID",),
        kind=TEXTS,
        field="obj_id",
        operator=Operator.NONE_OF,
        sentence="Series of none of these sources.",
    ),
    _one_of("seriesName", "series_name", TEXTS, "with exactly this series_name"),
    _one_of("seriesObjID", "series_obj_id", TEXTS, "with exactly this series_obj_id"),
    _one_of("filter", "filter", TEXTS, "through this filter"),
    _one_of("channel", "channel", TEXTS, "of this channel"),
    _one_of("origin", "origin", TEXTS, "of this origin"),
    _contains("filename", "filename"),
    _one_of("hash", "hash", TEXTS, "whose file has this MD5"),
    _one_of("contentHash", "content_hash", TEXTS, "whose table has this content_hash"),
    *_range("startAfter", "startBefore", "mjd_first", MOMENT, "d"),
    *_range("midAfter", "midBefore", "mjd_mid", MOMENT, "d", aliases=(("midTimeAfter",), ("midTimeBefore",))),
    *_range("endAfter", "endBefore", "mjd_last", MOMENT, "d"),
    Criterion(
        name="detected",
        kind=FLAG,
        field="is_detected",
        operator=Operator.IS,
        sentence="Series with, or without, a detected point.",
    ),
    *_min_max("NumDetected", "num_detected", COUNT),
    _one_of("expTime", "exp_time", NUMBERS, "with exactly this exp_time [s]"),
    *_min_max("ExpTime", "exp_time", unit="s"),
    *_min_max("FrameRate", "frame_rate", unit="Hz"),
    *_min_max("NumExposures", "num_exp", COUNT),
    _one_of("instrumentID", "instrument_id", INTEGERS, "taken with this instrument"),
    _one_of("followupRequestID", "followup_request_id", INTEGERS, "of this followup request"),
    _one_of("assignmentID", "assignment_id", INTEGERS, "of this assignment"),
    _one_of("ownerID", "owner_id", INTEGERS, "of this owner"),
    Criterion(
        name="groupID",
        kind=INTEGERS,
        field="group_ids",
        operator=Operator.SHARED_WITH,
        sentence="Series shared with this group, which must be one that you see.",
    ),
    Criterion(
        name="streamID",
        kind=INTEGERS,
        field="stream_ids",
        operator=Operator.SHARED_WITH,
        sentence="Series of this stream, which must be one that you see.",
    ),
    *_magnitudes("mag", "mean_mag", robust="robust_mag"),
    *_min_max("RMS", "rms_mag", unit="AB", robust="robust_rms"),
    *_magnitudes("limitingMag", "limiting_mag"),
    Criterion(
        name="limitingMagIsNaN",
        aliases=("limitingMagIsNone",),
        kind=FLAG,
        field="limiting_mag",
        operator=Operator.IS_NULL,
        sentence="Series without (true) or with (false) a limiting magnitude.",
    ),
    *_magnitudes("magref", "magref"),
    *_min_max("MedianSNR", "median_snr"),
    *_min_max("BestSNR", "best_snr"),
    *_min_max("WorstSNR", "worst_snr"),
    Criterion(
        name="stat",
        kind=STATISTIC,
        repeatable=True,
        field="statistics",
        operator=Operator.STATISTIC,
        sentence="Series with such a statistic of one of their columns; may be given several times.",
    ),
)

#: The series of one source, which has a path of its own.
OF_SOURCE = _one_of("obj_id", "obj_id", TEXTS, "of this source")

#: The parameters that shape the answer.
CONTROLS: tuple[Parameter, ...] = (
    Parameter(
        name="useRobustMagAndRMS",
        kind=FLAG,
        default=False,
        sentence="Compare magBrighterThan, magFainterThan, minRMS and maxRMS with robust_mag and robust_rms.",
    ),
    Parameter(
        name="dataFormat",
        kind=choice(*FORMATS),
        default="none",
        sentence="How the table of each series comes: json, hdf5 (base64) or none.",
    ),
    Parameter(
        name="sortBy",
        kind=choice(*SORTABLE, SEPARATION),
        sentence="The field that orders the answer; the id breaks ties, null comes last; separation goes with a cone. "
        "Default: obj_id, or separation for a list of positions.",
    ),
    Parameter(name="sortOrder", kind=choice("asc", "desc"), default="asc", sentence="Ascending or descending."),
    Parameter(name="pageNumber", kind=POSITIVE, default=1, sentence="The page, from 1."),
    Parameter(
        name="numPerPage",
        kind=POSITIVE,
        default=100,
        sentence=f"Series on a page; above {MOST_PER_PAGE} acts as {MOST_PER_PAGE}.",
    ),
    Parameter(
        name="cursor",
        kind=TEXT,
        sentence="The `cursor` of the previous answer, instead of pageNumber: the page after, as cheap as the first.",
    ),
    Parameter(
        name="includeTotal",
        kind=FLAG,
        default=True,
        sentence="Whether to count all matches (totalMatches), which costs more the more there are.",
    ),
)

#: The parameters of an answer that has no pages.
SUMMED_UP: tuple[Parameter, ...] = (*CRITERIA, *(known for known in CONTROLS if known.name == "useRobustMagAndRMS"))
