"""Convert times between the scales that a series can name."""

from __future__ import annotations

import math
from typing import Final

from photseries.fields import FIELDS
from photseries.lightcurve.leap_seconds import LEAP_SECONDS

__all__ = ["in_every_scale"]

_DAY: Final = 86_400.0
_TT_MINUS_TAI: Final = 32.184

#: From this MJD TAI - UTC is a whole number of seconds; it was 10 then.
_YEAR_1972: Final = 41_317

#: The largest terms of TDB - TT: amplitude [s], frequency [rad/century], phase [rad].
_TERMS: Final = (
    (0.001657, 628.3076, 6.2401),
    (0.000022, 575.3385, 4.2970),
    (0.000014, 1256.6152, 6.1969),
    (0.000005, 606.9777, 4.0212),
    (0.000005, 52.9691, 0.4444),
    (0.000002, 21.3299, 5.5431),
)


def in_every_scale(mjd: float, scale: str) -> dict[str, float]:
    """Convert a time into every scale of the field ``time_scale``.

    Parameters
    ----------
    mjd : float
        MJD [d] in ``scale``; of UTC as in ERFA, where a day with a leap second has 86,401 s.
    scale : {"utc", "tai", "tt", "tdb"}

    Returns
    -------
    dict of str to float
        MJD [d] by scale; in ``scale`` itself it is ``mjd``, unchanged.

    Notes
    -----
    TDB - TT is the series of the Astronomical Almanac (USNO Circular 179, eq. 2.6), accurate to 10 us. Before 1972
    TAI - UTC is taken as 10 s, which is wrong by at most 9 s in 1960.
    """
    match scale:
        case "utc":
            tai = _tai_of_utc(mjd)
        case "tai":
            tai = mjd
        case "tt":
            tai = mjd - _TT_MINUS_TAI / _DAY
        case _:
            tai = mjd - (_TT_MINUS_TAI + _tdb_minus_tt(mjd)) / _DAY
    tt = tai + _TT_MINUS_TAI / _DAY
    times = {"utc": _utc_of_tai(tai), "tai": tai, "tt": tt, "tdb": tt + _tdb_minus_tt(tt) / _DAY}
    return {name: mjd if name == scale else times[name] for name in FIELDS["time_scale"].values}


def _tdb_minus_tt(mjd: float) -> float:
    centuries = (mjd - 51_544.5) / 36_525
    return sum(amplitude * math.sin(rate * centuries + phase) for amplitude, rate, phase in _TERMS)


def _tai_minus_utc(day: int) -> float:
    """Return TAI - UTC at the beginning of a day [s]."""
    return 10.0 + sum(step for end, step in LEAP_SECONDS.items() if _YEAR_1972 <= end < day)


def _length(day: int) -> float:
    return _DAY + (LEAP_SECONDS.get(day, 0.0) if day >= _YEAR_1972 else 0.0)


def _tai_of_utc(mjd: float) -> float:
    day = math.floor(mjd)
    return day + ((mjd - day) * _length(day) + _tai_minus_utc(day)) / _DAY


def _utc_of_tai(mjd: float) -> float:
    day = math.floor(mjd)
    seconds = (mjd - day) * _DAY - _tai_minus_utc(day)
    if seconds < 0:
        day -= 1
        seconds = (mjd - day) * _DAY - _tai_minus_utc(day)
    return day + seconds / _length(day)
