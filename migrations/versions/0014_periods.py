"""Periods found by the service or stored by users, with the preferred one in the row of the series."""

import sqlalchemy as sa
from alembic import op

from photseries.server.catalogue.migrations import create_index

revision = "0014"
down_revision = "0013"

COLUMNS = {
    **dict.fromkeys(("period", "period_power", "period_false_alarm", "period_error"), sa.Double()),
    "period_method": sa.Text(),
}
INDEXED = ("period", "analysis_version")


def upgrade():
    for name, kind in COLUMNS.items():
        op.add_column("photometric_series", sa.Column(name, kind), if_not_exists=True)
    # The worker searches new series only; `photseries analyse` searches existing ones.
    op.execute("ALTER TABLE photometric_series ADD COLUMN IF NOT EXISTS analysis_version SMALLINT DEFAULT -1 NOT NULL")
    op.execute("ALTER TABLE photometric_series ALTER COLUMN analysis_version SET DEFAULT 0")
    op.create_table(
        "series_periods",
        sa.Column("id", sa.BigInteger(), primary_key=True),
        sa.Column(
            "series_id", sa.BigInteger(), sa.ForeignKey("photometric_series.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id")),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.clock_timestamp(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("period", sa.Double(), nullable=False),
        sa.Column("power", sa.Double()),
        sa.Column("false_alarm", sa.Double()),
        sa.Column("error", sa.Double()),
        sa.Column("preferred", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("version", sa.SmallInteger()),
        sa.Column("grid", sa.JSON()),
        sa.UniqueConstraint("series_id", "user_id", "method", postgresql_nulls_not_distinct=True),
        sa.Index("ix_series_periods_series_id", "series_id", unique=True, postgresql_where=sa.text("preferred")),
        sa.Index("ix_series_periods_user_id", "user_id", postgresql_where=sa.text("user_id IS NOT NULL")),
        if_not_exists=True,
    )
    for name in INDEXED:
        create_index(f"ix_photometric_series_{name}_id", "photometric_series", [name, "id"])
