"""The moments between two steps, in one process: what a lost or late message to PostgreSQL must not do."""

import concurrent.futures
import contextlib
import dataclasses
import time

import psycopg2
import pytest

from photseries.errors import ExpiredError, OutcomeUnknownError, UnavailableError
from photseries.server.archive import Archive, SeriesReader, Upkeep, restoring
from photseries.server.catalogue import migrations
from photseries.server.catalogue import series as statements
from photseries.server.catalogue.engine import Catalogue
from photseries.server.settings import DatabaseSettings
from tests.crash.proxy import AFTER, BEFORE, LATE, Proxy
from tests.server.archive.test_order import body, check_invariant, rows, stored
from tests.support import PATIENCE, columns


@pytest.fixture
def proxy(archive_url):
    with Proxy(archive_url) as between:
        yield between


@pytest.fixture
def archive(proxy, services):
    """Builds an archive behind the proxy, with some settings of the store and the database."""
    catalogues = []

    def build(store=(), database=()):
        config = dataclasses.replace(
            services.config,
            store=dataclasses.replace(services.config.store, **dict(store)),
            database=dataclasses.replace(services.config.database, **dict(database)),
        )
        catalogues.append(Catalogue(proxy.url, config.database))
        return Archive(catalogues[-1], services.store, services.sandbox, config), config

    yield build
    for catalogue in catalogues:
        catalogue.close()


def test_a_commit_that_arrives_after_the_sweep_is_refused(archive, proxy, services, principal):
    """However late a network delivers COMMIT, or a stopped process wakes up to send it."""
    hasty, config = archive(store={"grace": 0.0, "write_deadline": 0.5}, database={"statement_timeout": 1.0})
    proxy.lose(b"COMMIT\0", LATE)
    with pytest.raises(OutcomeUnknownError):
        hasty.create(principal, body())
    upkeep, deadline = Upkeep(services.catalogue, services.store, config), time.monotonic() + PATIENCE
    while not upkeep.sweep().removed:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    proxy.released.set()
    until_nobody_writes(services)
    assert rows(services) == stored(services) == []


@pytest.mark.parametrize("use", ["update", "delete"])
@pytest.mark.parametrize("fate", [BEFORE, AFTER], ids=["not heard", "heard"])
def test_committed_change_without_grace_is_reported_as_done(archive, proxy, services, principal, use, fate):
    """The old bytes are gone, but the note about them cannot be dropped: that is the next sweep's, not the client's."""
    careless, config = archive(store={"grace": 0.0})
    series = careless.create(principal, body()).id
    proxy.lose(b"DELETE FROM unlinked_blobs", fate)
    if use == "update":
        careless.update(principal, series, {"channel": "b"})
        assert services.reader.get(principal, series).fields["channel"] == "b"
    else:
        careless.delete(principal, series)
    check_invariant(services)
    Upkeep(services.catalogue, services.store, config).sweep()
    with services.catalogue.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM unlinked_blobs").scalar_one() == 0


def test_committed_queued_change_is_reported_as_done(archive, proxy, services, principal, monkeypatch):
    """The connection that holds the place in the queue breaks after the change has been committed."""
    behind, _ = archive()
    series = services.archive.create(principal, body()).id
    change, calls = statements.change, []

    def lost_once(*arguments):
        calls.append(arguments)
        return len(calls) > 1 and change(*arguments)

    monkeypatch.setattr(statements, "change", lost_once)
    proxy.lose(b"pg_advisory_unlock", BEFORE)
    behind.update(principal, series, {"channel": "b"})
    assert services.reader.get(principal, series).fields["channel"] == "b"
    assert list(services.upkeep.verify()) == []


@pytest.mark.parametrize("fate", [BEFORE, AFTER], ids=["not heard", "heard"])
@pytest.mark.parametrize(
    "words", [b"EXECUTE create_series", b"EXECUTE references_of_series"], ids=["insert", "look up"]
)
def test_a_statement_without_an_answer_stores_nothing(archive, proxy, services, principal, words, fate):
    behind, _ = archive()
    proxy.lose(words, fate)
    with pytest.raises(UnavailableError, match="not available"):
        behind.create(principal, body())
    assert not proxy.awaits(words)
    until_nobody_writes(services)
    check_invariant(services)
    assert stored(services) == []
    behind.create(principal, body())
    check_invariant(services)


def test_a_read_sends_nothing_after_its_answer(proxy, services, principal):
    """A SET that makes the connection fit for transactions again would be a round trip, and one more way to fail."""
    series = services.archive.create(principal, body()).id
    with contextlib.closing(Catalogue(proxy.url, services.config.database)) as catalogue:
        behind = SeriesReader(catalogue, services.store, 0)
        proxy.lose(b"SET default_transaction_isolation", BEFORE)
        for _ in range(3):
            assert behind.get(principal, series).revision == 1


def test_a_migration_may_take_longer_than_a_request(archive_url):
    """Here it waits for another one; on a large table a statement takes as long."""
    catalogue = Catalogue(archive_url, DatabaseSettings(statement_timeout=0.2))
    with contextlib.closing(psycopg2.connect(archive_url.replace("+psycopg2", ""))) as other:
        other.cursor().execute(f"SELECT pg_advisory_xact_lock({migrations.LOCK})")
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(migrations.upgrade, catalogue.engine)
            time.sleep(0.5)
            other.rollback()
            before, after = waiting.result(PATIENCE)
    assert before == after
    catalogue.close()


def sweeping_at_once(services):
    """A sweep that waits for nothing."""
    store = dataclasses.replace(services.config.store, grace=0.0)
    return Upkeep(services.catalogue, services.store, dataclasses.replace(services.config, store=store))


def test_a_sweep_waits_for_a_restore_and_leaves_its_file(services, principal, monkeypatch):
    """The grace ends while the restore is in its transaction."""
    series = services.archive.create(principal, body()).id
    services.archive.update(principal, series, {"data": columns(seed=1)})
    require, sweeps = restoring._require_references, []

    def with_sweep(*arguments):
        sweeps.append(pool.submit(sweeping_at_once(services).sweep))
        deadline = time.monotonic() + PATIENCE
        with services.catalogue.reading() as connection:
            while not connection.exec_driver_sql(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ).scalar_one():
                assert time.monotonic() < deadline
                time.sleep(0.02)
        require(*arguments)

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(restoring, "_require_references", with_sweep)
        assert services.restorer.restore(principal, series, 1) == 3
        assert sweeps[0].result(PATIENCE).removed == 0
    assert set(rows(services)) < set(stored(services)), "what the restore unlinked is noted after the sweep looked"
    assert list(services.upkeep.verify()) == []


def test_a_restore_that_comes_during_the_sweep_is_too_late(services, principal, monkeypatch):
    """The sweep has decided and the file is still there."""
    series = services.archive.create(principal, body()).id
    services.archive.delete(principal, series)
    remove, refused = services.store.delete, []

    def with_restore(key):
        with pytest.raises(ExpiredError) as caught:
            services.restorer.restore(principal, series)
        refused.append(caught.value.status)
        remove(key)

    monkeypatch.setattr(services.store, "delete", with_restore)
    assert sweeping_at_once(services).sweep().removed == 1
    assert refused == [410]
    assert rows(services) == stored(services) == []


def until_nobody_writes(services):
    """Wait until the server has ended every other session that was in a transaction."""
    deadline = time.monotonic() + PATIENCE
    with services.catalogue.reading() as connection:
        while connection.exec_driver_sql(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND xact_start IS NOT NULL"
        ).scalar_one():
            assert time.monotonic() < deadline
            time.sleep(0.02)
