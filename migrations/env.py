"""Run by Alembic, on the connection that photseries hands over, or (`make migration`) on PHOTSERIES_DATABASE__URL."""

import os

from alembic import context
from sqlalchemy import create_engine

from photseries.server.catalogue.models import Series


def run(connection):
    context.configure(
        connection=connection,
        target_metadata=Series.metadata,
        compare_server_default=False,
        transaction_per_migration=not connection.in_transaction(),
    )
    with context.begin_transaction():
        context.run_migrations()


connection = context.config.attributes.get("connection")
if connection is not None:
    run(connection)
else:
    with create_engine(os.environ["PHOTSERIES_DATABASE__URL"]).connect() as connection:
        run(connection)
        connection.commit()
