"""Positions, audience and the indexes of queries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from photseries.lightcurve.sky import pixel

revision = "0002"
down_revision = "0001"

BATCH = 10_000

GIN = {"postgresql_using": "gin", "postgresql_with": {"fastupdate": "off"}}
POSITION = ["healpix", "unit_x", "unit_y", "unit_z"]

# Indexes of the first schema that this migration replaces.
PLAIN = (
    ("photometric_series", ["obj_id", "id"]),
    ("photometric_series", ["content_hash"]),
    ("photometric_series", ["hash"]),
    ("photometric_series", ["followup_request_id"]),
    ("photometric_series", ["assignment_id"]),
    ("series_groups", ["group_id", "series_id"]),
    ("series_streams", ["stream_id", "series_id"]),
)
INDEXES = (
    (
        "photometric_series",
        ["obj_id", "id"],
        {"postgresql_include": ["filter", "mjd_first", "mjd_last", *POSITION, "audience"]},
    ),
    (
        "photometric_series",
        ["mjd_last", "id"],
        {"postgresql_include": ["obj_id", "filter", "mjd_first", *POSITION, "audience"]},
    ),
    ("photometric_series", ["filter", "mjd_last", "id"], {"postgresql_include": ["obj_id", "mjd_first", "audience"]}),
    ("photometric_series", ["healpix"], {}),
    ("photometric_series", ["audience"], GIN),
    ("photometric_series", ["content_hash"], {"postgresql_using": "hash"}),
    ("photometric_series", ["hash"], {"postgresql_using": "hash"}),
    (
        "photometric_series",
        ["followup_request_id"],
        {"postgresql_where": sa.text("followup_request_id IS NOT NULL")},
    ),
    ("photometric_series", ["assignment_id"], {"postgresql_where": sa.text("assignment_id IS NOT NULL")}),
    ("series_groups", ["group_id"], {}),
    ("series_streams", ["stream_id"], {}),
)


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

    for table, columns in PLAIN:
        op.drop_index(_name(table, columns), table)
    for table, columns, options in INDEXES:
        op.create_index(_name(table, columns), table, columns, **options)
    op.create_index("ix_sources_id_trgm", "sources", ["id"], postgresql_ops={"id": "gin_trgm_ops"}, **GIN)
    # The planner estimates from this sample how many names contain a text.
    op.execute("ALTER TABLE sources ALTER COLUMN id SET STATISTICS 1000")
    # An index-only scan needs vacuumed rows: vacuum after 2 % of new rows, not after 20 %.
    op.execute("ALTER TABLE photometric_series SET (autovacuum_vacuum_insert_scale_factor = 0.02)")


def fill_healpix(connection):
    """Compute the HEALPix numbers of existing rows, which SQL cannot."""
    last = 0
    while True:
        statement = "SELECT id, ra, dec FROM photometric_series WHERE id > :last ORDER BY id LIMIT :batch"
        rows = connection.execute(sa.text(statement), {"last": last, "batch": BATCH}).all()
        if not rows:
            return
        numbers = pixel([row.ra for row in rows], [row.dec for row in rows]).tolist()
        connection.execute(
            sa.text("UPDATE photometric_series SET healpix = :number WHERE id = :id"),
            [{"id": row.id, "number": number} for row, number in zip(rows, numbers, strict=True)],
        )
        last = rows[-1].id


def _name(table, columns):
    return op.f(f"ix_{table}_{'_'.join(columns)}")
