"""The first schema. Constraints and indexes get their names by the rule in catalogue/models.py."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def required(kind, *names):
    return [sa.Column(name, kind, nullable=False) for name in names]


def optional(kind, *names):
    return [sa.Column(name, kind) for name in names]


def moment(name):
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False)


def number(name, target, *, nullable=False, index=False):
    """Return a column with the number of an entry."""
    return sa.Column(name, sa.Integer(), sa.ForeignKey(f"{target}.id"), nullable=nullable, index=index)


def source(*, nullable):
    return sa.Column("obj_id", sa.Text(), sa.ForeignKey("sources.id"), nullable=nullable, index=nullable)


def create_entries(table, *columns, kind=sa.Integer):
    op.create_table(table, sa.Column("id", kind(), primary_key=True), *columns, moment("created_at"))


def create_members(table, name, target):
    op.create_table(
        table,
        sa.Column(name, sa.Integer(), sa.ForeignKey(f"{target}.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id"), primary_key=True, index=True),
    )


def create_sharing(table, name, target):
    of_series = sa.ForeignKey("photometric_series.id", ondelete="CASCADE")
    op.create_table(
        table,
        sa.Column("series_id", sa.BigInteger(), of_series, primary_key=True),
        sa.Column(name, sa.Integer(), sa.ForeignKey(f"{target}.id"), primary_key=True),
        sa.Index(None, name, "series_id"),
    )


def upgrade():
    filters = sa.Column("filters", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False)
    create_entries("instruments", *required(sa.Text(), "name"), *optional(sa.Text(), "telescope"), filters)
    create_entries("sources", *required(sa.Double(), "ra", "dec"), kind=sa.Text)
    create_entries("streams", sa.Column("name", sa.Text(), nullable=False, unique=True))
    op.create_table("unlinked_blobs", sa.Column("filename", sa.Text(), primary_key=True), moment("unlinked_at"))
    active = sa.Column("active", sa.Boolean(), server_default="true", nullable=False)
    create_entries("users", sa.Column("username", sa.Text(), nullable=False, unique=True), active)
    create_entries("assignments", source(nullable=True))
    create_entries("followup_requests", source(nullable=True))
    create_entries(
        "groups",
        sa.Column("name", sa.Text(), nullable=False, unique=True),
        sa.Column("single_user_id", sa.Integer(), sa.ForeignKey("users.id"), unique=True),
    )
    create_members("stream_users", "stream_id", "streams")
    create_entries(
        "tokens",
        number("user_id", "users", index=True),
        *required(sa.Text(), "name"),
        sa.Column("prefix", sa.Text(), nullable=False, unique=True),
        *required(sa.LargeBinary(), "digest"),
        *required(postgresql.ARRAY(sa.Text()), "permissions"),
        *optional(sa.DateTime(timezone=True), "expires_at"),
    )
    create_members("group_users", "group_id", "groups")
    create_series()
    create_sharing("series_groups", "group_id", "groups")
    create_sharing("series_streams", "stream_id", "streams")
    # The public group; every user is a member.
    op.execute("INSERT INTO groups (name) VALUES ('Sitewide Group')")


def create_series():
    key = ("obj_id", "instrument_id", "filter", "series_name", "series_obj_id", "channel", "origin")
    op.create_table(
        "photometric_series",
        sa.Column("id", sa.BigInteger(), primary_key=True),
        moment("created_at"),
        moment("modified"),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        number("owner_id", "users", index=True),
        source(nullable=False),
        number("instrument_id", "instruments", index=True),
        *required(sa.Text(), "series_name", "series_obj_id"),
        *required(sa.Double(), "ra", "dec", "exp_time"),
        *required(sa.Text(), "filter"),
        *optional(sa.Text(), "channel", "origin"),
        *optional(sa.Double(), "limiting_mag", "magref", "e_magref", "ref_flux", "ref_fluxerr", "ra_unc", "dec_unc"),
        number("followup_request_id", "followup_requests", nullable=True, index=True),
        number("assignment_id", "assignments", nullable=True, index=True),
        *required(sa.Text(), "time_stamp_alignment"),
        *optional(sa.Text(), "time_scale", "time_refpos"),
        *optional(sa.JSON(), "altdata"),
        *required(sa.Integer(), "num_exp", "num_detected"),
        *required(sa.Boolean(), "is_detected"),
        *optional(sa.Double(), "mean_flux", "rms_flux", "robust_flux", "robust_rms_flux"),
        *required(sa.Double(), "mjd_first", "mjd_mid", "mjd_last"),
        *optional(sa.Double(), "mag_first", "mag_last", "mjd_last_detected", "mag_last_detected"),
        *optional(sa.Double(), "mean_mag", "rms_mag", "robust_mag", "robust_rms"),
        *optional(sa.Double(), "median_snr", "best_snr", "worst_snr", "frame_rate"),
        *required(sa.JSON(), "medians", "minima", "maxima", "stds"),
        *required(sa.Text(), "content_hash", "hash"),
        sa.Column("filename", sa.Text(), nullable=False, unique=True),
        *required(sa.BigInteger(), "blob_size", "blob_crc"),
        *required(sa.SmallInteger(), "blob_format"),
        sa.UniqueConstraint(*key, name="uq_photometric_series_key", postgresql_nulls_not_distinct=True),
        sa.Index(None, "content_hash"),
        sa.Index(None, "hash"),
        sa.Index(None, "obj_id", "id"),
    )
