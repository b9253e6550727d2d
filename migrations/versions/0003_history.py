"""History: who changed what in each series, and the files of earlier revisions."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade():
    op.create_table(
        "series_history",
        sa.Column("series_id", sa.BigInteger(), primary_key=True),
        sa.Column("revision", sa.Integer(), primary_key=True),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("owner_id", sa.Integer(), sa.ForeignKey("users.id"), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("changed", sa.JSON(), nullable=False),
        sa.Column("filename", sa.Text()),
        sa.Column("hash", sa.Text()),
        sa.Column("blob_size", sa.BigInteger()),
        sa.Column("blob_crc", sa.BigInteger()),
        sa.Column("blob_format", sa.SmallInteger()),
    )
    # Only the current state of existing series is known.
    op.execute(
        "INSERT INTO series_history "
        "(series_id, revision, at, user_id, owner_id, action, changed, "
        " filename, hash, blob_size, blob_crc, blob_format) "
        "SELECT id, revision, modified, owner_id, owner_id, CASE revision WHEN 1 THEN 'create' ELSE 'update' END, "
        "'{}', filename, hash, blob_size, blob_crc, blob_format FROM photometric_series"
    )
