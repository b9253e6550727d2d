"""Jobs of TAP. catalogue/vo_views.py creates the views that queries read."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade():
    op.create_table(
        "vo_jobs",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("parameters", sa.JSON(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("started_at", sa.DateTime(timezone=True)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column("duration", sa.Double(), nullable=False),
        sa.Column("destruction", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("media_type", sa.Text()),
        sa.Column("backend", sa.Integer()),
        if_not_exists=True,
    )
    for name in ("owner_id", "destruction"):
        op.create_index(f"ix_vo_jobs_{name}", "vo_jobs", [name], if_not_exists=True)
    op.create_table(
        "vo_pieces",
        sa.Column("job_id", sa.Text(), sa.ForeignKey("vo_jobs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("place", sa.Integer(), primary_key=True),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        if_not_exists=True,
    )
