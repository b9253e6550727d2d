"""Positions, audience and the indexes of queries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from photseries.series.sky import pixel

revision = "0002"
down_revision = "0001"

BATCH = 10_000


def upgrade():
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.add_column("photometric_series", sa.Column("healpix", sa.BigInteger()))
    op.add_column("photometric_series", sa.Column("audience", postgresql.ARRAY(sa.Integer())))
    for name, formula in (
        ("unit_x", "cos(radians(dec)) * cos(radians(ra))"),
        ("unit_y", "cos(radians(dec)) * sin(radians(ra))"),
        ("unit_z", "sin(radians(dec))"),
    ):
        column = sa.Column(name, sa.Double(), sa.Computed(formula, persisted=True), nullable=False)
        op.add_column("photometric_series", column)
    op.execute(
        "UPDATE photometric_series SET audience = ARRAY("
        "SELECT group_id FROM series_groups WHERE series_id = photometric_series.id "
        "UNION ALL SELECT -stream_id FROM series_streams WHERE series_id = photometric_series.id)"
    )
    fill_healpix(op.get_bind())
    op.alter_column("photometric_series", "healpix", nullable=False)
    op.alter_column("photometric_series", "audience", nullable=False)

    gin = {"postgresql_using": "gin", "postgresql_with": {"fastupdate": "off"}}
    op.create_index(op.f("ix_photometric_series_healpix"), "photometric_series", ["healpix"])
    op.create_index(op.f("ix_photometric_series_mjd_last_id"), "photometric_series", ["mjd_last", "id"])
    op.create_index(op.f("ix_photometric_series_filter_mjd_first"), "photometric_series", ["filter", "mjd_first"])
    op.create_index(op.f("ix_photometric_series_audience"), "photometric_series", ["audience"], **gin)
    op.create_index(
        "ix_photometric_series_obj_id_trgm",
        "photometric_series",
        ["obj_id"],
        postgresql_ops={"obj_id": "gin_trgm_ops"},
        **gin,
    )


def fill_healpix(connection):
    """Number the positions of the rows that are there; SQL cannot."""
    last = 0
    while True:
        found = "SELECT id, ra, dec FROM photometric_series WHERE id > :last ORDER BY id LIMIT :batch"
        rows = connection.execute(sa.text(found), {"last": last, "batch": BATCH}).all()
        if not rows:
            return
        numbers = pixel([row.ra for row in rows], [row.dec for row in rows]).tolist()
        connection.execute(
            sa.text("UPDATE photometric_series SET healpix = :number WHERE id = :id"),
            [{"id": row.id, "number": number} for row, number in zip(rows, numbers, strict=True)],
        )
        last = rows[-1].id


def downgrade():
    for name in ("obj_id_trgm", "audience", "filter_mjd_first", "mjd_last_id", "healpix"):
        op.drop_index(f"ix_photometric_series_{name}", table_name="photometric_series")
    for name in ("unit_z", "unit_y", "unit_x", "audience", "healpix"):
        op.drop_column("photometric_series", name)
