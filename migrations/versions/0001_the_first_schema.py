"""The first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def moment(name):
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False)


def upgrade():
    op.create_table(
        "instruments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("telescope", sa.Text()),
        sa.Column("filters", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        moment("created_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_instruments")),
    )
    op.create_table(
        "sources",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("ra", sa.Double(), nullable=False),
        sa.Column("dec", sa.Double(), nullable=False),
        moment("created_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
    )
    op.create_table(
        "streams",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        moment("created_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_streams")),
        sa.UniqueConstraint("name", name=op.f("uq_streams_name")),
    )
    op.create_table(
        "unlinked_blobs",
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column(
            "unlinked_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("filename", name=op.f("pk_unlinked_blobs")),
    )
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), server_default="true", nullable=False),
        moment("created_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("username", name=op.f("uq_users_username")),
    )
    op.create_table(
        "assignments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("obj_id", sa.Text()),
        moment("created_at"),
        sa.ForeignKeyConstraint(["obj_id"], ["sources.id"], name=op.f("fk_assignments_obj_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignments")),
    )
    op.create_index(op.f("ix_assignments_obj_id"), "assignments", ["obj_id"], unique=False)
    op.create_table(
        "followup_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("obj_id", sa.Text()),
        moment("created_at"),
        sa.ForeignKeyConstraint(["obj_id"], ["sources.id"], name=op.f("fk_followup_requests_obj_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_followup_requests")),
    )
    op.create_index(op.f("ix_followup_requests_obj_id"), "followup_requests", ["obj_id"], unique=False)
    op.create_table(
        "groups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("single_user_id", sa.Integer()),
        moment("created_at"),
        sa.ForeignKeyConstraint(["single_user_id"], ["users.id"], name=op.f("fk_groups_single_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_groups")),
        sa.UniqueConstraint("name", name=op.f("uq_groups_name")),
        sa.UniqueConstraint("single_user_id", name=op.f("uq_groups_single_user_id")),
    )
    op.create_table(
        "stream_users",
        sa.Column("stream_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["stream_id"], ["streams.id"], name=op.f("fk_stream_users_stream_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_stream_users_user_id")),
        sa.PrimaryKeyConstraint("stream_id", "user_id", name=op.f("pk_stream_users")),
    )
    op.create_index(op.f("ix_stream_users_user_id"), "stream_users", ["user_id"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("permissions", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        moment("created_at"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_tokens_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tokens")),
        sa.UniqueConstraint("prefix", name=op.f("uq_tokens_prefix")),
    )
    op.create_index(op.f("ix_tokens_user_id"), "tokens", ["user_id"], unique=False)
    op.create_table(
        "group_users",
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_group_users_group_id"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_group_users_user_id")),
        sa.PrimaryKeyConstraint("group_id", "user_id", name=op.f("pk_group_users")),
    )
    op.create_index(op.f("ix_group_users_user_id"), "group_users", ["user_id"], unique=False)
    op.create_table(
        "photometric_series",
        sa.Column("id", sa.BigInteger(), nullable=False),
        moment("created_at"),
        moment("modified"),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("obj_id", sa.Text(), nullable=False),
        sa.Column("instrument_id", sa.Integer(), nullable=False),
        sa.Column("series_name", sa.Text(), nullable=False),
        sa.Column("series_obj_id", sa.Text(), nullable=False),
        sa.Column("ra", sa.Double(), nullable=False),
        sa.Column("dec", sa.Double(), nullable=False),
        sa.Column("exp_time", sa.Double(), nullable=False),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text()),
        sa.Column("origin", sa.Text()),
        sa.Column("limiting_mag", sa.Double()),
        sa.Column("magref", sa.Double()),
        sa.Column("e_magref", sa.Double()),
        sa.Column("ref_flux", sa.Double()),
        sa.Column("ref_fluxerr", sa.Double()),
        sa.Column("ra_unc", sa.Double()),
        sa.Column("dec_unc", sa.Double()),
        sa.Column("followup_request_id", sa.Integer()),
        sa.Column("assignment_id", sa.Integer()),
        sa.Column("time_stamp_alignment", sa.Text(), nullable=False),
        sa.Column("time_scale", sa.Text()),
        sa.Column("time_refpos", sa.Text()),
        sa.Column("altdata", sa.JSON()),
        sa.Column("num_exp", sa.Integer(), nullable=False),
        sa.Column("num_detected", sa.Integer(), nullable=False),
        sa.Column("is_detected", sa.Boolean(), nullable=False),
        sa.Column("mean_flux", sa.Double()),
        sa.Column("rms_flux", sa.Double()),
        sa.Column("robust_flux", sa.Double()),
        sa.Column("robust_rms_flux", sa.Double()),
        sa.Column("mjd_first", sa.Double(), nullable=False),
        sa.Column("mjd_mid", sa.Double(), nullable=False),
        sa.Column("mjd_last", sa.Double(), nullable=False),
        sa.Column("mag_first", sa.Double()),
        sa.Column("mag_last", sa.Double()),
        sa.Column("mjd_last_detected", sa.Double()),
        sa.Column("mag_last_detected", sa.Double()),
        sa.Column("mean_mag", sa.Double()),
        sa.Column("rms_mag", sa.Double()),
        sa.Column("robust_mag", sa.Double()),
        sa.Column("robust_rms", sa.Double()),
        sa.Column("median_snr", sa.Double()),
        sa.Column("best_snr", sa.Double()),
        sa.Column("worst_snr", sa.Double()),
        sa.Column("frame_rate", sa.Double()),
        sa.Column("medians", sa.JSON(), nullable=False),
        sa.Column("minima", sa.JSON(), nullable=False),
        sa.Column("maxima", sa.JSON(), nullable=False),
        sa.Column("stds", sa.JSON(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("blob_size", sa.BigInteger(), nullable=False),
        sa.Column("blob_crc", sa.BigInteger(), nullable=False),
        sa.Column("blob_format", sa.SmallInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assignment_id"], ["assignments.id"], name=op.f("fk_photometric_series_assignment_id")
        ),
        sa.ForeignKeyConstraint(
            ["followup_request_id"], ["followup_requests.id"], name=op.f("fk_photometric_series_followup_request_id")
        ),
        sa.ForeignKeyConstraint(
            ["instrument_id"], ["instruments.id"], name=op.f("fk_photometric_series_instrument_id")
        ),
        sa.ForeignKeyConstraint(["obj_id"], ["sources.id"], name=op.f("fk_photometric_series_obj_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name=op.f("fk_photometric_series_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_photometric_series")),
        sa.UniqueConstraint("filename", name=op.f("uq_photometric_series_filename")),
        sa.UniqueConstraint(
            "obj_id",
            "instrument_id",
            "filter",
            "series_name",
            "series_obj_id",
            "channel",
            "origin",
            name="uq_photometric_series_key",
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index(op.f("ix_photometric_series_assignment_id"), "photometric_series", ["assignment_id"], unique=False)
    op.create_index(op.f("ix_photometric_series_content_hash"), "photometric_series", ["content_hash"], unique=False)
    op.create_index(
        op.f("ix_photometric_series_followup_request_id"), "photometric_series", ["followup_request_id"], unique=False
    )
    op.create_index(op.f("ix_photometric_series_hash"), "photometric_series", ["hash"], unique=False)
    op.create_index(op.f("ix_photometric_series_instrument_id"), "photometric_series", ["instrument_id"], unique=False)
    op.create_index("ix_photometric_series_obj_id_id", "photometric_series", ["obj_id", "id"], unique=False)
    op.create_index(op.f("ix_photometric_series_owner_id"), "photometric_series", ["owner_id"], unique=False)
    op.create_table(
        "series_groups",
        sa.Column("series_id", sa.BigInteger(), nullable=False),
        sa.Column("group_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["group_id"], ["groups.id"], name=op.f("fk_series_groups_group_id")),
        sa.ForeignKeyConstraint(
            ["series_id"], ["photometric_series.id"], name=op.f("fk_series_groups_series_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("series_id", "group_id", name=op.f("pk_series_groups")),
    )
    op.create_index(
        op.f("ix_series_groups_group_id_series_id"), "series_groups", ["group_id", "series_id"], unique=False
    )
    op.create_table(
        "series_streams",
        sa.Column("series_id", sa.BigInteger(), nullable=False),
        sa.Column("stream_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["series_id"], ["photometric_series.id"], name=op.f("fk_series_streams_series_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["stream_id"], ["streams.id"], name=op.f("fk_series_streams_stream_id")),
        sa.PrimaryKeyConstraint("series_id", "stream_id", name=op.f("pk_series_streams")),
    )
    op.create_index(
        op.f("ix_series_streams_stream_id_series_id"), "series_streams", ["stream_id", "series_id"], unique=False
    )
    # The public group; every user is a member.
    op.execute("INSERT INTO groups (name) VALUES ('Sitewide Group')")
