"""Several processes behind one port act as one service, even if one dies."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest

from photseries.server.http.processes import values_folder
from tests.forked import ForkedService
from tests.support import PATIENCE, columns, until
from tests.world import World

pytestmark = pytest.mark.slow

NUMBER = 2


def serving(service):
    """The processes that serve."""
    children = psutil.Process(service.process.pid).children()
    return [child for child in children if child.status() != psutil.STATUS_ZOMBIE and "serve" in child.cmdline()]


@pytest.fixture(scope="module")
def service(tmp_path_factory, database_url):
    directory = tmp_path_factory.mktemp("several") / "data"
    with ForkedService(directory, database__url=database_url, server__processes=NUMBER) as running:
        yield running


def asked(service, times=40):
    """The states of many answers, each over a new connection."""
    headers = {"Authorization": f"token {service.token}"}
    return {httpx.get(f"{service.url}/api/enum_types", headers=headers).status_code for _ in range(times)}


def test_processes_share_one_archive(service):
    assert len(serving(service)) == NUMBER
    with service.client() as admin:
        world = World(admin)
        series = admin.post("/api/photometric_series", json=world.fields(series_name="one", data=columns())).json()[
            "data"
        ]["id"]
    for _ in range(20):
        with service.client() as admin:
            assert admin.get(f"/api/photometric_series/{series}").json()["data"]["data"] == columns()


def test_dead_process_is_replaced(service):
    before = serving(service)
    before[0].kill()
    until(lambda: len(serving(service)) == NUMBER and before[0].pid not in [child.pid for child in serving(service)])
    until(lambda: service.log.read_text().count("is replaced") == 1)
    assert asked(service) == {200}


def test_processes_end_with_their_parent(tmp_path, archive_url):
    with ForkedService(tmp_path / "data", database__url=archive_url, server__processes=NUMBER) as service:
        children = serving(service)
        service.kill()
        _, alive = psutil.wait_procs(children, PATIENCE)
        assert not alive


def test_processes_stop_cleanly(service):
    children = psutil.Process(service.process.pid).children(recursive=True)
    assert service.stop() == 0
    with contextlib.suppress(psutil.NoSuchProcess):
        assert not psutil.wait_procs(children, PATIENCE)[1]
    assert "Traceback" not in service.log.read_text()


def test_failing_start_stops_all_processes(tmp_path):
    command = [sys.executable, "-m", "photseries", "serve", "--port", "0", "--processes", "2", "--data", str(tmp_path)]
    environment = os.environ | {"PHOTSERIES_DATABASE__URL": "mysql://x"}
    outcome = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert outcome.returncode == 2
    assert "postgresql://" in outcome.stderr
    assert "did not start" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_the_values_of_a_killed_service_are_removed_at_the_next_start(tmp_path):
    hold = "import sys\nfrom photseries.server.http.processes import values_folder\n"
    hold += "with values_folder(sys.argv[1]) as folder:\n    print(folder, flush=True)\n    sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        theirs = Path(other.stdout.readline().strip())
        (theirs / "counter_1.db").write_bytes(b"values")
        (tmp_path / "photseries-values-file").write_text("not a folder")
        (tmp_path / "photseries-values-link").symlink_to(tmp_path)
        (tmp_path / "another").mkdir()
        with values_folder(str(tmp_path)) as ours:
            assert theirs.exists()
        assert not Path(ours).exists()
        other.kill()
        other.wait(PATIENCE)
    assert theirs.exists()
    with values_folder(str(tmp_path)) as ours:
        names = {Path(ours).name, "another", "photseries-values-file", "photseries-values-link"}
        assert {path.name for path in tmp_path.iterdir()} == names
