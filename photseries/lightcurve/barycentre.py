"""Times in other frames: TDB, and light travel times to the barycentre and to the Sun.

Importing this does not load pyerfa, which computes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import numpy as np

from photseries.errors import InvalidError
from photseries.extras import quiet
from photseries.lightcurve.photometry import FloatArray

__all__ = ["FRAMES", "LOCATION", "derived_time", "require_frames", "with_time_frame"]

#: The time scale and reference position of each derived time column; None: those of the series.
FRAMES: Final[Mapping[str, tuple[str, str | None]]] = {
    "bjd_tdb": ("tdb", "barycenter"),
    "hjd_utc": ("utc", "heliocenter"),
    "mjd_tdb": ("tdb", None),
}

#: The fields of the location of an instrument.
LOCATION: Final = ("longitude", "latitude", "height")

_JD_OF_MJD: Final = 2_400_000.5
_DAY: Final = 86_400.0  # [s]
_LIGHT: Final = 299_792_458.0  # [m/s]
_AU: Final = 149_597_870_700.0  # [m]


def with_time_frame(column: str, metadata: Mapping[str, object]) -> Mapping[str, object]:
    """Return the metadata of a series with the time scale and reference position of one of its time columns."""
    if column not in FRAMES:
        return metadata
    scale, refpos = FRAMES[column]
    return {**metadata, "time_scale": scale, "time_refpos": refpos or metadata.get("time_refpos")}


def require_frames(names: Iterable[str], metadata: Mapping[str, object]) -> None:
    """Refuse derived times if the metadata of the series are insufficient.

    Parameters
    ----------
    names : iterable of str
        Derived columns.
    metadata : mapping
        ``time_scale``, ``time_refpos``, and ``longitude``, ``latitude`` [deg] and ``height`` [m] of the instrument.

    Raises
    ------
    InvalidError
    """
    for name in names:
        if name in FRAMES and (problem := _problem(name, metadata)):
            raise InvalidError.of_field("derive", f"{name} cannot be derived: {problem}")


def _problem(name: str, metadata: Mapping[str, object]) -> str | None:
    """Return why a column of times cannot be derived, or None."""
    target, refpos = FRAMES[name][1], metadata.get("time_refpos")
    if metadata.get("time_scale") is None:
        return "the time_scale of the series is unknown."
    if target in (None, refpos):
        return None
    if refpos not in ("topocenter", "geocenter"):
        return f"the time_refpos of the series is {refpos or 'unknown'}; it must be topocenter or geocenter."
    if refpos == "topocenter" and any(metadata.get(part) is None for part in LOCATION):
        return "the instrument has no longitude, latitude and height."
    return None


def derived_time(name: str, mjd: FloatArray, metadata: Mapping[str, object]) -> FloatArray:
    """Compute a column of times in another frame.

    Parameters
    ----------
    name : str
        Of :data:`FRAMES`.
    mjd : ndarray of float64, shape (n,)
        [d], in the ``time_scale`` and at the ``time_refpos`` of the metadata.
    metadata : mapping
        As for :func:`require_frames`, and ``ra`` and ``dec`` of the source [deg, ICRS].

    Returns
    -------
    ndarray of float64, shape (n,)
        Full Julian dates less 2,400,000.5 [d]; NaN where the time is NaN or the metadata are insufficient.

    Notes
    -----
    The light travel time is the projection of the place on the direction to the source, which counts as infinitely far
    away (Eastman, Siverd & Gaudi 2010, PASP 122, 935), by the ephemeris of ERFA (epv00). UT1 - UTC counts as 0, which
    is 1.4 us; precession and nutation are those of the middle of the day, which is below 0.1 us.
    """
    import erfa

    derived = np.full(mjd.shape, np.nan)
    is_finite = np.isfinite(mjd)
    if not is_finite.any() or _problem(name, metadata) is not None:
        return derived
    scale, target = FRAMES[name]
    try:
        with quiet(erfa.ErfaWarning):  # about dates without known leap seconds
            utc, tt, tdb = _scales(mjd[is_finite], metadata)
            derived[is_finite] = utc if scale == "utc" else tdb
            if target not in (None, metadata["time_refpos"]):
                derived[is_finite] += _light_travel_time(utc, tt, tdb, metadata, target == "heliocenter") / _DAY
    except erfa.ErfaError:
        raise InvalidError.of_field(
            "derive", f"{name} cannot be derived: a time of the series is not a date."
        ) from None
    return derived


def _scales(mjd: FloatArray, metadata: Mapping[str, object]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return times as UTC, TT and TDB [MJD]."""
    import erfa

    zero = np.full(mjd.shape, _JD_OF_MJD)
    axis = _from_axis(metadata)
    tdb_less_tt = _interpolated(lambda times: erfa.dtdb(_JD_OF_MJD, times, times % 1, *axis), mjd)
    match metadata["time_scale"]:
        case "utc":
            tt = erfa.taitt(*erfa.utctai(zero, mjd))[1]
        case "tai":
            tt = erfa.taitt(zero, mjd)[1]
        case "tt":
            tt = mjd
        case _:
            tt = erfa.tdbtt(zero, mjd, tdb_less_tt)[1]
    utc = mjd if metadata["time_scale"] == "utc" else erfa.taiutc(*erfa.tttai(zero, tt))[1]
    return utc, tt, mjd if metadata["time_scale"] == "tdb" else erfa.tttdb(zero, tt, tdb_less_tt)[1]


def _interpolated(compute: Callable[[FloatArray], FloatArray], mjd: FloatArray) -> FloatArray:
    """Compute a slow function of time; for dense times by linear interpolation on 0.01 d, accurate to 2 us."""
    low = np.floor(mjd * 100)
    nodes = np.unique(np.concatenate([low, low + 1])) / 100
    return np.interp(mjd, nodes, compute(nodes)) if 2 * nodes.size < mjd.size else compute(mjd)


def _site(metadata: Mapping[str, Any]) -> tuple[float, float, float] | None:
    """Return the longitude, the latitude [rad] and the height [m] of the observatory; None at the geocentre."""
    if metadata.get("time_refpos") != "topocenter" or any(metadata.get(part) is None for part in LOCATION):
        return None
    longitude, latitude, height = (float(metadata[part]) for part in LOCATION)
    return float(np.radians(longitude)), float(np.radians(latitude)), height


def _from_axis(metadata: Mapping[str, object]) -> tuple[float, float, float]:
    """Return the longitude [rad] and the distances from the axis and the equator of the Earth [km]."""
    import erfa

    site = _site(metadata)
    if site is None:
        return 0.0, 0.0, 0.0
    x, y, z = erfa.gd2gc(1, *site)
    return site[0], float(np.hypot(x, y)) / 1000, float(z) / 1000


def _light_travel_time(
    utc: FloatArray, tt: FloatArray, tdb: FloatArray, metadata: Mapping[str, Any], is_solar: bool
) -> FloatArray:
    """Return the light travel time from the observer to the barycentre, or to the Sun, along the line of sight [s]."""
    import erfa

    star = erfa.s2c(np.radians(metadata["ra"]), np.radians(metadata["dec"]))
    earth = _interpolated(lambda times: erfa.epv00(_JD_OF_MJD, times)[0 if is_solar else 1]["p"] @ star, tdb)
    travelled = earth * _AU / _LIGHT
    site = _site(metadata)
    if site is not None:
        days, which = np.unique(np.floor(tt), return_inverse=True)
        matrix = erfa.c2i06a(_JD_OF_MJD, days + 0.5)[which]
        observatory = erfa.pvtob(*site, 0, 0, 0, erfa.era00(_JD_OF_MJD, utc))["p"]
        travelled += np.einsum("nij,ni,j->n", matrix, observatory, star) / _LIGHT
    return np.asarray(travelled)
