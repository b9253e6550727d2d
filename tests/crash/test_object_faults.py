"""Object storage that is stopped, slow or refuses: clear answers, nothing half-written, no restart when it is back."""

import re
import time

import pytest

from tests.crash.conftest import ALL
from tests.crash.kills import PATH, Create, Duplicate, Share, Update, check_shown
from tests.crash.place import ObjectPlace
from tests.crash.proxy import AFTER, BEFORE, LATE, ObjectProxy
from tests.crash.test_disk import check_refused
from tests.support import PATIENCE, until

pytestmark = pytest.mark.slow

TIMEOUT = 2.0  # of the service with the storage [s]

long = pytest.mark.skipif(not ALL, reason="make crash runs it")


@pytest.fixture(scope="module")
def proxy(object_server):
    with ObjectProxy(object_server.ports["s3"][0]) as between:
        yield between


@pytest.fixture(autouse=True)
def _mended(proxy):
    yield
    proxy.mend()


@pytest.fixture(scope="module")
def store_settings(object_server, proxy):
    assert object_server.make_bucket("faults")
    return object_server.settings("faults/archive", store__endpoint=proxy.url, store__timeout=TIMEOUT)


@pytest.fixture(scope="module")
def place(service, directory, database_url, store_settings, object_server):
    with ObjectPlace(directory, database_url, **object_server.settings("faults/archive")) as inspected:
        yield inspected


def label(request):
    return re.sub(r"\W+", " ", request.node.name).strip()


@pytest.fixture
def verb(request, admin, world):
    """A series that is there, and one more that may come."""
    return Update(admin, world, f"there {label(request)}"), Create(admin, world, f"new {label(request)}")


def check_away(client, place, verb, words):
    """What needs a file is refused, what does not works on, and nothing has changed."""
    there, new = verb
    files = place.files()
    check_refused(new.send(client), words)
    check_refused(there.send(client), words)
    check_refused(client.get(there.path, params={"dataFormat": "json"}), words)
    until(lambda: words in client.get("/readyz").text)
    check_refused(client.get("/readyz"), "store")
    assert words in client.get("/readyz").json()["data"]["away"]["store"]
    assert client.get("/healthz").status_code == 200
    assert client.get(there.path, params={"dataFormat": "none"}).json()["data"]["channel"] == "old"
    assert client.get(PATH).status_code == 200
    return files


def check_back(client, place, verb):
    there, new = verb
    until(lambda: client.get("/readyz").status_code == 200)
    there.check(client, False)
    new.check(client, False)
    place.check_invariant()
    there.repeat(client, False)
    new.repeat(client, False)
    there.check(client, True)
    new.check(client, True)
    place.check_swept()


REFUSALS = {
    "AccessDenied": (403, "Access to the store was denied"),
    "RequestTimeTooSkewed": (403, "clocks of this machine and of the store differ"),
    "InvalidAccessKeyId": (403, "does not know the credentials"),
    "NoSuchBucket": (404, "bucket of the store does not exist"),
    "QuotaExceeded": (403, "full"),
    "SlowDown": (503, "too busy"),
    "InternalError": (500, "The store failed"),
}
SAMPLE = ("RequestTimeTooSkewed", "SlowDown")


@pytest.mark.parametrize("code", REFUSALS if ALL else SAMPLE)
def test_refusing_storage_is_reported(admin, place, proxy, verb, code):
    status, words = REFUSALS[code]
    proxy.refuse(status, code)
    files = check_away(admin, place, verb, words)
    assert place.files() == files, "what was refused leaves nothing"
    proxy.mend()
    check_back(admin, place, verb)


@long
def test_stopped_storage_is_reported(admin, place, object_server, verb):
    object_server.kill()
    try:
        there, new = verb
        check_refused(new.send(admin), "store is not available")
        check_refused(admin.get(there.path, params={"dataFormat": "json"}), "store is not available")
        check_refused(admin.get("/readyz"), "store")
        assert Share.send(there, admin).status_code in (200, 503)
        assert admin.get(PATH).status_code == 200
    finally:
        object_server.start()
        object_server.wait()
    deadline = time.monotonic() + PATIENCE
    while admin.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    check_back(admin, place, verb)


@long
def test_hanging_storage_is_reported(admin, place, object_server, verb):
    object_server.freeze()
    try:
        began = time.monotonic()
        check_refused(verb[1].send(admin), "store is not available")
        assert time.monotonic() - began < PATIENCE
        check_refused(admin.get(verb[0].path, params={"dataFormat": "json"}), "store is not available")
    finally:
        object_server.thaw()
    check_back(admin, place, verb)


def test_slow_storage_is_tolerated(admin, place, proxy, verb):
    proxy.delay = TIMEOUT / 8
    there, new = verb
    there.repeat(admin, False)
    new.repeat(admin, False)
    there.check(admin, True)
    new.check(admin, True)
    place.check_swept()


@long
def test_too_slow_storage_times_out(admin, place, proxy, verb):
    proxy.delay = TIMEOUT
    check_refused(verb[1].send(admin), "store is not available")
    proxy.mend()
    check_back(admin, place, verb)


@pytest.mark.parametrize("fate", [BEFORE, AFTER, LATE] if ALL else [AFTER], ids=lambda fate: fate[-12:])
def test_lost_answer_to_a_write_is_recovered(admin, place, proxy, verb, fate):
    """The answer is true even if the storage client repeated the request."""
    new = verb[1]
    proxy.lose(b"PUT /faults/archive/kills", fate)
    answer = new.send(admin)
    proxy.released.set()
    assert answer.status_code in (200, 503), answer.text
    new.check(admin, answer.status_code == 200)
    place.check_invariant()
    new.repeat(admin, answer.status_code == 200)
    place.check_swept()


@pytest.mark.parametrize("fate", [BEFORE, AFTER] if ALL else [AFTER], ids=lambda fate: fate[-12:])
def test_lost_answer_to_a_read_is_recovered(admin, place, proxy, verb, fate):
    proxy.lose(b"GET /faults/archive/kills", fate)
    check_shown(admin, verb[0].series, verb[0].old)


@long
@pytest.mark.parametrize("fate", [BEFORE, AFTER], ids=lambda fate: fate[-12:])
def test_lost_answer_to_a_removal_is_recovered(admin, world, place, proxy, request, fate):
    duplicate = Duplicate(admin, world, label(request))
    proxy.lose(b"POST /faults?delete", fate)
    duplicate.repeat(admin, True)
    duplicate.check(admin, True)
    place.check_swept()
