"""Lists of names: an index for the searches by series_obj_id."""

from alembic import op

from photseries.server.catalogue.migrations import create_index

revision = "0015"
down_revision = "0014"

NAME = "ix_photometric_series_series_obj_id"


def upgrade():
    create_index(NAME, "photometric_series", ["series_obj_id"], postgresql_using="hash")


def downgrade():
    op.drop_index(NAME, "photometric_series")
