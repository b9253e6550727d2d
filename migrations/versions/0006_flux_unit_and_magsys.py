"""The unit of fluxes, the magnitude system, and the brightness column."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade():
    op.add_column("photometric_series", sa.Column("flux_unit", sa.Text(), server_default="uJy", nullable=False))
    op.add_column("photometric_series", sa.Column("magsys", sa.Text(), server_default="ab", nullable=False))
    op.add_column("photometric_series", sa.Column("brightness", sa.Text(), nullable=True))
