"""Backup and restore with the commands of docs/operation.md, while writes, updates and deletes go on."""

import concurrent.futures
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from photseries.server.postgres.embedded import EmbeddedServer
from tests.crash.kills import PATH, check_shown
from tests.crash.place import Place
from tests.support import PATIENCE, RunningService, columns
from tests.test_docs import blocks
from tests.world import World


class Writers:
    """Clients that create series, change each, and delete some, until they are told to stop."""

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


def test_a_backup_while_writes_go_on(folder):
    with RunningService(folder / "data") as service, service.client() as admin:
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

    with RunningService(folder / "restored") as service, service.client(token) as admin:
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
