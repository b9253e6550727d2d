"""Backup and restore, by the commands of photseries and of docs/operation.md, while writes and deletes go on."""

import concurrent.futures
import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from photseries.server.postgres.embedded import EmbeddedServer
from tests.crash.kills import PATH, check_shown
from tests.crash.place import Place
from tests.forked import ForkedService
from tests.support import PATIENCE, columns
from tests.test_docs import blocks
from tests.world import World

pytestmark = pytest.mark.slow


class Writers:
    """Clients that create series, change each, and delete some, until stopped."""

    def __init__(self, service, world, count=2):
        self.service, self.world = service, world
        self.changes = 0
        self._over = threading.Event()
        self._pool = concurrent.futures.ThreadPoolExecutor(count)
        self._runs = [self._pool.submit(self._write, number) for number in range(count)]

    def body(self, label, seed):
        """What a series is after a change: its table follows from its channel."""
        return self.world.fields(
            series_name="backup", series_obj_id=label, channel=str(seed), data=columns(30, seed=seed)
        )

    def _write(self, number):
        with self.service.client() as client:
            for step in range(10_000):
                if self._over.is_set():
                    return
                body = self.body(f"{number}.{step}", 2 * step)
                series = client.post(PATH, json=body).json()["data"]["id"]
                changed = self.body(f"{number}.{step}", 2 * step + 1)
                new = {name: changed[name] for name in ("channel", "data")}
                for late in (series, series - 7):
                    answer = client.patch(f"{PATH}/{late}", json=new)
                    assert answer.status_code in (200, 404), answer.text
                if step % 3 == 2:
                    assert client.delete(f"{PATH}/{series - 5}").status_code in (200, 404)
                self.changes += 1

    def until_more(self, changes):
        wanted, deadline = self.changes + changes, time.monotonic() + PATIENCE
        while self.changes < wanted:
            assert time.monotonic() < deadline
            assert not any(run.done() for run in self._runs), [run.exception() for run in self._runs if run.done()]
            time.sleep(0.01)

    def stop(self):
        self._over.set()
        for run in self._runs:
            run.result(PATIENCE)
        self._pool.shutdown()


def run(folder, language):
    """Run a block of the operation page as it is written."""
    (commands,) = blocks("docs/operation.md", language)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    outcome = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("backup")


def test_backup_during_writes_is_consistent(folder):
    with ForkedService(folder / "data") as service, service.client() as admin:
        writers = Writers(service, World(admin))
        try:
            writers.until_more(12)
            run(folder, "sh backup database")
            writers.until_more(12)
            run(folder, "sh backup store")
            writers.until_more(5)
        finally:
            writers.stop()
        token = service.token
        with EmbeddedServer(folder / "data") as server, Place(folder / "data", server.start()) as place:
            place.check_swept()
            live = place.named()

    with ForkedService(folder / "restored") as service, service.client(token) as admin:
        assert "damaged=0" in run(folder, "sh restore")
        with EmbeddedServer(folder / "restored") as server, Place(folder / "restored", server.start()) as place:
            assert place.named() - live, "the dump names files that were unlinked while the store was copied"
            assert place.files() - place.named(), "and the copy has files that are younger than the dump"
            place.check_invariant()
            series = admin.get(PATH, params={"numPerPage": 500}).json()["data"]["series"]
            assert len(series) >= 10
            for one in series:
                check_shown(admin, one["id"], writers.body(one["series_obj_id"], int(one["channel"])))
            place.check_swept()
        body = writers.body("after the restore", 1)
        assert admin.post(PATH, json=body).status_code == 200


@pytest.fixture(scope="module", params=["files", "objects"])
def archive(request, tmp_path_factory):
    """A running archive that removes at once what nothing names, its writers, and the store of a restored one."""
    folder = tmp_path_factory.mktemp("commands")
    if request.param == "files":
        places = [{"store__url": f"file://{folder}/{name}"} for name in ("store", "another")]
    else:
        objects = request.getfixturevalue("object_server")
        assert objects.make_bucket("backups")
        places = [objects.settings(f"backups/{name}") for name in ("store", "another")]
    settings = {**places[0], "store__grace": 0}
    with ForkedService(folder / "data", **settings) as service, service.client() as admin:
        writers = Writers(service, World(admin))
        try:
            yield folder, service, writers, settings, places[1]
        finally:
            writers.stop()


def photseries(folder, settings, *words, **more):
    """Run a command of photseries in a separate process."""
    given = {f"PHOTSERIES_{name.upper()}": str(value) for name, value in {**settings, **more}.items()}
    return subprocess.run(
        [sys.executable, "-m", "photseries", *words],
        cwd=folder, env={**os.environ, **given}, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip


def made(outcome):
    assert outcome.returncode == 0, outcome.stderr
    return json.loads(outcome.stdout)


def test_the_commands_back_up_and_restore_an_archive_that_removes_files_at_once(archive):
    folder, service, writers, settings, place = archive
    backup = ("backup", "backup", "--data", "data", "--json")
    writers.until_more(12)
    interrupted = photseries(folder, settings, *backup, fault="kill@store: blob linked@5")
    assert interrupted.returncode == -signal.SIGKILL
    assert not (folder / "backup/catalogue.dump").exists(), "what is not complete is not a backup"
    assert photseries(folder, settings, "restore-backup", "backup", "--data", "restored").returncode == 2
    first = made(photseries(folder, settings, *backup))
    assert (first["there"] > 0, first["copied"] > 0, first["failed"]) == (True, True, 0)
    writers.until_more(6)
    second = made(photseries(folder, settings, *backup, "--trust-sizes"))
    assert (second["there"] > 0, second["copied"] > 0, second["failed"]) == (True, True, 0)
    assert stat.S_IMODE((folder / "backup/catalogue.dump").stat().st_mode) == 0o600
    assert stat.S_IMODE((folder / "backup").stat().st_mode) == 0o700
    writers.until_more(6)

    words = ("restore-backup", str(folder / "backup"), "--data", "restored", "--json")
    refused = photseries(folder, settings, *words)
    assert (refused.returncode, "The store is not empty" in refused.stderr) == (2, True)
    restored = made(photseries(folder, place, *words))
    assert (restored["copied"] > 10, restored["there"], restored["failed"]) == (True, 0, 0)
    again = photseries(folder, place, *words)
    assert (again.returncode, "The database is not empty" in again.stderr) == (2, True)
    continued = made(photseries(folder, place, *words, "--continue"))
    assert (continued["copied"], continued["there"]) == (0, restored["copied"])
    with ForkedService(folder / "restored", **place) as copy, copy.client(service.token) as admin:
        assert made(photseries(folder, place, "verify", "--data", "restored", "--json"))["damaged"] == []
        assert admin.get("/readyz").status_code == 200
        series = admin.get(PATH, params={"numPerPage": 500}).json()["data"]["series"]
        assert len(series) > 10
        for one in series:
            check_shown(admin, one["id"], writers.body(one["series_obj_id"], int(one["channel"])))


def test_nothing_is_removed_while_a_command_holds_the_files(archive):
    folder, _, _, settings, _ = archive
    sweep = [sys.executable, "-m", "photseries", "sweep", "--data", "data", "--json"]
    held = photseries(folder, settings, "backup", "--data", "data", "--hold", "--", *sweep)
    assert made(held)["swept"] is False
    assert made(photseries(folder, settings, "sweep", "--data", "data", "--json"))["seen"] > 0
    status = photseries(folder, settings, "backup", "--data", "data", "--hold", "--", "sh", "-c", "exit 5")
    assert status.returncode == 5
    assert photseries(folder, settings, "backup", "--data", "data", "a", "b").returncode == 2


def test_a_command_that_lost_the_lock_fails(archive):
    """A server that ends the session gives the files free."""
    folder, _, _, settings, _ = archive
    ended = (
        "from photseries.server.postgres.embedded import EmbeddedServer; import psycopg2, pathlib; "
        "server = EmbeddedServer(pathlib.Path('data')); url = server.start().replace('+psycopg2', ''); "
        'psycopg2.connect(url).cursor().execute("SELECT pg_terminate_backend(pid) FROM pg_locks '
        "WHERE locktype = 'advisory' AND mode = 'ExclusiveLock' AND objid = 7302004\"); server.stop()"
    )
    command = (sys.executable, "-c", ended)
    outcome = photseries(folder, settings, "backup", "--data", "data", "--hold", "--", *command)
    assert (outcome.returncode, "database is not available" in outcome.stderr) == (2, True), outcome.stderr
