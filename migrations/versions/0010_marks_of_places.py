"""The marks of stores and exports, and the audit of accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade():
    op.create_table(
        "place_marks",
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("turn", sa.Text(), nullable=False),
        sa.Column("next_turn", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("place", name=op.f("pk_place_marks")),
    )


def downgrade():
    op.drop_table("place_marks")
