"""Pages of one filter in the order of the sources."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade():
    op.create_index(
        op.f("ix_photometric_series_filter_obj_id_id"),
        "photometric_series",
        ["filter", "obj_id", "id"],
        postgresql_include=["mjd_first", "mjd_last", "audience"],
    )
