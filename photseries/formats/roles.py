"""The one place that decides which columns are times, brightnesses and errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import pandas as pd

from photseries.formats.moments import is_clock
from photseries.formats.options import ReadOptions, abbreviated, invalid, list_names, require_column
from photseries.formats.reading import Role, Table
from photseries.formats.units import known_unit
from photseries.lightcurve.table import FLUX, FLUXERR, MAG, MAGERR, TIME
from photseries.surveys import Survey

__all__ = [
    "GUESSED",
    "KNOWN",
    "TIME_ROLE",
    "named_unit",
    "renamed",
    "roles_of",
    "unknown_unit",
    "usual_time",
    "written_unit",
]

TIME_ROLE: Final = "mjd"

#: The reason for a column whose name only resembles that of its role or value.
GUESSED: Final = "guessed by its name"

#: The roles that the service assigns by name alone.
KNOWN: Final[Mapping[str, tuple[str, ...]]] = {
    TIME_ROLE: TIME, "flux": FLUX, "mag": MAG, FLUXERR: (FLUXERR,), MAGERR: (MAGERR,),
}  # fmt: skip

#: Further common names in lower case. Names that imply the format of times come first.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    TIME_ROLE: (
        *TIME, "obsmjd", "mjd_obs", "bjd_tdb", "bjd", "jd", "bmjd", "btjd", "bkjd", "hjd", "hmjd", "rjd", "jd_utc",
        "time", "times", "unix", "datetime", "date", "date-obs", "date_obs",
    ),
    "flux": (*FLUX, "rate"),
    "mag": (*MAG, "magnitude", "magpsf"),
    FLUXERR: (FLUXERR, "flux_err", "flux_error", "e_flux"),
    MAGERR: (MAGERR, "mag_err", "mag_error", "e_mag", "magnitude_err", "merr", "emag"),
}  # fmt: skip
_ERROR_WORDS: Final = ("err", "error", "unc", "uncertainty", "sigma", "dev", "rms")
_ANY_ERROR: Final = ("err", "error", "sigma", "uncertainty", "unc", "uncert", "e")
#: A magnitude in a named filter or aperture, such as Vmag, mag_g and MAG_PSF.
_ANY_MAG: Final = re.compile(r"(?:[a-z]{1,2}'?|psf|aper|auto)_?mag|mag_(?:[a-z]{1,2}|psf|aper|auto)", re.IGNORECASE)
#: Names that consist of a unit of flux density.
_UNIT_NAMES: Final = ("uJy", "µJy", "mJy", "nJy", "Jy")

_OPTIONS: Final = {
    TIME_ROLE: "time_col",
    "flux": "flux_col",
    "mag": "mag_col",  # before the errors, which depend on the number of brightnesses
    FLUXERR: "fluxerr_col",
    MAGERR: "magerr_col",
}
_VALUE_OF: Final = {FLUXERR: "flux", MAGERR: "mag"}

_OPENING: Final = re.compile(r"[\[(]")
_SUFFIX: Final = re.compile(r"(?P<name>.+)_(?P<unit>[uµmn]?[Jj]y|mmag)")


def written_unit(name: str) -> tuple[str, str | None]:
    """Split the name of a column into base and unit: ``flux(mJy)``, ``flux_mJy``, ``err_mmag``."""
    base, unit = _bracketed_unit(name)
    if unit is None and (match := _SUFFIX.fullmatch(name)) is not None:
        base, unit = match["name"], match["unit"]
    return base, None if unit is None else re.sub("[µμ]", "u", unit).replace("jy", "Jy")


def _bracketed_unit(name: str) -> tuple[str, str | None]:
    """Split the name of a column at the first bracket that only its last character closes."""
    body = name[:-1]
    opening = _OPENING.search(body, max(body.rfind("]"), body.rfind(")")) + 1)
    if not name.endswith(("]", ")")) or opening is None or opening.end() == len(body):
        return name, None
    return body[: opening.start()].rstrip(), body[opening.end() :]


def named_unit(name: str) -> tuple[str, str | None]:
    """Split the name of a column into base and unit of flux: ``flux(mJy)``, ``flux_mJy``, ``uJy``."""
    if name in _UNIT_NAMES or name.removeprefix("d") in _UNIT_NAMES:
        return name, name.removeprefix("d")
    base, written = written_unit(name)
    unit = None if written is None else known_unit(written)
    return base, None if unit is None else unit.name


def unknown_unit(name: str) -> str | None:
    """Return the text in brackets in the name of a column if it is not a known unit of flux."""
    unit = _bracketed_unit(name)[1]
    return unit if named_unit(name)[1] is None else None


def roles_of(
    frame: pd.DataFrame, table: Table, options: ReadOptions, survey: Survey | None, *, is_foreign: bool
) -> dict[str, Role]:
    """Find the column of each role.

    Parameters
    ----------
    options : ReadOptions
        A column that they name takes precedence.
    survey : Survey or None
        Its columns come next.
    is_foreign : bool
        Whether to accept common names in addition to those of the service.

    Returns
    -------
    dict of str to Role
        By ``mjd``, ``flux``, ``mag``, ``fluxerr``, ``magerr``; an error only with its value.

    Raises
    ------
    InvalidError
        When a named column is missing, or the table has no time or no brightness.
    """
    names = [str(name) for name in frame.columns]
    columns = {str(name): column for name, column in frame.items()}
    is_filled = dict(zip(names, frame.notna().any(), strict=True))
    names.sort(key=lambda name: not is_filled[name])  # empty columns come last
    names = [name for name in names if not is_clock(columns[name])]
    roles: dict[str, Role] = {}
    for role, option in _OPTIONS.items():
        named = getattr(options, option)
        if named is not None:
            require_column(frame.columns, named, option)
        assigned = Role(named, option) if named is not None else None
        if assigned is None and role in _VALUE_OF:
            assigned = _error(role, roles, frame, names, survey, is_foreign)
        elif assigned is None:
            assigned = _value(role, frame, names, table, survey, is_foreign)
        if assigned is not None:
            roles[role] = assigned
    _require(roles, options, frame)
    if is_foreign:
        _require_once(roles, frame)
    return roles


def _require(roles: dict[str, Role], options: ReadOptions, frame: pd.DataFrame) -> None:
    if TIME_ROLE not in roles:
        raise invalid(
            f"No column was recognised as the time. Name it (time_col). The columns are {list_names(frame.columns)}."
        )
    if options.mag_col and not options.flux_col:
        roles.pop("flux", None)
    if options.flux_col and not options.mag_col and roles["flux"] == roles.get("mag"):
        roles.pop("mag")
    if "flux" not in roles and "mag" not in roles:
        raise invalid(
            "No column was recognised as a flux or a magnitude. Name it (flux_col, mag_col). The columns are "
            f"{list_names(frame.columns)}."
        )
    for error, value in _VALUE_OF.items():
        if value not in roles:
            roles.pop(error, None)
            if option := options.given(_OPTIONS[error]):
                raise invalid(f"{option[0]} names the errors of a {value}, but no {value} is read.")


def _require_once(roles: Mapping[str, Role], frame: pd.DataFrame) -> None:
    """Refuse a column whose name is repeated in the file, unless an option selects it."""
    for role, assigned in roles.items():
        again = f"{assigned.column}.1"
        if again in frame.columns and assigned.why != _OPTIONS[role]:
            raise invalid(
                f"The column name {assigned.column!r:.60} occurs more than once; the next one is called {again!r:.60}. "
                f"Name one ({_OPTIONS[role]})."
            )


def _value(
    role: str, frame: pd.DataFrame, names: list[str], table: Table, survey: Survey | None, is_foreign: bool
) -> Role | None:
    """Find the times, the fluxes or the magnitudes: the first source that names a column."""
    is_time = role == TIME_ROLE
    sources = [
        (table.time if is_time and table.time in frame.columns else None, "the file states it"),
        (_declared(role, frame, survey), "" if survey is None else survey.name),
        (next(iter(table.mjd), None) if is_time else None, "times of astropy"),
        (_column_with_unit(names) if role == "flux" and is_foreign else None, "the unit in its name"),
        (next((name for name in KNOWN[role] if name in names), None), "name"),
        (_find_column(names, _NAMES[role]) if is_foreign else None, "usual name"),
    ]
    assigned = next((Role(column, why) for column, why in sources if column is not None), None)
    guessed = _guess(role, names) if assigned is None and is_foreign else None
    return assigned if guessed is None else Role(guessed, GUESSED)


def _column_with_unit(names: list[str]) -> str | None:
    """Return the only flux column with a unit in its name, such as ``flux(mJy)``, even if there is one without."""
    parts = {name: named_unit(name) for name in names}
    candidates = [name for name, (base, unit) in parts.items() if unit is not None and base.lower() in FLUX]
    return candidates[0] if len(candidates) == 1 else None


def _guess(role: str, names: list[str]) -> str | None:
    """Return a column whose name resembles a common one; for a brightness it must be the only one."""
    if role == TIME_ROLE:
        like = list(filter(_days_in, names))
        same = [name for name in like if _days_in(name)[0] == _days_in(like[0])[0]]
        if len(middles := [name for name in same if "mid" in _words(name)]) == 1:
            return middles[0]
        if len(same) > 1:
            raise invalid(f"Several columns may be the time: {list_names(same)}. Name one (time_col).")
        return next(iter(like), None)
    if role == "mag":
        like = [name for name in names if _ANY_MAG.fullmatch(name)]
        candidates = [name for name in like if not any(name.lower() in _error_names(other) for other in like)]
    else:
        candidates = [name for name in names if name in _UNIT_NAMES or named_unit(name)[0].lower() in FLUX]
    return candidates[0] if len(candidates) == 1 else None


def _days_in(name: str) -> list[str]:
    """Return the words of a name that denote day counts, such as mjd in ``MJD-OBS`` and ``obsMjd``."""
    return [word for word in _words(name) if word in ("mjd", "bjd", "hjd", "jd", "hmjd", "bmjd")]


def _words(name: str) -> list[str]:
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", abbreviated(name))
    return [word.lower() for word in words]


def _declared(role: str, frame: pd.DataFrame, survey: Survey | None) -> str | None:
    if survey is None:
        return None
    candidates = {TIME_ROLE: (survey.time,), "flux": survey.flux, "mag": (survey.mag,)}[role]
    present = [name for name in candidates if name in frame.columns]
    return next((name for name in present if frame[name].notna().any()), next(iter(present), None))


def _error(
    role: str, roles: Mapping[str, Role], frame: pd.DataFrame, names: list[str], survey: Survey | None, is_foreign: bool
) -> Role | None:
    """Find the errors of a brightness by name; a column named just "error" needs a single brightness."""
    value = roles.get(_VALUE_OF[role])
    if value is None:
        return None
    declared = None if survey is None else survey.errors.get(value.column)
    is_own = value.column in KNOWN[_VALUE_OF[role]] or not is_foreign
    sources = [
        (declared if declared in frame.columns else None, "" if survey is None else survey.name),
        (role if is_own and role in frame.columns else None, "name"),
    ]
    if is_foreign:
        plain = _find_column(names, _NAMES[role])
        error_names = (*_error_names(value.column), *_error_names_of_band(value.column, names))
        error_column = _find_column((name for name in names if name != value.column), error_names)
        is_plain = error_column is not None and (error_column == plain or _is_suffixed(error_column, value.column))
        is_alone = survey is None and ("mag" not in roles or "flux" not in roles)
        sources += [
            (error_column, "usual name" if is_plain else GUESSED),
            (plain, "usual name"),
            (_find_column(names, _ANY_ERROR) if is_alone else None, "usual name"),
        ]
    return next((Role(column, why) for column, why in sources if column is not None), None)


def _is_suffixed(error: str, value: str) -> bool:
    return error.lower().removeprefix(value.lower()) in ("_err", "err", "_error", "error")


def _error_names(value: str) -> Iterator[str]:
    """Yield possible names of the error of a value, in lower case: psfFluxErr, duJy, e_Vmag, rel_flux_err_T1."""
    for name in dict.fromkeys((value.lower(), named_unit(value)[0].lower())):
        stem, _, suffix = name.rpartition("_")
        head, _, tail = name.partition("_")
        for word in _ERROR_WORDS:
            yield from (f"{name}_{word}", f"{name}{word}", f"{word}_{name}", f"{stem}_{word}_{suffix}", f"{word}{name}")
            yield from (f"{head}{word}_{tail}", f"{head}_{word}_{tail}")
        yield re.sub("(flux|mag|mpro)", r"sig\1", name, count=1)
        yield f"sigma{name.removeprefix('mag')}"
        yield from (f"{word}{name}" for word in ("e_", "e", "d", "d_", "s", "s_", "sig_"))


def _error_names_of_band(value: str, names: Iterable[str]) -> Iterator[str]:
    """Yield names such as I_err and e_I beside I_mag or Imag, in lower case; none if I or I_flux may own them."""
    name = named_unit(value)[0].lower()
    band = re.sub("^(?:mag|flux)_|_?(?:mag|flux)$", "", name, count=1)
    same = {band, *(form for kind in ("mag", "flux") for form in (f"{band}_{kind}", f"{band}{kind}", f"{kind}_{band}"))}
    if band not in ("", name) and same.isdisjoint(named_unit(other)[0].lower() for other in names if other != value):
        for word in (*_ERROR_WORDS, "sig"):
            yield from (f"{band}_{word}", f"{word}_{band}", f"{band}{word}", f"{word}{band}")
        yield f"e_{band}"


def _find_column(columns: Iterable[str], names: tuple[str, ...]) -> str | None:
    """Return the column with the first of some names, ignoring case and a unit of flux."""
    column_names = list(columns)
    bases = {column: abbreviated(named_unit(column)[0]) for column in reversed(column_names)}
    lower = {re.sub(r"\s+", "_", base.lower()): column for column, base in bases.items()}
    lower |= {column.lower(): column for column in reversed(column_names)}
    return next((lower[name] for name in names if name in lower), None)


def usual_time(columns: Iterable[str]) -> str | None:
    """Return the column with a common name of times, or None."""
    return _find_column(columns, _NAMES[TIME_ROLE])


def renamed(frame: pd.DataFrame, roles: Mapping[str, str]) -> dict[str, str]:
    """Return the new names of columns, by role; rename columns that would conflict with a role."""
    new = {column: role for role, column in roles.items() if column not in KNOWN[role]}
    aside = {name: f"{name}_as_read" for role in KNOWN for name in KNOWN[role] if _stands_in_the_way(name, role, roles)}
    return {**{name: other for name, other in aside.items() if name in frame.columns}, **new}


def _stands_in_the_way(name: str, role: str, roles: Mapping[str, str]) -> bool:
    """Return whether a column of this name would be used instead for the role or the brightness."""
    if name == roles.get(role) or name in roles.values():
        return False
    names = KNOWN[role]
    chosen = roles.get(role)
    if chosen is None:
        return (role == "flux" and "mag" in roles) or (role in _VALUE_OF and _VALUE_OF[role] in roles)
    return chosen not in names or names.index(name) < names.index(chosen)
