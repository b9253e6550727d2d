"""What Prometheus gets: one answer of all processes, in its conventions, with the database or without, for few."""

import asyncio
import contextlib
import dataclasses
import json
import time
from unittest import mock

import httpx
import psycopg2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from photseries.server.archive import Upkeep
from photseries.server.archive.upkeep import VERIFIED
from photseries.server.http import server
from photseries.server.http.metrics import Metrics
from photseries.server.http.threads import ThreadPool
from photseries.server.services import max_connections
from photseries.server.settings import Config
from tests.forked import ForkedService
from tests.server.archive.test_order import body as new_body
from tests.server.http.test_errors import check_error
from tests.server.http.test_processes import serving
from tests.support import PATIENCE, columns, command, until
from tests.world import World

PROXIED = {"X-Forwarded-For": "192.0.2.1"}


def values(text):
    """The value of each sample, by name and labels."""
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(service):
    return values(httpx.get(f"{service.url}/metrics").raise_for_status().text)


@pytest.mark.slow
def test_several_processes_give_one_answer(tmp_path, archive_url):
    connections = 2 * max_connections(Config())
    settings = {"database__url": archive_url, "server__processes": 2}
    with ForkedService(tmp_path / "data", **settings) as service:
        with service.client() as admin:
            world = World(admin)
        asked = ("photseries_requests_total", "200", "EnumTypes", "GET")
        for number in range(1, 31):
            with service.client() as admin:  # a new connection, which either process may accept
                assert admin.get("/api/enum_types").status_code == 200
                if number % 10 == 0:
                    body = world.fields(series_name="counted", data=columns(seed=number), series_obj_id=str(number))
                    assert admin.post("/api/photometric_series", json=body).status_code == 200
            if number % 10 == 0:
                for _ in range(8):
                    seen = scraped(service)
                    assert (seen[asked], seen[("photseries_uploads_total",)]) == (number, number // 10)
        assert seen[("photseries_request_seconds_count", "EnumTypes", "GET")] == 30
        until(lambda: scraped(service)[("photseries_database_connections_max",)] == connections)
        first, _ = serving(service)
        first.kill()
        until(lambda: len(serving(service)) == 2 and first.pid not in [child.pid for child in serving(service)])
        until(lambda: scraped(service)[("photseries_database_connections_max",)] == connections)
        assert scraped(service)[asked] == 30, "a process that died has counted"


def test_a_token_of_an_admin_or_a_client_on_the_machine(service, admin, world):
    assert httpx.get(f"{service.url}/metrics").status_code == 200
    check_error(httpx.get(f"{service.url}/metrics", headers=PROXIED), 401)
    for header in ("Forwarded", "Via", "X-Real-IP", "x-forwarded-proto"):
        check_error(httpx.get(f"{service.url}/metrics", headers={header: "x"}), 401)
    token = world.token("anna", "Upload data")
    check_error(httpx.get(f"{service.url}/metrics", headers={**PROXIED, "Authorization": f"token {token}"}), 403)
    assert admin.get("/metrics", headers=PROXIED).status_code == 200


def test_a_scrape_works_while_the_database_is_away(tmp_path, archive_url):
    with (
        ForkedService(tmp_path / "data", database__url=archive_url) as service,
        service.client() as known,
        contextlib.closing(psycopg2.connect(archive_url.replace("+psycopg2", ""))) as owner,
        contextlib.ExitStack() as stack,
    ):
        assert known.get("/metrics", headers=PROXIED).status_code == 200
        made = known.post("/api/tokens", json={"permissions": ["System admin"]}).json()["data"]
        revoked = stack.enter_context(service.client(made["token"]))
        assert revoked.get("/metrics", headers=PROXIED).status_code == 200
        assert known.delete(f"/api/tokens/{made['id']}").status_code == 200
        check_error(revoked.get("/metrics", headers=PROXIED), 401)
        owner.autocommit = True
        cursor = owner.cursor()
        cursor.execute("SELECT current_database()")
        cursor.execute(f"ALTER DATABASE {cursor.fetchone()[0]} CONNECTION LIMIT 0")
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()"
        )
        check_error(known.get("/api/enum_types"), 503)
        seen = scraped(service)
        assert seen[("photseries_refusals_total", "too_many_connections")] == 1
        assert known.get("/metrics", headers=PROXIED).status_code == 200
        check_error(revoked.get("/metrics", headers=PROXIED), 503)
        with service.client("of-nobody") as other:
            check_error(other.get("/metrics", headers=PROXIED), 503)


def test_the_conventions_of_prometheus(admin):
    text = admin.get("/metrics").text
    families = list(text_string_to_metric_families(text))
    assert len(families) > 25
    for family in families:
        assert family.documentation.endswith("."), family.name
        assert family.type in ("counter", "gauge", "histogram"), family.name
        assert family.name.startswith(("photseries_", "process_")), family.name
        assert not family.name.endswith(("_ms", "_kb", "_percent", "_count", "_sum")), family.name
        assert f"# HELP {family.name}" in text
        assert f"# TYPE {family.name}" in text
        for sample in family.samples:
            assert set(sample.labels) <= {"route", "verb", "status", "code", "outcome", "version", "le"}, family.name
            assert family.type != "counter" or sample.name.endswith(("_total", "_created")), sample.name


def test_what_is_counted_in_the_archive_and_on_the_machine(services, principal, tmp_path):
    metrics = Metrics(services, {})
    metrics.measure()
    first = values(metrics.text().decode())
    assert (first[("photseries_series",)], first[("photseries_stored_bytes",)]) == (0, 0)
    assert first[("photseries_verify_timestamp_seconds",)] == 0
    assert first[("photseries_database_up",)] == 1
    assert first[("photseries_disk_size_bytes",)] >= first[("photseries_disk_free_bytes",)] > 0
    assert time.time() - 600 < first[("photseries_sweep_success_timestamp_seconds",)] <= time.time()

    services.archive.create(principal, new_body())
    (blob,) = services.store.scan()
    (services.config.directory / VERIFIED).write_text(
        json.dumps({"verify_timestamp_seconds": 5.0, "verify_damaged_files": 3})
    )
    metrics.measure()
    second = values(metrics.text().decode())
    assert (second[("photseries_series",)], second[("photseries_stored_bytes",)]) == (1, blob.size)
    assert second[("photseries_verify_timestamp_seconds",)] == 5
    assert second[("photseries_verify_damaged_files",)] == 3


@pytest.mark.parametrize(
    "content", ["[1]", "null", "5", '{"verify_timestamp_seconds": null}', '{"of a later version": 1}']
)
def test_another_outcome_of_verify_is_ignored(services, content):
    """It ended the task that updates the metrics."""
    (services.config.directory / VERIFIED).write_text(content)
    metrics = Metrics(services, {})
    metrics.measure()
    assert values(metrics.text().decode())[("photseries_verify_timestamp_seconds",)] == 0


@pytest.mark.parametrize("name", ["_sweep_regularly", "_measure_regularly"])
def test_regular_work_goes_on_after_an_unexpected_error(name, monkeypatch, caplog):
    monkeypatch.setattr(server, "REFRESH", 0.0)
    work = mock.Mock(side_effect=RuntimeError("a defect"))
    shared = mock.Mock()
    shared.services.config.store.sweep_interval = 0.0
    shared.services.upkeep.sweep = shared.metrics.measure = work

    async def run():
        task = asyncio.create_task(getattr(server, name)(shared, threads))
        async with asyncio.timeout(PATIENCE):
            while work.call_count < 2:
                await asyncio.sleep(0.01)
        task.cancel()

    threads = ThreadPool(1)
    asyncio.run(run())
    assert threads.end(time.monotonic() + PATIENCE)
    assert "a defect" in caplog.text


def test_a_sweep_is_noted(services):
    metrics = Metrics(services, {})
    services.store.create("series/left_over_1f0c9e7a5b3d2846.h5", b"x")
    at_once = dataclasses.replace(services.config, store=dataclasses.replace(services.config.store, grace=0.0))
    swept = Upkeep(services.catalogue, services.store, at_once).sweep()
    assert swept is not None
    metrics.swept(swept)
    assert values(metrics.text().decode())[("photseries_swept_files_total",)] == swept.removed


def test_verify_leaves_its_outcome_for_the_metrics(service, directory, database_url, admin, world):
    body = world.fields(series_name="verified", data=columns())
    assert admin.post("/api/photometric_series", json=body).status_code == 200
    for damaged in (0, 1):
        outcome = command("verify", "--data", str(directory), PHOTSERIES_DATABASE__URL=database_url)
        assert outcome.exit_code == damaged, outcome.output
        left = json.loads((directory / VERIFIED).read_text())
        assert left["verify_damaged_files"] == damaged
        assert time.time() - 600 < left["verify_timestamp_seconds"] <= time.time()
        next((directory / "store").rglob("verified/*.h5")).write_bytes(b"altered")
