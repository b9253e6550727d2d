"""Jobs of TAP that System admin tokens ran."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade():
    op.add_column("vo_jobs", sa.Column("as_admin", sa.Boolean(), server_default="false", nullable=False))
    # Which token ran an earlier job is unknown.
    op.execute(
        "UPDATE vo_jobs SET as_admin = true FROM tokens "
        "WHERE tokens.user_id = vo_jobs.owner_id AND 'System admin' = ANY (permissions)"
    )
