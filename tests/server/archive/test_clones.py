"""Two copies of one database and one store: only one of them writes and sweeps, until the other adopts the store."""

import dataclasses
import subprocess
import uuid
from contextlib import contextmanager

import pytest
from sqlalchemy import make_url

from photseries.errors import NotAdoptedError, UnavailableError
from photseries.server.archive import Upkeep, store_ownership
from photseries.server.postgres.binaries import find_programs
from photseries.server.services import open_services
from tests.conftest import database
from tests.server.archive.test_order import body

pytestmark = pytest.mark.slow


@pytest.fixture(params=["files", "objects"])
def store_settings(request, tmp_path):
    """A separate place for each test, configured in both copies."""
    if request.param == "files":
        return {"store__url": f"file://{tmp_path}/shared"}
    object_server = request.getfixturevalue("object_server")
    assert object_server.make_bucket("clones")
    return object_server.settings(f"clones/{uuid.uuid4().hex}")


@pytest.fixture(autouse=True)
def _every_write_looks(monkeypatch):
    monkeypatch.setattr(store_ownership, "_TRUSTED", 0.0)


@contextmanager
def restored(services, server, tmp_path):
    """The services of a copy: a dump of the database, restored into another one."""
    with database(server) as copy:
        programs = find_programs()
        source, target = (
            make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
            for url in (services.config.database.url, copy)
        )
        dump = subprocess.run([programs / "pg_dump", "-Fc", f"--dbname={source}"], capture_output=True, check=True)
        subprocess.run([programs / "pg_restore", f"--dbname={target}"], input=dump.stdout, check=True)
        config = dataclasses.replace(
            services.config,
            database=dataclasses.replace(services.config.database, url=copy),
            data=dataclasses.replace(services.config.data, directory=str(tmp_path / "copy")),
        )
        with open_services(config) as cloned:
            cloned.sandbox.start()
            yield cloned


def eager(services):
    """Upkeep for which everything is old."""
    store = dataclasses.replace(services.config.store, grace=0.0, write_deadline=1e-9, timeout=1e-9)
    limits = dataclasses.replace(services.config.database, statement_timeout=1e-9)
    return Upkeep(
        services.catalogue, services.store, dataclasses.replace(services.config, store=store, database=limits)
    )


def names(services):
    return {blob.key for blob in services.store.scan()}


def check_refused(services, principal, series_id):
    """Nothing is written or removed; reading works."""
    before = names(services)
    changes = (
        lambda: services.archive.create(principal, body(series_obj_id="refused")),
        lambda: services.archive.update(principal, series_id, {"altdata": {"a": 1}}),
        lambda: services.archive.update(principal, series_id, {"group_ids": "all"}),
        lambda: services.archive.delete(principal, series_id),
        eager(services).sweep,
    )
    for change in changes:
        with pytest.raises(NotAdoptedError, match="photseries adopt-store"):
            change()
    assert names(services) == before
    assert services.reader.get(principal, series_id).revision == 1


def test_a_restored_dump_leaves_the_store_alone(services, principal, server, tmp_path):
    first = services.archive.create(principal, body()).id
    with restored(services, server, tmp_path) as cloned:
        services.archive.create(principal, body(series_obj_id="2"))
        check_refused(cloned, principal, first)
        assert eager(services).sweep().removed == 0, "the original goes on"
        services.archive.create(principal, body(series_obj_id="3"))
        assert list(services.upkeep.verify()) == []


def test_adopting_archive_owns_the_store(services, principal, server, tmp_path):
    first = services.archive.create(principal, body()).id
    with restored(services, server, tmp_path) as cloned:
        assert cloned.archive.ownership.adopt().epoch == 2
        cloned.archive.create(principal, body(series_obj_id="of the copy"))
        assert eager(cloned).sweep() is not None
        check_refused(services, principal, first)
        assert services.archive.ownership.adopt().epoch == 3
        services.archive.create(principal, body(series_obj_id="of the original"))
        check_refused(cloned, principal, first)


@pytest.fixture
def snapshot(services):
    """A function that makes the database what it was at a moment, its identity included."""

    def take():
        with services.catalogue.reading() as connection:
            rows = connection.exec_driver_sql("SELECT place, epoch, turn, next_turn FROM place_marks").all()

        def back():
            with services.catalogue.transaction() as connection:
                connection.exec_driver_sql("DELETE FROM place_marks")
                for row in rows:
                    connection.exec_driver_sql("INSERT INTO place_marks VALUES (%s, %s, %s, %s)", tuple(row))

        return back

    return take


def test_a_snapshot_differs_from_its_original_by_the_next_sweep(services, principal, snapshot):
    first = services.archive.create(principal, body()).id
    back = snapshot()
    check = services.archive.ownership.require
    check()
    eager(services).sweep()
    eager(services).sweep()
    check()
    back()
    check_refused(services, principal, first)


@pytest.mark.parametrize("point", ["mark: turn announced", "mark: mark replaced"])
def test_interrupted_turn_is_completed(services, principal, snapshot, monkeypatch, point):
    first = services.archive.create(principal, body()).id

    def fail(reached):
        if reached == point:
            raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(store_ownership, "reached", fail)
        with pytest.raises(KeyboardInterrupt):
            eager(services).sweep()
    back = snapshot()
    services.archive.ownership.require()
    for _ in range(2):
        assert eager(services).sweep().removed == 0
    services.archive.create(principal, body(series_obj_id="2"))
    back()
    check_refused(services, principal, first)


def test_a_full_store_can_be_swept(services, principal):
    """The new mark has the length of the old one for all numbers."""
    ownership = services.archive.ownership
    lengths = set()
    for _ in range(12):
        ownership.adopt()
        lengths.add(len(services.store.read_mark()))
    assert len(lengths) == 1


def test_a_purge_frees_space_in_full_object_storage(services, principal, monkeypatch):
    """It writes nothing; a sweep has to write its mark first."""

    def full(*_):
        raise UnavailableError("The store is full.")

    number = services.archive.create(principal, body()).id
    services.archive.update(principal, number, {"channel": "b"})
    monkeypatch.setattr(services.store, "create", full)
    monkeypatch.setattr(services.store, "swap_mark", full)
    with pytest.raises(UnavailableError, match="full"):
        services.upkeep.sweep()
    before = {blob.key for blob in services.store.scan()}
    services.archive.purge(principal, number)
    gone = before - {blob.key for blob in services.store.scan()}
    assert len(gone) == 1
    assert services.reader.get(principal, number).fields["filename"] not in gone


def test_database_identity_is_not_in_a_dump(services, server, tmp_path):
    found = []
    with restored(services, server, tmp_path) as cloned:
        for one in (services, cloned):
            with one.catalogue.reading() as connection:
                cluster, oid = connection.exec_driver_sql(
                    "SELECT system_identifier, (SELECT oid FROM pg_database WHERE datname = current_database()) "
                    "FROM pg_control_system()"
                ).one()
            assert f'"{cluster}/{oid}"'.encode() in one.archive.ownership.adopt().encode()
            found.append((cluster, oid))
    assert found[0][0] == found[1][0]
    assert found[0][1] != found[1][1]
