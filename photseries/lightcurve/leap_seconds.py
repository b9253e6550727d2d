"""The UTC days that do not have 86,400 seconds.

An MJD in UTC is the number of the day plus the elapsed fraction of that day, as in ERFA ("quasi-MJD"). On a day that
ends with a leap second the fraction therefore refers to 86,401 s. Importing this module loads neither numpy nor pandas.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["LEAP_SECOND", "LEAP_SECONDS", "mjd_of_utc"]

#: A second 60 in ISO 8601, which datetime and pandas refuse.
LEAP_SECOND: Final = re.compile(r"(?<=[T ][0-9]{2}:[0-9]{2}):60")

#: MJD of each day that ends with a step of UTC -> the size of the step [s]. The steps before 1972 are fractions.
LEAP_SECONDS: Final[Mapping[int, float]] = {
    37299: 0.005,
    37511: -0.05,
    **dict.fromkeys((38333, 38485, 38638, 38760, 38819, 38941, 39003), 0.1),
    39886: -0.1,
    41316: 0.107758,
    **dict.fromkeys(
        (
            *(41498, 41682, 42047, 42412, 42777, 43143, 43508, 43873, 44238, 44785, 45150, 45515, 46246, 47160),
            *(47891, 48256, 48803, 49168, 49533, 50082, 50629, 51178, 53735, 54831, 56108, 57203, 57753),
        ),
        1.0,
    ),
}

_SECONDS_PER_DAY: Final = 86_400
_EPOCH: Final = datetime(1858, 11, 17, tzinfo=UTC)


def mjd_of_utc(text: str) -> float:
    """Compute the MJD of a date and time in UTC.

    Parameters
    ----------
    text : str
        ISO 8601; UTC unless it has an offset. The seconds may be 60 in a leap second.

    Returns
    -------
    float
        MJD in UTC [d].

    Raises
    ------
    ValueError
        When the text is not a date and time, or names a second 60 outside a leap second.
    """
    rewritten, in_leap_second = LEAP_SECOND.subn(":59", text)
    moment = datetime.fromisoformat(rewritten)
    day, time_of_day = divmod(moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH, timedelta(days=1))
    seconds = time_of_day.total_seconds() + in_leap_second
    length = _SECONDS_PER_DAY + LEAP_SECONDS.get(day, 0.0)
    if in_leap_second and not _SECONDS_PER_DAY <= seconds < length:
        raise ValueError(f"{text} is not in a leap second of UTC")
    return day + seconds / length
