"""A disk that is full, broken or read-only: clear answers, nothing half-written, and no restart when it is mended."""

import contextlib
import resource
import subprocess
import time

import psycopg2
import pytest

from photseries.errors import UnavailableError
from photseries.server.postgres.embedded import EmbeddedServer
from tests.crash.conftest import ALL
from tests.crash.kills import PATH, Create, check_shown
from tests.crash.place import Place
from tests.forked import ForkedService
from tests.support import PATIENCE, columns, until
from tests.world import World

pytestmark = pytest.mark.slow

#: What a disk can do at each step of writing a blob, in the order of the steps.
FAULTS = {
    "store: partial file made": "ENOSPC",
    "store: partial file written": "EIO",
    "store: partial file synchronized": "EDQUOT",
    "store: folders made": "EACCES",
    "store: blob linked": "EIO",
    "store: folders synchronized": "EROFS",
}


def faults():
    """Let each of the first requests fail one step later than the one before, and so do the first that follow these.

    Request k of a round fails at step k, after it has passed the steps before; the last one of a round passes all.
    """
    rounds = 2
    for step, (point, error) in enumerate(FAULTS.items()):
        passes = len(FAULTS) + 1 - step
        yield from (f"error:{error}@{point}@{1 + number * passes}" for number in range(rounds))


def check_refused(answer, words="", code="unavailable"):
    assert (answer.status_code, answer.json()["data"]["code"]) == (503, code), answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert words in answer.json()["message"]
    assert "/" not in answer.json()["message"], "no paths"


def test_every_step_of_writing_a_blob_fails_once(archive_url, tmp_path):
    directory = tmp_path / "data"
    fault = ";".join(faults())
    with (
        ForkedService(directory, database__url=archive_url, fault=fault) as service,
        service.client() as client,
        Place(directory, archive_url) as place,
    ):
        world = World(client)
        verb = Create(client, world, "every step")
        for _ in FAULTS:
            check_refused(verb.send(client))
            assert place.files() == set(), "what failed leaves nothing"
            verb.check(client, False)
        verb.repeat(client, False)
        verb.check(client, True)
        files = place.files()
        for _ in FAULTS:
            check_refused(client.patch(f"{PATH}/{verb.series}", json={"data": columns(40, seed=2)}))
            assert place.files() == files
            verb.check(client, True)
        assert client.patch(f"{PATH}/{verb.series}", json={"data": columns(40, seed=2)}).status_code == 200
        check_shown(client, verb.series, {**verb.body, "data": columns(40, seed=2)})
        place.check_swept()
        log = service.log.read_text()
        assert "No space left on device" in log, "the reason of the system"
        assert "Traceback" not in log


def test_file_size_limit_is_reported(service, place, admin, world):
    """RLIMIT_FSIZE, as a quota or a full disk: part of the file has been written when it is noticed."""
    small = Create(admin, world, "small")
    large = world.fields(series_name="large", data=columns(20_000))
    limit = resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (200_000, limit[1]))
    check_refused(admin.post(PATH, json=large), "full")
    assert place.orphans() == set()
    assert small.send(admin).status_code == 200, "what fits is taken"
    series = admin.get(PATH, params={"seriesName": "kills", "seriesObjID": "small"}).json()["data"]["series"][0]["id"]
    check_refused(admin.patch(f"{PATH}/{series}", json={"data": columns(20_000)}), "full")
    small.check(admin, True)
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, limit)
    assert admin.post(PATH, json=large).status_code == 200
    place.check_swept()


@contextlib.contextmanager
def disk(folder, size):
    """Mount a separate file system on a folder; return a function that changes its options."""

    def remount(options):
        subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True, capture_output=True)

    folder.mkdir(parents=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a file system takes root")
    try:
        yield remount
    finally:
        subprocess.run(["umount", folder], check=True, capture_output=True)


def test_full_and_read_only_disks_are_reported(archive_url, tmp_path):
    directory = tmp_path / "data"
    with (
        disk(directory / "store", "1m") as remount,
        ForkedService(directory, database__url=archive_url) as service,
        service.client() as client,
        Place(directory, archive_url) as place,
    ):
        world = World(client)
        bodies = [
            world.fields(series_name="full", series_obj_id=str(n), data=columns(4_000, seed=n)) for n in range(12)
        ]
        answers = [client.post(PATH, json=body) for body in bodies]
        stored = [answer.json()["data"]["id"] for answer in answers if answer.status_code == 200]
        assert 0 < len(stored) < len(bodies)
        check_refused(answers[-1], "full")
        assert place.files() == place.named(), "what did not fit has left the little room that there is"
        place.check_invariant()
        check_refused(client.patch(f"{PATH}/{stored[0]}", json={"channel": "b"}), "full")
        check_shown(client, stored[0], bodies[0])
        assert client.delete(f"{PATH}/{stored.pop()}").status_code == 200, "room is made in the end by deleting"
        with filled(directory / "store"):
            place.upkeep.sweep()  # which makes it

        remount("size=4m")
        assert client.post(PATH, json=bodies[-1]).status_code == 200
        remount("ro")
        check_refused(client.post(PATH, json=bodies[-2]), "was denied")
        check_refused(client.get("/readyz"), "store")
        check_shown(client, stored[0], bodies[0])
        place.check_invariant()
        with pytest.raises(UnavailableError, match="was denied"):
            place.upkeep.sweep()
        assert client.get("/readyz", params={"for": "read"}).status_code == 200
        remount("rw")
        until(lambda: client.get("/readyz").status_code == 200)
        assert client.post(PATH, json=bodies[-2]).status_code == 200
        place.check_swept()


@contextlib.contextmanager
def filled(folder):
    """A disk without a byte of room."""
    ballast = folder / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    yield
    ballast.unlink()


@pytest.mark.skipif(not ALL, reason="make crash runs it")
def test_full_disk_of_the_embedded_database_is_reported(tmp_path):
    """PostgreSQL ends when it cannot write its log, and its keeper brings it back when there is room."""
    directory = tmp_path / "data"
    with disk(directory, "200m"), ForkedService(directory) as service, service.client() as client:
        world = World(client)
        first, second = (Create(client, world, f"on one disk {number}") for number in range(2))
        assert first.send(client).status_code == 200
        with filled(directory):
            check_refused(second.send(client), "full")
            with EmbeddedServer(directory) as server, pytest.raises(psycopg2.OperationalError):
                fill_the_log(server.start())
            for answer in (second.send(client), client.get(PATH)):
                check_refused(answer, code="database_away")
            check_refused(client.get("/readyz"))

        deadline = time.monotonic() + PATIENCE
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline
        first.check(client, True)
        second.repeat(client, False)
        second.check(client, True)


def fill_the_log(url):
    """Let PostgreSQL write log until it has no room for more; 200 MB are more than there can be."""
    with contextlib.closing(psycopg2.connect(url.replace("+psycopg2", ""))) as connection:
        for _ in range(200):
            connection.cursor().execute("SELECT pg_logical_emit_message(false, 'test', repeat('x', 1000000))")
