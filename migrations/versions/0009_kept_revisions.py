"""Owner, size and purge flag of unlinked blobs; usage per owner."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

# The arguments are the factors with which a row counts as series, bytes and kept bytes.
COUNT = """
CREATE FUNCTION count_owner_usage() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    made text := 'SELECT owner_id, 1 AS number, blob_size FROM made';
    gone text := 'SELECT owner_id, -1 AS number, -blob_size AS blob_size FROM gone';
BEGIN
    EXECUTE format(
        'INSERT INTO owner_usage AS used (owner_id, slot, series, bytes, kept_bytes)
        SELECT owner_id, pg_backend_pid() %% 8, %s * sum(number), %s * sum(blob_size), %s * sum(blob_size)
        FROM (%s) AS changed WHERE owner_id IS NOT NULL
        GROUP BY owner_id HAVING sum(number) <> 0 OR sum(blob_size) <> 0 ORDER BY owner_id
        ON CONFLICT (owner_id, slot) DO UPDATE SET series = used.series + excluded.series,
        bytes = used.bytes + excluded.bytes, kept_bytes = used.kept_bytes + excluded.kept_bytes',
        TG_ARGV[0], TG_ARGV[1], TG_ARGV[2],
        CASE TG_OP WHEN 'INSERT' THEN made WHEN 'DELETE' THEN gone ELSE made || ' UNION ALL ' || gone END
    );
    RETURN NULL;
END
$$
"""
TABLES = {"photometric_series": "1, 1, 0", "unlinked_blobs": "0, 0, 1"}
ROWS = {
    "INSERT": "NEW TABLE AS made",
    "UPDATE": "OLD TABLE AS gone NEW TABLE AS made",
    "DELETE": "OLD TABLE AS gone",
}


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
    op.create_table(
        "owner_usage",
        sa.Column("owner_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("slot", sa.SmallInteger(), autoincrement=False, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("series", "bytes", "kept_bytes")),
        sa.PrimaryKeyConstraint("owner_id", "slot", name="pk_owner_usage"),
    )
    op.execute(COUNT)
    for table, arguments in TABLES.items():
        for event, rows in ROWS.items():
            op.execute(
                f"CREATE TRIGGER count_{event.lower()} AFTER {event} ON {table} REFERENCING {rows} "
                f"FOR EACH STATEMENT EXECUTE FUNCTION count_owner_usage({arguments})"
            )
    op.execute(
        "INSERT INTO owner_usage SELECT owner_id, 0, sum(series), sum(bytes), sum(kept_bytes) FROM ("
        "SELECT owner_id, 1 AS series, blob_size AS bytes, 0 AS kept_bytes FROM photometric_series "
        "UNION ALL SELECT owner_id, 0, 0, blob_size FROM unlinked_blobs WHERE owner_id IS NOT NULL"
        ") AS used GROUP BY owner_id"
    )
