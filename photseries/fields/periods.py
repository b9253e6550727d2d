"""The fields of the period of a series, found by the service or stored by a user."""

from __future__ import annotations

from functools import partial
from typing import Final

from photseries.fields.field import Comparison, Field, Operator, Section

__all__ = ["PERIOD_FIELDS"]


_period = partial(Field, section=Section.PERIOD)

#: The preferred period of a series, else the one found by the service; null without a period.
PERIOD_FIELDS: Final[tuple[Field, ...]] = (
    _period(
        "period", "number", "Period", "the preferred period, else the best period found by the service", unit="d",
        digits=6, ucd="time.period",
        criteria=(Comparison("minPeriod", Operator.AT_LEAST), Comparison("maxPeriod", Operator.AT_MOST)),
    ),
    _period(
        "period_power", "number", "Power of the period",
        "power of the periodogram at this period, from 0 to 1; null if unknown", ucd="stat.value",
    ),
    _period(
        "period_false_alarm", "number", "False-alarm probability",
        "probability that white noise alone reaches this power; null if unknown", ucd="stat.probability",
        criteria=(Comparison("maxFalseAlarm", Operator.AT_MOST),),
    ),
    _period(
        "period_error", "number", "Error of the period", "standard deviation of period; null if unknown", unit="d",
        ucd="stat.error;time.period",
    ),
    _period(
        "period_method", "text", "Method of the period", "method that found the period, such as lomb_scargle",
        ucd="meta.code",
        value_labels={
            "lomb_scargle": "Lomb-Scargle", "harmonics": "two harmonics", "bls": "box least squares (transits)",
            "pdm": "phase dispersion",
        },
    ),
)  # fmt: skip
