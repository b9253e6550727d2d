"""Notes about unlinked blobs say whose they were, how long they are, and whether they must go."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade():
    op.add_column("unlinked_blobs", sa.Column("series_id", sa.BigInteger()))
    op.add_column("unlinked_blobs", sa.Column("owner_id", sa.Integer()))
    op.add_column("unlinked_blobs", sa.Column("blob_size", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("unlinked_blobs", sa.Column("purged", sa.Boolean(), server_default="false", nullable=False))
    op.create_index("ix_unlinked_blobs_series_id", "unlinked_blobs", ["series_id"])
    op.execute(
        "UPDATE unlinked_blobs SET series_id = event.series_id, owner_id = event.owner_id, "
        "blob_size = event.blob_size FROM series_history AS event WHERE event.filename = unlinked_blobs.filename"
    )


def downgrade():
    op.drop_index("ix_unlinked_blobs_series_id", "unlinked_blobs")
    for name in ("purged", "blob_size", "owner_id", "series_id"):
        op.drop_column("unlinked_blobs", name)
