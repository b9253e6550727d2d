"""The background worker: it finds the periods of new series, there is one of it, and it ends with its service."""

import contextlib
import json
import os
import resource

import numpy as np
import psutil
import psycopg2
import pytest

from photseries.server.worker import ANALYSIS, Worker
from tests.forked import ForkedService
from tests.support import PATIENCE, command, until
from tests.world import World

pytestmark = pytest.mark.slow

PATH = "/api/photometric_series"
PERIOD = 0.7312


def workers(service):
    """The worker processes below a service."""
    try:
        children = psutil.Process(service.process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [child for child in children if is_worker(child)]


def is_worker(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE and "photseries.server.worker" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return False


def table(rows=200, period=PERIOD, seed=1):
    noise = np.random.default_rng(seed)
    mjd = 59000 + np.sort(noise.uniform(0, 40, rows))
    flux = 100 + 5 * np.sin(2 * np.pi * mjd / period) + noise.normal(0, 1, rows)
    return {"mjd": mjd.tolist(), "flux": flux.tolist(), "fluxerr": [1.0] * rows}


def stored(admin, world, name, rows):
    answer = admin.post(PATH, json=world.fields(series_name=name, data=rows))
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]["id"]


def fields(admin, number):
    return admin.get(f"{PATH}/{number}", params={"dataFormat": "none"}).json()["data"]


def metric(admin, name):
    lines = [line for line in admin.get("/metrics").text.splitlines() if line.startswith(name)]
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines)


@pytest.fixture(scope="module")
def running(tmp_path_factory, database_url):
    directory = tmp_path_factory.mktemp("worker") / "data"
    with ForkedService(directory, database__url=database_url, analysis__worker="true") as service:
        yield service


@pytest.fixture(scope="module")
def running_admin(running):
    with running.client() as client:
        yield client


@pytest.fixture(scope="module")
def running_world(running_admin):
    return World(running_admin)


def test_worker_finds_the_period_of_a_new_series(running_admin, running_world):
    number = stored(running_admin, running_world, "periodic", table())
    until(lambda: fields(running_admin, number)["period"] is not None)
    found = fields(running_admin, number)
    assert found["period"] == pytest.approx(PERIOD, abs=5 * found["period_error"])
    assert found["period_error"] < 0.001
    assert found["period_power"] > 0.8
    assert found["period_false_alarm"] < 1e-30
    assert found["period_method"] == "lomb_scargle"
    (one,) = running_admin.get(f"{PATH}/{number}/periods").json()["data"]["periods"]
    assert (one["period"], one["who"], one["preferred"], one["version"]) == (found["period"], None, False, 1)
    assert one["grid"]["min_period"] < PERIOD < one["grid"]["max_period"]
    asked = {"minPeriod": 0.73, "maxPeriod": 0.74, "maxFalseAlarm": 1e-10}
    assert [one["id"] for one in running_admin.get(PATH, params=asked).json()["data"]["series"]] == [number]


def test_worker_searches_changed_series_and_keeps_preferred_periods(running_admin, running_world):
    number = stored(running_admin, running_world, "changing", table())
    until(lambda: fields(running_admin, number)["period"] is not None)
    assert running_admin.patch(f"{PATH}/{number}", json={"data": table(period=1.9)}).status_code == 200
    until(lambda: abs((fields(running_admin, number)["period"] or 0) - 1.9) < 0.01)
    body = {"period": 3.8, "method": "eclipses", "preferred": True}
    assert running_admin.put(f"{PATH}/{number}/periods", json=body).status_code == 200
    assert running_admin.patch(f"{PATH}/{number}", json={"data": table(period=1.7)}).status_code == 200
    path = f"{PATH}/{number}/periods"
    until(lambda: len(running_admin.get(path).json()["data"]["periods"]) == 2)
    mine, its = running_admin.get(path).json()["data"]["periods"]
    assert (mine["period"], mine["preferred"], round(its["period"], 2)) == (3.8, True, 1.7)
    assert fields(running_admin, number)["period_method"] == "eclipses"


def test_series_without_a_period_are_marked_as_done(running_admin, running_world):
    before = metric(running_admin, 'photseries_analysed_series_total{outcome="none"}')
    short = stored(running_admin, running_world, "short", table(rows=10))
    constant = {**table(rows=50), "flux": [1.0] * 50}
    constant = stored(running_admin, running_world, "constant", constant)
    name = 'photseries_analysed_series_total{outcome="none"}'
    until(lambda: metric(running_admin, name) == before + 2)
    assert [fields(running_admin, number)["period"] for number in (short, constant)] == [None, None]


def test_a_worker_whose_lock_the_database_has_released_is_replaced(running, running_admin, running_world, database_url):
    until(lambda: len(workers(running)) == 1)
    (worker,) = workers(running)
    with contextlib.closing(psycopg2.connect(database_url.replace("+psycopg2", ""))) as owner, owner.cursor() as cursor:
        held = f"FROM pg_locks WHERE locktype = 'advisory' AND objid = {ANALYSIS} AND granted"
        until(lambda: cursor.execute(f"SELECT pg_terminate_backend(pid, 10000) {held}") or cursor.rowcount == 1)
    _, alive = psutil.wait_procs([worker], PATIENCE)
    assert not alive
    number = stored(running_admin, running_world, "after a restart of the database", table())
    until(lambda: fields(running_admin, number)["period"] is not None)


def test_worker_has_the_lowest_priority_and_limited_memory(running):
    until(lambda: len(workers(running)) == 1)
    (worker,) = workers(running)
    until(lambda: worker.nice() == 19)
    until(lambda: worker.rlimit(resource.RLIMIT_AS)[0] == 2048 * 1024 * 1024)


def test_dead_worker_is_replaced_and_a_fatal_series_is_skipped(services):
    """The worker of these services reads a file that never ends; it is killed twice, and the series is left."""
    store = services.config.directory / "store"
    principal = services.accounts.authenticate(services.token_file.read_text().strip())
    body = {
        "obj_id": "star",
        "instrument_id": 7,
        "series_name": "killer",
        "series_obj_id": "1",
        "ra": 10.0,
        "dec": -20.0,
    }
    number = services.archive.create(principal, {**body, "exp_time": 30, "filter": "ztfg", "data": table()}).id
    (file,) = store.rglob("*.h5")
    file.unlink()
    os.mkfifo(file)  # to open it waits for a writer
    worker = Worker(services, lambda searched: None)
    worker.start()
    try:
        for _ in range(2):
            until(lambda: worker.running == number)
            dead = worker.pid
            os.kill(dead, 9)
            until(lambda dead=dead: worker.pid != dead)
        until(lambda: services.periods.number_waiting() == 0)
    finally:
        worker.stop()
        worker.join(PATIENCE)
    assert not worker.is_alive()


def elected_worker(service, world, name):
    """The worker of several processes, after it found a period: one that was started beside it ends by itself."""
    with service.client() as admin:
        number = stored(admin, world, name, table())
        until(lambda: fields(admin, number)["period"] is not None)
    until(lambda: len(workers(service)) == 1)
    (worker,) = workers(service)
    return worker


def test_several_processes_have_one_worker_and_another_takes_over(tmp_path, archive_url):
    settings = {"database__url": archive_url, "analysis__worker": "true", "server__processes": 2}
    with ForkedService(tmp_path / "data", **settings) as service:
        with service.client() as admin:
            world = World(admin)
        worker = elected_worker(service, world, "first")
        winner = worker.parent()
        winner.kill()
        _, alive = psutil.wait_procs([worker], PATIENCE)
        assert not alive
        worker = elected_worker(service, world, "second")
        assert worker.ppid() != winner.pid
        assert service.stop() == 0
        assert not is_worker(worker)
        assert "Traceback" not in service.log.read_text()


def test_worker_ends_with_a_killed_service(tmp_path, archive_url):
    with ForkedService(tmp_path / "data", database__url=archive_url, analysis__worker="true") as service:
        until(lambda: len(workers(service)) == 1)
        (worker,) = workers(service)
        service.kill()
        _, alive = psutil.wait_procs([worker], PATIENCE)
        assert not alive


def test_command_searches_without_a_worker(tmp_path):
    with ForkedService(tmp_path / "data", analysis__worker="false") as service, service.client() as admin:
        world = World(admin)
        numbers = [stored(admin, world, f"old {seed}", table(seed=seed)) for seed in (1, 2)]
        numbers.append(stored(admin, world, "short", table(rows=5)))
        damaged = stored(admin, world, "damaged", table(seed=3))
        (service.directory / "store" / fields(admin, damaged)["filename"]).unlink()
        outcome = command("analyse", "--json", cwd=tmp_path)
        told = json.loads(outcome.stdout)
        assert outcome.exit_code == 2
        assert {name: told[name] for name in ("series", "periods", "failed")} == {
            "series": 4,
            "periods": 2,
            "failed": 1,
        }
        assert [failure["id"] for failure in told["failures"]] == [damaged]
        for number in numbers[:2]:
            assert fields(admin, number)["period"] == pytest.approx(PERIOD, abs=0.001)
        again = json.loads(command("analyse", "--json", cwd=tmp_path).stdout)
        assert (again["series"], again["failed"]) == (1, 1)
        assert not workers(service)
