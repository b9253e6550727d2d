"""THE TABLE of the fields of a series: metadata, statistics and all other fields of an answer, each declared once.

Everything that lists or describes fields is derived from this table: catalogue columns, sort keys, criteria, labels,
OpenAPI schemas, columns of the Virtual Observatory and of HATS, and the tables of the documentation. The order of the
table is the order of the stored file and of answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

from photseries.fields.features import FEATURE_FIELDS
from photseries.fields.field import (
    DECLINATION,
    NOT_NEGATIVE,
    POSITIVE,
    RIGHT_ASCENSION,
    Comparison,
    Field,
    Operator,
    Section,
)
from photseries.fields.periods import PERIOD_FIELDS

__all__ = [
    "ANSWERED",
    "COMPUTED",
    "ENUMERATIONS",
    "EXPORTED",
    "FEATURES",
    "FIELDS",
    "IN_FILE",
    "KEY",
    "LISTED",
    "METADATA",
    "OVERVIEW",
    "PERIOD",
    "PER_COLUMN",
    "REFERENCES",
    "SETTABLE",
    "SHARING",
    "STATISTICS",
]


def _equals(name: str, sentence: str = "") -> tuple[Comparison, ...]:
    return (Comparison(name, Operator.ONE_OF, sentence),)


def _bounds(lower: str, upper: str, robust: str | None = None) -> tuple[Comparison, ...]:
    return Comparison(lower, Operator.AT_LEAST, robust=robust), Comparison(upper, Operator.AT_MOST, robust=robust)


def _min_max(quantity: str, robust: str | None = None) -> tuple[Comparison, ...]:
    return _bounds(f"min{quantity}", f"max{quantity}", robust)


def _magnitudes(statistic: str, robust: str | None = None) -> tuple[Comparison, ...]:
    return _bounds(f"{statistic}FainterThan", f"{statistic}BrighterThan", robust)


_record = partial(Field, section=Section.RECORD, filled=True)
_metadata = partial(Field, section=Section.METADATA)
_sharing = partial(Field, section=Section.SHARING, filled=True)
_statistic = partial(Field, section=Section.STATISTIC)


def _file(name: str, label: str, description: str, criterion: Comparison) -> Field:
    return Field(name, "text", label, description, section=Section.FILE, filled=True, criteria=(criterion,))


def _per_column(name: str, label: str, description: str) -> Field:
    return _statistic(name, "per column", label, description, filled=True, on_page=False)


#: The whole table.
_TABLE: Final[tuple[Field, ...]] = (
    _record("id", "id", "ID", "the number of the series", ucd="meta.id;meta.main"),
    _record("created_at", "moment", "Created", "when the series was created", ucd="time.creation"),
    _record("modified", "moment", "Modified", "when the series was last changed", ucd="time.processing"),
    _record("revision", "integer", "Revision", "the number of changes, starting at 1", ucd="meta.version"),
    _metadata(
        "obj_id", "text", "Source", "the source", ucd="meta.id;src", required=True, refers_to="sources",
        on_page=False,
        criteria=(
            Comparison(
                "objectID", Operator.CONTAINS, "Series whose obj_id contains this text; % and _ are plain characters."
            ),
            Comparison(
                "objID", Operator.ONE_OF, "Series of this source; upper and lower case differ.", "Sources"
            ),
            Comparison(
                "rejectedObjectIDs", Operator.NONE_OF, "Series of all sources except these.", "Not these sources",
                ("rejectedObjectID",),
            ),
        ),
    ),
    _metadata(
        "instrument_id", "id", "Instrument", "the instrument", ucd="meta.id;instr", required=True,
        refers_to="instrument", on_page=False,
        criteria=_equals("instrumentID", "Series taken with this instrument."),
    ),
    _metadata(
        "series_name", "path", "Series", "TESS sector, night, field ...; `/` makes folders, `\\` is read as `/`",
        ucd="meta.id", required=True, criteria=_equals("seriesName"),
    ),
    _metadata(
        "series_obj_id", "name", "Object in the series", "the star in that series; a number is stored as text",
        ucd="meta.id", required=True, criteria=_equals("seriesObjID"),
    ),
    _metadata(
        "ra", "number", "RA", "right ascension, ICRS", unit="deg", digits=5, ucd="pos.eq.ra", required=True,
        interval=RIGHT_ASCENSION,
    ),
    _metadata(
        "dec", "number", "Dec", "declination, ICRS", unit="deg", digits=5, ucd="pos.eq.dec", required=True,
        interval=DECLINATION,
    ),
    _metadata(
        "exp_time", "number", "Exposure time", "exposure time", unit="s", ucd="time.duration;obs.exposure",
        required=True, interval=POSITIVE, criteria=(*_equals("expTime"), *_min_max("ExpTime")),
    ),
    _metadata(
        "filter", "text", "Filter", "the bandpass", ucd="meta.id;instr.filter",
        required=True, verbosity=2, on_page=False,
        criteria=_equals("filter", "Series through this filter."),
    ),
    _metadata(
        "channel", "name", "Channel", "the channel of a multi-channel camera", ucd="meta.id;instr.det",
        verbosity=3, criteria=_equals("channel", "Series of this channel."),
    ),
    _metadata(
        "origin", "name", "Origin", "the pipeline", ucd="meta.id;meta.software", verbosity=3,
        criteria=_equals("origin", "Series of this origin."),
    ),
    _metadata(
        "limiting_mag", "number", "Limiting magnitude", "limiting magnitude, in magsys", unit="mag", digits=3,
        ucd="phot.mag;stat.max",
        criteria=(
            *_magnitudes("limitingMag"),
            Comparison(
                "limitingMagIsNaN", Operator.IS_NULL, "Series without (true) or with (false) a limiting magnitude.",
                "Without limiting magnitude", ("limitingMagIsNone",),
            ),
        ),
    ),
    _metadata(
        "magref", "number", "Reference magnitude", "reference magnitude, in magsys", unit="mag", digits=3,
        ucd="phot.mag", criteria=_magnitudes("magref"),
    ),
    _metadata(
        "e_magref", "number", "Error of the reference magnitude", "error of magref; needs magref", unit="mag", digits=4,
        ucd="stat.error;phot.mag", interval=NOT_NEGATIVE,
    ),
    _metadata(
        "ref_flux", "number", "Reference flux",
        "reference flux, in flux_unit if that is not a flux density; magref takes precedence", unit="uJy",
        ucd="phot.flux.density", on_page=False,
    ),
    _metadata(
        "ref_fluxerr", "number", "Error of the reference flux", "error of ref_flux; needs ref_flux", unit="uJy",
        ucd="stat.error;phot.flux.density", interval=NOT_NEGATIVE, on_page=False,
    ),
    _metadata(
        "ra_unc", "number", "Uncertainty of RA", "uncertainty of ra", unit="deg", ucd="stat.error;pos.eq.ra",
        interval=NOT_NEGATIVE, on_page=False,
    ),
    _metadata(
        "dec_unc", "number", "Uncertainty of Dec", "uncertainty of dec", unit="deg", ucd="stat.error;pos.eq.dec",
        interval=NOT_NEGATIVE, on_page=False,
    ),
    _metadata(
        "followup_request_id", "id", "Follow-up request", "the followup request of the series", ucd="meta.id;obs",
        refers_to="followup_request", criteria=_equals("followupRequestID", "Series of this followup request."),
    ),
    _metadata(
        "assignment_id", "id", "Assignment", "the assignment of the series", ucd="meta.id;obs", refers_to="assignment",
        criteria=_equals("assignmentID", "Series of this assignment."),
    ),
    _metadata(
        "time_stamp_alignment", "text", "Time stamps mark", "the part of the exposure that mjd marks", ucd="meta.code",
        default="middle", values=("start", "middle", "end"),
        value_labels={"start": "start of exposure", "middle": "mid-exposure", "end": "end of exposure"},
    ),
    _metadata(
        "time_scale", "text", "Time scale", "time scale of mjd; null: unknown", ucd="time.scale",
        values=("utc", "tai", "tt", "tdb"), value_labels={"utc": "UTC", "tai": "TAI", "tt": "TT", "tdb": "TDB"},
    ),
    _metadata(
        "time_refpos", "text", "Reference position", "reference position of mjd; null: unknown", ucd="meta.code",
        values=("topocenter", "geocenter", "heliocenter", "barycenter"),
    ),
    _metadata(
        "flux_unit", "unit", "Flux unit", "unit of the fluxes in the table, such as mJy or electron/s, or `relative`",
        ucd="meta.unit", default="uJy", file_omits_default=True, verbosity=3,
        criteria=_equals("fluxUnit", "Series with this stored flux_unit."),
    ),
    _metadata(
        "magsys", "text", "Magnitude system", "system of the magnitudes", ucd="meta.code", default="ab",
        values=("ab", "vega", "instrumental"), value_labels={"ab": "AB", "vega": "Vega"}, file_omits_default=True,
        verbosity=3,
        criteria=_equals("magsys", "Series with magnitudes in this system; series without magnitudes never match."),
    ),
    _metadata(
        "brightness", "text", "Brightness",
        "the columns to use in a table with both fluxes and magnitudes; null: the fluxes",
        ucd="meta.code", values=("flux", "mag"), value_labels={"mag": "magnitude"}, on_page=False,
    ),
    _metadata(
        "flag_column", "text", "Flag column",
        "the column that marks bad rows: statistics, features, periods and plots skip them", ucd="meta.code.qual",
    ),
    _metadata(
        "good_values", "values", "Good values", "list: the values of flag_column in good rows; null: 0",
        on_page=False,
    ),
    _metadata("altdata", "object", "Further data", "any JSON object", on_page=False),
    _metadata(
        "column_units", "units", "Units of columns",
        "object: units of other columns, by column name", on_page=False,
    ),
    _metadata(
        "batch", "text", "Batch", "the upload run that last stored the series; undo works on it", ucd="meta.id",
        in_file=False, criteria=_equals("batch", "Series last stored by this upload run."),
    ),
    _record(
        "owner_id", "id", "Owner", "the user who owns the series", ucd="meta.id", refers_to="users",
        criteria=_equals("ownerID", "Series of this owner."),
    ),
    _sharing(
        "group_ids", "ids", "Groups", 'groups to share with: a list, one id, or `"all"`', refers_to="groups",
        criteria=(
            Comparison(
                "groupID", Operator.SHARED_WITH, "Series shared with this group, which must be visible to you."
            ),
        ),
    ),
    _sharing(
        "stream_ids", "ids", "Streams", "streams of the series: a list", refers_to="streams",
        criteria=(
            Comparison("streamID", Operator.SHARED_WITH, "Series of this stream, which must be visible to you."),
        ),
    ),
    _sharing("groups", "entries", "Groups", "the groups visible to you, with their names"),
    _sharing("streams", "entries", "Streams", "the streams visible to you, with their names"),
    _file(
        "filename", "File", "the key of the stored file",
        Comparison(
            "filename", Operator.CONTAINS, "Series whose filename contains this text; % and _ are plain characters."
        ),
    ),
    _file(
        "hash", "MD5", "MD5 of the stored file", Comparison("hash", Operator.ONE_OF, "Series whose file has this MD5.")
    ),
    _record(
        "content_hash", "text", "Content hash", "SHA-256 of the columns of the table",
        criteria=_equals("contentHash", "Series whose table has this content_hash."),
    ),
    _record(
        "statistics_version", "integer", "Statistics version", "the version of the definitions of the statistics below",
        ucd="meta.version", on_page=False,
    ),
    _statistic(
        "num_exp", "integer", "Exposures", "rows of the table", ucd="meta.number;obs.exposure", filled=True,
        verbosity=3, criteria=_min_max("NumExposures"),
    ),
    _statistic(
        "num_flagged", "integer", "Flagged", "rows that flag_column marks as bad; only num_exp and times count them",
        ucd="meta.number;obs.exposure", criteria=_min_max("NumFlagged"),
    ),
    _statistic(
        "num_detected", "integer", "Detected", "rows whose S/N is above the detection threshold",
        ucd="meta.number;obs.exposure", filled=True, criteria=_min_max("NumDetected"),
    ),
    _statistic(
        "mean_flux", "number", "Mean flux",
        "mean flux; if flux_unit is not a flux density, flux statistics are in flux_unit", unit="uJy",
        ucd="phot.flux.density;stat.mean",
    ),
    _statistic(
        "rms_flux", "number", "Scatter of flux", "standard deviation of the fluxes", unit="uJy",
        ucd="stat.stdev;phot.flux.density", on_page=False,
    ),
    _statistic(
        "robust_flux", "number", "Robust flux", "mean flux after sigma clipping", unit="uJy",
        ucd="phot.flux.density;stat.mean",
    ),
    _statistic(
        "robust_rms_flux", "number", "Robust scatter of flux", "standard deviation of the fluxes after sigma clipping",
        unit="uJy", ucd="stat.stdev;phot.flux.density",
    ),
    _statistic(
        "mjd_first", "mjd", "From", "first MJD", unit="d", digits=5, ucd="time.start;obs", filled=True, on_page=False,
        criteria=(
            Comparison("startAfter", Operator.AT_LEAST, label="First observed after"),
            Comparison("startBefore", Operator.AT_MOST, label="Observed before"),
        ),
    ),
    _statistic(
        "mjd_mid", "mjd", "Middle", "mean of mjd_first and mjd_last", unit="d", digits=5, ucd="time.epoch;obs",
        filled=True, on_page=False,
        criteria=(
            Comparison("midAfter", Operator.AT_LEAST, label="Middle after", aliases=("midTimeAfter",)),
            Comparison("midBefore", Operator.AT_MOST, label="Middle before", aliases=("midTimeBefore",)),
        ),
    ),
    _statistic(
        "mjd_last", "mjd", "To", "last MJD", unit="d", digits=5, ucd="time.end;obs", filled=True, on_page=False,
        criteria=(
            Comparison("endAfter", Operator.AT_LEAST, label="Observed after"),
            Comparison("endBefore", Operator.AT_MOST, label="Last observed before"),
        ),
    ),
    _statistic(
        "mag_first", "number", "First magnitude", "magnitude at mjd_first", unit="mag", digits=3,
        ucd="phot.mag", on_page=False,
    ),
    _statistic(
        "mag_last", "number", "Last magnitude", "magnitude at mjd_last", unit="mag", digits=3,
        ucd="phot.mag", on_page=False,
    ),
    _statistic(
        "mjd_last_detected", "mjd", "Last detected", "MJD of the last detected row", unit="d", digits=5,
        ucd="time.epoch;obs", on_page=False,
    ),
    _statistic(
        "mag_last_detected", "number", "Last detected magnitude", "magnitude of the last detected row", unit="mag",
        digits=3, ucd="phot.mag", on_page=False,
    ),
    _statistic(
        "is_detected", "boolean", "Has detections", "whether any row is detected", ucd="meta.code", filled=True,
        on_page=False,
        criteria=(Comparison("detected", Operator.IS, "Series with (true) or without (false) a detected row."),),
    ),
    _statistic(
        "mean_mag", "number", "Mean magnitude", "mean magnitude, in magsys", unit="mag", digits=3,
        ucd="phot.mag;stat.mean", verbosity=3, criteria=_magnitudes("mag", "robust_mag"),
    ),
    _statistic(
        "rms_mag", "number", "Scatter", "standard deviation of the magnitudes", unit="mag", digits=4,
        ucd="stat.stdev;phot.mag", verbosity=3, criteria=_min_max("RMS", "robust_rms"),
    ),
    _statistic(
        "robust_mag", "number", "Robust magnitude", "mean magnitude after sigma clipping", unit="mag", digits=3,
        ucd="phot.mag;stat.mean",
    ),
    _statistic(
        "robust_rms", "number", "Robust scatter", "standard deviation of the magnitudes after sigma clipping",
        unit="mag", digits=4, ucd="stat.stdev;phot.mag",
    ),
    _statistic(
        "median_snr", "number", "Median S/N", "median S/N of the rows", digits=1, ucd="stat.snr;stat.median",
        verbosity=3, criteria=_min_max("MedianSNR"),
    ),
    _statistic(
        "best_snr", "number", "Best S/N", "highest S/N of the rows", digits=1, ucd="stat.snr;stat.max",
        criteria=_min_max("BestSNR"),
    ),
    _statistic(
        "worst_snr", "number", "Worst S/N", "lowest S/N of the rows", digits=1, ucd="stat.snr;stat.min",
        criteria=_min_max("WorstSNR"),
    ),
    _statistic(
        "frame_rate", "number", "Frame rate", "inverse of the median positive difference between successive times",
        unit="Hz", ucd="arith.rate;obs.exposure", criteria=_min_max("FrameRate"),
    ),
    _per_column("medians", "Median", "median of each numeric column"),
    _per_column("minima", "Minimum", "minimum of each numeric column"),
    _per_column("maxima", "Maximum", "maximum of each numeric column"),
    _per_column("stds", "Standard deviation", "standard deviation of each numeric column"),
    *FEATURE_FIELDS,
    *PERIOD_FIELDS,
    Field(
        "position", "integer", "Position", "in a search by positions, the index of the position",
        section=Section.SEARCH, filled=True,
    ),
    Field(
        "separation", "number", "Distance", "distance from the centre of the cone", section=Section.SEARCH,
        unit="arcsec", digits=2, ucd="pos.angDistance", filled=True,
    ),
)  # fmt: skip

#: All fields by name, in the order of the table.
FIELDS: Final[Mapping[str, Field]] = {field.name: field for field in _TABLE}


def _names(*sections: Section) -> tuple[str, ...]:
    return tuple(field.name for field in _TABLE if field.section in sections)


#: Metadata fields, in the order of the stored file, which carries those that are in :data:`IN_FILE`.
METADATA: Final = _names(Section.METADATA)

#: Fields that define the sharing of a series.
SHARING: Final = tuple(name for name in _names(Section.SHARING) if FIELDS[name].type == "ids")

#: Fields that clients can set.
SETTABLE: Final = (*METADATA, *SHARING)

#: Fields in the metadata of the stored file.
IN_FILE: Final = (*(name for name in METADATA if FIELDS[name].in_file), "owner_id")

#: Fields that describe the table of a series, and those that describe its variability.
STATISTICS: Final = _names(Section.STATISTIC)
FEATURES: Final = _names(Section.FEATURE)

#: Fields of the period of a series.
PERIOD: Final = _names(Section.PERIOD)

#: Fields that are computed from the table of a series when it is stored.
COMPUTED: Final = (*STATISTICS, *FEATURES)

#: Statistics that have one value for each numeric column of the table.
PER_COLUMN: Final = tuple(field.name for field in _TABLE if field.type == "per column")

#: Fields of the answer about one series, which ``sortBy`` accepts; ``data`` follows them.
ANSWERED: Final = tuple(field.name for field in _TABLE if field.section is not Section.SEARCH)

#: Fields of every series in a list.
LISTED: Final = tuple(name for name in ANSWERED if name not in FEATURES)

#: Fields that distinguish the series of a list for people, the most important first.
OVERVIEW: Final = (
    "id", "obj_id", "separation", "filter", "series_name", "series_obj_id", "num_exp", "mjd_first", "mjd_last",
    "mean_mag", "rms_mag", "median_snr", "instrument_id", "exp_time", "ra", "dec", "channel", "origin",
)  # fmt: skip

#: Fields of a series in a HATS export.
EXPORTED: Final = tuple(
    name
    for name in _names(Section.RECORD, Section.METADATA, Section.STATISTIC, Section.FEATURE, Section.PERIOD)
    if name not in PER_COLUMN and FIELDS[name].in_file
)

#: Metadata fields that name an entry of a registry, with its kind.
REFERENCES: Final[Mapping[str, str]] = {name: kind for name in METADATA if (kind := FIELDS[name].refers_to) is not None}

#: Fields that together are unique.
KEY: Final = ("obj_id", "instrument_id", "filter", "series_name", "series_obj_id", "channel", "origin")

#: The allowed values of fields, under the names of ``GET /api/enum_types``.
ENUMERATIONS: Final[Mapping[str, tuple[str, ...]]] = {
    f"ALLOWED_{field.name.upper().removesuffix('S')}S": field.values for field in _TABLE if field.values
}
