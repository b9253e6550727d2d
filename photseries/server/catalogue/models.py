"""The tables of the catalogue as mapped classes: columns, keys and indexes only.

The columns of a series for metadata and statistics come from :mod:`photseries.fields`.

Statements use the classes' columns (SQLAlchemy Core); no object is ever loaded, no class does IO or formatting.
References are RESTRICT: an entry that a series refers to cannot be deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Computed,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedColumn, mapped_column
from sqlalchemy.types import TypeEngine

from photseries.fields import COMPUTED, FEATURES, FIELDS, KEY, METADATA, PERIOD, Field

_POSITION = ("healpix", "unit_x", "unit_y", "unit_z")

#: Numbers with an index each; the others share one index, whose scan is shorter than one of the rows.
_FOUND = ("von_neumann", "chi2_dof", "amplitude", "period")
_SCANNED = [name for name in (*FEATURES, *PERIOD) if name not in _FOUND and FIELDS[name].type == "number"]


Id = Annotated[int, mapped_column(primary_key=True)]
Moment = Annotated[datetime, mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())]
Document = Annotated[dict[str, Any], mapped_column(JSON)]


class Base(DeclarativeBase):
    """Constraint names follow one rule, on which migrations and error messages rely."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {str: Text, list[str]: ARRAY(Text)}  # noqa: RUF012


class User(Base):
    """A user with tokens. Users are deactivated, never removed."""

    __tablename__ = "users"
    id: Mapped[Id]
    username: Mapped[str] = mapped_column(unique=True)
    active: Mapped[bool] = mapped_column(server_default="true")
    created_at: Mapped[Moment]


class Group(Base):
    """Users who share series; ``single_user_id`` marks a user's own group."""

    __tablename__ = "groups"
    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    single_user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id), unique=True)
    created_at: Mapped[Moment]


class GroupUser(Base):
    """The members of groups."""

    __tablename__ = "group_users"
    group_id: Mapped[int] = mapped_column(ForeignKey(Group.id, ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id), primary_key=True, index=True)


class Stream(Base):
    """A data stream; its members see its series."""

    __tablename__ = "streams"
    id: Mapped[Id]
    name: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[Moment]


class StreamUser(Base):
    """The members of streams."""

    __tablename__ = "stream_users"
    stream_id: Mapped[int] = mapped_column(ForeignKey(Stream.id, ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id), primary_key=True, index=True)


class Token(Base):
    """A token of a user. Only its SHA-256 and a prefix for the look-up are stored."""

    __tablename__ = "tokens"
    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id), index=True)
    name: Mapped[str]
    prefix: Mapped[str] = mapped_column(unique=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    permissions: Mapped[list[str]]
    expires_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[Moment]


class Session(Base):
    """A session, which ends with its token at the latest. Only the SHA-256 of the cookie is stored."""

    __tablename__ = "sessions"
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    token_id: Mapped[int] = mapped_column(ForeignKey(Token.id, ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)


class Source(Base):
    """An object on the sky: obj_id, ra and dec [deg, ICRS]."""

    __tablename__ = "sources"
    id: Mapped[str] = mapped_column(primary_key=True)
    ra: Mapped[float]
    dec: Mapped[float]
    created_at: Mapped[Moment]

    __table_args__ = (
        Index(
            "ix_sources_id_trgm",
            "id",
            postgresql_using="gin",
            postgresql_ops={"id": "gin_trgm_ops"},
            postgresql_with={"fastupdate": "off"},
        ),
    )


class Instrument(Base):
    """An instrument with its location."""

    __tablename__ = "instruments"
    id: Mapped[Id]
    name: Mapped[str]
    telescope: Mapped[str | None]
    filters: Mapped[list[str]] = mapped_column(server_default="{}")
    longitude: Mapped[float | None]
    latitude: Mapped[float | None]
    height: Mapped[float | None]
    created_at: Mapped[Moment]


class FollowupRequest(Base):
    """A request for observations that a series can name."""

    __tablename__ = "followup_requests"
    id: Mapped[Id]
    obj_id: Mapped[str | None] = mapped_column(ForeignKey(Source.id), index=True)
    created_at: Mapped[Moment]


class Assignment(Base):
    """A classical assignment that a series can name."""

    __tablename__ = "assignments"
    id: Mapped[Id]
    obj_id: Mapped[str | None] = mapped_column(ForeignKey(Source.id), index=True)
    created_at: Mapped[Moment]


#: The table of each kind of registry entry, by its name in paths.
TABLES: Mapping[str, type[Base]] = {
    "users": User,
    "groups": Group,
    "streams": Stream,
    "sources": Source,
    "instrument": Instrument,
    "followup_request": FollowupRequest,
    "assignment": Assignment,
    "tokens": Token,
}

# JSON, not JSONB, because it preserves the text (key order, floats of 308 digits).
_COLUMN_TYPES: Mapping[str, type[TypeEngine[Any]]] = {
    "text": Text,
    "unit": Text,
    "name": Text,
    "path": Text,
    "number": Double,
    "mjd": Double,
    "integer": Integer,
    "id": Integer,
    "boolean": Boolean,
    "object": JSON,
    "units": JSON,
    "values": JSON,
    "per column": JSON,
}


def _column(field: Field) -> MappedColumn[Any]:
    """Return the column of a metadata field or a statistic."""
    keys = () if field.refers_to is None else (ForeignKey(TABLES[field.refers_to].__table__.c.id),)
    # A default that files omit belongs to a new field: existing rows, and writers during an upgrade, lack it.
    default = field.default if field.file_omits_default else None
    return mapped_column(_COLUMN_TYPES[field.type], *keys, nullable=field.nullable, server_default=default)


_OF_FIELDS = (*METADATA, *COMPUTED, *PERIOD)
_FIELD_COLUMNS: type = type("_FieldColumns", (), {name: _column(FIELDS[name]) for name in _OF_FIELDS})


class Series(_FIELD_COLUMNS, Base):  # type: ignore[misc]
    """A photometric series: metadata and statistics from the table of fields, and the blob with its table."""

    __tablename__ = "photometric_series"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    created_at: Mapped[Moment]
    modified: Mapped[Moment]
    revision: Mapped[int] = mapped_column(server_default="1")
    owner_id: Mapped[int] = mapped_column(ForeignKey(User.id), index=True)

    healpix: Mapped[int] = mapped_column(BigInteger)
    unit_x: Mapped[float] = mapped_column(Computed("cos(radians(dec)) * cos(radians(ra))", persisted=True))
    unit_y: Mapped[float] = mapped_column(Computed("cos(radians(dec)) * sin(radians(ra))", persisted=True))
    unit_z: Mapped[float] = mapped_column(Computed("sin(radians(dec))", persisted=True))
    # Derived from series_groups and series_streams, in the encoding of access.audience.
    audience: Mapped[list[int]] = mapped_column(ARRAY(Integer))

    # During an upgrade, processes of the previous version insert rows with statistics of version 1.
    statistics_version: Mapped[int] = mapped_column(SmallInteger, server_default="1")
    # The version of the period search; 0: pending; -1: failed, or stored before searches existed.
    analysis_version: Mapped[int] = mapped_column(SmallInteger, server_default="0")
    # Metadata fields inferred from columns, which an append infers again.
    inferred: Mapped[list[str]] = mapped_column(server_default="{}")
    content_hash: Mapped[str]
    hash: Mapped[str]
    filename: Mapped[str] = mapped_column(unique=True)
    blob_size: Mapped[int] = mapped_column(BigInteger)
    blob_crc: Mapped[int] = mapped_column(BigInteger)
    blob_format: Mapped[int] = mapped_column(SmallInteger)

    __table_args__ = (
        UniqueConstraint(*KEY, name="uq_photometric_series_key", postgresql_nulls_not_distinct=True),
        # One of these four indexes finds a page without reading the wide rows; see docs/queries.md.
        Index(None, "obj_id", "id", postgresql_include=["filter", "mjd_first", "mjd_last", *_POSITION, "audience"]),
        Index(None, "mjd_last", "id", postgresql_include=["obj_id", "filter", "mjd_first", *_POSITION, "audience"]),
        Index(None, "filter", "mjd_last", "id", postgresql_include=["obj_id", "mjd_first", "audience"]),
        Index(None, "filter", "obj_id", "id", postgresql_include=["mjd_first", "mjd_last", "audience"]),
        Index(None, "instrument_id"),
        Index(None, "healpix"),
        Index(None, "statistics_version"),
        *(Index(None, name, "id") for name in (*_FOUND, "analysis_version")),
        Index("ix_photometric_series_features", "id", postgresql_include=["obj_id", *_SCANNED, "audience"]),
        Index(None, "audience", postgresql_using="gin", postgresql_with={"fastupdate": "off"}),
        Index(None, "content_hash", postgresql_using="hash"),
        Index(None, "series_obj_id", postgresql_using="hash"),
        Index(None, "hash", postgresql_using="hash"),
        Index(None, "followup_request_id", postgresql_where=text("followup_request_id IS NOT NULL")),
        Index(None, "assignment_id", postgresql_where=text("assignment_id IS NOT NULL")),
        Index(None, "batch", postgresql_where=text("batch IS NOT NULL")),
    )


#: The columns of the series; the attributes of the class would make every statement an ORM statement, 1 ms slower.
SERIES = Series.__table__.c


class SeriesGroup(Base):
    """The groups that a series is shared with."""

    __tablename__ = "series_groups"
    series_id: Mapped[int] = mapped_column(ForeignKey(Series.id, ondelete="CASCADE"), primary_key=True)
    group_id: Mapped[int] = mapped_column(ForeignKey(Group.id), primary_key=True)

    __table_args__ = (Index(None, "group_id"),)


class SeriesStream(Base):
    """The streams of a series."""

    __tablename__ = "series_streams"
    series_id: Mapped[int] = mapped_column(ForeignKey(Series.id, ondelete="CASCADE"), primary_key=True)
    stream_id: Mapped[int] = mapped_column(ForeignKey(Stream.id), primary_key=True)

    __table_args__ = (Index(None, "stream_id"),)


class SeriesPeriod(Base):
    """A period of a series: found by the service (no user), or stored by a user for a method.

    The row of the series repeats the preferred one, else that of the service.
    """

    __tablename__ = "series_periods"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    series_id: Mapped[int] = mapped_column(ForeignKey(Series.id, ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    at: Mapped[Moment]
    method: Mapped[str]
    period: Mapped[float]
    power: Mapped[float | None]
    false_alarm: Mapped[float | None]
    error: Mapped[float | None]
    preferred: Mapped[bool] = mapped_column(server_default="false")
    # Details of the service's search.
    version: Mapped[int | None] = mapped_column(SmallInteger)
    grid: Mapped[dict[str, Any] | None] = mapped_column(JSON)

    __table_args__ = (
        UniqueConstraint("series_id", "user_id", "method", postgresql_nulls_not_distinct=True),
        Index(None, "series_id", unique=True, postgresql_where=text("preferred")),
        Index(None, "user_id", postgresql_where=text("user_id IS NOT NULL")),
    )


class SeriesHistory(Base):
    """A change of a series: the row with revision K describes the change that led to it.

    ``series_id`` is not a foreign key: history outlives its series. A delete has no blob. ``batch`` is the batch of the
    change or, for a purge, that of the series. ``inferred`` is from the new row.
    """

    __tablename__ = "series_history"
    series_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[Moment]
    user_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    owner_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    action: Mapped[str]
    changed: Mapped[Document]
    filename: Mapped[str | None]
    hash: Mapped[str | None]
    blob_size: Mapped[int | None] = mapped_column(BigInteger)
    blob_crc: Mapped[int | None] = mapped_column(BigInteger)
    blob_format: Mapped[int | None] = mapped_column(SmallInteger)
    batch: Mapped[str | None]
    inferred: Mapped[list[str]] = mapped_column(server_default="{}")

    __table_args__ = (Index(None, "batch", postgresql_where=text("batch IS NOT NULL")),)


class UnlinkedBlob(Base):
    """A blob that an update or a delete has unlinked; the sweep keeps it for the grace.

    During an upgrade, processes of the previous version record name and time only.
    """

    __tablename__ = "unlinked_blobs"
    filename: Mapped[str] = mapped_column(primary_key=True)
    unlinked_at: Mapped[Moment]
    series_id: Mapped[int | None] = mapped_column(BigInteger, index=True)
    owner_id: Mapped[int | None]
    blob_size: Mapped[int] = mapped_column(BigInteger, server_default="0")
    purged: Mapped[bool] = mapped_column(server_default="false")


class OwnerUsage(Base):
    """Number of series of an owner, size of their files, and of kept earlier files [bytes].

    Triggers on the series and on the unlinked blobs count them. The sum over the slots is the total: each connection
    updates one of a few rows, so that concurrent uploads of one owner rarely block each other.
    """

    __tablename__ = "owner_usage"
    owner_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    slot: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    series: Mapped[int] = mapped_column(BigInteger)
    bytes: Mapped[int] = mapped_column(BigInteger)
    kept_bytes: Mapped[int] = mapped_column(BigInteger)


class PlaceMark(Base):
    """A store or an export of this database, a copy of its mark; see ``archive/store_ownership.py``."""

    __tablename__ = "place_marks"
    place: Mapped[str] = mapped_column(primary_key=True)
    epoch: Mapped[int]
    turn: Mapped[str]
    next_turn: Mapped[str | None]


class AuditEvent(Base):
    """A change of an account, a token or sharing. ``user_id`` is null for commands on the service's machine."""

    __tablename__ = "audit_events"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[Moment]
    user_id: Mapped[int | None]
    username: Mapped[str]
    action: Mapped[str]
    kind: Mapped[str]
    entry: Mapped[str]
    details: Mapped[Document]


class VOJob(Base):
    """An asynchronous query of TAP: its parameters, its phase, and the connection that runs it.

    ``owner_id`` is minus a number of the client's network for jobs without a token. ``as_admin``: a System admin token
    ran it, so that its result may contain what other tokens of its owner do not see. A job in phase EXECUTING whose
    backend is gone was abandoned.
    """

    __tablename__ = "vo_jobs"
    id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[int] = mapped_column(index=True)
    phase: Mapped[str]
    parameters: Mapped[Document]
    created_at: Mapped[Moment]
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    duration: Mapped[float]
    destruction: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    error: Mapped[str | None]
    media_type: Mapped[str | None]
    backend: Mapped[int | None]
    as_admin: Mapped[bool] = mapped_column(server_default="false")


class VOPiece(Base):
    """A piece of an uploaded table or of the result of a job."""

    __tablename__ = "vo_pieces"
    job_id: Mapped[str] = mapped_column(ForeignKey(VOJob.id, ondelete="CASCADE"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[bytes] = mapped_column(LargeBinary)
