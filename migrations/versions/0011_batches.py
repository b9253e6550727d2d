"""Upload batches, and what a restored revision needs beside its file."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"

TABLES = ("photometric_series", "series_history")


def upgrade():
    for table in TABLES:
        op.add_column(table, sa.Column("batch", sa.Text(), nullable=True))
        op.create_index(f"ix_{table}_batch", table, ["batch"], postgresql_where=sa.text("batch IS NOT NULL"))
    inferred = sa.Column("inferred", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False)
    op.add_column("series_history", inferred)


def downgrade():
    op.drop_column("series_history", "inferred")
    for table in TABLES:
        op.drop_index(f"ix_{table}_batch", table)
        op.drop_column(table, "batch")
