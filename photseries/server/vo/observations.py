"""The columns of a series in ObsCore, with the UCDs of Simple Cone Search."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from photseries.fields import FIELDS
from photseries.formats.registry import WRITERS
from photseries.lightcurve.calibration import calibration_of
from photseries.server.vo.tables import TABLES, TapColumn, column_of_field

__all__ = ["COLUMNS", "Observation", "VOColumn"]

_LIGHT_CURVE: Final = WRITERS["votable"]


@dataclass(frozen=True)
class Observation:
    """A published series.

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


@dataclass(frozen=True)
class VOColumn:
    """A column of a cone search; ``verbosity`` is the smallest VERB that includes it."""

    column: TapColumn
    value: Callable[[Observation], object]
    verbosity: int = 2


_OBSCORE: Final = {column.name: column for column in TABLES["ivoa.obscore"].columns}


def _obscore(
    name: str, value: Callable[[Observation], object], words: str | None = None, verbosity: int = 2
) -> VOColumn:
    """Return a column of ObsCore, with another description if its value differs from the column of TAP."""
    column = _OBSCORE[name]
    return VOColumn(replace(column, description=words or column.description), value, verbosity)


def _field(name: str) -> Callable[[Observation], object]:
    return lambda row: row.fields[name]


def _calibration_level(row: Observation) -> int:
    """Return 1 for instrumental magnitudes, and for fluxes that are not flux densities."""
    calibration = calibration_of(row.fields)
    is_density = row.fields["mean_mag"] is not None or calibration.flux_unit.microjansky is not None
    return 2 if is_density and calibration.magsys != "instrumental" else 1


def _main(name: str, ucd: str) -> VOColumn:
    """Return a coordinate of Simple Cone Search."""
    return VOColumn(TapColumn(name=name, datatype="double", unit="deg", ucd=ucd, description="ICRS"), _field(name), 1)


_ID: Final = TapColumn(name="id", datatype="char", ucd="ID_MAIN", description="number of the series")
_TIME_SCALE: Final = replace(
    column_of_field("time_scale"), datatype="char", description="time scale of the times, UNKNOWN if not stated"
)
#: A URL, not an IVOA identifier.
_DID: Final = replace(_OBSCORE["obs_publisher_did"], ucd="meta.ref.uri;meta.curation", description="URL of the series")

#: The first three are Simple Cone Search's, with the UCDs of its version 1.03; those with a utype are ObsCore's.
COLUMNS: Final[tuple[VOColumn, ...]] = (
    VOColumn(_ID, lambda row: str(row.fields["id"]), 1),
    _main("ra", "POS_EQ_RA_MAIN"),
    _main("dec", "POS_EQ_DEC_MAIN"),
    _obscore("access_url", lambda row: row.url(_LIGHT_CURVE.extension), "the light curve", 1),
    _obscore("access_format", lambda row: _LIGHT_CURVE.plain_type, "media type of the light curve", 1),
    _obscore(
        "access_estsize",
        lambda row: -(-row.size // 1000),
        "size of the stored file, similar to that of the light curve",
    ),
    _obscore("dataproduct_type", lambda row: "timeseries"),
    _obscore("calib_level", _calibration_level),
    _obscore("obs_collection", _field("series_name"), "series_name: TESS sector, night, field"),
    _obscore("obs_id", _field("series_obj_id"), "series_obj_id: the star in that series"),
    VOColumn(_DID, lambda row: f"{row.service}/api/photometric_series/{row.fields['id']}"),
    _obscore("target_name", _field("obj_id"), "the source"),
    _obscore("s_ra", _field("ra")),
    _obscore("s_dec", _field("dec")),
    VOColumn(column_of_field("separation"), _field("separation")),
    _obscore("t_min", _field("mjd_first"), "MJD of the first row, in the time_scale of the series"),
    _obscore("t_max", _field("mjd_last"), "MJD of the last row, in the time_scale of the series"),
    _obscore("t_exptime", lambda row: row.fields["exp_time"] * row.fields["num_exp"], "total exposure time"),
    _obscore("t_resolution", _field("exp_time"), "exposure time of one row"),
    _obscore("facility_name", lambda row: row.instrument.get("telescope")),
    _obscore("instrument_name", lambda row: row.instrument.get("name")),
    VOColumn(_TIME_SCALE, lambda row: (row.fields["time_scale"] or "unknown").upper(), 3),
    *(
        VOColumn(column_of_field(name), _field(name), field.verbosity)
        for name, field in FIELDS.items()
        if field.verbosity is not None
    ),
)
