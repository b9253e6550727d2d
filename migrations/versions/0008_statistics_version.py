"""The version of the statistics in a row, and which metadata fields were inferred."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"


def upgrade():
    version = sa.Column("statistics_version", sa.SmallInteger(), server_default="1", nullable=False)
    inferred = sa.Column("inferred", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False)
    op.add_column("photometric_series", version)
    op.add_column("photometric_series", inferred)
    op.create_index("ix_photometric_series_statistics_version", "photometric_series", ["statistics_version"])


def downgrade():
    op.drop_index("ix_photometric_series_statistics_version", "photometric_series")
    for name in ("inferred", "statistics_version"):
        op.drop_column("photometric_series", name)
