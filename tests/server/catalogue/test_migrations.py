"""The schema: migrations make what the models say, once, and a start on another revision is refused."""

import concurrent.futures

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from photseries.errors import StartError
from photseries.server import settings
from photseries.server.catalogue import migrations
from photseries.server.catalogue.engine import Catalogue
from photseries.server.catalogue.models import Base
from tests.conftest import database
from tests.test_docs import TOP


@pytest.fixture
def empty(server):
    with database(server) as url:
        catalogue = Catalogue(url, settings.Database())
        yield catalogue
        catalogue.close()


def test_the_migrations_make_the_models(empty):
    migrations.upgrade(empty.engine)
    with empty.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_another_revision_is_refused_with_the_command(empty):
    with pytest.raises(StartError, match="photseries migrate"):
        migrations.check(empty.engine)
    assert migrations.is_empty(empty.engine)
    before, after = migrations.upgrade(empty.engine)
    assert before is None
    assert after == ScriptDirectory(TOP / "migrations").get_current_head()
    migrations.check(empty.engine)
    assert not migrations.is_empty(empty.engine)
    assert migrations.upgrade(empty.engine) == (after, after)
    with empty.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'future'")
    with pytest.raises(StartError, match="newer"):
        migrations.check(empty.engine)


def test_processes_that_migrate_at_once_wait_for_each_other(empty):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(lambda _: migrations.upgrade(empty.engine), range(4)))
    assert sorted(str(before) for before, _ in outcomes) == sorted(["None", *[outcomes[0][1]] * 3])


def test_files_that_were_unlinked_before_the_upgrade_get_their_series_and_are_counted(empty):
    configuration = migrations._configuration()
    with empty.engine.begin() as connection:
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, "0008")
        (owner,) = connection.exec_driver_sql("INSERT INTO users (username) VALUES ('anna') RETURNING id").one()
        for revision, size in ((1, 70), (2, 500)):
            connection.exec_driver_sql(
                "INSERT INTO series_history"
                " (series_id, revision, user_id, owner_id, action, changed, filename, blob_size)"
                f" VALUES (5, {revision}, {owner}, {owner}, 'update', '{{}}', 'file {revision}', {size})"
            )
        connection.exec_driver_sql("INSERT INTO unlinked_blobs (filename) VALUES ('file 1'), ('unknown')")
    migrations.upgrade(empty.engine)
    with empty.engine.connect() as connection:
        noted = "SELECT filename, series_id, owner_id, blob_size FROM unlinked_blobs ORDER BY filename"
        assert connection.exec_driver_sql(noted).all() == [("file 1", 5, owner, 70), ("unknown", None, None, 0)]
        used = "SELECT owner_id, series, bytes, kept_bytes FROM owner_usage"
        assert connection.exec_driver_sql(used).all() == [(owner, 0, 0, 70)]


def test_null_is_a_value_of_the_unique_key(empty):
    migrations.upgrade(empty.engine)
    with empty.engine.connect() as connection:
        definition = connection.exec_driver_sql(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'uq_photometric_series_key'"
        ).scalar_one()
    assert "NULLS NOT DISTINCT" in definition
