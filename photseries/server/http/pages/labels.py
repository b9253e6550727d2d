"""Labels and display formats of the fields of a series."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from photseries.fields import FIELDS, Section, displayed
from photseries.lightcurve.calibration import calibration_of, unit_in

__all__ = [
    "cell_of",
    "date_of",
    "dates_of",
    "field_rows",
    "format_count",
    "format_value",
    "head_of",
    "label_of",
    "number",
    "value_of",
]

_MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)


def field_rows(fields: Mapping[str, object], section: Section) -> list[tuple[str, str, str]]:
    """Return label, value and unit of the listed fields of a section that have a value."""
    return [
        (field.label, value_of(fields, name), displayed(unit_in(field, fields)))
        for name, field in FIELDS.items()
        if field.section is section and field.on_page and fields[name] is not None
    ]


def label_of(name: str) -> str:
    """Return the label of a field, and the name of anything else, such as the table of a series."""
    return FIELDS[name].label if name in FIELDS else name


def head_of(name: str) -> str:
    """Return the column header of a field: the label with the unit."""
    field = FIELDS[name]
    return f"{field.label} [{field.displayed_unit}]" if field.unit and field.type != "mjd" else field.label


def number(value: object, digits: int | None = None) -> str:
    """Format a value: with fixed decimals if given, else integers with thousands separators, others with six digits."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) and digits is None:
        return f"{value:,}"
    return f"{value:.6g}" if digits is None else f"{value:.{digits}f}"


def value_of(fields: Mapping[str, object], name: str) -> str:
    """Format the value of a field: errors and probabilities with two digits, texts in their usual form."""
    field, value = FIELDS[name], fields[name]
    if isinstance(value, str):
        return field.label_of(value)
    if field.digits is None and (field.ucd or "").startswith(("stat.error", "stat.probability")):
        return number(float(f"{value:.2g}"))
    return number(value, field.digits)


def cell_of(fields: Mapping[str, object], name: str) -> str:
    """Format the value of a field in a table of series: magnitudes other than AB with their system."""
    value = value_of(fields, name)
    calibration = calibration_of(fields)
    return f"{value} {calibration.system}" if FIELDS[name].is_magnitude and calibration.magsys != "ab" else value


def format_value(value: object) -> str:
    """Format the value of a registry entry."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else number(value)


def format_count(count: int, noun: str) -> str:
    """Format a count with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def dates_of(fields: Mapping[str, float]) -> str:
    """Format the first and last date of a series; a single night has one, times outside the calendar have none."""
    dates = dict.fromkeys((date_of(fields["mjd_first"]), date_of(fields["mjd_last"])))
    return " to ".join(filter(None, dates))


def date_of(mjd: float | None) -> str:
    """Format an MJD as a date; empty if it is outside the calendar."""
    try:
        return "" if mjd is None else f"{_MJD_EPOCH + timedelta(days=mjd):%Y-%m-%d}"
    except OverflowError:
        return ""
