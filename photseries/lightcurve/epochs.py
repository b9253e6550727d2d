"""Check whether the median of the times can be an MJD, and recognise other time formats."""

from __future__ import annotations

import math
from typing import Final

__all__ = ["EARLIEST", "JULIAN_DATES", "LATEST", "NEAR_ZERO", "YEAR_1900", "likely_format"]

#: Bounds of the median time [d]. Below NEAR_ZERO (sample data) it is accepted with a warning; from there to EARLIEST
#: and after LATEST (the year 2150) it is refused; before 1900 there are only photographic plates.
NEAR_ZERO, EARLIEST, YEAR_1900, LATEST = 100.0, 7_700.0, 15_020.0, 106_400.0

#: Julian dates of observations [d]: a lower bound and an exclusive upper bound, in 1585 and 2406.
JULIAN_DATES: Final = (2.3e6, 2.6e6)

#: Lower bound, exclusive upper bound, and the time format of such medians.
_LOOKS_LIKE: Final = (
    (
        NEAR_ZERO,
        math.nextafter(EARLIEST, math.inf),
        "They look like BTJD of TESS (MJD = BTJD + 56999.5), BKJD of Kepler (MJD = BKJD + 54832.5) or JD - 2450000 "
        "(MJD = value + 49999.5).",
    ),
    (*JULIAN_DATES, "They look like Julian dates: MJD = JD - 2400000.5."),
    (1e10, math.inf, "They look like milliseconds or shorter units of time."),
    (
        math.nextafter(LATEST, math.inf),
        math.inf,
        "They look like seconds: MJD = seconds / 86400 + MJD of second 0 (40587 for Unix time).",
    ),
)


def likely_format(median: float) -> str | None:
    """Return the probable format of times whose median cannot be an MJD, or None if it can.

    Parameters
    ----------
    median : float
        [d]

    Returns
    -------
    str or None
        A sentence with the likely format.
    """
    return next((text for low, high, text in _LOOKS_LIKE if low <= median < high), None)
