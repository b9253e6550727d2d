"""Select the rows of a series: conditions, splitting by filter, and refusal of several filters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from photseries.formats.numpy_types import EXACT
from photseries.formats.options import (
    ReadOptions,
    column_called,
    conditions_of,
    invalid,
    map_of,
    normal_name,
    require_column,
)
from photseries.lightcurve.bandpasses import BANDPASSES
from photseries.lightcurve.metadata import INFERRED
from photseries.lightcurve.table import first_present, is_numeric, is_text
from photseries.surveys import Survey

__all__ = ["Part", "bandpass", "counts_of", "far_apart", "filter_hint", "parts_of", "suggested_filter"]

#: Common names of the filter column, in lower case.
_FILTERS: Final = (
    "filter", "filtercode", "band", "passband", "bandpass", "filt", "flt", "filtername", "filter_name", "phot_filter",
    "photfilter", "filter_code", "fid", "filterid", "filter_id", "filtid", "filt_id", "bandid", "band_id", "pb",
    "filternumber", "filter_number", "filternum", "filter_num", "filtnum", "filt_num",
)  # fmt: skip
#: Columns with the object of each row, by their letters and digits; and ambiguous ones, which may number rows, name
#: images, or in Fink (``i:objectId``) the detections of an asteroid.
_OBJECTS: Final = (
    "objid", "objectid", "diaobjectid", "sourceid", "asassnid", "masterid", "inputid", "starid", "tic", "ticid", "kic",
    "kepid", "keplerid", "epic", "epicid", "gaiaid", "gaiasourceid", "locusid", "catalogid",
)  # fmt: skip
_PERHAPS_OBJECTS: Final = (
    "name", "object", "star", "target", "starname", "targetname", "objname", "objectname", "iobjectid", "rdiaobjectid",
    "id", "obj", "snid", "designation", "oid",
)  # fmt: skip
#: Words in the name of a text column that suggest filters.
_LIKE_FILTER: Final = re.compile(r"filt(?!er(?:ed|ing)|ra)|band(?!width)|(?<![a-z])fltr?(?![a-z])")
#: Columns of radio and spectroscopic light curves, where rows of several bands have several values.
_FREQUENCY: Final = re.compile(
    r"(?:obs_)?(?:freq(?:uency)?|wave(?:length)?|lambda(?:_eff)?)(?:[ _]*[\[(]?(?:[kmg]?hz|um|nm|\w?m|angstrom)[\])]?)?"
)
#: Cells that make a column with any name one of filters; G and B alone may be good and bad.
_FILTER_NAMES: Final = frozenset((*"UBVRIJHKGugrizyoc", "CV", "BP", "RP", "W1", "W2", "zg", "zr", "zi", *BANDPASSES))
_LISTED: Final = 10
#: A range of declinations that a star does not have [deg].
_APART: Final = 1 / 60

#: Filter name -> most likely bandpass.
_LIKELY: Final[Mapping[str, str]] = {
    "zg": "ztfg", "zr": "ztfr", "zi": "ztfi", "o": "atlaso", "c": "atlasc", "G": "gaia::g", "BP": "gaia::gbp",
    "RP": "gaia::grp", "CV": "bessellv", "TG": "bessellv", "Vis.": "bessellv",
    **{band: f"bessell{band.lower()}" for band in "BVRI"},
    **{band: f"sdss{band}" for band in "ugriz"},
}  # fmt: skip


@dataclass(frozen=True)
class Part:
    """The rows of one series.

    Parameters
    ----------
    frame : DataFrame
    filter_col : str, optional
    filters : mapping of str to int
        The filters of the file before the selection, with their numbers of rows.
    value : str, optional
        The only filter of the rows, as named in the file.
    warnings : tuple of str
    name : str, optional
        The value of the column ``split_by``.
    """

    frame: pd.DataFrame
    filter_col: str | None = None
    filters: Mapping[str, int] = field(default_factory=dict)
    value: str | None = None
    warnings: tuple[str, ...] = ()
    name: str | None = None


def parts_of(frame: pd.DataFrame, options: ReadOptions, survey: Survey | None, *, is_foreign: bool) -> list[Part]:
    """Select the rows of each series.

    Raises
    ------
    InvalidError
        When a condition names an unknown column or selects no row, or the rows of a series have several filters.
    """
    column = _filter_column(frame, options, survey, is_foreign=is_foreign)
    filters = {} if column is None else counts_of(frame[column])
    rows = frame
    for name, value in conditions_of(options.where):
        rows = _where(rows, name, value)
    if options.split_by is not None:
        require_column(frame.columns, options.split_by, "split_by")
        column = options.filter_col or options.split_by
        texts = _texts(rows[options.split_by])
        groups: list[tuple[str | None, pd.DataFrame]] = [
            (value, rows[texts == value]) for value in counts_of(rows[options.split_by])
        ]
        absent = int(texts.isna().sum())
        warnings = (f"{absent} rows have no value in {options.split_by}, and were left out.",) if absent else ()
    else:
        groups, warnings = [(None, rows)], ()
    if not is_foreign and not options.given("filter_col", "filter_map", "split_by"):
        return [Part(group) for _, group in groups]
    for _, group in groups if is_foreign else ():
        _require_one_object(group)
    return [
        Part(group, column, filters, _only_filter(group, column), (*warnings, *_without_filter(group, column)), name)
        for name, group in groups
    ]


def _filter_column(frame: pd.DataFrame, options: ReadOptions, survey: Survey | None, *, is_foreign: bool) -> str | None:
    """Return the filter column, or None."""
    if options.filter_col is not None:
        require_column(frame.columns, options.filter_col, "filter_col")
        return options.filter_col
    if survey is not None and survey.filter_col in frame.columns:
        return survey.filter_col
    if not is_foreign:
        return None
    names = {str(name): normal_name(str(name)) for name in frame.columns}
    texts = [name for name, normal in names.items() if _LIKE_FILTER.search(normal) and is_text(frame[name])]
    frequencies = [name for name, normal in names.items() if _FREQUENCY.fullmatch(normal)]
    column = column_called(frame.columns, _FILTERS) or next(iter([*texts, *frequencies]), None)
    column = column or next((str(name) for name, cells in frame.items() if _has_filters(cells)), None)
    return None if column is None or frame[column].isna().all() else column


def _has_filters(column: pd.Series) -> bool:
    """Return whether all cells of a column are names of filters, and not all of the same one."""
    if not is_text(column) or column.iloc[0] not in _FILTER_NAMES:
        return False
    counts = counts_of(column)
    is_full = sum(counts.values()) == len(column)
    return is_full and 1 < len(counts) <= len(column) / 2 and {"G", "B"} != {*counts} <= _FILTER_NAMES


def counts_of(column: pd.Series) -> dict[str, int]:
    """Return the values of a column as text and their numbers of rows, the most frequent first."""
    counts = _texts(column).dropna().value_counts()
    return {str(value): int(count) for value, count in counts.items()}


def bandpass(part: Part, options: ReadOptions, survey: Survey | None) -> str | None:
    """Return the bandpass of the rows; None if unknown.

    Raises
    ------
    InvalidError
        When ``filter_map`` lacks the filter of the rows.
    """
    filter_map = map_of(options.filter_map)
    if filter_map and part.value is None:
        raise invalid("filter_map is given, but no column has the filters: name it (filter_col).")
    if filter_map and part.value not in filter_map:
        raise invalid(f"filter_map has no entry for {part.value!r} of the column {part.filter_col!r}.")
    if filter_map:
        return filter_map[str(part.value)]
    survey_filters = {} if survey is None else survey.filters
    if part.value is not None:
        return survey_filters.get(part.value) or (part.value if part.value in BANDPASSES else None)
    return None if survey is None else survey.filter


def suggested_filter(value: str) -> str | None:
    """Return the most likely bandpass of a filter name."""
    return _LIKELY.get(value)


def filter_hint(value: str) -> str:
    """Return a hint about how to specify the bandpass of a filter in the file."""
    return f"The file's filter is {value!r}: map it with filter_map={value}={suggested_filter(value) or 'NAME'}."


def _only_filter(rows: pd.DataFrame, column: str | None) -> str | None:
    """Return the only filter of the rows."""
    if column is None:
        return None
    counts = counts_of(rows[column])
    if len(counts) > 1:
        first = next(iter(counts))
        raise invalid(
            f"The column {column!r} has several filters: {_format_counts(counts)}. A series has one: select it "
            f"(where={column}={first}), or make one series of each (split_by={column}).",
            details={"split_by": column},
        )
    return next(iter(counts), None)


def _without_filter(rows: pd.DataFrame, column: str | None) -> tuple[str, ...]:
    """Return a warning about rows without a filter, if other rows have one."""
    absent = 0 if column is None else int(_texts(rows[column]).isna().sum())
    if not 0 < absent < len(rows):
        return ()
    return (f"{absent} of the values of {column} are missing: these rows are assumed to have the same filter.",)


def far_apart(rows: pd.DataFrame) -> tuple[str, ...]:
    """Return a warning about positions [deg] of several objects, or of a moving one."""
    name = first_present(rows, INFERRED["dec"])
    if name is None or not is_numeric(rows[name]):
        return ()
    possible = rows[name][rows[name].between(-90, 90)]  # -999 is a sentinel
    extent = possible.max() - possible.min()
    if not extent > _APART:
        return ()
    return (f"The values of {name} extend over {60 * extent:.1f} arcmin: the rows may be of several objects.",)


def _require_one_object(rows: pd.DataFrame) -> None:
    """Refuse rows of several objects."""
    for name in map(str, rows.columns):
        plain = re.sub("[^a-z0-9]", "", name.lower())
        if plain not in (*_OBJECTS, *_PERHAPS_OBJECTS) or rows[name].nunique() < 2:
            continue
        if plain == "oid" and is_numeric(rows[name]):  # ZTF numbers a star anew in each field
            continue
        counts = counts_of(rows[name])
        if len(counts) > 1 and (plain in _OBJECTS or len(counts) <= len(rows) / 2):
            raise invalid(
                f"The column {name!r} has several objects: {_format_counts(counts)}. A series has one: select it "
                f"(where={name}={next(iter(counts))}), or make one series of each (split_by={name})."
            )


def _where(frame: pd.DataFrame, name: str, value: str) -> pd.DataFrame:
    require_column(frame.columns, name, "where")
    texts = _texts(frame[name])
    rows = frame[texts == value]
    if rows.empty:
        raise invalid(f"No row has {name}={value} (where). The values are {_format_counts(counts_of(frame[name]))}.")
    return rows


def _texts(column: pd.Series) -> pd.Series:
    """Return the cells as text; integers without a decimal point."""
    if column.dtype.kind == "f" and ((column.abs() <= EXACT) & (column % 1 == 0) | column.isna()).all():
        column = column.astype("Int64")
    return column.map(lambda cell: str(cell).strip() or None, na_action="ignore").astype(object)


def _format_counts(counts: Mapping[str, int]) -> str:
    listed = [f"{value} ({count} rows)" for value, count in list(counts.items())[:_LISTED]]
    return ", ".join(listed) + (f" and {len(counts) - _LISTED} more" if len(counts) > _LISTED else "")
