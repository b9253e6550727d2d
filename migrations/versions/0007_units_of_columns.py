"""Units of columns that the service does not know."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade():
    op.add_column("photometric_series", sa.Column("column_units", sa.JSON(), nullable=True))
