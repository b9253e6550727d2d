"""The schema: migrations make what the models say, once, and a start on another revision is refused."""

import concurrent.futures

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import event, inspect

from photseries.errors import StartError
from photseries.server import settings
from photseries.server.catalogue import migrations
from photseries.server.catalogue.engine import Catalogue
from photseries.server.catalogue.models import Base
from tests.conftest import database
from tests.support import command as run_command
from tests.test_docs import TOP


@pytest.fixture
def empty(server):
    with database(server) as url:
        catalogue = Catalogue(url, settings.DatabaseSettings())
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


#: The revision of the release before this one.
RELEASED = "0005"


def upgraded_to(catalogue, revision):
    configuration = migrations._configuration()
    with catalogue.engine.begin() as connection:
        configuration.attributes["connection"] = connection
        command.upgrade(configuration, revision)


def indexes(catalogue):
    """The definitions of all indexes, and whether each is valid."""
    with catalogue.engine.connect() as connection:
        return set(
            connection.exec_driver_sql(
                "SELECT pg_get_indexdef(indexrelid), indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indrelid "
                "WHERE relnamespace = 'public'::regnamespace"
            ).all()
        )


@pytest.fixture
def statements(empty):
    """What is sent to the database, as it is sent."""
    sent = []
    event.listen(empty.engine, "before_cursor_execute", lambda *arguments: sent.append(arguments[2]))
    return sent


def test_a_large_table_gets_its_indexes_while_others_write(empty, statements, monkeypatch):
    upgraded_to(empty, RELEASED)
    monkeypatch.setattr(migrations, "LARGE", -1)
    assert migrations.upgrade(empty.engine)[0] == RELEASED
    for name in ("photometric_series_statistics_version", "photometric_series_batch", "series_history_batch"):
        sent = [sql for sql in statements if "INDEX" in sql and f"ix_{name}" in sql]
        assert [sql.split()[2] for sql in sent] == ["CONCURRENTLY", "CONCURRENTLY"], "what a kill left goes first"
    migrations.check(empty.engine)
    with empty.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    assert all(valid for _, valid in indexes(empty))


@pytest.mark.parametrize("left", ["nothing", "columns", "an index that is not valid"])
def test_a_migration_of_a_large_table_that_was_killed_is_repeated(empty, monkeypatch, left):
    upgraded_to(empty, "0007")
    with empty.engine.begin() as connection:
        if left != "nothing":
            connection.exec_driver_sql(
                "ALTER TABLE photometric_series ADD statistics_version SMALLINT DEFAULT 1 NOT NULL"
            )
        if left.startswith("an index"):
            connection.exec_driver_sql(
                "CREATE INDEX ix_photometric_series_statistics_version ON photometric_series (statistics_version, ra)"
            )
    monkeypatch.setattr(migrations, "LARGE", -1)
    assert migrations.upgrade(empty.engine)[0] == "0007"
    with empty.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_the_settings_of_a_migration_end_with_it(empty):
    migrations.upgrade(empty.engine)
    with empty.engine.connect() as connection:
        assert connection.exec_driver_sql("SHOW statement_timeout").scalar_one() == "1min"


def required_columns(connection):
    """The columns that an insert has to name, with their types."""
    return connection.exec_driver_sql(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'photometric_series' "
        "AND is_nullable = 'NO' AND column_default IS NULL AND is_generated = 'NEVER'"
    ).all()


def insert_series(connection, columns, number):
    """Insert a series as a process does that knows these columns."""
    values = {"integer": 1, "bigint": 1, "smallint": 1, "double precision": 1.0, "text": "x", "boolean": True}
    row = {name: values.get(kind, "{}") for name, kind in columns}
    row |= {"id": number, "filename": f"a/{number}.h5", "series_obj_id": str(number), "obj_id": "star"}
    keys, marks = ", ".join(f'"{name}"' for name in row), ", ".join(["%s"] * len(row))
    connection.exec_driver_sql(f"INSERT INTO photometric_series ({keys}) VALUES ({marks})", tuple(row.values()))


def test_the_version_before_works_on_the_new_schema(empty):
    """Its inserts, changes and reads, with rows from before and after the migration."""
    upgraded_to(empty, RELEASED)
    with empty.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO users (id, username) VALUES (1, 'anna')")
        connection.exec_driver_sql("INSERT INTO sources (id, ra, dec) VALUES ('star', 1, 2)")
        connection.exec_driver_sql("INSERT INTO instruments (id, name) VALUES (1, 'TESS')")
        old = [column["name"] for column in inspect(connection).get_columns("photometric_series")]
        known = required_columns(connection)
        insert_series(connection, known, 1)
    migrations.upgrade(empty.engine)
    with empty.engine.begin() as connection:
        insert_series(connection, known, 2)
        listed = ", ".join(f'"{name}"' for name in old if name not in ("id", "created_at", "modified"))
        rows = connection.exec_driver_sql(f"SELECT {listed} FROM photometric_series ORDER BY id").mappings().all()
        differing = {name for name in rows[0] if rows[0][name] != rows[1][name]}
        assert differing == {"filename", "series_obj_id"}
        new = connection.exec_driver_sql(
            "SELECT flux_unit, magsys, statistics_version, inferred FROM photometric_series"
        )
        assert new.all() == [("uJy", "ab", 1, [])] * 2
        changed = connection.exec_driver_sql("UPDATE photometric_series SET revision = revision + 1, exp_time = 2")
        assert changed.rowcount == 2
        token = "INSERT INTO tokens (user_id, name, prefix, digest, permissions) VALUES (1, '', 'p', '', '{}')"
        connection.exec_driver_sql(token)
        assert connection.exec_driver_sql("DELETE FROM photometric_series").rowcount == 2


def test_the_command_says_whether_there_is_something_to_do(empty, tmp_path):
    url = empty.engine.url.render_as_string(hide_password=False)

    def checked(*words):
        return run_command("migrate", *words, "--data", "data", cwd=tmp_path, PHOTSERIES_DATABASE__URL=url)

    for revision, words in (("base", "has no schema yet"), ("0007", "is at revision 0007")):
        if revision != "base":
            upgraded_to(empty, revision)
        outcome = checked("--check")
        assert outcome.exit_code == 1
        assert words in outcome.stdout
    assert checked().exit_code == 0
    assert checked("--check").exit_code == 0
