"""Which column means what, and in which format times are written: for tables of every origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.lightcurve.photometry import AB_ZERO_POINT
from photseries.lightcurve.table import FLUX, FLUXERR, MAG, MAGERR, TIME, first_present, is_text
from photseries.readers.plain import plain_frame
from photseries.readers.reading import Reading, ReadOptions, Unit, invalid
from photseries.readers.zero_points import zero_point_of

__all__ = ["TIME_FORMATS", "canonical", "roles_of", "without_fluxes"]

FloatArray = npt.NDArray[np.float64]

_JD_EPOCH: Final = 2_400_000.5  # MJD 0 as JD [d]
_UNIX_EPOCH: Final = 40_587  # 1970-01-01 as MJD [d]
_NS_A_DAY: Final = 86_400 * 10**9


@dataclass(frozen=True)
class TimeFormat:
    """A way to write times: MJD = value * scale + offset, and what else it says of them."""

    sentence: str
    offset: float = 0.0
    scale: float = 1.0
    fields: Mapping[str, str] | None = None


_BARYCENTRIC: Final = {"time_scale": "tdb", "time_refpos": "barycenter"}

#: The formats of times; ``iso`` is read as text, every other one is linear.
TIME_FORMATS: Final[Mapping[str, TimeFormat]] = {
    "mjd": TimeFormat("JD - 2400000.5"),
    "jd": TimeFormat("Julian date", -_JD_EPOCH),
    "bjd": TimeFormat("barycentric Julian date in TDB", -_JD_EPOCH, fields=_BARYCENTRIC),
    "hjd": TimeFormat("heliocentric Julian date", -_JD_EPOCH, fields={"time_refpos": "heliocenter"}),
    "btjd": TimeFormat("TESS: BJD - 2457000", 2_457_000 - _JD_EPOCH, fields=_BARYCENTRIC),
    "bkjd": TimeFormat("Kepler: BJD - 2454833", 2_454_833 - _JD_EPOCH, fields=_BARYCENTRIC),
    "unix": TimeFormat("seconds since 1970-01-01 UTC", _UNIX_EPOCH, 1 / 86_400, {"time_scale": "utc"}),
    "iso": TimeFormat("dates and times as text, UTC unless they say otherwise", fields={"time_scale": "utc"}),
}

#: Usual names in lower case, beside those that the service knows.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "mjd": (*TIME, "time", "times", "jd", "bjd", "hjd", "btjd", "bkjd", "bjd_tdb", "unix", "date", "datetime"),
    "flux": FLUX,
    "mag": (*MAG, "magnitude"),
    FLUXERR: (FLUXERR, "flux_err", "flux_error", "e_flux"),
    MAGERR: (MAGERR, "mag_err", "mag_error", "e_mag", "magnitude_err"),
}
_ANY_ERROR: Final = ("err", "error", "sigma", "uncertainty")

#: What the service takes a column for by its name alone.
_KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "mjd": TIME, "flux": FLUX, "mag": MAG, FLUXERR: (FLUXERR,), MAGERR: (MAGERR,),
}  # fmt: skip

_OPTIONS: Final = {
    "mjd": "time_col",
    "flux": "flux_col",
    FLUXERR: "fluxerr_col",
    "mag": "mag_col",
    MAGERR: "magerr_col",
}

#: What altdata say of the fluxes.
_OF_FLUXES: Final = ("flux_calibrated", "flux_unit", "flux_zero_point", "flux_zero_point_source")

#: MJD of photometry: later than photographic plates, and not in the far future [d].
_EARLIEST, _LATEST = -20_000.0, 150_000.0
#: Below this, an MJD is from before 1886 [d].
_SUSPICIOUS: Final = 10_000.0


def canonical(reading: Reading, options: ReadOptions, unit: Unit = None) -> Reading:
    """Give the columns the names, and the times the format, that the service expects.

    Parameters
    ----------
    reading : Reading
        The table as it was read.
    options : ReadOptions
    unit : str, optional
        That of the fluxes and their errors where it is not uJy: they are kept and flagged, but for a zero point.

    Returns
    -------
    Reading
        With every other column as it was; names that the service knows already are left alone.

    Raises
    ------
    InvalidError
        When a named column is not there, there is no time or brightness, or the times cannot be what they are said to
        be.
    """
    if not len(reading.frame):
        raise invalid("The table has no rows.")
    plain, kept = plain_frame(reading.frame)
    roles = roles_of(plain, options)
    frame = _renamed(plain, roles)
    names = {role: (column if column in _KNOWN[role] else role) for role, column in roles.items()}
    frame, fields = _with_mjd(frame, names["mjd"], roles["mjd"], options.time_format)
    suggested = {**fields, **reading.fields}
    frame, flags, warnings = _calibrated(frame, names, unit, options.zero_point, suggested.get("filter"))
    doubts = _checked(frame[names["mjd"]].to_numpy(), options.time_format)
    if flags:
        carried = without_fluxes(reading.file_metadata.get("altdata"))
        suggested["altdata"] = {**carried, **suggested.get("altdata", {}), **flags}
    same = frame is reading.frame
    return replace(
        reading,
        frame=frame,
        fields=suggested,
        warnings=(*reading.warnings, *kept, *warnings, *doubts),
        blob=reading.blob if same else None,
    )


def roles_of(frame: pd.DataFrame, options: ReadOptions) -> dict[str, str]:
    """Find the column of each role: the one that was named, one that the service knows, or one of a usual name."""
    roles: dict[str, str] = {}
    for role, option in _OPTIONS.items():
        named = getattr(options, option)
        if named is not None and named not in frame.columns:
            raise invalid(f"There is no column {named!r} ({option}); there are {_listed(frame)}.")
        found = named or first_present(frame, _KNOWN[role]) or _usual(frame, _NAMES[role])
        if found is not None:
            roles[role] = found
    if "mjd" not in roles:
        raise invalid(f"No column is known to be the time: name it (time_col); there are {_listed(frame)}.")
    if options.mag_col and not options.flux_col:
        roles.pop("flux", None)
    if "flux" not in roles and "mag" not in roles:
        raise invalid(
            f"No column is known to be a flux or a magnitude: name it (flux_col, mag_col); there are {_listed(frame)}."
        )
    error = FLUXERR if "flux" in roles else MAGERR
    if error not in roles and (lone := _usual(frame, _ANY_ERROR)) is not None:
        roles[error] = lone
    return roles


def _listed(frame: pd.DataFrame) -> str:
    return ", ".join(map(str, frame.columns[:30])) + (" ..." if len(frame.columns) > 30 else "")


def _usual(frame: pd.DataFrame, names: tuple[str, ...]) -> str | None:
    lower = {str(column).lower(): str(column) for column in reversed(list(frame.columns))}
    return next((lower[name] for name in names if name in lower), None)


def _renamed(frame: pd.DataFrame, roles: Mapping[str, str]) -> pd.DataFrame:
    """Rename the columns of the roles; a column that would be taken for one of them steps aside."""
    new = {column: role for role, column in roles.items() if column not in _KNOWN[role]}
    taken = {
        name: f"{name}_as_read" for role in _KNOWN for name in _KNOWN[role] if _stands_in_the_way(name, role, roles)
    }
    renamed = {**{name: other for name, other in taken.items() if name in frame.columns}, **new}
    return frame.rename(columns=renamed) if renamed else frame


def _stands_in_the_way(name: str, role: str, roles: Mapping[str, str]) -> bool:
    """Tell whether a column of this name would be taken for the role, or for the brightness, in another's place."""
    if name == roles.get(role):
        return False
    known = _KNOWN[role]
    chosen = roles.get(role)
    if chosen is None:
        return role == "flux" and "mag" in roles
    return chosen not in known or known.index(name) < known.index(chosen)


def _with_mjd(frame: pd.DataFrame, name: str, column: str, given: str | None) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Bring the time column to MJD; gives also what its format says of it."""
    times = frame[name]
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        return frame.assign(**{name: _of_datetimes(_in_utc(times))}), {"time_scale": "utc"}
    if isinstance(times.dtype, np.dtype) and times.dtype.kind == "M":
        return frame.assign(**{name: _of_datetimes(times)}), {}
    if given is not None and given not in TIME_FORMATS:
        raise invalid(f"There is no time format {given!r:.40}; there are {', '.join(TIME_FORMATS)}.")
    known = given or _format_of(column)
    if known is None:
        raise invalid(f"In which format is the column {column!r}? Name it (time_format): {', '.join(TIME_FORMATS)}.")
    how = TIME_FORMATS[known]
    fields = dict(how.fields or {})
    if known == "iso":
        return frame.assign(**{name: _of_texts(times, column)}), fields
    if not (isinstance(times.dtype, np.dtype) and times.dtype.kind in "iuf"):
        raise invalid(f"The column {column!r} holds no numbers, but times as {known} are numbers.")
    if known == "mjd":
        return frame, fields
    return frame.assign(**{name: times.to_numpy(np.float64) * how.scale + how.offset}), fields


def _format_of(column: str) -> str | None:
    name = column.lower()
    if name in TIME:
        return "mjd"
    return {"bjd_tdb": "bjd", "date": "iso", "datetime": "iso"}.get(name, name if name in TIME_FORMATS else None)


def _of_texts(times: pd.Series[Any], column: str) -> FloatArray:
    if not is_text(times):
        raise invalid(f"The column {column!r} holds no text, but times as iso are text.")
    try:
        moments = pd.to_datetime(times, utc=True, format="ISO8601")
    except (ValueError, TypeError) as error:
        raise invalid(f"The column {column!r} holds what is no ISO date or time: {error}.") from error
    return _of_datetimes(_in_utc(moments))


def _in_utc(times: pd.Series[Any]) -> pd.Series[Any]:
    in_utc: pd.Series[Any] = times.dt.tz_convert("UTC").dt.tz_localize(None)
    return in_utc


def _of_datetimes(times: pd.Series[Any]) -> FloatArray:
    stamps = times.to_numpy("M8[ns]")
    days, rest = np.divmod(stamps.view(np.int64), _NS_A_DAY)
    return np.where(np.isnat(stamps), np.nan, days + _UNIX_EPOCH + rest / _NS_A_DAY)


def _calibrated(
    frame: pd.DataFrame, names: Mapping[str, str], unit: Unit, zero_point: float | str | None, bandpass: Any
) -> tuple[pd.DataFrame, dict[str, Any], list[str]]:
    """Bring fluxes to uJy where a zero point says how; flag those in another unit."""
    if "flux" not in names:
        if zero_point is not None:
            raise invalid("A zero point brings fluxes to uJy, and there is no flux.")
        return frame, {}, []
    if zero_point is not None:
        magnitude, flags = zero_point_of(zero_point, unit, bandpass)
        factor = 10 ** (0.4 * (AB_ZERO_POINT - magnitude))
        columns = [names[role] for role in ("flux", FLUXERR) if role in names]
        scaled = {name: frame[name].to_numpy(np.float64) * factor for name in columns}
        return frame.assign(**scaled), flags, []
    if unit is None:
        return frame, {}, []
    warning = (
        f"The fluxes are kept in {unit}, not in uJy: magnitudes derived from them mean nothing. "
        "An AB zero point (zero_point) would bring them to uJy."
    )
    return frame, {"flux_calibrated": False, "flux_unit": unit}, [warning]


def without_fluxes(altdata: Any) -> dict[str, Any]:
    """Give the altdata of a file without what they say of its fluxes: these are others now, or their unit says it."""
    if not isinstance(altdata, Mapping):
        return {}
    return {name: value for name, value in altdata.items() if name not in _OF_FLUXES}


def _checked(mjd: npt.NDArray[Any], given: str | None) -> list[str]:
    """Refuse times that cannot be MJD; gives a warning when they may be something else.

    The formats differ by so much that the median alone tells them apart.
    """
    finite = mjd[np.isfinite(mjd)]
    if finite.size == 0:
        raise invalid("No time is finite.")
    middle = float(np.median(finite))
    if _EARLIEST <= middle <= _LATEST:
        # An explicit format is believed.
        if given is None and 0 < middle < _SUSPICIOUS:
            return [f"The times, around MJD {middle:.1f}, are before 1886: are they BTJD or BKJD (time_format)?"]
        return []
    likely = next((name for name, (low, high) in _LOOKS.items() if low <= middle <= high), None)
    hint = f" They look like {likely} (time_format={likely})." if likely and likely != given else ""
    raise invalid(f"The times, around {middle:.6g} as MJD, cannot be right.{hint}")


#: Values that times of other formats have, where somebody took them for MJD.
_LOOKS: Final = {"jd": (2_380_000.0, 2_550_000.0), "unix": (1e8, 4e9)}
