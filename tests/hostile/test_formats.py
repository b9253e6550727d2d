"""No hostile file of any format harms the service that reads it, or shows what it may not see."""

import tempfile
from typing import Any

import pytest

from tests.hostile import formats, trial
from tests.hostile.cases import CANARY, Traps
from tests.support import RunningService
from tests.world import World


@pytest.fixture(scope="module")
def service(database_url, directory):
    directory.mkdir()
    with RunningService(directory, database__url=database_url, sandbox__deadline=trial.DEADLINE) as running:
        yield running


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_hostile_files_of_every_format_are_refused(service):
    wrong: list[tuple[Any, ...]] = []
    with tempfile.TemporaryDirectory() as folder, service.client() as admin:
        world, traps = World(admin), Traps(folder)
        with service.client(world.tokens["anna"]) as client:
            for name, content in formats.cases(traps):
                for path in ("inspect", "file"):
                    given = world.fields(series_name=f"{path} {name}", filename=name)
                    answer = client.post(f"/api/photometric_series/{path}", params=given, content=content)
                    if answer.status_code not in (200, 400, 413) or CANARY in answer.content:
                        wrong.append((name, path, answer.status_code, answer.text[:300]))
                    if answer.status_code == 400 and (
                        "Traceback" in answer.text or len(answer.json()["message"]) > 600
                    ):
                        wrong.append((name, path, answer.text[:900]))
            assert client.get("/healthz").status_code == 200
            assert client.post("/api/photometric_series/inspect", content=b"mjd,mag\n60000,15\n").status_code == 200
        assert not traps.marker.exists()
    stored = [path for path in service.directory.rglob("*") if path.is_file() and "store" in path.parts]
    assert not [path for path in stored if CANARY in path.read_bytes()]
    assert CANARY not in service.log.read_bytes()
    assert wrong == []
