"""The rows of the table of fields for the period of a series, which the service searches for or a user states."""

from __future__ import annotations

from typing import Final

from photseries.fields.field import Comparison, Field, Operator, Section

__all__ = ["PERIOD_FIELDS"]


def _period(name: str, label: str, description: str, ucd: str, *criteria: Comparison, unit: str | None = None) -> Field:
    return Field(
        name=name, type="text" if name == "period_method" else "number", section=Section.PERIOD, label=label,
        description=description, unit=unit, digits=6 if unit else None, ucd=ucd, criteria=criteria,
    )  # fmt: skip


#: The preferred period of a series, else the one that the service found; null until there is one.
PERIOD_FIELDS: Final[tuple[Field, ...]] = (
    _period(
        "period", "Period", "the preferred period, else the best one that the service found", "time.period",
        Comparison("minPeriod", Operator.AT_LEAST), Comparison("maxPeriod", Operator.AT_MOST), unit="d",
    ),
    _period(
        "period_power", "Power of the period", "power of the periodogram at period, from 0 to 1; null where unknown",
        "stat.value",
    ),
    _period(
        "period_false_alarm", "False-alarm probability",
        "probability that white noise alone has as much power; null where unknown", "stat.probability",
        Comparison("maxFalseAlarm", Operator.AT_MOST),
    ),
    _period(
        "period_error", "Error of the period", "standard deviation of period; null where unknown",
        "stat.error;time.period", unit="d",
    ),
    _period("period_method", "Method of the period", "how period was found, such as lomb_scargle", "meta.code"),
)  # fmt: skip
