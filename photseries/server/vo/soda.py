"""SODA 1.0 for series: cut out a time range and columns, in any format."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

from photseries.errors import InvalidError
from photseries.formats.registry import WRITERS, Format
from photseries.lightcurve.selection import Selection

__all__ = ["parse", "series_number"]

_OURS: Final = re.compile(r"(?:ivo://[^?]*\?)?([0-9]{1,18})")


def series_number(identity: str) -> str:
    """Parse the id of a series, given as a number or as ``ivo://...?NUMBER``."""
    match = _OURS.fullmatch(identity.strip())
    return identity if match is None else match[1]


def parse(parameters: Mapping[str, Sequence[str]]) -> tuple[str, Selection, Format]:
    """Parse the parameters ID, TIME, COLUMN and RESPONSEFORMAT (names in capitals); ignore others.

    Returns
    -------
    identity, part, writer : str, Selection, Format

    Raises
    ------
    InvalidError
    """
    identities = parameters.get("ID", ())
    if len(identities) != 1:
        raise InvalidError(f"A cut-out needs one ID, not {len(identities)}.")
    times = parameters.get("TIME", ())
    if len(times) > 1:
        raise InvalidError(f"A cut-out takes one TIME, not {len(times)}.")
    low, high = _interval(times[0]) if times else (None, None)
    columns = tuple(name.strip() for text in parameters.get("COLUMN", ()) for name in text.split(",") if name.strip())
    name = (parameters.get("RESPONSEFORMAT") or parameters.get("FORMAT") or ["votable"])[-1]
    plain = name.strip().lower().replace(" xml", "+xml")  # a URL may leave the plus unescaped
    writer = next(
        (candidate for candidate in WRITERS.values() if plain in (candidate.name, candidate.plain_type.lower())), None
    )
    if writer is None:
        raise InvalidError(f"RESPONSEFORMAT {name[:40]!r} is not one of: {', '.join(WRITERS)}.")
    return series_number(identities[0]), Selection(columns=columns or None, mjd_min=low, mjd_max=high), writer


def _interval(text: str) -> tuple[float | None, float | None]:
    """Parse a DALI 1.1 interval; an infinite end becomes None."""
    try:
        low, high = map(float, text.split())
    except ValueError:
        raise InvalidError(f"TIME {text[:60]!r} must be two numbers [MJD], e.g. 59000 59001 or -Inf 59001.") from None
    if math.isnan(low) or math.isnan(high) or low > high:
        raise InvalidError(f"TIME {text[:60]!r}: the first number must not be greater than the second.")
    return None if low == -math.inf else low, None if high == math.inf else high
