"""A copy of the whole database cluster, as a snapshot or a base backup makes it, and the store of the original."""

import functools
import shutil

import pytest

from tests.crash.kills import PATH
from tests.forked import ForkedService
from tests.support import columns, command
from tests.world import World

pytestmark = pytest.mark.slow

CODE = "store_not_adopted"


@pytest.fixture
def copies(tmp_path):
    """Two data directories with one cluster identity, both of which use the store ``shared``; a series is in both."""
    shared = {"store__url": f"file://{tmp_path}/shared"}
    with ForkedService(tmp_path / "original", **shared) as service, service.client() as admin:
        fields = functools.partial(World(admin).fields, series_name="copies", data=columns(10))
        assert admin.post(PATH, json=fields(series_obj_id="old")).status_code == 200
    shutil.copytree(tmp_path / "original", tmp_path / "copy", ignore=shutil.ignore_patterns("socket*", "*.pid"))
    return shared, fields


def sweep(tmp_path, name, shared):
    words = ("sweep", "--data", str(tmp_path / name))
    return command(*words, cwd=tmp_path, PHOTSERIES_STORE__URL=shared["store__url"])


def check_stopped(service, fields):
    with service.client() as admin:
        answer = admin.post(PATH, json=fields(series_obj_id="refused"))
        assert (answer.status_code, answer.json()["data"]["code"]) == (503, CODE)
        assert "`photseries adopt-store`" in answer.json()["message"]
        ready = admin.get("/readyz")
        assert ready.status_code == 503
        assert "adopt-store" in ready.json()["data"]["away"]["mark of the store"]
        assert admin.get(f"{PATH}/1").status_code == 200


def test_first_copy_to_sweep_keeps_the_store(tmp_path, copies):
    shared, fields = copies
    with ForkedService(tmp_path / "original", **shared) as original, original.client() as admin:
        for number in range(3):
            assert admin.post(PATH, json=fields(series_obj_id=f"new {number}")).status_code == 200
    assert sweep(tmp_path, "original", shared).exit_code == 0
    with ForkedService(tmp_path / "copy", **shared) as copy:
        check_stopped(copy, fields)
        outcome = sweep(tmp_path, "copy", shared)
        assert outcome.exit_code != 0
        assert "photseries adopt-store" in outcome.stderr
    verified = command(
        "verify", "--data", str(tmp_path / "original"), cwd=tmp_path, PHOTSERIES_STORE__URL=shared["store__url"]
    )
    assert verified.exit_code == 0, verified.output


def test_a_copy_that_adopts_the_store_writes_and_the_original_stops(tmp_path, copies):
    shared, fields = copies
    assert sweep(tmp_path, "original", shared).exit_code == 0
    words = ("adopt-store", "--data", str(tmp_path / "copy"))
    environment = {"PHOTSERIES_STORE__URL": shared["store__url"]}
    assert command(*words, cwd=tmp_path, stdin="n\n", **environment).exit_code != 0
    with ForkedService(tmp_path / "copy", **shared) as copy, copy.client() as admin:
        check_stopped(copy, fields)
        adopted = command(*words, "--json", cwd=tmp_path, stdin="y\n", **environment)
        assert adopted.exit_code == 0, adopted.output
        assert '"epoch":2' in adopted.stdout.replace(" ", "")
        assert admin.post(PATH, json=fields(series_obj_id="of the copy")).status_code == 200, "without a restart"
        assert admin.get("/readyz").status_code == 200
    with ForkedService(tmp_path / "original", **shared) as original:
        check_stopped(original, fields)
