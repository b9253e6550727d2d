"""How the fields of a series are called and written for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

__all__ = ["STATISTICS", "WORDS", "Word", "counted", "date_of", "number", "written"]

_MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)


class Word(NamedTuple):
    """What a field is called, its unit, and how many digits after the point it has; None: as many as it needs."""

    field: str
    label: str
    unit: str = ""
    digits: int | None = None


WORDS = (
    Word("series_name", "Series"),
    Word("series_obj_id", "Object in the series"),
    Word("ra", "RA", "°", 6),
    Word("dec", "Dec", "°", 6),
    Word("exp_time", "Exposure", "s"),
    Word("frame_rate", "Frame rate", "Hz"),
    Word("channel", "Channel"),
    Word("origin", "Origin"),
    Word("limiting_mag", "Limiting magnitude", "AB"),
    Word("magref", "Reference magnitude", "AB"),
    Word("e_magref", "± reference", "AB"),
    Word("time_stamp_alignment", "Time stamps", "of the exposure"),
    Word("time_scale", "Time scale"),
    Word("time_refpos", "Times refer to"),
    Word("followup_request_id", "Follow-up request"),
    Word("assignment_id", "Assignment"),
)

STATISTICS = (
    Word("num_exp", "Exposures"),
    Word("num_detected", "Detected"),
    Word("mean_mag", "Mean", "AB", 4),
    Word("rms_mag", "Scatter", "AB", 4),
    Word("robust_mag", "Robust mean", "AB", 4),
    Word("robust_rms", "Robust scatter", "AB", 4),
    Word("mean_flux", "Mean flux", "µJy"),
    Word("robust_flux", "Robust flux", "µJy"),
    Word("robust_rms_flux", "Robust scatter of flux", "µJy"),
    Word("median_snr", "Median S/N", "", 1),
    Word("best_snr", "Best S/N", "", 1),
    Word("worst_snr", "Worst S/N", "", 1),
)


def written(fields: Mapping[str, Any], words: Sequence[Word]) -> list[tuple[str, str, str]]:
    """Write the fields that have a value: label, value, unit."""
    return [
        (word.label, number(fields[word.field], word.digits), word.unit)
        for word in words
        if fields.get(word.field) is not None
    ]


def number(value: Any, digits: int | None = None) -> str:
    """Write a value: with fixed digits where given, else integers with thousands apart, others with six figures."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) and digits is None:
        return f"{value:,}"
    return f"{value:.6g}" if digits is None else f"{value:.{digits}f}"


def counted(count: int, noun: str) -> str:
    """Write how many there are."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def date_of(mjd: float | None) -> str:
    """Write an MJD as a date, which is empty when it is none that a calendar has."""
    try:
        return "" if mjd is None else f"{_MJD_EPOCH + timedelta(days=mjd):%Y-%m-%d}"
    except OverflowError:
        return ""
