"""Upload batches, and the columns that a restore cannot read from the file."""

import sqlalchemy as sa
from alembic import op

from photseries.server.catalogue.migrations import create_index

revision = "0011"
down_revision = "0010"

TABLES = ("photometric_series", "series_history")


def upgrade():
    op.execute("ALTER TABLE series_history ADD COLUMN IF NOT EXISTS inferred TEXT[] DEFAULT '{}' NOT NULL")
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS batch TEXT")
    for table in TABLES:
        create_index(f"ix_{table}_batch", table, ["batch"], postgresql_where=sa.text("batch IS NOT NULL"))
