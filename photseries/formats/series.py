"""The pipeline from a table as read to its series.

The steps, each in its own module: rows and filters (:mod:`~photseries.formats.selection`), roles of columns
(:mod:`~photseries.formats.roles`), times (:mod:`~photseries.formats.times`), units of astropy
(:mod:`~photseries.formats.units`), limits and missing values (:mod:`~photseries.formats.limits`), unit of
the fluxes and system of the magnitudes (:mod:`~photseries.formats.calibration`), fields of the header
(:mod:`~photseries.formats.headers`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
import pandas as pd

from photseries.fields import FIELDS
from photseries.fields.stored import with_defaults
from photseries.formats.calibration import (
    AROUND_1,
    NO_UNIT,
    SCALED,
    UNIT_COLUMNS,
    Fluxes,
    calibrate,
    flux_unit_of_header,
    in_stored_unit,
    is_magnitude,
    system_of,
)
from photseries.formats.headers import fields_of
from photseries.formats.limits import LIMITING_MAG, limit_column, separate_limits, without_sentinels
from photseries.formats.numpy_types import plain_frame
from photseries.formats.options import ReadOptions, Unit, column_called, invalid, list_names, require_few_names
from photseries.formats.own_files import is_stored, names_series, restored
from photseries.formats.reading import Reading, Role, Table
from photseries.formats.roles import (
    GUESSED,
    KNOWN,
    TIME_ROLE,
    named_unit,
    renamed,
    roles_of,
    unknown_unit,
    usual_time,
    written_unit,
)
from photseries.formats.selection import Part, bandpass, counts_of, far_apart, parts_of
from photseries.formats.times import Times, require_mjd, times_of, without_odd
from photseries.formats.units import in_known_units, in_written_units, known_unit, units_to_convert
from photseries.lightcurve.calibration import ZERO_POINT_COLUMNS, calibration_of
from photseries.lightcurve.meaning import meaning
from photseries.lightcurve.metadata import INFERRED
from photseries.lightcurve.photometry import flux_to_mag
from photseries.lightcurve.table import FLUXERR, MAGERR, is_text
from photseries.lightcurve.units import MICROJANSKY, RELATIVE, flux_unit_of
from photseries.surveys import Survey, recognise

__all__ = ["series_of"]

_BRIGHTNESSES: Final[tuple[tuple[Literal["mag", "flux"], str], ...]] = (("mag", MAGERR), ("flux", FLUXERR))

#: Fields of the times that a column of their name may state.
_OF_TIMES: Final = ("time_scale", "time_refpos", "time_stamp_alignment")

#: Columns of text that may state a field or the unit of the fluxes for all rows, in lower case.
_STATING: Final = frozenset((*_OF_TIMES, "magsys", *UNIT_COLUMNS))

#: A unit of flux density in a comment, except uJy; the Jansky VLA is a telescope.
_OTHER_JANSKY: Final = re.compile(r"\b(?:[mn]?Jy|(?:milli|nano)?[Jj]anskys?)\b(?! V(?:LA|ery Large)\b)")
_MICROJANSKY: Final = re.compile(r"\b[uµμ]Jy\b")
#: A mention of fluxes that may not be flux densities.
_OTHER_FLUX: Final = re.compile(
    r"\b(?:adus?|dn|counts?|cts|ct/s|electrons?|e-/s|photons?|(?:nano)?magg(?:y|ies)|erg|zero[- ]?points?|zp)\b",
    re.IGNORECASE,
)

_VEGA: Final = re.compile(r"\bvega(?:mags?)?\b", re.IGNORECASE)

#: Keys of altdata about the fluxes.
_OF_FLUXES: Final = (
    "flux_calibrated",
    "flux_unit",
    "flux_zero_point",
    "flux_zero_point_error",
    "flux_zero_point_source",
)


def series_of(table: Table, options: ReadOptions) -> tuple[Reading, ...]:
    """Build the series of a table.

    Returns
    -------
    tuple of Reading
        One, or one for each value of the column ``split_by``, the most frequent first. Columns without a role are
        unchanged; names known to the service stay.

    Raises
    ------
    InvalidError
        When a named column is missing, there is no time or brightness, the times contradict their format,
        or an option does not apply to the table.
    """
    for option in options.given("table", "names"):
        if option not in table.uses:
            raise invalid(f"{option} is given, but this {'table has names' if option == 'names' else 'is one table'}.")
    if not len(table.frame):
        raise invalid("The table has no rows.")
    require_few_names(table.frame.columns)
    if not table.frame.columns.is_unique:
        twice = table.frame.columns[table.frame.columns.duplicated()][0]
        raise invalid(f"The column name {str(twice)!r:.80} occurs more than once.")
    table = _with_attrs(table)
    plain, index_warnings = plain_frame(restored(table.frame, table.notes))
    frame = _with_index(plain)
    is_foreign = not is_stored(table.file_metadata, frame)
    brightness = options.mag_col or options.flux_col or ""
    survey = recognise(table.header, map(str, frame.columns), brightness) if is_foreign else None
    parts = parts_of(frame, options, survey, is_foreign=is_foreign)
    table = replace(table, warnings=(*table.warnings, *index_warnings))
    return tuple(
        _Series(table, part, options, survey, is_foreign).reading(is_whole=part.frame is table.frame) for part in parts
    )


def _with_attrs(table: Table) -> Table:
    """Add the keywords and the ``units`` that users keep in the ``attrs`` of pandas, which Parquet keeps, too."""
    attrs = table.frame.attrs
    if not attrs:
        return table
    units = attrs.get("units")
    texts = {name: unit for name, unit in units.items() if isinstance(unit, str)} if isinstance(units, Mapping) else {}
    keywords = {str(name).upper(): value for name, value in attrs.items() if isinstance(value, str | int | float)}
    return replace(table, header={**keywords, **table.header}, units={**texts, **table.units})


def _without_fluxes(altdata: object) -> dict[str, object]:
    """Return the altdata of a file without its keys about fluxes, which are converted or described by their unit."""
    if not isinstance(altdata, Mapping):
        return {}
    return {name: value for name, value in altdata.items() if name not in _OF_FLUXES}


def _without_unit(columns: Mapping[str, str], comments: str) -> tuple[str, ...]:
    """Return the warning about fluxes without a unit, assumed to be uJy; none if both names are the service's.

    A comment about another unit or a zero point makes the assumption doubtful.

    Raises
    ------
    InvalidError
        When their column has a different name, or the comments of the file mention another unit.
    """
    name = columns["flux"]
    if name.lower() not in KNOWN["flux"]:
        raise invalid(
            f"The unit of the column {name!r:.60} is unknown: state it (flux_unit), such as uJy, mJy, ct, electron/s "
            "or relative, or a zero point (zero_point)."
        )
    # Beside uJy, 3631 Jy is merely the zero point of AB magnitudes.
    is_stated = _MICROJANSKY.search(comments) is not None
    others = comments.replace("3631 Jy", "") if is_stated else comments
    if mentioned := _OTHER_JANSKY.search(others):
        raise invalid(
            f"The column {name!r:.60} has no unit, and a comment mentions {mentioned[0]}: state the unit (flux_unit), "
            "such as uJy."
        )
    is_ours = all(columns[role] in KNOWN[role] for role in (TIME_ROLE, "flux"))
    if is_ours and (is_stated or not _OTHER_FLUX.search(comments)):
        return ()
    return (f"The column {name} has no unit, and was assumed to be uJy: state another with flux_unit.",)


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn an index of times into a column."""
    index = frame.index
    is_time = isinstance(index, pd.DatetimeIndex) or usual_time([str(index.name)]) is not None
    if not is_time or usual_time(map(str, frame.columns)) is not None:
        return frame
    named: pd.DataFrame = frame.rename_axis(str(index.name or "time")).reset_index()
    return named


@dataclass(frozen=True)
class _Series:
    """The conversion of one series."""

    table: Table
    part: Part
    options: ReadOptions
    survey: Survey | None
    is_foreign: bool

    @property
    def _comments(self) -> str:
        """The comments of a text file."""
        return str(self.table.header.get("COMMENTS", ""))

    @cached_property
    def _stating(self) -> dict[str, dict[str, int]]:
        """The values of the columns that may state something for all rows, with their numbers of rows."""
        named = {str(name): cells for name, cells in self.part.frame.items() if str(name).lower() in _STATING}
        counts = {name: counts_of(cells) for name, cells in named.items() if is_text(cells)}
        return {name: values for name, values in counts.items() if values}

    def _stated_fields(self, names: Iterable[str] = _OF_TIMES) -> dict[str, str]:
        """Return the fields that columns of their names state for all rows."""
        stated = {name: next(iter(self._stating[name])) for name in names if len(self._stating.get(name, ())) == 1}
        return {name: value for name, value in stated.items() if value in FIELDS[name].values}

    @cached_property
    def _unit_column(self) -> tuple[str, str] | None:
        """The column with the unit of all fluxes as text, and the unit.

        Raises
        ------
        InvalidError
            When the rows have several units.
        """
        name = column_called(self._stating, UNIT_COLUMNS)
        units = [] if name is None else [*self._stating[name]]
        if name is not None and len(units) == 1:
            return name, units[0]
        # A single letter may be the name of a band.
        if any(is_magnitude(text) or (len(text) > 1 and known_unit(text)) for text in units):
            raise invalid(
                f"The column {name!r:.60} has several units of flux: {list_names(units)}. Select one (where)."
            )
        return None

    def reading(self, *, is_whole: bool) -> Reading:
        """Run all steps."""
        frame, table, options, survey = self.part.frame, self.table, self.options, self.survey
        roles = roles_of(frame, table, options, survey, is_foreign=self.is_foreign)
        columns = {role: assigned.column for role, assigned in roles.items()}
        times = times_of(frame, columns[TIME_ROLE], table, options, survey)
        times = without_odd(times, frame[columns[TIME_ROLE]]) if self.is_foreign else times
        stated_units, texts = units_to_convert(self._units(frame, columns), table.file_metadata)
        texts = {name: table.unit_texts.get(name, text) for name, text in texts.items()}
        brought, unit, magsys, doubts = in_known_units(frame, columns, stated_units)
        unit = self._unit(unit, columns)
        brought = in_written_units(brought, columns, self._textual_units(columns, unit)) if self.is_foreign else brought
        clean, limits, column_warnings = self._measured(brought, columns, unit)
        filter_name = bandpass(self.part, options, survey)
        fluxes = self._fluxes(clean, columns, unit, filter_name)
        if "flux" in limits and "mag" not in limits and fluxes.fields.get("flux_unit", MICROJANSKY) == MICROJANSKY:
            clean = clean.assign(**{_LIMITS: flux_to_mag(limits["flux"] * fluxes.factor)})
        changed: dict[str, Any] = {
            str(name): column.dt.tz_convert(None)
            for name, column in clean.items()
            if isinstance(column.dtype, pd.DatetimeTZDtype)
        }
        if np.ndim(fluxes.factor) or fluxes.factor != 1.0:
            for name in (columns[role] for role in SCALED if role in columns):
                changed[name] = clean[name].to_numpy(np.float64) * fluxes.factor
        if times.mjd is not None:
            changed[columns[TIME_ROLE]] = times.mjd
        made, new = self._renamed(clean.assign(**changed) if changed else clean, columns, fluxes)
        fields = self._fields(times, fluxes, magsys, filter_name, columns, clean)
        fields |= _further_units(texts, new, table.file_metadata) if table.units else {}
        selected = made
        if options.limit == "drop" and limits:
            selected = made[~np.logical_or.reduce([np.isfinite(values) for values in limits.values()])]
        require_mjd(selected[new.get(columns[TIME_ROLE], columns[TIME_ROLE])].to_numpy(np.float64), options.time_format)
        column_warnings += self._assumptions(columns, fluxes, magsys)
        guessed = [
            f"{role} was taken from the column {assigned.column}."
            for role, assigned in roles.items()
            if assigned.why == GUESSED
        ]
        return Reading(
            selected if selected is made else selected.reset_index(drop=True),
            fields,
            table.file_metadata,
            (
                *table.warnings,
                *self.part.warnings,
                *(far_apart(brought) if self.is_foreign else ()),
                *times.warnings,
                *doubts,
                *column_warnings,
                *fluxes.warnings,
                *guessed,
            ),
            table.blob if is_whole and selected is table.frame else None,
            {**roles, TIME_ROLE: Role(columns[TIME_ROLE], f"{roles[TIME_ROLE].why}; {times.why}")}
            | ({"flux": Role(columns["flux"], f"{roles['flux'].why}; {fluxes.why}")} if "flux" in columns else {}),
            None if survey is None else survey.name,
            self.part.filters,
            self.part.value,
            tuple(map(str, frame.columns)),
            self.part.name,
            self._calibration(fields, fluxes, columns),
        )

    def _assumptions(self, columns: Mapping[str, str], fluxes: Fluxes, magsys: str | None) -> tuple[str, ...]:
        """Return warnings about the unit of the fluxes and the system of the magnitudes that were assumed."""
        warnings = _without_unit(columns, self._comments) if fluxes.why == NO_UNIT else ()
        if "mag" in columns and self._system(columns["mag"], magsys) is None and _VEGA.search(self._comments):
            warnings += ("A comment mentions Vega, and the magnitudes were assumed to be AB: state magsys.",)
        return warnings

    def _calibration(
        self, fields: Mapping[str, object], fluxes: Fluxes, columns: Mapping[str, str]
    ) -> dict[str, object]:
        """Return the fields of the times, fluxes and magnitudes that the data state, with defaults."""
        if not self.is_foreign:
            known = with_defaults({**self.table.file_metadata, **fields})
            return {name: known[name] for name in (*_OF_TIMES, "flux_unit", "magsys") if name in known}
        stated = {name: fields[name] for name in _OF_TIMES if name in fields}
        if "flux" in columns and fluxes.why not in ("", NO_UNIT, AROUND_1):
            stated["flux_unit"] = fluxes.fields.get("flux_unit", MICROJANSKY)
        unit = fields.get("magsys")
        system = self._system(columns["mag"], None if unit is None else str(unit)) if "mag" in columns else None
        return stated if system is None else {**stated, "magsys": system}

    def _units(self, frame: pd.DataFrame, columns: Mapping[str, str]) -> dict[str, object]:
        """Return astropy units by the column names of the restored table, in which durations have none."""
        notes = self.table.notes
        named = {
            str(notes.get(name, {}).get("name") or name): unit
            for name, unit in self.table.units.items()
            if not isinstance(unit, str) and name != columns[TIME_ROLE]
        }
        return {name: unit for name, unit in named.items() if name in frame and frame[name].dtype.kind != "m"}

    def _textual_units(self, columns: Mapping[str, str], flux_unit: Unit) -> dict[str, str]:
        """Return the textual units of columns: from the file, the name of the column, or that of the fluxes."""
        named = {name: written_unit(name)[1] for name in columns.values()}
        flux = columns.get("flux", "")
        is_converted = not isinstance(self.table.units.get(flux, ""), str)  # with its errors, by astropy
        fluxes = {flux: self.options.flux_unit or (None if is_converted else flux_unit)}
        return {
            name: text
            for source in (fluxes, named, self.table.units)
            for name, text in source.items()
            if isinstance(text, str) and text
        }

    def _unit(self, unit: Unit, columns: Mapping[str, str]) -> Unit:
        """Return the unit of the fluxes stated by the file or its survey."""
        name = columns.get("flux")
        if name is None or unit is not None:
            return unit
        of_errors = named_unit(columns.get(FLUXERR, ""))[1]
        of_rows = None if self._unit_column is None else self._unit_column[1]
        of_header = None if "flux_unit" in self.table.file_metadata else flux_unit_of_header(self.table.header)
        texts = (
            self.table.units.get(name),
            named_unit(name)[1],
            *(text for text in (of_rows, of_header) if text is not None and known_unit(text)),
            None if of_errors is None or flux_unit_of(of_errors).microjansky is None else of_errors,
            of_rows,
            of_header,
        )
        if (stated := next((text for text in texts if isinstance(text, str)), None)) is not None:
            return stated
        if (odd := unknown_unit(name)) is not None and not self.options.given("flux_unit", "zero_point"):
            raise invalid(
                f"{odd!r:.40} in the name of the column {name!r:.60} is not a known unit: state it (flux_unit)."
            )
        if self.survey is not None:
            default_unit = RELATIVE if self.survey.mission is not None else None
            return self.survey.flux_unit.get(name, self.survey.flux_unit.get("*", default_unit))
        return None

    def _measured(
        self, frame: pd.DataFrame, columns: Mapping[str, str], unit: Unit
    ) -> tuple[pd.DataFrame, dict[str, Any], tuple[str, ...]]:
        """Remove limits and sentinels from the brightnesses, sentinels from others; return the limits by role."""
        if not self.is_foreign:
            return frame, {}, ()
        limits: dict[str, object] = {}
        new = {}
        frame, sentinels = without_sentinels(frame, _limit_of(columns))
        warnings = [*sentinels]
        stated = known_unit(self.options.flux_unit or unit or "")
        for role, error in _BRIGHTNESSES:
            if role in columns:
                measurement = separate_limits(
                    frame,
                    role,
                    columns,
                    keeps=self.options.limit == "keep",
                    limits_have_no_error=self.survey is not None and self.survey.limits_have_no_error,
                    is_density=role == "flux" and stated is not None and stated.microjansky is not None,
                )
                warnings += measurement.warnings
                if measurement.changed:
                    new[columns[role]] = measurement.values
                    new |= {} if measurement.errors is None else {columns[error]: measurement.errors}
                if np.isfinite(measurement.limits).any():
                    limits[role] = measurement.limits
                    if role == "mag":
                        new[_LIMITS] = measurement.limits
        return (frame.assign(**new) if new else frame), limits, tuple(warnings)

    def _fluxes(self, frame: pd.DataFrame, columns: Mapping[str, str], unit: Unit, filter_name: str | None) -> Fluxes:
        file_metadata = self.table.file_metadata
        is_said = not self.is_foreign or "flux_unit" in file_metadata or names_series(file_metadata)
        if is_said and not self.options.given("zero_point", "flux_unit"):
            return Fluxes() if unit is None or "flux" not in columns else in_stored_unit(unit)
        name = filter_name or file_metadata.get("filter")
        column = None if self.survey is None else self.survey.zero_point
        return calibrate(frame, columns, unit, self.options, name, column, self.table.header)

    def _renamed(
        self, frame: pd.DataFrame, columns: Mapping[str, str], fluxes: Fluxes
    ) -> tuple[pd.DataFrame, dict[str, str]]:
        """Rename the columns to the service's names; omit columns whose content is now in the fields."""
        new = renamed(frame, columns)
        said = self._columns_of_fields(columns) if self.is_foreign else set()
        frame = frame.drop(columns=said) if said else frame
        if str(fluxes.zero_points).lower() in ZERO_POINT_COLUMNS:
            name = f"{fluxes.zero_points}_as_read"
            new[str(fluxes.zero_points)] = name if name not in frame.columns else f"{name}_2"
        if self.survey is not None:
            new |= {name: other for name, other in self.survey.rename.items() if other not in frame.columns}
        if _LIMITS in frame.columns:
            free = LIMITING_MAG if LIMITING_MAG not in frame.columns else "mag_limit"
            new[_LIMITS] = free
            if self.options.limit == "drop":
                frame = frame.drop(columns=_LIMITS)
        new = {name: other for name, other in new.items() if name in frame.columns}
        return (frame.rename(columns=new) if new else frame), new

    def _system(self, column: str, unit: str | None) -> str | None:
        """Return the system of magnitudes that the data or their unit state; None if unknown."""
        survey = self.survey
        declared = None if survey is None else survey.magsys.get(str(self.part.value), survey.magsys.get("*"))
        return system_of(self.part.frame, column, self.options, unit, declared, self.table.header)

    def _columns_of_fields(self, columns: Mapping[str, str]) -> set[str]:
        """Return the columns that fields were taken from; the fluxes may no longer have the unit in them."""
        names = {*self._stated_fields()}.difference(self.options.given(*_OF_TIMES[:2]))
        if "mag" in columns and self.options.magsys is None:
            names |= {*self._stated_fields(("magsys",))}
        unit_column = self._unit_column if "flux" in columns and self.options.flux_unit is None else None
        return names if unit_column is None or known_unit(unit_column[1]) is None else {*names, unit_column[0]}

    def _fields(
        self,
        times: Times,
        fluxes: Fluxes,
        magsys: str | None,
        filter_name: str | None,
        columns: Mapping[str, str],
        frame: pd.DataFrame,
    ) -> dict[str, object]:
        """Return the fields of the series; later sources take precedence."""
        table, options, survey, file_metadata = self.table, self.options, self.survey, self.table.file_metadata
        fields = {} if survey is None else fields_of(table.header, survey)
        of_columns = self._column_fields(columns, frame) if self.is_foreign else {}
        stated = {name: getattr(options, name) for name in options.given("time_scale", "time_refpos")}
        of_times = self._stated_fields() if self.is_foreign else {}
        fields |= {**of_columns, **times.fields, **table.fields, **of_times, **stated}
        fields |= {} if filter_name is None else {"filter": filter_name}
        system = options.magsys
        if "mag" in columns:
            system = self._system(columns["mag"], magsys)
        if system is not None and (system != "ab" or options.magsys is not None):
            fields["magsys"] = system
        if "flux" in columns:
            flux_unit = fluxes.fields.get("flux_unit")
            if flux_unit is not None and (flux_unit != MICROJANSKY or "flux_unit" in file_metadata):
                fields["flux_unit"] = flux_unit
            altdata = dict(fields.get("altdata", {}))
            if survey is not None and survey.mission is not None and columns["flux"] not in KNOWN["flux"]:
                altdata["flux_column"] = columns["flux"]
            if fluxes.altdata:
                altdata = {**_without_fluxes(file_metadata.get("altdata")), **altdata, **fluxes.altdata}
                fields |= {"flux_unit": MICROJANSKY} if "flux_unit" in file_metadata else {}
            fields |= {"altdata": altdata} if altdata else {}
        if (
            self.is_foreign
            and {"flux", "mag"} <= columns.keys()
            and not calibration_of({**file_metadata, **fields}).converts
        ):
            of_fluxes = options.given("flux_col", "flux_unit", "zero_point")
            fields["brightness"] = "flux" if of_fluxes and options.mag_col is None else "mag"
        return {name: value for name, value in fields.items() if value is not None}

    def _column_fields(self, columns: Mapping[str, str], frame: pd.DataFrame) -> dict[str, object]:
        """Return fields from columns that the service does not infer from, or that contain limits now."""
        fields: dict[str, object] = {}
        name = limit_column(frame, _limit_of(columns))
        if name is not None and name not in INFERRED[LIMITING_MAG]:
            values = frame[name].to_numpy(np.float64)
            values = values[np.isfinite(values)]
            fields |= {LIMITING_MAG: float(np.median(values))} if values.size else {}
        if "obj_id" in frame.columns and frame["obj_id"].nunique() == 1:
            fields["obj_id"] = str(frame["obj_id"].dropna().iloc[0])
        return fields


#: Temporary name of the column with limits; no file has it.
_LIMITS: Final = "\0limits"


def _limit_of(columns: Mapping[str, str]) -> str:
    """Return the name of a column with the limits of the magnitudes that are read, in lower case."""
    return f"{columns.get('mag', '')}_lim".lower()


def _further_units(
    units: Mapping[str, str], new: Mapping[str, object], file_metadata: Mapping[str, object]
) -> dict[str, dict[str, str]]:
    """Return the units of columns that the service does not define, unless the file states them already."""
    named = {str(new.get(name, name)): unit for name, unit in units.items()}
    further = {name: unit for name, unit in named.items() if meaning(name, {}).unit is None}
    return {} if further == file_metadata.get("column_units", {}) else {"column_units": further}
