"""The version of the statistics in a row, and which metadata fields were inferred."""

from alembic import op

from photseries.server.catalogue.migrations import create_index

revision = "0008"
down_revision = "0007"


def upgrade():
    for column in ("statistics_version SMALLINT DEFAULT 1 NOT NULL", "inferred TEXT[] DEFAULT '{}' NOT NULL"):
        op.execute(f"ALTER TABLE photometric_series ADD COLUMN IF NOT EXISTS {column}")
    create_index("ix_photometric_series_statistics_version", "photometric_series", ["statistics_version"])
