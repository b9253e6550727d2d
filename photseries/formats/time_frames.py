"""Time frames in FITS and VOTable headers: scale, reference position and origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from photseries.formats.options import invalid

__all__ = ["MJD_ZERO", "TimeFrame", "as_alignment", "as_refpos", "as_scale", "frame_of_header"]

MJD_ZERO: Final = 2_400_000.5  # MJD 0 as JD [d]

#: The names of scales, old ones too, and the scales that a series can name. Times in TCB and TCG are converted.
_SCALES: Final[Mapping[str, str]] = {
    "UTC": "utc", "UT": "utc", "GMT": "utc", "TAI": "tai", "IAT": "tai", "TT": "tt", "TDT": "tt", "ET": "tt",
    "TDB": "tdb", "TCB": "tcb", "TCG": "tcg",
}  # fmt: skip
_CONVERTED: Final = {"tcb": "tdb", "tcg": "tt"}

#: By how much the rates of TCB and TCG differ from those of TDB and TT, and TDB_0 [d], which define these scales
#: (IAU 2006 resolution B3, IAU 2000 resolution B1.9); all agree at 1977-01-01T00:00:00 TAI.
_RATES: Final = {"tcb": (1.550519768e-8, -6.55e-5 / 86_400), "tcg": (6.969290134e-10, 0.0)}
_MJD_OF_1977: Final = 43_144.0003725

#: How the names of places begin: FITS compares eight characters. ``TIMEREF`` has names of its own.
_PLACES: Final = {
    "TOPOCEN": "topocenter", "LOCAL": "topocenter", "GEOCEN": "geocenter", "HELIOCEN": "heliocenter",
    "BARYCEN": "barycenter", "SOLARSYS": "barycenter",
}  # fmt: skip

#: The values of ``TIMEPIXR`` that have a name.
_ALIGNMENTS: Final = {0.0: "start", 0.5: "middle", 1.0: "end"}

#: Keywords of what times count from, and the MJD of their zero; ``JD_REF`` is SuperWASP's.
_ORIGINS: Final = (("MJDREF", 0.0), ("JDREF", -MJD_ZERO), ("BJDREF", -MJD_ZERO), ("JD_REF", -MJD_ZERO))

#: Days in a unit of time.
_DAYS: Final = {
    "d": 1.0, "day": 1.0, "h": 1 / 24, "min": 1 / 1440, "s": 1 / 86_400, "ms": 1 / 86_400_000, "days": 1.0,
    "hr": 1 / 24, "sec": 1 / 86_400, "seconds": 1 / 86_400,
}  # fmt: skip


@dataclass(frozen=True)
class TimeFrame:
    """What a file states of its times.

    Parameters
    ----------
    scale : str, optional
        One of utc, tai, tt, tdb, tcb, tcg.
    refpos : str, optional
    alignment : str, optional
    origin : tuple of float, optional
        What the times count from, as an MJD in parts whose sum it is [d].
    offset : float
        What is to be added to times that count from there [in the unit of the times].
    unit : str
        Of the times where their column has none.
    warnings : tuple of str
    """

    scale: str | None = None
    refpos: str | None = None
    alignment: str | None = None
    origin: tuple[float, ...] | None = None
    offset: float = 0.0
    unit: str = "s"
    warnings: tuple[str, ...] = ()

    @property
    def fields(self) -> dict[str, object]:
        """The fields of a series that the file states."""
        scale = _CONVERTED.get(self.scale or "", self.scale)
        values = {"time_scale": scale, "time_refpos": self.refpos, "time_stamp_alignment": self.alignment}
        return {name: value for name, value in values.items() if value is not None}

    @property
    def is_converted(self) -> bool:
        """Whether the times are in a scale that a series cannot have, and are brought to one that it can."""
        return self.scale in _CONVERTED

    def mjd(self, times: npt.NDArray[np.generic], unit: str | None) -> npt.NDArray[np.float64]:
        """Return times that count from the origin as MJD, in the scale that ``fields`` names.

        Parameters
        ----------
        times : ndarray, shape (n,)
            In ``unit``.
        unit : str or None
            None where the column has none.

        Raises
        ------
        InvalidError
            When the unit is no unit of time.
        """
        days = _DAYS.get((unit or self.unit).strip())
        if days is None:
            raise invalid(f"The unit of the times, {unit or self.unit!r:.40}, is not one of {', '.join(_DAYS)}.")
        origin = sum(self.origin or (0.0,))
        return self.converted((np.asarray(times, np.float64) + self.offset) * days + origin)

    def converted(self, mjd: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return MJD of TCB as TDB and of TCG as TT; others as they are."""
        rate, constant = _RATES.get(self.scale or "", (0.0, 0.0))
        return mjd if rate == 0 else mjd - rate * (mjd - _MJD_OF_1977) + constant


def as_scale(text: object) -> tuple[str | None, tuple[str, ...]]:
    """Return the scale that a header names, with a warning where a series cannot name it."""
    name = str(text or "").strip().upper()
    scale = _SCALES.get(name.partition("(")[0])
    if scale is None and name not in ("", "UNKNOWN", "LOCAL"):
        return None, (f"The time scale {name:.40} is not one that a series can have: time_scale is left unknown.",)
    return scale, ()


def as_refpos(text: object) -> str | None:
    """Return the reference position that a header names; None where a series cannot name it."""
    name = str(text or "").strip().upper()
    return next((refpos for start, refpos in _PLACES.items() if name.startswith(start)), None)


def as_alignment(pixel: object) -> str | None:
    """Return what ``TIMEPIXR``, the place of a time in its exposure, is called; None where it has no name."""
    return _ALIGNMENTS.get(float(pixel)) if isinstance(pixel, int | float) else None


def frame_of_header(header: Mapping[str, object], column: int | None = None) -> TimeFrame:
    """Return the time frame that a FITS header states (FITS standard 4.0, section 9).

    Parameters
    ----------
    column : int, optional
        The number of the column of the times: its own keywords win.

    Raises
    ------
    InvalidError
        When a keyword that must be a number is none.
    """
    coordinate = str(header.get(f"TCTYP{column}", "")).strip().upper()  # may be TIME, which is no scale
    scale, warnings = as_scale(coordinate if coordinate in _SCALES else header.get("TIMESYS"))
    position = header.get(f"TRPOS{column}") or header.get("TREFPOS") or header.get("TIMEREF")
    origin = _origin(header)
    days = {"JDREF", "BJDREF", "BJDREFI"} & header.keys()  # keywords of missions; those of the standard are in seconds
    zero = _sum(header, "TIMEZERO", "TIMEZERI", "TIMEZERF") + _sum(header, "TIMEOFFS")
    return TimeFrame(
        scale=scale,
        refpos=as_refpos(position),
        alignment=as_alignment(header.get("TIMEPIXR")),
        origin=origin,
        offset=zero,
        unit=str(header.get("TIMEUNIT") or ("d" if days else "s")),
        warnings=warnings,
    )


def _origin(header: Mapping[str, object]) -> tuple[float, ...] | None:
    for name, zero in _ORIGINS:
        keys = [key for key in (f"{name}I", f"{name}F") if key in header] or [key for key in (name,) if key in header]
        if keys:
            # The whole days first, so that the sum is as exact as the header.
            return (_number(header, keys[0]) + zero, *(_number(header, key) for key in keys[1:]))
    if header.get("DATEREF"):
        from astropy.time import Time

        try:
            return (float(Time(str(header["DATEREF"]), format="fits").mjd),)
        except ValueError as error:
            raise invalid(f"DATEREF of its header is no date: {header['DATEREF']!r:.40}.") from error
    return None


def _sum(header: Mapping[str, object], *names: str) -> float:
    return sum(_number(header, name) for name in names if name in header)


def _number(header: Mapping[str, object], name: str) -> float:
    value = header.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise invalid(f"{name} of its header is no number.")
    return float(value)
