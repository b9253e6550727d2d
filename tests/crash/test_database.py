"""Loss of the database, also at the worst moments: clear answers, no partial writes, no restart needed."""

import concurrent.futures
import contextlib

import psutil
import psycopg2
import pytest
from sqlalchemy import func, select

from photseries.errors import TooManyConnectionsError, UnavailableError
from photseries.server.archive import Archive
from photseries.server.catalogue import engine, migrations
from photseries.server.catalogue.engine import Catalogue
from photseries.server.postgres.embedded import EmbeddedServer
from photseries.server.postgres.keeper.folder import Folder
from photseries.server.settings import DatabaseSettings
from tests.crash.kills import PATH, Create, Delete, Share, Stored, Update
from tests.crash.place import Place
from tests.crash.proxy import AFTER, BEFORE, Proxy
from tests.forked import ForkedService
from tests.server.archive.test_order import body
from tests.support import PATIENCE

pytestmark = pytest.mark.slow

VERBS: dict[str, type[Create | Stored]] = {"create": Create, "update": Update, "share": Share, "delete": Delete}

#: Words in the message of a statement in the transaction of each verb; create has a prepared statement.
WRITES = {**dict.fromkeys(VERBS, b"series_history"), "create": b"EXECUTE create_series"}
AUTHENTICATES = dict.fromkeys(VERBS, b"EXECUTE token")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("far") / "database"


@pytest.fixture(scope="module")
def embedded(home):
    """A PostgreSQL server that is no other test's, with the schema."""
    with EmbeddedServer(home) as server:
        catalogue = Catalogue(server.start(), DatabaseSettings())
        migrations.upgrade(catalogue.engine)
        catalogue.close()
        yield server


@pytest.fixture(scope="module")
def proxy(embedded):
    with Proxy(embedded.start()) as between:
        yield between


@pytest.fixture(scope="module")
def service(proxy, tmp_path_factory):
    directory = tmp_path_factory.mktemp("service") / "data"
    with ForkedService(directory, database__url=proxy.url, database__connect_timeout=2) as running:
        yield running


@pytest.fixture
def place(embedded, service):
    with Place(service.directory, embedded.start()) as inspected:
        yield inspected
        inspected.check_swept()


def check_refused(answer, code):
    assert (answer.status_code, answer.json()["data"]["code"]) == (503, code), answer.text
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("fate", [BEFORE, AFTER], ids=["not committed", "committed"])
@pytest.mark.parametrize("name", VERBS)
def test_lost_answer_to_commit_leaves_a_consistent_archive(name, fate, proxy, place, admin, world):
    verb, done = VERBS[name](admin, world, f"{name} lost {fate == AFTER}"), fate == AFTER
    files = place.files()
    proxy.lose(b"COMMIT\0", fate)
    check_refused(verb.send(admin), "in_doubt")
    assert files <= place.files(), "nobody knows yet which blob a row names"
    place.check_invariant()
    verb.check(admin, done)
    verb.repeat(admin, done)
    verb.check(admin, True)


@pytest.mark.parametrize("name", VERBS)
@pytest.mark.parametrize("fate", [BEFORE, AFTER], ids=["before it", "after it"])
@pytest.mark.parametrize("statement", [WRITES, AUTHENTICATES], ids=["in the transaction", "before that"])
def test_broken_connection_is_retried(statement, fate, name, proxy, place, admin, world):
    """Nothing was committed: the service repeats the work, and the client learns nothing of it."""
    words = statement[name]
    verb = VERBS[name](admin, world, f"{name} {words.decode()} once {fate == AFTER}")
    proxy.lose(words, fate)
    answer = verb.send(admin)
    assert answer.status_code == 200, answer.text
    assert not proxy.awaits(words)
    verb.check(admin, True)
    assert place.files() == place.named() | place.noted(), "the blob of the first attempt is taken back"


def test_broken_connection_during_a_list_is_retried(proxy, admin, world):
    assert Create(admin, world, "listed").send(admin).status_code == 200
    for path in (PATH, f"{PATH}/export", "/vo/scs?RA=10&DEC=-20&SR=1"):
        before = admin.get(path).raise_for_status()
        proxy.lose(b"FROM photometric_series", AFTER)
        after = admin.get(path)
        assert not proxy.awaits(b"FROM photometric_series")
        assert (after.status_code, len(after.content)) == (200, len(before.content)), path


@pytest.mark.parametrize("name", VERBS)
@pytest.mark.parametrize("statement", [WRITES, AUTHENTICATES], ids=["in the transaction", "before it"])
def test_repeatedly_broken_connection_is_reported(statement, name, proxy, place, admin, world):
    words = statement[name]
    verb = VERBS[name](admin, world, f"{name} {words.decode()}")
    files = place.files()
    proxy.lose(words, BEFORE, 1 + engine._REPEATS)
    check_refused(verb.send(admin), "database_away")
    assert not proxy.awaits(words)
    assert place.files() == files, "what was certainly not committed is taken back"
    place.check_invariant()
    verb.check(admin, False)
    verb.repeat(admin, False)
    verb.check(admin, True)


def test_service_recovers_after_a_database_restart(proxy, embedded, service, admin, world, home):
    before, after = (Create(admin, world, f"{when} the stop") for when in ("before", "after"))
    assert before.send(admin).status_code == 200
    with Place(service.directory, embedded.start()) as place:
        files = place.files()
    embedded.stop()
    check_refused(after.send(admin), "database_away")
    check_refused(admin.get(PATH), "database_away")
    not_ready = admin.get("/readyz")
    check_refused(not_ready, "unavailable")
    assert list(not_ready.json()["data"]["away"]) == ["database"]
    assert admin.get("/healthz").status_code == 200

    proxy.target = embedded.start()
    assert admin.get("/readyz").status_code == 200
    with Place(service.directory, proxy.target) as place:
        assert place.files() == files
        after.check(admin, False)
        after.repeat(admin, False)
        after.check(admin, True)
        before.check(admin, True)
        place.check_swept()


def test_service_recovers_after_a_database_kill(proxy, embedded, admin, world, home):
    """Whether a request meets the kill depends on when the server is back: the service waits a moment for it."""
    verb = Create(admin, world, "before the kill")
    assert verb.send(admin).status_code == 200
    killed = psutil.Process(int((Folder(home / "postgres").data / "postmaster.pid").read_text().split()[0]))
    killed.kill()
    killed.wait(PATIENCE)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        restarted = pool.submit(embedded.ensure, PATIENCE)
        while not restarted.done():
            answer = admin.get(PATH)  # the processes of the killed server see to what they have begun
            if answer.status_code != 200:
                check_refused(answer, "database_away")
        proxy.target = restarted.result()
    assert admin.get(PATH).status_code == 200
    verb.check(admin, True)
    verb.repeat(admin, True)


def test_exhausted_database_server_is_reported(embedded, admin, world, place):
    """A request without a connection gets an error, nothing is lost, and the service recovers."""
    verbs = [Create(admin, world, f"one of many {number}") for number in range(24)]
    assert admin.get(PATH).status_code == 200, "the service has a connection already"
    with contextlib.closing(psycopg2.connect(embedded.start().replace("+psycopg2", ""))) as owner:
        owner.autocommit = True
        limit = owner.cursor()
        limit.execute("ALTER DATABASE photseries CONNECTION LIMIT 0")
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda verb: verb.send(admin), verbs))
        alone = Create(admin, world, "alone")
        assert alone.send(admin).status_code == 200, "it need not share the connections that the service has"
        limit.execute("ALTER DATABASE photseries CONNECTION LIMIT -1")
    statuses = {answer.status_code for answer in answers}
    assert 503 in statuses
    assert statuses <= {200, 503}
    place.check_invariant()
    for verb, answer in zip(verbs, answers, strict=True):
        if answer.status_code != 200:
            check_refused(answer, "too_many_connections")
        verb.check(admin, answer.status_code == 200)
        verb.repeat(admin, answer.status_code == 200)


def test_connection_that_cannot_be_replaced_leaves_the_others(embedded):
    url = embedded.start()
    catalogue = Catalogue(url, DatabaseSettings(), connections=2)
    with contextlib.closing(psycopg2.connect(url.replace("+psycopg2", ""))) as owner:
        owner.autocommit = True
        cursor = owner.cursor()
        with catalogue.reading() as lost, catalogue.reading() as other:
            backends = [one.scalar(select(func.pg_backend_pid())) for one in (lost, other)]
        cursor.execute("ALTER DATABASE photseries CONNECTION LIMIT 0")
        try:
            cursor.execute("SELECT pg_terminate_backend(%s, 60000)", backends[:1])
            with pytest.raises(TooManyConnectionsError), catalogue.reading():
                pass
            for _ in range(3):
                with catalogue.reading() as found:
                    assert found.scalar(select(func.pg_backend_pid())) == backends[1]
        finally:
            cursor.execute("ALTER DATABASE photseries CONNECTION LIMIT -1")
    with catalogue.reading(), catalogue.reading():
        pass  # the pool has room for another connection again
    catalogue.close()


def test_exhausted_pool_is_reported(archive_url, services, principal):
    """The only connection is in use: the writer gets an error, and its blob is removed."""
    catalogue = Catalogue(archive_url, DatabaseSettings(connect_timeout=1), connections=1)
    archive = Archive(catalogue, services.store, services.sandbox, services.config)
    with catalogue.reading(), pytest.raises(UnavailableError, match="busy"):
        archive.create(principal, body())
    assert list(services.store.scan()) == []
    archive.create(principal, body())
    catalogue.close()
