"""The fields of the period of a series, found by the service or stored by a user."""

from __future__ import annotations

from typing import Final

from photseries.fields.field import Comparison, Field, Operator, Section

__all__ = ["PERIOD_FIELDS"]


def _period(name: str, label: str, description: str, ucd: str, *criteria: Comparison, unit: str | None = None) -> Field:
    return Field(
        name=name, type="text" if name == "period_method" else "number", section=Section.PERIOD, label=label,
        description=description, unit=unit, digits=6 if name == "period" else None, ucd=ucd, criteria=criteria,
    )  # fmt: skip


#: The preferred period of a series, else the one found by the service; null without a period.
PERIOD_FIELDS: Final[tuple[Field, ...]] = (
    _period(
        "period", "Period", "the preferred period, else the best period found by the service", "time.period",
        Comparison("minPeriod", Operator.AT_LEAST), Comparison("maxPeriod", Operator.AT_MOST), unit="d",
    ),
    _period(
        "period_power", "Power of the period", "power of the periodogram at this period, from 0 to 1; null if unknown",
        "stat.value",
    ),
    _period(
        "period_false_alarm", "False-alarm probability",
        "probability that white noise alone reaches this power; null if unknown", "stat.probability",
        Comparison("maxFalseAlarm", Operator.AT_MOST),
    ),
    _period(
        "period_error", "Error of the period", "standard deviation of period; null if unknown",
        "stat.error;time.period", unit="d",
    ),
    _period("period_method", "Method of the period", "method that found the period, such as lomb_scargle", "meta.code"),
)  # fmt: skip
