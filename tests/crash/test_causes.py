"""Why the database cannot do something: each cause has its code, its words, and its reason in the log."""

import contextlib
import itertools
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from photseries.errors import UnavailableError
from photseries.server.http import readiness
from tests.forked import ForkedService
from tests.server.http.test_errors import check_error
from tests.support import PATIENCE, columns

PATH = "/api/photometric_series"
#: Of the services here [s]; a lock is waited for half as long.
STATEMENT = 2.0

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("mended")]


@pytest.fixture(scope="module")
def service(database_url, directory):
    directory.mkdir()
    settings = {"database__statement_timeout": STATEMENT, "database__connect_timeout": 2}
    with ForkedService(directory, database__url=database_url, **settings) as running:
        yield running


@pytest.fixture
def owner(database_url):
    """A connection of the operator to the service's database."""
    with contextlib.closing(psycopg2.connect(database_url.replace("+psycopg2", ""))) as connection:
        connection.autocommit = True
        yield connection


@pytest.fixture
def mended(admin, world):
    """After each test the service works again, without a restart."""
    yield
    assert admin.get(PATH).status_code == 200
    assert admin.post(PATH, json=body(world, "mended")).status_code in (200, 409)


def body(world, name):
    return world.fields(series_name=name, data=columns(seed=len(name)))


def run(connection, *statements):
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def drop_connections(owner):
    """End every connection of the service, as a restart of the server does."""
    run(
        owner,
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()",
    )


def set_of_database(owner, setting):
    with owner.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        run(owner, f"ALTER DATABASE {cursor.fetchone()[0]} {setting}")
    drop_connections(owner)


def check_told(answer, code, words, *, retry=True):
    error = check_error(answer, 503, code)
    assert words in error["message"]
    assert ("Retry-After" in answer.headers) == retry


def check_ready_to_read_only(client, words):
    assert client.get("/readyz", params={"for": "read"}).status_code == 200
    for params in ({"for": "write"}, {}):
        away = check_error(client.get("/readyz", params=params), 503, "unavailable")["data"]["away"]
        assert list(away) == ["database"]
        assert words in away["database"]


def test_readiness_checks_reading_or_writing(admin):
    for params in ({}, {"for": "read"}, {"for": "write"}):
        assert admin.get("/readyz", params=params).json()["data"]["ready"] is True
    assert "for" in check_error(admin.get("/readyz", params={"for": "both"}), 400)["data"]["fields"]


def test_a_probe_is_written_every_five_seconds_at_most(services, monkeypatch):
    clock, written = [100.0], []
    monkeypatch.setattr(readiness, "monotonic", lambda: clock[0])
    monkeypatch.setattr(services.store, "check", lambda: written.append(clock[0]))
    ready = readiness.Readiness(services)
    for now in (100.0, 102.0, 104.9, 105.0, 109.0, 110.1):
        clock[0] = now
        ready.require(readiness.PURPOSES)
    assert written == [100.0, 105.0, 110.1]


def test_a_probe_that_failed_is_not_written_again_either(services, monkeypatch):
    written = []

    def fail():
        written.append(True)
        raise UnavailableError("The store is full.")

    monkeypatch.setattr(services.store, "check", fail)
    ready = readiness.Readiness(services)
    for _ in range(3):
        with pytest.raises(UnavailableError) as raised:
            ready.require(["write"])
        assert raised.value.details == {"away": {"store": "The store is full."}}
    ready.require(["read"])
    assert len(written) == 1


def test_connections_that_the_server_has_closed_are_replaced(owner, admin, world):
    assert admin.get(PATH).status_code == 200
    drop_connections(owner)
    assert admin.get(PATH).status_code == 200
    drop_connections(owner)
    assert admin.post(PATH, json=body(world, "after a restart of the server")).status_code == 200


def test_requests_with_terminated_connections_are_retried(owner, admin, world, service):
    """Readers never notice; what is posted is there once. Between two ends a request is answered at least."""
    answered, over = Counter(), threading.Event()

    def end_connections():
        seen, moments = -1, itertools.cycle((0, 0.004, 0.009, 0.015, 0.023))
        while not over.wait(next(moments)):
            if answered.total() > seen:
                seen = answered.total()
                drop_connections(owner)

    with ThreadPoolExecutor(1) as pool:
        ending = pool.submit(end_connections)
        try:
            deadline = time.monotonic() + PATIENCE
            while service.log.read_text().count("repeating its work") < 10 or min(answered.values()) < 20:
                assert time.monotonic() < deadline
                reply = admin.get(PATH, params={"seriesName": "ended"})
                assert reply.status_code == 200, reply.text
                assert reply.json()["data"]["totalMatches"] == answered["POST"]
                answered["GET"] += 1
                one = world.fields(series_name="ended", channel=str(answered["POST"]), data=columns())
                reply = admin.post(PATH, json=one)
                if reply.status_code == 503:
                    assert reply.json()["data"]["code"] == "in_doubt", reply.text
                    reply = admin.post(PATH, json=one)
                assert reply.status_code in (200, 409), reply.text
                answered["POST"] += 1
        finally:
            over.set()
        ending.result(PATIENCE)


def test_a_connection_that_broke_while_it_was_idle_is_replaced(services):
    with services.catalogue.reading() as connection:
        raw = connection.connection.dbapi_connection
    raw.close()
    services.catalogue.ping()


def test_statement_timeout_is_reported(owner, admin, world):
    run(
        owner,
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END'",
        "CREATE TRIGGER slow BEFORE INSERT ON photometric_series FOR EACH ROW EXECUTE FUNCTION slow()",
    )
    answer = admin.post(PATH, json=body(world, "slow"))
    run(owner, "DROP FUNCTION slow CASCADE")
    check_told(answer, "too_slow", "took too long", retry=False)


def test_blocked_lock_is_reported(owner, admin, world):
    owner.autocommit = False
    run(owner, "LOCK TABLE photometric_series")
    check_told(admin.get(PATH), "lock_timeout", "locked")
    check_told(admin.post(PATH, json=body(world, "locked")), "lock_timeout", "locked")
    owner.rollback()


def test_full_database_server_is_reported(owner, admin, world):
    set_of_database(owner, "CONNECTION LIMIT 0")
    try:
        check_told(admin.get(PATH), "too_many_connections", "limit of connections")
        check_told(admin.post(PATH, json=body(world, "too many")), "too_many_connections", "limit of connections")
    finally:
        set_of_database(owner, "CONNECTION LIMIT -1")


def test_read_only_database_is_reported(owner, admin, world, service):
    set_of_database(owner, "SET default_transaction_read_only = on")
    try:
        assert admin.get(PATH).status_code == 200, "reading works"
        check_ready_to_read_only(admin, "read-only")
        check_told(admin.post(PATH, json=body(world, "read-only")), "unavailable", "read-only")
    finally:
        run(owner, "SET default_transaction_read_only = off")
        set_of_database(owner, "RESET default_transaction_read_only")
    log = service.log.read_text()
    assert "read-only transaction" in log
    assert "Traceback" not in log


def test_missing_database_permission_is_reported(owner, admin, world, service):
    run(owner, "REVOKE INSERT ON photometric_series FROM CURRENT_USER")
    assert admin.get(PATH).status_code == 200
    check_ready_to_read_only(admin, "denies")
    check_told(admin.post(PATH, json=body(world, "denied")), "unavailable", "denies")
    run(owner, "GRANT INSERT ON photometric_series TO CURRENT_USER")
    log = service.log.read_text()
    assert "permission denied for table photometric_series" in log
    assert "Traceback" not in log
