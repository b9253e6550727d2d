"""The columns of a series in ObsCore, with the UCDs of Simple Cone Search."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from photseries.fields import FIELDS, Field
from photseries.formats.registry import WRITERS

__all__ = ["COLUMNS", "Observation", "VOColumn"]

_LIGHT_CURVE: Final = WRITERS["votable"]


@dataclass(frozen=True)
class Observation:
    """A series as it is published.

    Parameters
    ----------
    fields : mapping
        Of an answer about the series.
    size : int
        Of its file [bytes].
    instrument : mapping
        The entry of its instrument.
    service : str
        The URL of the service.
    """

    fields: Mapping[str, Any]
    size: int
    instrument: Mapping[str, object]
    service: str

    def url(self, extension: str) -> str:
        """Return the URL of the light curve in a format."""
        return f"{self.service}/api/photometric_series/{self.fields['id']}.{extension}"


@dataclass(frozen=True, kw_only=True)
class VOColumn:
    """A column of the answer to a cone search; ``verbosity`` is the least VERB that shows it."""

    name: str
    value: Callable[[Observation], object]
    datatype: str = "char"
    unit: str | None = None
    ucd: str
    utype: str | None = None
    verbosity: int = 2
    words: str


def _field(name: str) -> Callable[[Observation], object]:
    return lambda row: row.fields[name]


def _column(field: Field, verbosity: int) -> VOColumn:
    """Return the column of a field under its own name."""
    return VOColumn(
        name=field.name,
        value=_field(field.name),
        datatype=_DATATYPES.get(field.type, _TEXT),
        unit=field.unit,
        ucd=field.ucd or "",
        verbosity=verbosity,
        words=field.description,
    )


def _obscore(path: str) -> str:
    return f"obscore:{path}"


_POSITION: Final = "Char.SpatialAxis.Coverage.Location.Coord.Position2D.Value2"
_TIME: Final = "Char.TimeAxis.Coverage"

#: What users write may be in any language.
_TEXT: Final = "unicodeChar"

_DATATYPES: Final[Mapping[str, str]] = {
    "number": "double",
    "mjd": "double",
    "integer": "int",
    "id": "int",
    "boolean": "boolean",
    "moment": "char",
}

#: The first three are Simple Cone Search's, with the UCDs of its version 1.03; those with a utype are ObsCore's.
COLUMNS: Final[tuple[VOColumn, ...]] = (
    VOColumn(
        name="id", ucd="ID_MAIN", verbosity=1, value=lambda row: str(row.fields["id"]), words="number of the series"
    ),
    VOColumn(
        name="ra", datatype="double", unit="deg", ucd="POS_EQ_RA_MAIN", verbosity=1, value=_field("ra"), words="ICRS"
    ),
    VOColumn(
        name="dec", datatype="double", unit="deg", ucd="POS_EQ_DEC_MAIN", verbosity=1, value=_field("dec"), words="ICRS"
    ),
    VOColumn(
        name="access_url",
        ucd="meta.ref.url",
        utype=_obscore("Access.Reference"),
        verbosity=1,
        value=lambda row: row.url(_LIGHT_CURVE.extension),
        words="the light curve",
    ),
    VOColumn(
        name="access_format",
        ucd="meta.code.mime",
        utype=_obscore("Access.Format"),
        verbosity=1,
        value=lambda row: _LIGHT_CURVE.plain_type,
        words="media type of the light curve",
    ),
    VOColumn(
        name="access_estsize",
        datatype="long",
        unit="kbyte",
        ucd="phys.size;meta.file",
        utype=_obscore("Access.Size"),
        value=lambda row: -(-row.size // 1000),
        words="size of the stored file, about that of the light curve",
    ),
    VOColumn(
        name="dataproduct_type",
        ucd="meta.code.class",
        utype=_obscore("ObsDataset.dataProductType"),
        value=lambda row: "timeseries",
        words="always timeseries",
    ),
    VOColumn(
        name="calib_level",
        datatype="int",
        ucd="meta.code;obs.calib",
        utype=_obscore("ObsDataset.calibLevel"),
        value=lambda row: 2,
        words="always 2, calibrated",
    ),
    VOColumn(
        name="obs_collection",
        datatype=_TEXT,
        ucd="meta.id",
        utype=_obscore("DataID.Collection"),
        value=_field("series_name"),
        words="series_name: TESS sector, night, field",
    ),
    VOColumn(
        name="obs_id",
        datatype=_TEXT,
        ucd="meta.id",
        utype=_obscore("DataID.observationID"),
        value=_field("series_obj_id"),
        words="series_obj_id: the star in that series",
    ),
    VOColumn(
        name="obs_publisher_did",
        ucd="meta.ref.uri;meta.curation",
        utype=_obscore("Curation.PublisherDID"),
        value=lambda row: f"{row.service}/api/photometric_series/{row.fields['id']}",
        words="URL of the series",
    ),
    VOColumn(
        name="target_name",
        datatype=_TEXT,
        ucd="meta.id;src",
        utype=_obscore("Target.Name"),
        value=_field("obj_id"),
        words="the source",
    ),
    VOColumn(
        name="s_ra",
        datatype="double",
        unit="deg",
        ucd="pos.eq.ra",
        utype=_obscore(f"{_POSITION}.C1"),
        value=_field("ra"),
        words="right ascension, ICRS",
    ),
    VOColumn(
        name="s_dec",
        datatype="double",
        unit="deg",
        ucd="pos.eq.dec",
        utype=_obscore(f"{_POSITION}.C2"),
        value=_field("dec"),
        words="declination, ICRS",
    ),
    _column(FIELDS["separation"], 2),
    VOColumn(
        name="t_min",
        datatype="double",
        unit="d",
        ucd="time.start;obs.exposure",
        utype=_obscore(f"{_TIME}.Bounds.Limits.StartTime"),
        value=_field("mjd_first"),
        words="MJD of the first row, in the time_scale of the series",
    ),
    VOColumn(
        name="t_max",
        datatype="double",
        unit="d",
        ucd="time.end;obs.exposure",
        utype=_obscore(f"{_TIME}.Bounds.Limits.StopTime"),
        value=_field("mjd_last"),
        words="MJD of the last row, in the time_scale of the series",
    ),
    VOColumn(
        name="t_exptime",
        datatype="double",
        unit="s",
        ucd="time.duration;obs.exposure",
        utype=_obscore(f"{_TIME}.Support.Extent"),
        value=lambda row: row.fields["exp_time"] * row.fields["num_exp"],
        words="total exposure time",
    ),
    VOColumn(
        name="t_resolution",
        datatype="double",
        unit="s",
        ucd="time.resolution",
        utype=_obscore("Char.TimeAxis.Resolution.Refval.value"),
        value=_field("exp_time"),
        words="exposure time of one row",
    ),
    VOColumn(
        name="facility_name",
        datatype=_TEXT,
        ucd="meta.id;instr.tel",
        utype=_obscore("Provenance.ObsConfig.Facility.name"),
        value=lambda row: row.instrument.get("telescope"),
        words="the telescope",
    ),
    VOColumn(
        name="instrument_name",
        datatype=_TEXT,
        ucd="meta.id;instr",
        utype=_obscore("Provenance.ObsConfig.Instrument.name"),
        value=lambda row: row.instrument.get("name"),
        words="the instrument",
    ),
    VOColumn(
        name="time_scale",
        ucd=FIELDS["time_scale"].ucd or "",
        verbosity=3,
        value=lambda row: (row.fields["time_scale"] or "unknown").upper(),
        words="time scale of the times, UNKNOWN if not stated",
    ),
    *(_column(field, field.verbosity) for field in FIELDS.values() if field.verbosity is not None),
)
