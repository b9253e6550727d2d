"""The part of SkyPortal's database that series need: tables, columns and SELECTs.

The database is only read. Names are those of SkyPortal 1.4 (``skyportal/models``); a database that lacks one is
refused. Its times are in UTC without a time zone; its enumerations are read as text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Integer,
    RowMapping,
    Select,
    Text,
    and_,
    case,
    cast,
    column,
    func,
    inspect,
    literal,
    null,
    or_,
    select,
    table,
    text,
    true,
)
from sqlalchemy.sql.selectable import FromClause

from photseries.errors import StartError
from photseries.server.catalogue.engine import Catalogue, require_version
from photseries.server.importers.files import FileLocation
from photseries.server.principal import EVERYONE
from photseries.server.settings import DatabaseSettings

__all__ = ["FIELDS", "STATISTICS", "WAIT_WHEN_IDLE", "SkyPortal", "SkyPortalSeries"]

#: The metadata and statistics of a series in SkyPortal.
FIELDS = (
    "obj_id", "instrument_id", "series_name", "series_obj_id", "ra", "dec", "exp_time", "filter", "channel", "origin",
    "limiting_mag", "ref_flux", "ref_fluxerr", "ra_unc", "dec_unc", "followup_request_id", "assignment_id",
    "time_stamp_alignment", "altdata",
)  # fmt: skip
STATISTICS = (
    "num_exp", "mjd_first", "mjd_mid", "mjd_last", "mag_first", "mag_last", "mjd_last_detected", "mag_last_detected",
    "is_detected", "mean_mag", "rms_mag", "robust_mag", "robust_rms", "median_snr", "best_snr", "worst_snr",
    "frame_rate", "medians", "minima", "maxima", "stds",
)  # fmt: skip

#: The required columns. By SkyPortal's rule the joins name the series by the table's name without its last letter.
TABLES: Mapping[str, tuple[str, ...]] = {
    "users": ("id", "username", "created_at"),
    "groups": ("id", "name", "single_user_group", "created_at"),
    "group_users": ("group_id", "user_id"),
    "streams": ("id", "name", "created_at"),
    "stream_users": ("stream_id", "user_id"),
    "instruments": ("id", "name", "filters", "created_at"),
    "objs": ("id", "ra", "dec", "created_at"),
    "followuprequests": ("id", "obj_id", "created_at"),
    "classicalassignments": ("id", "obj_id", "created_at"),
    "photometric_series": ("id", "created_at", "modified", "owner_id", *FIELDS, "filename", "hash", *STATISTICS),
    "group_photometric_series": ("group_id",),
    "stream_photometric_series": ("stream_id",),
}
#: Field of an instrument -> column of its telescope, which older versions may lack.
_TELESCOPE = {"telescope": "name", "longitude": "lon", "latitude": "lat", "height": "elevation"}
_SERIES_ID = ("photometric_serie_id", "photometric_series_id")
_NOT_TAKEN = {"autodelete"}
_MIN_VERSION = 10
#: For transactions that wait for the disk with the files.
WAIT_WHEN_IDLE = text("SET LOCAL idle_in_transaction_session_timeout = 0")
_PAGE = 1000

_ENUMERATIONS = {"filter", "time_stamp_alignment"}


@dataclass(frozen=True)
class SkyPortalSeries:
    """A row of photometric_series with its sharing.

    ``fields`` and ``statistics`` are unchanged, including NaN and empty texts.
    """

    id: int
    created_at: datetime
    modified: datetime
    owner_id: int
    filename: str
    hash: str
    fields: Mapping[str, Any]
    statistics: Mapping[str, object]
    group_ids: list[int]
    stream_ids: list[int]


class SkyPortal:
    """A SkyPortal's database.

    Parameters
    ----------
    url : str
        ``postgresql://...``.
    settings : DatabaseSettings
        Its timeouts also apply here.

    Raises
    ------
    StartError
        When it cannot be reached, is not SkyPortal's, or lacks a column; the message names what is missing.
    """

    def __init__(self, url: str, settings: DatabaseSettings) -> None:
        self._catalogue = Catalogue(url, settings, connections=2, label="--database")
        require_version(self._catalogue.engine, minimum=_MIN_VERSION)
        columns_by_table = {}
        inspector = inspect(self._catalogue.engine)
        for name in ("telescopes", *TABLES):
            if inspector.has_table(name):
                columns_by_table[name] = {str(column["name"]) for column in inspector.get_columns(name)}
        self._series_id = _require_columns(columns_by_table)
        self._has_expiration = "expiration_date" in columns_by_table["users"]
        mounted = "telescope_id" in columns_by_table["instruments"]
        self._of_telescopes = [
            column for column in _TELESCOPE.values() if mounted and column in columns_by_table.get("telescopes", ())
        ]
        #: Columns of photometric_series that another version added.
        self.unknown = sorted(columns_by_table["photometric_series"] - {*TABLES["photometric_series"], *_NOT_TAKEN})

    def close(self) -> None:
        """Close the connections."""
        self._catalogue.close()

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Yield a read-only connection with a snapshot of the database."""
        with self._catalogue.transaction() as connection:
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            connection.execute(WAIT_WHEN_IDLE)
            yield connection

    def entries(self, connection: Connection, kind: str) -> Iterator[list[dict[str, Any]]]:
        """Yield the entries of a registry, by its name in our paths, in pages; the columns are those of our table."""
        yield from _pages(connection, self._registry(kind))

    def members(self, connection: Connection, kind: str) -> Iterator[list[dict[str, Any]]]:
        """Yield the members of groups and streams, in pages."""
        joined = _table({"groups": "group_users", "streams": "stream_users"}[kind])
        yield from _pages(connection, select(*joined.c).distinct())

    def owned_groups(self, connection: Connection) -> dict[int, int]:
        """Return the user of each group that is a user's own."""
        groups, joined, users = _table("groups"), _table("group_users"), _table("users")
        named = (
            select(groups.c.id, users.c.id, (users.c.username == groups.c.name).label("named"))
            .join_from(groups, joined, joined.c.group_id == groups.c.id)
            .join(users, users.c.id == joined.c.user_id)
            .where(groups.c.single_user_group)
            .order_by(text("named DESC"), groups.c.id, users.c.id)
        )
        owners: dict[int, int] = {}
        owning: set[int] = set()
        for group_id, user_id, _ in connection.execute(named):
            if group_id not in owners and user_id not in owning:
                owners[group_id] = user_id
                owning.add(user_id)
        return owners

    def group_ids(self, connection: Connection) -> tuple[int | None, int]:
        """Return the id of the public group (or None) and the greatest id of all groups."""
        groups = _table("groups")
        last = connection.scalar(select(func.max(groups.c.id))) or 0
        return connection.scalar(select(groups.c.id).where(groups.c.name == EVERYONE)), last

    def totals(self, connection: Connection) -> tuple[int, int]:
        """Return the number of series and the greatest id."""
        series = _table("photometric_series")
        count, last = connection.execute(select(func.count(), func.max(series.c.id)).select_from(series)).one()
        return count, last or 0

    def places(self, connection: Connection) -> Iterator[list[FileLocation]]:
        """Yield the locations of the files of all series, in pages."""
        series = _table("photometric_series")
        statement = select(*(series.c[name] for name in FileLocation._fields)).order_by(series.c.id)
        for page in connection.execute(statement, execution_options={"yield_per": _PAGE}).partitions():
            yield [FileLocation(*row) for row in page]

    def uncertainties(self, connection: Connection) -> int:
        """Count the series with a position uncertainty."""
        series = _table("photometric_series")
        has_uncertainty = or_(series.c.ra_unc.is_not(None), series.c.dec_unc.is_not(None))
        return connection.scalar(select(func.count()).select_from(series).where(has_uncertainty)) or 0

    def series(self, after: int, limit: int) -> list[SkyPortalSeries]:
        """Return the series with the next ids."""
        series = _table("photometric_series")
        columns = [
            cast(column, Text).label(column.name) if column.name in _ENUMERATIONS else column for column in series.c
        ]
        shared = (self._shared_ids(series, "group"), self._shared_ids(series, "stream"))
        statement = select(*columns, *shared).where(series.c.id > after).order_by(series.c.id).limit(limit)
        with self._catalogue.reading() as connection:
            return [_series(row) for row in connection.execute(statement).mappings()]

    def _shared_ids(self, series: FromClause, kind: str) -> ColumnElement[object]:
        """Select the ids of the groups or streams that a series is shared with."""
        joined = table(f"{kind}_photometric_series", column(f"{kind}_id", Integer), column(self._series_id, Integer))
        ids = select(joined.c[f"{kind}_id"]).where(joined.c[self._series_id] == series.c.id).distinct()
        return func.array(ids.scalar_subquery()).label(f"{kind}_ids")

    def _registry(self, kind: str) -> Select[*tuple[object, ...]]:
        """Select the entries of a registry."""
        match kind:
            case "users":
                users = _table("users", "expiration_date")
                ended = users.c.expiration_date <= func.timezone("UTC", func.now())
                active = func.coalesce(~ended, True) if self._has_expiration else literal(True)
                return select(users.c.id, users.c.username, active.label("active"), users.c.created_at)
            case "groups" | "streams":
                named = _table(kind)
                return select(named.c.id, named.c.name, named.c.created_at).order_by(named.c.id)
            case "instrument":
                mounted = _table("instruments", "telescope_id")
                telescopes = table("telescopes", column("id"), *map(column, self._of_telescopes))
                its = telescopes.c.id == mounted.c.telescope_id
                values = {
                    name: select(telescopes.c[of]).where(its).scalar_subquery() if of in telescopes.c else null()
                    for name, of in _TELESCOPE.items()
                }
                filters = func.coalesce(cast(mounted.c.filters, ARRAY(Text)), cast(literal("{}"), ARRAY(Text)))
                return select(
                    mounted.c.id,
                    mounted.c.name,
                    *(value.label(name) for name, value in values.items()),
                    filters.label("filters"),
                    mounted.c.created_at,
                )
            case "sources":
                return _sources()
            case _:
                requests = _table({"followup_request": "followuprequests", "assignment": "classicalassignments"}[kind])
                return select(*requests.c)


def _require_columns(columns_by_table: Mapping[str, set[str]]) -> str:
    """Refuse a database that lacks a column; return the column that joins series to groups and streams."""
    absent = [name for name in TABLES if name not in columns_by_table]
    if absent:
        raise StartError(f"--database is not a SkyPortal database: it has no table {', '.join(absent)}.")
    lacking = [
        f"{name}.{column_name}"
        for name, columns in TABLES.items()
        for column_name in columns
        if column_name not in columns_by_table[name]
    ]
    joins = ("group_photometric_series", "stream_photometric_series")
    joining = next((name for name in _SERIES_ID if all(name in columns_by_table[join] for join in joins)), None)
    if joining is None:
        lacking += [f"{join}.{_SERIES_ID[0]}" for join in joins if not columns_by_table[join] & set(_SERIES_ID)]
    if joining is None or lacking:
        raise StartError(
            f"--database is a version of SkyPortal that this importer does not support: it lacks {', '.join(lacking)}."
        )
    return joining


def _table(name: str, *more: str) -> FromClause:
    return table(name, *(column(column_name) for column_name in (*TABLES[name], *more)))


def _sources() -> Select[*tuple[object, ...]]:
    """Select the sources; a source without a valid position gets that of its first series with one."""
    objs, series = _table("objs"), _table("photometric_series")
    good = _is_valid_position(objs)
    first = (
        select(series.c.ra, series.c.dec)
        .where(~func.coalesce(good, False), series.c.obj_id == objs.c.id, _is_valid_position(series))
        .order_by(series.c.id)
        .limit(1)
        .lateral("first")
    )
    position = [case((good, objs.c[name]), else_=first.c[name]).label(name) for name in ("ra", "dec")]
    return select(objs.c.id, *position, objs.c.created_at).select_from(objs.outerjoin(first, true()))


def _is_valid_position(coordinates: FromClause) -> ColumnElement[bool]:
    return and_(coordinates.c.ra >= 0, coordinates.c.ra < 360, coordinates.c.dec.between(-90, 90))


def _pages(connection: Connection, statement: Select[*tuple[object, ...]]) -> Iterator[list[dict[str, Any]]]:
    rows = connection.execute(statement, execution_options={"yield_per": _PAGE}).mappings()
    for page in rows.partitions():
        yield [
            {name: _utc(value) if isinstance(value, datetime) else value for name, value in row.items()} for row in page
        ]


def _series(row: RowMapping) -> SkyPortalSeries:
    return SkyPortalSeries(
        id=row["id"],
        created_at=_utc(row["created_at"]),
        modified=_utc(row["modified"]),
        owner_id=row["owner_id"],
        filename=row["filename"],
        hash=row["hash"],
        fields={name: row[name] for name in FIELDS},
        statistics={name: row[name] for name in STATISTICS},
        group_ids=sorted(row["group_ids"]),
        stream_ids=sorted(row["stream_ids"]),
    )


def _utc(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
