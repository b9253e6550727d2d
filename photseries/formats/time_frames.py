"""Time frames in FITS and VOTable headers: scale, reference position and origin."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from photseries.formats.options import invalid

__all__ = [
    "MJD_ZERO",
    "SECONDS",
    "TimeFrame",
    "as_alignment",
    "as_refpos",
    "as_scale",
    "frame_of_header",
]

MJD_ZERO: Final = 2_400_000.5  # MJD 0 as JD [d]

#: Scale names, including old ones -> scale of a series. Times in TCB and TCG are converted.
_SCALES: Final[Mapping[str, str]] = {
    "UTC": "utc", "UT": "utc", "GMT": "utc", "TAI": "tai", "IAT": "tai", "TT": "tt", "TDT": "tt", "ET": "tt",
    "TDB": "tdb", "TCB": "tcb", "TCG": "tcg",
}  # fmt: skip
_CONVERTED: Final = {"tcb": "tdb", "tcg": "tt"}

#: The rate differences of TCB from TDB and of TCG from TT, and TDB_0 [d], which define these scales
#: (IAU 2006 resolution B3, IAU 2000 resolution B1.9); all agree at 1977-01-01T00:00:00 TAI.
_RATES: Final = {"tcb": (1.550519768e-8, -6.55e-5 / 86_400), "tcg": (6.969290134e-10, 0.0)}
_MJD_OF_1977: Final = 43_144.0003725

#: The prefixes of reference positions: FITS compares eight characters. ``TIMEREF`` has its own names.
_PLACES: Final = {
    "TOPOCEN": "topocenter", "LOCAL": "topocenter", "GEOCEN": "geocenter", "HELIOCEN": "heliocenter",
    "BARYCEN": "barycenter", "SOLARSYS": "barycenter",
}  # fmt: skip

#: Value of ``TIMEPIXR`` -> alignment.
_ALIGNMENTS: Final = {0.0: "start", 0.5: "middle", 1.0: "end"}

#: Keyword with the origin of the times -> MJD of its zero; ``JD_REF`` is SuperWASP's.
_ORIGINS: Final = (("MJDREF", 0.0), ("JDREF", -MJD_ZERO), ("BJDREF", -MJD_ZERO), ("JD_REF", -MJD_ZERO))

#: Unit of time -> seconds.
SECONDS: Final = {
    "d": 86_400.0, "day": 86_400.0, "h": 3600.0, "min": 60.0, "s": 1.0, "ms": 1e-3, "days": 86_400.0, "hr": 3600.0,
    "hours": 3600.0, "minutes": 60.0, "sec": 1.0, "seconds": 1.0,
}  # fmt: skip


@dataclass(frozen=True)
class TimeFrame:
    """The time frame that a file states.

    Parameters
    ----------
    scale : str, optional
        One of utc, tai, tt, tdb, tcb, tcg.
    refpos : str, optional
    alignment : str, optional
    origin : tuple of float, optional
        The origin of the times as an MJD, in parts to be summed [d].
    offset : float
        The offset to add to the times.
    offset_unit : str, optional
        Its unit, if the file states it; otherwise it is in the unit of the times.
    unit : str
        The unit of times whose column has none.
    warnings : tuple of str
    """

    scale: str | None = None
    refpos: str | None = None
    alignment: str | None = None
    origin: tuple[float, ...] | None = None
    offset: float = 0.0
    offset_unit: str | None = None
    unit: str = "s"
    warnings: tuple[str, ...] = ()

    @property
    def fields(self) -> dict[str, object]:
        """The fields of a series that the file states."""
        scale = _CONVERTED.get(self.scale or "", self.scale)
        values = {"time_scale": scale, "time_refpos": self.refpos, "time_stamp_alignment": self.alignment}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def has_known_scale(self) -> bool:
        """Whether the file states no scale, or one that a series can have."""
        return self.scale is not None or not self.warnings

    @property
    def is_converted(self) -> bool:
        """Whether the times are converted from a scale that a series cannot have."""
        return self.scale in _CONVERTED

    def mjd(self, times: npt.NDArray[np.generic], unit: str | None) -> npt.NDArray[np.float64]:
        """Convert times relative to the origin to MJD, in the scale in ``fields``.

        Parameters
        ----------
        times : ndarray, shape (n,)
            In ``unit``.
        unit : str or None
            None if the column has none.

        Raises
        ------
        InvalidError
            When the unit is not a unit of time.
        """
        days = _days(unit or self.unit)
        offset = self.offset * (days if self.offset_unit is None else _days(self.offset_unit)) if self.offset else 0.0
        origin = sum(self.origin or (0.0,))
        return self.converted((np.asarray(times, np.float64) * days + offset) + origin)

    def converted(self, mjd: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Convert MJD from TCB to TDB and from TCG to TT; return others unchanged."""
        rate, constant = _RATES.get(self.scale or "", (0.0, 0.0))
        return mjd if rate == 0 else mjd - rate * (mjd - _MJD_OF_1977) + constant


def _days(unit: str) -> float:
    """Return a unit of time in days."""
    seconds = SECONDS.get(unit.strip())
    if seconds is None:
        raise invalid(f"The unit of the times, {unit!r:.40}, is not one of {', '.join(SECONDS)}.")
    return seconds / SECONDS["d"]


#: Formats of times, which state no scale.
_FORMATS: Final = ("BJD", "BMJD", "HJD", "HMJD", "JD", "MJD")


def as_scale(text: object) -> tuple[str | None, tuple[str, ...]]:
    """Return the scale in a header, with a warning if a series cannot have it."""
    name = str(text or "").strip().upper()
    words = set(re.split("[^A-Z0-9]+", name)).difference(("", *_FORMATS))  # BJD_TDB, TDB (BJD)
    scale = _SCALES.get(name.partition("(")[0]) or (_SCALES.get(*words) if len(words) == 1 else None)
    if scale is None and words and name not in ("UNKNOWN", "LOCAL"):
        return None, (f"The time scale {name:.40} is not one that a series can have: time_scale is left unknown.",)
    return scale, ()


def as_refpos(text: object) -> str | None:
    """Return the reference position in a header; None if a series cannot have it."""
    name = str(text or "").strip().upper()
    return next((refpos for start, refpos in _PLACES.items() if name.startswith(start)), None)


def as_alignment(pixel: object) -> str | None:
    """Return the alignment for ``TIMEPIXR``, the position of a time in its exposure; None if it has no name."""
    return _ALIGNMENTS.get(float(pixel)) if isinstance(pixel, int | float) else None


def frame_of_header(header: Mapping[str, object], column: int | None = None) -> TimeFrame:
    """Return the time frame that a FITS header states (FITS standard 4.0, section 9).

    Parameters
    ----------
    column : int, optional
        The number of the time column, whose keywords take precedence.

    Raises
    ------
    InvalidError
        When a keyword that must be a number is not one.
    """
    coordinate = str(header.get(f"TCTYP{column}", "")).strip().upper()  # may be TIME, which is not a scale
    scale, warnings = as_scale(coordinate if coordinate in _SCALES else header.get("TIMESYS"))
    position = header.get(f"TRPOS{column}") or header.get("TREFPOS") or header.get("TIMEREF")
    origin = _origin(header)
    unit = header.get("TIMEUNIT") or None
    days = {"JDREF", "BJDREF", "BJDREFI"} & header.keys()  # mission keywords; the standard's are in seconds
    zero = _sum(header, "TIMEZERO", "TIMEZERI", "TIMEZERF") + _sum(header, "TIMEOFFS")
    return TimeFrame(
        scale=scale,
        refpos=as_refpos(position),
        alignment=as_alignment(header.get("TIMEPIXR")),
        origin=origin,
        offset=zero,
        offset_unit=None if unit is None else str(unit),
        unit=str(unit or ("d" if days else "s")),
        warnings=warnings,
    )


def _origin(header: Mapping[str, object]) -> tuple[float, ...] | None:
    for name, zero in _ORIGINS:
        keys = [key for key in (f"{name}I", f"{name}F") if key in header] or [key for key in (name,) if key in header]
        if keys:
            # Whole days first, so that the sum is as exact as the header.
            return (_number(header, keys[0]) + zero, *(_number(header, key) for key in keys[1:]))
    if header.get("DATEREF"):
        from astropy.time import Time

        try:
            return (float(Time(str(header["DATEREF"]), format="fits").mjd),)
        except ValueError as error:
            raise invalid(f"DATEREF of its header is not a date: {header['DATEREF']!r:.40}.") from error
    return None


def _sum(header: Mapping[str, object], *names: str) -> float:
    return sum(_number(header, name) for name in names if name in header)


def _number(header: Mapping[str, object], name: str) -> float:
    value = header.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(f"{name} of its header is not a number.")
    return float(value)
