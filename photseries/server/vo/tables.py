"""The tables and columns that queries may use: from the table of fields, ObsCore, and TAP_SCHEMA itself."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Final, NamedTuple, TypedDict, Unpack

from photseries.fields import ANSWERED, FIELDS
from photseries.lightcurve.barycentre import LOCATION

__all__ = [
    "KEYS",
    "MAX_TEXT",
    "PACKED",
    "SCHEMAS",
    "TABLES",
    "Key",
    "TapColumn",
    "TapTable",
    "column_of_field",
    "tap_schema",
]

#: The numbers of VOTable as BINARY and BINARY2 have them.
PACKED: Final[Mapping[str, struct.Struct]] = {
    name: struct.Struct(code)
    for name, code in (
        ("unsignedByte", ">B"), ("short", ">h"), ("int", ">i"), ("long", ">q"), ("float", ">f"), ("double", ">d"),
    )
}  # fmt: skip

#: Maximum length of a text that a query composes or uploads [characters]; stored texts are not longer.
MAX_TEXT: Final = 65_536


@dataclass(frozen=True, kw_only=True)
class TapColumn:
    """A column of a table or of a result, with the attributes of VOTable.

    ``weight`` is the number of columns of tables in its expression, repetitions included.
    """

    name: str
    datatype: str = "unicodeChar"
    arraysize: str | None = None
    unit: str | None = None
    ucd: str | None = None
    utype: str | None = None
    xtype: str | None = None
    description: str | None = None
    principal: bool = False
    indexed: bool = False
    std: bool = False
    weight: int = 1

    @property
    def quoted_name(self) -> str:
        """The name as a query must write it: in quotes if it is a reserved word."""
        return f'"{self.name}"' if self.name == "size" else self.name

    @property
    def size(self) -> str | None:
        """The arraysize; variable by default for text."""
        return self.arraysize or ("*" if self.is_text else None)

    @property
    def is_text(self) -> bool:
        """Whether the cells are texts."""
        return self.datatype.endswith("har")


@dataclass(frozen=True, kw_only=True)
class TapTable:
    """A table of queries.

    Parameters
    ----------
    schema, name, description : str
    columns : tuple of TapColumn
    source : str
        The view in the database; empty for TAP_SCHEMA, whose rows this module generates.
    position : tuple of str, optional
        Its columns of right ascension and declination that have an index.
    utype : str, optional
    """

    schema: str
    name: str
    description: str
    columns: tuple[TapColumn, ...]
    source: str = ""
    position: tuple[str, str] | None = None
    utype: str | None = None

    @property
    def kind(self) -> str:
        """The kind in VODataService and TAP_SCHEMA."""
        return "view" if self.source else "table"

    @property
    def full_name(self) -> str:
        """The name with its schema."""
        return f"{self.schema}.{self.name}"


_TYPES: Final[Mapping[str, dict[str, object]]] = {
    "number": {"datatype": "double"},
    "mjd": {"datatype": "double"},
    "integer": {"datatype": "int"},
    "id": {"datatype": "int"},
    "boolean": {"datatype": "boolean"},
    "moment": {"datatype": "char", "xtype": "timestamp"},
}
_INDEXED: Final = ("id", "obj_id", "instrument_id", "filter", "ra", "dec", "mjd_last", "batch", "hash", "content_hash")
_PRINCIPAL: Final = (
    "id", "obj_id", "ra", "dec", "filter", "series_name", "mjd_first", "mjd_last", "num_exp", "mean_mag", "rms_mag",
)  # fmt: skip

_ACCESS: Final = TapColumn(
    name="access_url",
    datatype="char",
    ucd="meta.ref.url",
    description="links of the series: the light curve in every format, and services",
    principal=True,
)


class _ColumnOptions(TypedDict, total=False):
    xtype: str
    principal: bool
    indexed: bool


def _obscore(
    name: str, datatype: str, unit: str, ucd: str, path: str, description: str, *,
    std: bool = True, **more: Unpack[_ColumnOptions],
) -> TapColumn:  # fmt: skip
    return TapColumn(
        name=name,
        datatype=datatype,
        unit=unit or None,
        ucd=ucd or None,
        utype=f"obscore:{path}" if path else None,
        description=description,
        std=std,
        **more,
    )


_P: Final = "Char.SpatialAxis"
_T: Final = "Char.TimeAxis"
_EM: Final = "Char.SpectralAxis"
_MAIN: Final[_ColumnOptions] = {"principal": True}
_NEVER: Final = "always null"

#: ObsCore 1.1, table 6; the last two columns are ours.
_OBSCORE: Final = (
    _obscore(
        "dataproduct_type", "char", "", "meta.code.class", "ObsDataset.dataProductType", "always timeseries", **_MAIN
    ),
    _obscore(
        "calib_level", "int", "", "meta.code;obs.calib", "ObsDataset.calibLevel", "1: not calibrated, 2: calibrated",
        **_MAIN,
    ),
    _obscore("obs_collection", "unicodeChar", "", "meta.id", "DataID.Collection", "series_name", **_MAIN),
    _obscore("obs_id", "unicodeChar", "", "meta.id", "DataID.observationID", "series_name/series_obj_id", **_MAIN),
    _obscore(
        "obs_publisher_did", "char", "", "meta.ref.ivoid", "Curation.PublisherDID", "identifier of the series",
        **_MAIN,
    ),
    _obscore("access_url", "char", "", "meta.ref.url", "Access.Reference", _ACCESS.description or "", **_MAIN),
    _obscore("access_format", "char", "", "meta.code.mime", "Access.Format", "media type of access_url", **_MAIN),
    _obscore(
        "access_estsize", "long", "kbyte", "phys.size;meta.file", "Access.Size", "size of the stored file", **_MAIN
    ),
    _obscore("target_name", "unicodeChar", "", "meta.id;src", "Target.Name", "obj_id", **_MAIN),
    _obscore(
        "s_ra", "double", "deg", "pos.eq.ra", f"{_P}.Coverage.Location.Coord.Position2D.Value2.C1",
        "right ascension, ICRS", indexed=True, principal=True,
    ),
    _obscore(
        "s_dec", "double", "deg", "pos.eq.dec", f"{_P}.Coverage.Location.Coord.Position2D.Value2.C2",
        "declination, ICRS", indexed=True, principal=True,
    ),
    _obscore("s_fov", "double", "deg", "phys.angSize;instr.fov", f"{_P}.Coverage.Bounds.Extent.diameter", _NEVER),
    _obscore(
        "s_region", "char", "", "pos.outline;obs.field", f"{_P}.Coverage.Support.Area",
        "a circle of 1 arcsec around the position; in geometry the position itself", xtype="adql:REGION",
    ),
    _obscore("s_resolution", "double", "arcsec", "pos.angResolution", f"{_P}.Resolution.Refval.value", _NEVER),
    _obscore("s_xel1", "long", "", "meta.number", f"{_P}.numBins1", _NEVER),
    _obscore("s_xel2", "long", "", "meta.number", f"{_P}.numBins2", _NEVER),
    _obscore(
        "t_min", "double", "d", "time.start;obs.exposure", f"{_T}.Coverage.Bounds.Limits.StartTime",
        "MJD of the first row in UTC; not converted if the time scale is unknown", **_MAIN,
    ),
    _obscore(
        "t_max", "double", "d", "time.end;obs.exposure", f"{_T}.Coverage.Bounds.Limits.StopTime",
        "MJD of the last row in UTC; not converted if the time scale is unknown", **_MAIN,
    ),
    _obscore(
        "t_exptime", "double", "s", "time.duration;obs.exposure", f"{_T}.Coverage.Support.Extent",
        "total exposure time", **_MAIN,
    ),
    _obscore("t_resolution", "double", "s", "time.resolution", f"{_T}.Resolution.Refval.value", "one exposure"),
    _obscore("t_xel", "long", "", "meta.number", f"{_T}.numBins", "rows of the table"),
    _obscore(
        "em_min", "double", "m", "em.wl;stat.min", f"{_EM}.Coverage.Bounds.Limits.LoLimit",
        "shortest wavelength of the filter, if published", **_MAIN,
    ),
    _obscore(
        "em_max", "double", "m", "em.wl;stat.max", f"{_EM}.Coverage.Bounds.Limits.HiLimit",
        "longest wavelength of the filter, if published", **_MAIN,
    ),
    _obscore("em_res_power", "double", "", "spect.resolution", f"{_EM}.Resolution.ResolPower.refVal", _NEVER),
    _obscore("em_xel", "long", "", "meta.number", f"{_EM}.numBins", "always 1"),
    _obscore("o_ucd", "char", "", "meta.ucd", "Char.ObservableAxis.ucd", "UCD of the brightness"),
    _obscore(
        "pol_states", "char", "", "meta.code;phys.polarization", "Char.PolarizationAxis.stateList", _NEVER
    ),
    _obscore("pol_xel", "long", "", "meta.number", "Char.PolarizationAxis.numBins", _NEVER),
    _obscore(
        "facility_name", "unicodeChar", "", "meta.id;instr.tel", "Provenance.ObsConfig.Facility.name", "the telescope"
    ),
    _obscore(
        "instrument_name", "unicodeChar", "", "meta.id;instr", "Provenance.ObsConfig.Instrument.name", "the instrument",
        **_MAIN,
    ),
    _obscore("filter", "unicodeChar", "", "meta.id;instr.filter", "", "the bandpass", std=False, indexed=True),
    _obscore("series_id", "long", "", "meta.id", "", "id in photseries.series", std=False, indexed=True),
)  # fmt: skip

#: Field -> column of ObsCore.
_UTYPES: Final[Mapping[str, str | None]] = {
    name: next(one.utype for one in _OBSCORE if one.name == column)
    for name, column in (
        ("obj_id", "target_name"), ("series_name", "obs_collection"), ("ra", "s_ra"), ("dec", "s_dec"),
        ("exp_time", "t_resolution"), ("num_exp", "t_xel"),
    )
}  # fmt: skip


def column_of_field(name: str) -> TapColumn:
    """Return the column of a field under its own name."""
    field = FIELDS[name]
    kind = _TYPES.get(field.type, {})
    return TapColumn(
        name=name,
        **({"datatype": "long"} if name == "id" else kind),
        unit=field.unit,
        ucd=field.ucd or "meta",
        utype=_UTYPES.get(name),
        description=field.description + ("" if kind or field.is_text else ", as JSON"),
        principal=name in _PRINCIPAL,
        indexed=name in _INDEXED,
    )


_IDENTITY: Final = TapColumn(
    name="id", datatype="int", ucd="meta.id;meta.main", description="instrument_id", principal=True
)
_CREATED: Final = column_of_field("created_at")


def _schema_table(name: str, columns: Mapping[str, str], description: str) -> TapTable:
    """Describe a table of TAP_SCHEMA by the description of each column; ``integers`` are the integer columns."""
    integers = ("size", "principal", "indexed", "std", "table_index", "schema_index", "column_index")
    described = (
        TapColumn(
            name=column,
            datatype="int" if column in integers else "unicodeChar",
            description=words,
            std=True,
            principal=True,
        )
        for column, words in columns.items()
    )
    return TapTable(schema="TAP_SCHEMA", name=name, description=description, columns=tuple(described))


_UTYPE: Final = {"utype": "utype", "description": "description"}

TABLES: Final[Mapping[str, TapTable]] = {
    table.full_name.lower(): table
    for table in (
        TapTable(
            schema="ivoa",
            name="obscore",
            description="Series as observations, ObsCore 1.1",
            columns=_OBSCORE,
            source="photseries_vo.obscore",
            position=("s_ra", "s_dec"),
            utype="ivo://ivoa.net/std/obscore#core-1.1",
        ),
        TapTable(
            schema="photseries",
            name="series",
            description="Series: metadata and statistics, named like the fields of the API",
            columns=(*map(column_of_field, ANSWERED), _ACCESS),
            source="photseries_vo.series",
            position=("ra", "dec"),
        ),
        TapTable(
            schema="photseries",
            name="source",
            description="Sources, referenced by obj_id of series",
            columns=(
                replace(_IDENTITY, datatype="unicodeChar", description="obj_id of its series", indexed=True),
                replace(column_of_field("ra"), indexed=False),
                replace(column_of_field("dec"), indexed=False),
                replace(_CREATED, description="when the source was created"),
            ),
            source="photseries_vo.source",
        ),
        TapTable(
            schema="photseries",
            name="instrument",
            description="Instruments, referenced by instrument_id of series",
            columns=(
                _IDENTITY,
                TapColumn(name="name", description="the instrument", ucd="meta.id;instr", principal=True),
                TapColumn(name="telescope", description="the telescope", ucd="meta.id;instr.tel", principal=True),
                TapColumn(name="filters", description="its filters, separated by spaces", ucd="meta.id;instr.filter"),
                *(
                    TapColumn(
                        name=name, datatype="double", unit=unit, ucd=f"pos.earth.{ucd}", description="of the telescope"
                    )
                    for name, unit, ucd in zip(LOCATION, ("deg", "deg", "m"), ("lon", "lat", "altitude"), strict=True)
                ),
                replace(_CREATED, description="when the instrument was created"),
            ),
            source="photseries_vo.instrument",
        ),
        _schema_table(
            "schemas",
            {"schema_name": "name", **_UTYPE, "schema_index": "order"},
            "The schemas",
        ),
        _schema_table(
            "tables",
            {
                "schema_name": "its schema", "table_name": "name with the schema", "table_type": "table or view",
                **_UTYPE, "table_index": "order",
            },
            "The tables",
        ),
        _schema_table(
            "columns",
            {
                "table_name": "its table", "column_name": "name", "datatype": "as in VOTable",
                "arraysize": "as in VOTable", "xtype": "as in VOTable", "size": "length; null if variable",
                **_UTYPE, "unit": "unit", "ucd": "UCD", "principal": "1: one of the most important",
                "indexed": "1: has an index", "std": "1: defined by a standard", "column_index": "order",
            },
            "The columns",
        ),
        _schema_table(
            "keys",
            {"key_id": "name", "from_table": "referencing table", "target_table": "referenced table", **_UTYPE},
            "The foreign keys",
        ),
        _schema_table(
            "key_columns",
            {"key_id": "name of the foreign key", "from_column": "its column", "target_column": "referenced column"},
            "The columns of foreign keys",
        ),
    )
}  # fmt: skip

SCHEMAS: Final[Mapping[str, str]] = {
    "ivoa": "Tables of the standards of the Virtual Observatory",
    "photseries": "Series, sources and instruments, with the names of the API",
    "TAP_SCHEMA": "The tables and columns of this service",
}


class Key(NamedTuple):
    """A reference: from a column of a table to a column of another."""

    origin: str
    column: str
    target: str
    target_column: str


#: The foreign keys, by their names.
KEYS: Final[Mapping[str, Key]] = {
    "series_source": Key("photseries.series", "obj_id", "photseries.source", "id"),
    "series_instrument": Key("photseries.series", "instrument_id", "photseries.instrument", "id"),
    "obscore_series": Key("ivoa.obscore", "series_id", "photseries.series", "id"),
    "tables_schema": Key("TAP_SCHEMA.tables", "schema_name", "TAP_SCHEMA.schemas", "schema_name"),
    "columns_table": Key("TAP_SCHEMA.columns", "table_name", "TAP_SCHEMA.tables", "table_name"),
    "keys_from": Key("TAP_SCHEMA.keys", "from_table", "TAP_SCHEMA.tables", "table_name"),
    "keys_target": Key("TAP_SCHEMA.keys", "target_table", "TAP_SCHEMA.tables", "table_name"),
    "key_columns_key": Key("TAP_SCHEMA.key_columns", "key_id", "TAP_SCHEMA.keys", "key_id"),
}


def _columns() -> Iterator[dict[str, object]]:
    for table in TABLES.values():
        for number, column in enumerate(table.columns):
            flags = {name: int(getattr(column, name)) for name in ("principal", "indexed", "std")}
            names = ("datatype", "xtype", "utype", "description", "unit", "ucd")
            attributes = {name: getattr(column, name) for name in names}
            yield {
                "table_name": table.full_name,
                "column_name": column.quoted_name,
                "arraysize": column.size,
                "size": None,
                "column_index": number,
                **attributes,
                **flags,
            }


@cache
def tap_schema(name: str) -> str:
    """Return the rows of a table of TAP_SCHEMA, as JSON."""
    return json.dumps(list(_ROWS[name]()))


_ROWS: Final[Mapping[str, Callable[[], Iterable[dict[str, object]]]]] = {
    "schemas": lambda: (
        {"schema_name": schema, "description": words, "schema_index": number}
        for number, (schema, words) in enumerate(SCHEMAS.items())
    ),
    "tables": lambda: (
        {
            "schema_name": table.schema,
            "table_name": table.full_name,
            "table_type": table.kind,
            "utype": table.utype,
            "description": table.description,
            "table_index": number,
        }
        for number, table in enumerate(TABLES.values())
    ),
    "columns": _columns,
    "keys": lambda: (
        {"key_id": name, "from_table": key.origin, "target_table": key.target} for name, key in KEYS.items()
    ),
    "key_columns": lambda: (
        {"key_id": name, "from_column": key.column, "target_column": key.target_column} for name, key in KEYS.items()
    ),
}
