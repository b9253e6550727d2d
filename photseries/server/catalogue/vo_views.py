"""The views of TAP queries, which show only visible series, and a role that can read nothing else.

The views are created from the table of fields, by every migration and by a starting service that finds outdated views.
Each view is a security barrier: PostgreSQL evaluates no part of a query on a row, where an error could reveal it,
before the row is known to be visible. Settings of the transaction define the visible series; a query cannot change
them, because :mod:`photseries.server.vo.adql` prints no function that could.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Final

import erfa
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from photseries.fields import ANSWERED, FIELDS, PER_COLUMN
from photseries.lightcurve.wavelengths import WAVELENGTHS
from photseries.server.catalogue.models import SERIES

__all__ = ["SCHEMA", "SETTINGS", "drop", "ensure", "ordered_view", "problem"]

log = logging.getLogger(__name__)

#: The schema of the views in PostgreSQL; clients know them by other names.
SCHEMA: Final = "photseries_vo"

#: The settings of a transaction that the views read.
SETTINGS: Final = ("everything", "everyone_reads", "listeners", "service", "did")

#: The columns with an ordered variant of the view of series; each has an index with the id.
_ORDERED: Final = ("id", "obj_id", "mjd_last", "von_neumann", "chi2_dof", "amplitude", "period")

_LOCK: Final = 7_302_013
_TT_TAI: Final = 32.184  # [s]

#: Pattern of the units of calibrated fluxes; :mod:`photseries.lightcurve.units` is more exact.
_DENSITY: Final = r"Jy|Hz|maggy|mgy|AB|(erg|W|J).*(cm|m)"


def _make_views(connection: Connection) -> None:
    connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    drop(connection)
    for name, query in _views().items():
        connection.exec_driver_sql(f"CREATE VIEW {SCHEMA}.{name} WITH (security_barrier) AS {query}".replace("%", "%%"))
    connection.exec_driver_sql(f"COMMENT ON SCHEMA {SCHEMA} IS '{_stamp()}'")


def _make_role(connection: Connection, role: str) -> None:
    """Create the role that reads the views, if the service may, and grant its rights."""
    exists = bool(connection.scalar(text("SELECT count(*) FROM pg_roles WHERE rolname = :role"), {"role": role}))
    may = connection.scalar(text("SELECT rolcreaterole OR rolsuper FROM pg_roles WHERE rolname = current_user"))
    if may and not exists:
        connection.exec_driver_sql(f'CREATE ROLE "{role}" NOLOGIN')
        connection.exec_driver_sql(f'GRANT "{role}" TO CURRENT_USER')
    if may or exists:
        connection.exec_driver_sql(f'GRANT USAGE ON SCHEMA {SCHEMA} TO "{role}"')
        connection.exec_driver_sql(f'GRANT SELECT ON ALL TABLES IN SCHEMA {SCHEMA} TO "{role}"')


def drop(connection: Connection) -> None:
    """Drop the views, which prevent changes of columns."""
    names = text("SELECT viewname FROM pg_views WHERE schemaname = :schema")
    for name in connection.scalars(names, {"schema": SCHEMA}).all():
        connection.exec_driver_sql(f"DROP VIEW {SCHEMA}.{name}")


def ensure(engine: Engine, role: str) -> None:
    """Recreate the views unless they are of this version, and the role unless it can read them."""
    try:
        with engine.begin() as connection:
            if _stamped(connection) and problem(connection, role) is None:
                return
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            if not _stamped(connection):
                _make_views(connection)
            _make_role(connection, role)
            if (words := problem(connection, role)) is not None:
                log.warning("TAP is off: %s", words)
    except DBAPIError as error:
        log.warning("TAP is off: its views cannot be created: %s", " ".join(str(error.orig).split()))


def problem(connection: Connection, role: str) -> str | None:
    """Return the reason why queries cannot run as a role; None if they can."""
    row = connection.execute(_STATE, {"role": role, "view": f"{SCHEMA}.obscore"}).one()
    mend = "see docs/vo.md, then run `photseries migrate`"
    if not row.views:
        return "the database has no views for it: run `photseries migrate`."
    if not row.exists:
        return f"the database has no role {role}: {mend}."
    if not row.member or not row.readable:
        return f"the service cannot read as the role {role}: {mend}."
    return None


_STATE = text("""
    SELECT to_regclass(:view) IS NOT NULL AS views, count(oid) > 0 AS exists,
        coalesce(bool_and(pg_has_role(current_user, oid, 'MEMBER')), false) AS member,
        coalesce(bool_and(has_table_privilege(oid, to_regclass(:view), 'SELECT')), false) AS readable
    FROM pg_roles WHERE rolname = :role
""")


def _stamped(connection: Connection) -> bool:
    stamp = connection.scalar(
        text("SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = :name"), {"name": SCHEMA}
    )
    views = connection.scalar(text("SELECT to_regclass(:view)"), {"view": f"{SCHEMA}.obscore"})
    return views is not None and bool(stamp == _stamp())


def _stamp() -> str:
    return hashlib.sha256(json.dumps(_views()).encode()).hexdigest()


def _setting(name: str, type_: str) -> str:
    """Return the SQL that reads a setting of the transaction once per query; without it nothing is visible."""
    return f"(SELECT CAST(nullif(current_setting('photseries.{name}', true), '') AS {type_}))"


_EVERYTHING: Final = _setting("everything", "boolean")
_VISIBLE: Final = f"({_EVERYTHING} OR audience && {_setting('listeners', 'integer[]')})"
_ACCESS_URL: Final = f"({_setting('service', 'text')} || '/vo/datalink?ID=' || id)"
_CREATED: Final = "created_at AT TIME ZONE 'UTC' AS created_at"
_HIDDEN: Final = "healpix, unit_x, unit_y, unit_z"


def _views() -> Mapping[str, str]:
    """Return the query of each view."""
    fields = ", ".join(f"{_value(name)} AS {name}" for name in ANSWERED)
    obscore = ", ".join(f"{value} AS {name}" for name, value in _obscore().items())
    rows = f"FROM public.photometric_series AS s WHERE {_VISIBLE}"
    filters = "array_to_string(filters, ' ') AS filters"
    instrument = f"id, name, telescope, {filters}, longitude, latitude, height, {_CREATED}"
    series = f"SELECT {fields}, {_ACCESS_URL} AS access_url, {_HIDDEN} {rows}"
    return {
        "series": series,
        **{
            f"series_by_{column}{name}": f"{series} ORDER BY {column}{way}, id{way}"
            for column in _ORDERED
            for name, way in (("", ""), ("_desc", " DESC"))
        },
        "obscore": f"SELECT {obscore}, {_HIDDEN} {rows}",
        "source": f"SELECT id, ra, dec, {_CREATED} FROM public.sources AS r WHERE {_visible_entries('obj_id')}",  # noqa: S608
        "instrument": f"SELECT {instrument} FROM public.instruments AS r WHERE {_visible_entries('instrument_id')}",  # noqa: S608
    }


def ordered_view(view: str, column: str, *, descending: bool) -> str:
    """Return the name of the variant of a view that is ordered by a column, or of the view if there is none.

    PostgreSQL does not search a security barrier for an index that has the order of the query around it. A view with an
    ORDER BY of its own is read by the index, up to the LIMIT of the query.
    """
    is_ordered = view == f"{SCHEMA}.series" and column in _ORDERED
    return f"{view}_by_{column}{'_desc' if descending else ''}" if is_ordered else view


def _visible_entries(column: str) -> str:
    """Restrict to entries that every token sees; without a token, to those that a visible series names."""
    series = f"SELECT 1 FROM public.photometric_series AS s WHERE s.{column} = r.id AND {_VISIBLE}"  # noqa: S608
    return f"({_setting('everyone_reads', 'boolean')} OR EXISTS ({series}))"


def _value(name: str) -> str:
    """Return the expression of a field: objects and lists as JSON, timestamps in UTC."""
    field = FIELDS[name]
    if name in _SHARED:
        return _SHARED[name]
    if field.type == "moment":
        return f"{name} AT TIME ZONE 'UTC'"
    if name in PER_COLUMN or field.type in ("object", "units", "values"):
        return f"nullif(CAST({name} AS text), 'null')"
    return str(SERIES[name].name)


def _shared_with(table: str, sign: str, content: str) -> str:
    """Return the SQL of the visible groups or streams of a series as JSON."""
    seen = f"({_EVERYTHING} OR ARRAY[number] && {_setting('listeners', 'integer[]')})"
    source = f"unnest(s.audience) AS number JOIN public.{table} AS g ON g.id = {sign}number WHERE {seen}"
    return f"(SELECT CAST(coalesce(json_agg({content} ORDER BY g.id), '[]') AS text) FROM {source})"  # noqa: S608


_ENTRY: Final = "json_build_object('id', g.id, 'name', g.name)"
_SHARED: Final[Mapping[str, str]] = {
    "group_ids": _shared_with("groups", "", "g.id"),
    "stream_ids": _shared_with("streams", "-", "g.id"),
    "groups": _shared_with("groups", "", _ENTRY),
    "streams": _shared_with("streams", "-", _ENTRY),
}


def _utc(column: str) -> str:
    """Return the SQL of a time in UTC if its scale is known, else unchanged; TDB counts as TT (within 2 ms)."""
    leaps = [
        (float(erfa.cal2jd(row["year"], row["month"], 1)[1]), float(row["tai_utc"]))
        for row in erfa.leap_seconds.get()
        if row["year"] >= 1972
    ]

    def shifted(beyond: float) -> str:
        steps = " ".join(
            f"WHEN {column} >= {day + (leap + beyond) / 86400!r} THEN {leap + beyond}" for day, leap in reversed(leaps)
        )
        return f"{column} - CAST(CASE {steps} ELSE {leaps[0][1] + beyond} END AS float8) / 86400"

    terrestrial = shifted(_TT_TAI)
    scales = {"tai": shifted(0), "tt": terrestrial, "tdb": terrestrial}
    cases = " ".join(f"WHEN '{scale}' THEN {value}" for scale, value in scales.items())
    return f"CASE time_scale {cases} ELSE {column} END"


def _instrument_column(column: str) -> str:
    return f"(SELECT i.{column} FROM public.instruments AS i WHERE i.id = s.instrument_id)"  # noqa: S608


def _wavelength(index: int) -> str:
    bands = json.dumps({name: [low * 1e-9, high * 1e-9] for name, (low, high) in WAVELENGTHS.items()})
    return f"CAST(CAST('{bands}' AS jsonb) -> s.filter ->> {index} AS float8)"


def _obscore() -> Mapping[str, str]:
    """Return the expression of each column of ObsCore 1.1, and of two additional ones."""
    is_density = f"(mean_mag IS NOT NULL OR flux_unit ~ '{_DENSITY}')"
    return {
        "dataproduct_type": "CAST('timeseries' AS text)",
        "calib_level": f"CASE WHEN magsys = 'instrumental' OR NOT {is_density} THEN 1 ELSE 2 END",
        "obs_collection": "series_name",
        "obs_id": "series_name || '/' || series_obj_id",
        "obs_publisher_did": f"{_setting('did', 'text')} || '?' || id",
        "access_url": _ACCESS_URL,
        "access_format": "CAST('application/x-votable+xml;content=datalink' AS text)",
        "access_estsize": "(blob_size + 999) / 1000",
        "target_name": "obj_id",
        "s_ra": "ra",
        "s_dec": "dec",
        "s_fov": "CAST(NULL AS float8)",
        "s_region": "'CIRCLE ICRS ' || ra || ' ' || dec || ' 0.000278'",
        "s_resolution": "CAST(NULL AS float8)",
        "s_xel1": "CAST(NULL AS bigint)",
        "s_xel2": "CAST(NULL AS bigint)",
        "t_min": _utc("mjd_first"),
        "t_max": _utc("mjd_last"),
        "t_exptime": "exp_time * num_exp",
        "t_resolution": "exp_time",
        "t_xel": "CAST(num_exp AS bigint)",
        "em_min": _wavelength(0),
        "em_max": _wavelength(1),
        "em_res_power": "CAST(NULL AS float8)",
        "em_xel": "CAST(1 AS bigint)",
        "o_ucd": "CASE WHEN mean_flux IS NULL THEN 'phot.mag' "
        f"WHEN {is_density} THEN 'phot.flux.density' ELSE 'phot.flux' END",
        "pol_states": "CAST(NULL AS text)",
        "pol_xel": "CAST(NULL AS bigint)",
        "facility_name": _instrument_column("telescope"),
        "instrument_name": _instrument_column("name"),
        "filter": "filter",
        "series_id": "id",
    }
