"""The service, the keeper and the embedded PostgreSQL killed together: what a crash of everything leaves behind."""

import concurrent.futures
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from photseries.server.postgres.embedded import EmbeddedServer
from photseries.server.postgres.keeper.folder import Folder
from tests.crash.conftest import ALL
from tests.crash.kills import VERBS
from tests.crash.place import Place
from tests.support import PATIENCE, RunningService
from tests.world import World

pytestmark = pytest.mark.skipif(not ALL, reason="make crash runs it")

CASES = [
    ("create", "write: committed"),
    ("create", "store: blob linked"),
    ("create", "write: before COMMIT"),
    ("update", "update: history noted"),
    ("update", "write: committed"),
    ("delete", "delete: committed"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A data directory, and the world in its database."""
    directory = tmp_path_factory.mktemp("embedded") / "data"
    with RunningService(directory) as service, service.client() as admin:
        return directory, World(admin)


@pytest.mark.parametrize(("name", "point"), CASES, ids=lambda text: text)
def test_killing_all_processes_in_a_request_loses_nothing(home, name, point):
    directory, world = home
    committed = point.endswith("committed")
    made_before = name == "update" and point.startswith("write:")  # the series to be changed passes the point too
    doomed = RunningService(directory, fault=f"stop@{point}@{1 + made_before}")
    with doomed.client() as client, concurrent.futures.ThreadPoolExecutor(1) as pool:
        try:
            verb = VERBS[name](client, world, f"{name} {point}")
            answer = pool.submit(verb.send, client)
            until(lambda: state(doomed.process.pid) == "T")
            kill(*database_processes(directory))
        finally:
            doomed.kill()
        with pytest.raises(httpx.TransportError):
            answer.result()

    with (
        RunningService(directory) as service,
        service.client() as client,
        EmbeddedServer(directory) as server,
        Place(directory, server.start()) as place,
    ):
        place.check_invariant()
        verb.check(client, committed)
        place.check_swept()
        verb.repeat(client, committed)
        verb.check(client, True)
        place.check_swept()


@pytest.mark.parametrize("point", ["migrate: upgraded", "migrate: committed"])
def test_killing_all_processes_at_the_first_start_is_recoverable(tmp_path, point):
    directory = tmp_path / "data"
    environment = {**os.environ, "PHOTSERIES_FAULT": f"kill@{point}"}
    command = [sys.executable, "-m", "photseries", "serve", "--port", "0", "--data", str(directory)]
    assert subprocess.run(command, env=environment, capture_output=True).returncode == -signal.SIGKILL
    with contextlib.suppress(FileNotFoundError):  # the keeper may have stopped its server already
        kill(*database_processes(directory))
    with RunningService(directory) as service, service.client() as client:
        assert client.get("/api/users").status_code == 200


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.005)


def kill(*processes):
    for pid in processes:
        with contextlib.suppress(ProcessLookupError):  # who loses its postmaster ends by itself
            os.kill(pid, signal.SIGKILL)


def state(pid):
    """The state of a process and its parent's id come after its name, which stands in parentheses."""
    return stat(pid)[0]


def stat(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def database_processes(directory):
    """The keeper of a data directory, its postmaster, and the postmaster's children."""
    postmaster = int((Folder(directory / "postgres").data / "postmaster.pid").read_text().split()[0])
    keeper = int(stat(postmaster)[1])
    assert b"keeper.main" in Path(f"/proc/{keeper}/cmdline").read_bytes()
    children = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if int(stat(process.name)[1]) == postmaster:
                children.append(int(process.name))
    return keeper, postmaster, *children
