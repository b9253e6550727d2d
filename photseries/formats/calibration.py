"""Determine the unit of fluxes and the magnitude system from options, file, survey, and the data."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.formats.limits import NUMBER, no_values, number_of
from photseries.formats.options import ReadOptions, Unit, column_called, invalid
from photseries.formats.roles import written_unit
from photseries.formats.selection import counts_of
from photseries.formats.units import known_unit
from photseries.formats.zero_points import zero_point_of
from photseries.lightcurve.calibration import SYSTEM_COLUMNS, ZERO_POINT_COLUMNS
from photseries.lightcurve.photometry import AB_ZERO_POINT
from photseries.lightcurve.table import FLUXERR
from photseries.lightcurve.units import MICROJANSKY, RELATIVE, FluxUnit, flux_unit_of

__all__ = [
    "AROUND_1",
    "NO_UNIT",
    "SCALED",
    "UNIT_COLUMNS",
    "Fluxes",
    "calibrate",
    "flux_unit_of_header",
    "in_stored_unit",
    "is_magnitude",
    "seems_relative",
    "system_of",
]

#: The reason for uJy if neither options, file nor survey states a unit.
NO_UNIT: Final = "no unit: assumed to be uJy"
AROUND_1: Final = "no unit, values around 1"

#: Columns that may have the unit of all fluxes, in lower case.
UNIT_COLUMNS: Final = ("flux_unit", "flux_units", "unit", "units", "unit_name")
#: Keywords of headers with the unit of the fluxes, in lower case.
_FLUX_UNITS: Final = ("flux_unit", "flux_units", "fluxunit", "bunit")
_KNOWN_SYSTEMS: Final = ("ab", "vega", "instrumental")
#: Columns that may have another meaning; in AAVSO's ``MTYPE``, ``DIF`` is the difference from another star.
_PERHAPS_SYSTEMS: Final = (
    "system", "photsys", "phot_system", "photometric_system", "photometric system", *UNIT_COLUMNS, "mtype",
    "measurement method",
)  # fmt: skip
_SYSTEM_WORDS: Final = {
    **{name: name for name in _KNOWN_SYSTEMS}, "abmag": "ab", "vegamag": "vega", "dif": "instrumental",
    "diff": "instrumental",
}  # fmt: skip
_ST: Final = "stmag"  # of constant flux per wavelength, which a series cannot have
#: Column names that imply a magnitude system; V-C is C-Munipack's difference of two stars.
_NAMED_SYSTEMS: Final = (
    (re.compile(r".*vega.*", re.IGNORECASE), "vega"),
    (re.compile(r"(?:.*[^a-z])?inst(?:r|rumental)?(?:_?mag.*|[^a-z].*)?", re.IGNORECASE), "instrumental"),
    (re.compile(r"(?:.*[^a-z])?ab_?mag.*|mag_?ab", re.IGNORECASE), "ab"),
    (re.compile(r"(?:.*[^a-z\d])?st_?mag.*|mag_?st", re.IGNORECASE), "st"),
    (
        re.compile(
            r"[A-Z]\d?-[CK]\d?|(?:d|delta|diff|differential|rel|relative)[ _.-]?mag(?:nitude)?s?"
            r"|mag(?:nitude)?[ _.-](?:diff|rel).*",
            re.IGNORECASE,
        ),
        "instrumental",
    ),
)

#: mag + 2.5 log10(flux) for fluxes in these units, and the tolerance [mag].
_OFFSETS: Final = {"uJy": 23.9, "mJy": 16.4, "nJy": 31.4, "Jy": 8.9}
_NEAR: Final = 0.1

#: A zero point in the header of a file, such as ``25.0``, ``25.0 +- 0.1`` and ``25.0 mag (AB)``.
_ZERO_POINT: Final = re.compile(rf"({NUMBER})(?:\s*(?:\+/?-|±)\s*{NUMBER})?(.*)")
_AB_WORDS: Final = frozenset(("ab", "abmag", "mag", "mags", "magnitude", "system"))
#: The range of zero points; those of flux densities in SI and cgs units are -56.1 and -48.6 [mag].
_MAX_ZERO_POINT: Final = 90.0

#: Fluxes without a unit are relative if their median and scatter (1.4826 MAD) are in these ranges.
_NEAR_1: Final = (0.8, 1.2)
_SCATTER: Final = 0.2


@dataclass(frozen=True)
class Fluxes:
    """The conversion of fluxes and their errors.

    Parameters
    ----------
    factor : float or ndarray of float64, shape (n,)
        The factor to multiply by.
    fields : mapping
        Fields of the series.
    altdata : mapping
    warnings : tuple of str
    why : str
        How the unit was found.
    zero_points : str, optional
        The column with the zero points that were used.
    """

    factor: float | npt.NDArray[np.float64] = 1.0
    fields: Mapping[str, object] = field(default_factory=dict)
    altdata: Mapping[str, object] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    why: str = ""
    zero_points: str | None = None


def calibrate(
    frame: pd.DataFrame,
    roles: Mapping[str, str],
    unit: Unit,
    options: ReadOptions,
    bandpass: object,
    declared: str | float | None,
    header: Mapping[str, object],
) -> Fluxes:
    """Determine the unit of fluxes and their conversion to uJy.

    Parameters
    ----------
    frame : DataFrame
        With numeric columns for the roles.
    roles : mapping of str to str
        Columns by role.
    unit : str or None
        The unit stated by the file or its survey.
    bandpass : str or None
        The filter of the series.
    declared : str, float or None
        The column with zero points that the survey has, or its zero point.
    header : mapping
        The keywords of the file, which may have its zero point and the system of its zero points.

    Raises
    ------
    InvalidError
        When no known unit relates fluxes and magnitudes, or an option does not apply.
    """
    if "flux" not in roles:
        ignored = options.given("zero_point", "flux_unit")
        if ignored:
            cause = "A zero point converts fluxes to uJy" if ignored[0] == "zero_point" else "flux_unit is given"
            raise invalid(f"{cause}, and there is no flux.")
        return Fluxes()
    zero, is_of_file = options.zero_point, options.zero_point is None
    if is_of_file and options.flux_unit is None and unit is None:
        zero = _zero_point_of_file(frame, roles, declared, header)
    if isinstance(zero, str) and zero in frame.columns:
        return _by_column(frame, zero, header, warns=is_of_file)
    if zero is not None:
        return _by_zero_point(zero, options.flux_unit or unit, bandpass, warns=is_of_file)
    if options.flux_unit is not None:
        try:
            return _in_unit(flux_unit_of(options.flux_unit), "flux_unit")
        except ValueError as error:
            raise invalid(str(error)) from error
    return _in_unit_of_file(unit) if unit is not None else _guess_unit(frame, roles, options)


def _by_zero_point(zero: float | str, unit: Unit, bandpass: object, *, warns: bool) -> Fluxes:
    definition = None if unit is None else known_unit(unit)
    if definition is not None and definition.microjansky is not None:
        raise invalid(f"The fluxes are in {unit}, which is a flux density: leave the zero point (zero_point) out.")
    magnitude, flags = zero_point_of(zero, unit if definition is None else definition.name, bandpass)
    warnings = (f"The fluxes were converted to uJy with the AB zero point {zero} of the file.",) if warns else ()
    return Fluxes(10 ** (0.4 * (AB_ZERO_POINT - magnitude)), {}, flags, warnings, "zero_point")


def _guess_unit(frame: pd.DataFrame, roles: Mapping[str, str], options: ReadOptions) -> Fluxes:
    """Guess the unit of fluxes from the magnitudes in the table, or from values around 1."""
    offset = _offset(frame, roles)
    if offset is not None and not (options.mag_col and not options.flux_col):
        return _by_offset(offset)
    if not seems_relative(frame[roles["flux"]].to_numpy(np.float64)):
        return Fluxes(why=NO_UNIT)
    warning = (
        f"The fluxes have no unit and are around 1: they are assumed {RELATIVE}, without magnitudes. flux_unit "
        "states another unit."
    )
    return Fluxes(fields={"flux_unit": RELATIVE}, warnings=(warning,), why=AROUND_1)


def system_of(
    frame: pd.DataFrame,
    column: str,
    options: ReadOptions,
    unit: str | None,
    declared: str | None,
    header: Mapping[str, object],
) -> str | None:
    """Return the system of magnitudes; None if unknown.

    Parameters
    ----------
    column : str
        The column of the magnitudes.
    unit : str or None
        The system stated by their unit.
    declared : str or None
        The system that the survey has.
    header : mapping
        The keywords of the file.

    Raises
    ------
    InvalidError
        When the rows have two systems, or an unsupported one.
    """
    if options.magsys is not None:
        if options.magsys.lower() not in _KNOWN_SYSTEMS:
            raise invalid(f"magsys must be one of {', '.join(_KNOWN_SYSTEMS)}, not {options.magsys!r:.40}.")
        return options.magsys.lower()
    names = (column, written_unit(column)[0])  # mag (Vega), dmag (mmag)
    named = next((system for pattern, system in _NAMED_SYSTEMS if any(map(pattern.fullmatch, names))), None)
    stated = unit or _system_in_rows(frame, declared) or system_of_header(header)
    return stated or (_known_system(named, f"column {column!r:.60}") if named else declared)


def _system_in_rows(frame: pd.DataFrame, declared: str | None) -> str | None:
    """Return the magnitude system stated by a column; None if there is none."""
    name = column_called(frame.columns, (*SYSTEM_COLUMNS, *_PERHAPS_SYSTEMS))
    texts = {} if name is None else {text.lower(): count for text, count in counts_of(frame[name]).items()}
    is_certain = str(name).lower() in SYSTEM_COLUMNS
    if not is_certain and {*_SYSTEM_WORDS, _ST}.isdisjoint(texts):
        return None
    systems: Counter[str] = Counter()
    for word, count in texts.items():
        defaults = {} if is_certain or word == _ST else {word: declared or "ab"}
        systems[_SYSTEM_WORDS.get(word) or defaults.get(word) or _known_system(word, f"column {name!r:.60}")] += count
    if len(systems) > 1:
        shown = ", ".join(f"{system} ({count} rows)" for system, count in systems.items())
        raise invalid(f"The column {name!r} has several systems of magnitudes: {shown}. Select one (where).")
    return next(iter(systems), None)


def system_of_header(header: Mapping[str, object]) -> str | None:
    """Return the system of magnitudes that the header of a file names.

    Raises
    ------
    InvalidError
        When a series cannot have it.
    """
    name = column_called(header, SYSTEM_COLUMNS)
    text = "" if name is None else str(header[name]).strip().lower()
    known = {_SYSTEM_WORDS[word] for word in re.findall(r"[a-z]+", text) if word in _SYSTEM_WORDS}  # AB system
    return known.pop() if len(known) == 1 else _known_system(text, f"keyword {name}") if text else None


def _known_system(word: str, place: str) -> str:
    if word not in _SYSTEM_WORDS:
        names = ", ".join(_KNOWN_SYSTEMS)
        raise invalid(f"The magnitude system {word!r:.40} of the {place} is not one of {names}: state it (magsys).")
    return _SYSTEM_WORDS[word]


def flux_unit_of_header(header: Mapping[str, object]) -> str | None:
    """Return the unit of fluxes that the header of a file states."""
    name = column_called(header, _FLUX_UNITS)
    return None if name is None else str(header[name]).strip() or None


def _zero_point_of_file(
    frame: pd.DataFrame, roles: Mapping[str, str], declared: str | float | None, header: Mapping[str, object]
) -> str | float | None:
    """Return the column of zero points found by its name, or the zero point of the survey or the header.

    Raises
    ------
    InvalidError
        When the zero point of the header is not an AB magnitude.
    """
    name = declared if declared in frame.columns else column_called(frame.columns, ZERO_POINT_COLUMNS)
    if isinstance(name, str) and frame[name].dtype.kind in "fi":
        return None if _contradicts(frame, roles, float(frame[name].median())) else name
    if isinstance(declared, float):
        return None if _contradicts(frame, roles, declared) else declared
    texts = (str(header.get(keyword.upper(), "")).strip() for keyword in ZERO_POINT_COLUMNS)
    match = next(filter(None, map(_ZERO_POINT.match, texts)), None)
    if match is None or _contradicts(frame, roles, zero := number_of(match[1])):
        return None
    _require_ab("header", system_of_header(header))
    words = re.findall(r"[a-z\d]+", match[2].lower())
    if not _AB_WORDS.union((str(_unit_of(zero)).lower(),)).issuperset(words) or not abs(zero) < _MAX_ZERO_POINT:
        raise invalid(
            f"The zero point {match.string!r:.40} of the header is not an AB magnitude: state one (zero_point), or the "
            "unit of the fluxes (flux_unit)."
        )
    return zero


def _contradicts(frame: pd.DataFrame, roles: Mapping[str, str], zero_point: float) -> bool:
    """Return whether the magnitudes show that the fluxes are in a known unit, for which the zero point is another."""
    offset = _offset(frame, roles)
    return offset is not None and _unit_of(offset) is not None and not math.isclose(offset, zero_point, abs_tol=_NEAR)


def _by_column(frame: pd.DataFrame, name: str, header: Mapping[str, object], *, warns: bool) -> Fluxes:
    if frame[name].dtype.kind not in "fi":
        raise invalid(f"The column {name!r} does not contain numbers, but a zero point (zero_point) is a magnitude.")
    system = column_called(frame.columns, SYSTEM_COLUMNS)
    if system is not None:
        for value in counts_of(frame[system]):
            _require_ab(f"column {name!r:.60}", value)
    elif warns:
        _require_ab("header", system_of_header(header))
    zeros = frame[name].to_numpy(np.float64)
    sentinels = no_values(zeros, "mag")
    absent = sentinels | ~np.isfinite(zeros)
    if absent.all():
        raise invalid(f"The column {name!r:.60} has no zero point: state one (zero_point), or the unit (flux_unit).")
    warnings: tuple[str, ...] = ()
    if warns:
        warnings = (f"The fluxes were converted to uJy with the AB zero points of the column {name}.",)
    if absent.any():
        values = ", ".join(f"{value:g}" for value in dict.fromkeys(zeros[sentinels].tolist()[:5]))
        which = f"missing or sentinels ({values})" if values else "missing"
        warnings += (f"{int(absent.sum())} zero points in {name} are {which}; the fluxes of these rows are null.",)
    factor = 10 ** (0.4 * (AB_ZERO_POINT - np.where(absent, np.nan, zeros)))
    return Fluxes(factor, {}, {}, warnings, f"zero points of {name}", name)


def _require_ab(place: str, system: str | None) -> None:
    if system is not None and system.lower() != "ab":
        raise invalid(
            f"The zero points of the {place} are in the system {system:.40}: only AB zero points convert fluxes to uJy."
        )


def is_magnitude(unit: str) -> bool:
    """Return whether a unit is one of magnitudes, such as ``mag``, ``ABMag`` and ``mag(AB)``."""
    return re.search(r"mag\b", unit, re.IGNORECASE) is not None


def _in_unit_of_file(text: str) -> Fluxes:
    if is_magnitude(text):
        raise invalid(f"The fluxes are in {text:.40}, so they are magnitudes: name their column (mag_col).")
    unit = known_unit(text)
    if unit is not None:
        return _in_unit(unit, f"the file states {text}" if text != RELATIVE else "relative")
    fluxes = _in_unit(FluxUnit(RELATIVE, None, None), "unknown unit")
    warning = f"The unit of the fluxes, {text[:40]!r}, is not known; flux_unit is set to {RELATIVE!r}."
    return replace(fluxes, warnings=(warning, *fluxes.warnings))


def _in_unit(unit: FluxUnit, why: str) -> Fluxes:
    """Convert flux densities to uJy; other fluxes stay, and have no magnitudes."""
    if unit.microjansky is not None:
        return Fluxes(unit.microjansky, {"flux_unit": MICROJANSKY}, why=why)
    state = f"are {RELATIVE} and have no unit" if unit.name == RELATIVE else f"are in {unit.name}"
    warning = f"The fluxes {state}: the series has no magnitudes. An AB zero point (zero_point) converts them to uJy."
    return Fluxes(fields={"flux_unit": unit.name}, warnings=(warning,), why=why)


def in_stored_unit(text: str) -> Fluxes:
    """Keep fluxes in the unit that a file of the service states."""
    fluxes, unit = _in_unit_of_file(text), known_unit(text)
    if unit is None or unit.microjansky is None:
        return fluxes
    return Fluxes(fields={"flux_unit": unit.name}, why=fluxes.why)


def _offset(frame: pd.DataFrame, roles: Mapping[str, str]) -> float | None:
    """Return the median of mag + 2.5 log10(flux) [mag]; None unless the table has both."""
    if "mag" not in roles:
        return None
    mag, flux = (frame[roles[role]].to_numpy(np.float64) for role in ("mag", "flux"))
    both = np.isfinite(mag) & (flux > 0)
    return float(np.median(mag[both] + 2.5 * np.log10(flux[both]))) if both.any() else None


def _unit_of(offset: float) -> str | None:
    return next((name for name, zero in _OFFSETS.items() if math.isclose(offset, zero, abs_tol=_NEAR)), None)


def _by_offset(offset: float) -> Fluxes:
    name = _unit_of(offset)
    if name is None:
        raise invalid(
            f"Fluxes and magnitudes disagree: mag + 2.5 log10(flux) is {offset:.2f}, not 23.90 (uJy). State the unit "
            "of the fluxes (flux_unit, zero_point), or read the magnitudes alone (mag_col)."
        )
    fluxes = _in_unit(flux_unit_of(name), f"mag + 2.5 log10(flux) = {offset:.2f}")
    if name == MICROJANSKY:
        return fluxes
    warning = f"The fluxes are assumed to be in {name}, because mag + 2.5 log10(flux) is {offset:.2f}."
    return replace(fluxes, warnings=(warning,))


def seems_relative(fluxes: npt.NDArray[np.float64]) -> bool:
    """Return whether fluxes without a unit are read as relative: their values are around 1."""
    finite = fluxes[np.isfinite(fluxes)]
    if finite.size < 2:
        return False
    middle = float(np.median(finite))
    scatter = 1.4826 * float(np.median(np.abs(finite - middle)))
    return _NEAR_1[0] < middle < _NEAR_1[1] and scatter < _SCATTER


#: The roles whose columns are converted.
SCALED: Final = ("flux", FLUXERR)
