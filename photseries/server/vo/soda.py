"""SODA 1.0 for series: cut out a time range and columns, in any format."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

from photseries.errors import InvalidError, PhotseriesError
from photseries.formats.registry import WRITERS, Format
from photseries.lightcurve.selection import Selection

__all__ = ["error_text", "parse", "series_number"]

#: HTTP status -> the word that begins a message, by SODA 1.0, section 5.2; others: see :func:`error_text`.
_FAULTS: Final[Mapping[int, str]] = {
    401: "AuthenticationError",
    403: "AuthorizationError",
    429: "ServiceUnavailable",
    503: "ServiceUnavailable",
}

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
    identities, times = parameters.get("ID", ()), parameters.get("TIME", ())
    for name, texts in (("ID", identities), ("TIME", times)):
        if len(texts) > 1:
            raise _ManyValuesError(f"A cut-out takes one {name}, not {len(texts)}.")
    if not identities:
        raise InvalidError("A cut-out needs one ID, not 0.")
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


def error_text(error: PhotseriesError) -> str:
    """Return the text of an error, which begins with one of the words of SODA 1.0, section 5.2."""
    if isinstance(error, _ManyValuesError):
        fault = "MultiValuedParamNotSupported"
    else:
        fault = _FAULTS.get(error.status, "UsageError" if error.status < 500 else "Error")
    return f"{fault}: {error.message}\n"


class _ManyValuesError(InvalidError):
    """A parameter has several values."""


def _interval(text: str) -> tuple[float | None, float | None]:
    """Parse a DALI 1.1 interval; an infinite end becomes None."""
    try:
        low, high = map(float, text.split())
    except ValueError:
        raise InvalidError(f"TIME {text[:60]!r} must be two numbers [MJD], e.g. 59000 59001 or -Inf 59001.") from None
    if math.isnan(low) or math.isnan(high) or low > high:
        raise InvalidError(f"TIME {text[:60]!r}: the first number must not be greater than the second.")
    return None if low == -math.inf else low, None if high == math.inf else high
