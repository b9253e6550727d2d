"""The release before this one and this one, both at work on one database and one store, as in an upgrade."""

import contextlib
import io
import os
import shutil
import subprocess
import sys
import tarfile

import pytest

from tests.conftest import database
from tests.crash.kills import PATH
from tests.crash.place import Place
from tests.forked import ForkedService
from tests.scale.conftest import ALL
from tests.server.catalogue.test_migrations import RELEASED
from tests.support import TOP, OldService, columns
from tests.world import World


def git(*words):
    return subprocess.run(["git", *words], cwd=TOP, capture_output=True).stdout if shutil.which("git") else b""


@pytest.fixture
def old_code(tmp_path):
    """The code as it was before the first migration after the last release."""
    following = f"migrations/versions/{int(RELEASED) + 1:04}_*"
    commits = git("log", "--diff-filter=A", "--format=%H", "--", following).decode().split()
    content = git("archive", f"{commits[-1]}^", "photseries", "migrations") if commits else b""
    if not content:
        pytest.skip("there is no history of git here, or only a part of it")
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(tmp_path / "old", filter="data")
    return tmp_path / "old"


class Version:
    """A client of one of the services, and what it stores."""

    def __init__(self, name, client, world):
        self.name, self.client, self.world = name, client, world

    def post(self, label, **more):
        body = self.world.fields(series_name=self.name, series_obj_id=label, **{"data": columns(50), **more})
        answer = self.client.post(PATH, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["id"]

    def change(self, verb, series, **more):
        answer = self.client.request(verb, f"{PATH}/{series}", **more)
        assert answer.status_code == 200, answer.text

    def get(self, series):
        answer = self.client.get(f"{PATH}/{series}", params={"dataFormat": "json"})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def listed(self):
        return {one["id"] for one in self.client.get(PATH).json()["data"]["series"]}


@pytest.fixture
def place(server, tmp_path):
    directory = tmp_path / "data"
    directory.mkdir()
    with database(server) as url, Place(directory, url) as inspected:
        yield inspected


@pytest.fixture
def before(place, old_code, tmp_path):
    """A service of the old version, on its own schema."""
    migrate = [sys.executable, "-m", "photseries", "migrate", "--data", place.directory]
    environment = {**os.environ, "PYTHONPATH": str(old_code), "PHOTSERIES_DATABASE__URL": place.url}
    subprocess.run(migrate, env=environment, cwd=tmp_path, check=True, capture_output=True)
    with OldService(old_code, place.directory, database__url=place.url) as running:
        yield running


@pytest.mark.skipif(not ALL, reason="make test-scale runs it")
@pytest.mark.timeout(300)
def test_the_release_before_works_beside_this_one(place, before):
    with before.client() as client, contextlib.ExitStack() as stack:
        world = World(client)
        old = Version("old", client, world)
        assert client.get("/api/usage").status_code == 404, "this is the old version"
        first = [old.post(str(number)) for number in range(3)]

        assert place.command("migrate").exit_code == 0
        now = stack.enter_context(ForkedService(place.directory, database__url=place.url))
        new = Version("new", stack.enter_context(now.client()), world)
        second = [version.post(str(number)) for number in range(3, 6) for version in (old, new)]
        assert old.listed() == new.listed() == {*first, *second}
        check_changes(old, new)
        check_changes(new, old)
        assert old.listed() == new.listed()
        for series in new.listed():
            assert old.get(series)["data"] == new.get(series)["data"]
            one, other = (version.client.get(f"{PATH}/{series}/file").content for version in (old, new))
            assert one == other
        usage = new.client.get("/api/usage").json()["data"]["usage"]
        assert sum(one["series"] for one in usage) == len(new.listed())
        place.check_invariant()
        place.check_swept()
        assert old.get(first[0])["num_exp"] == 50
        for service in (before, now):
            assert service.process.poll() is None
            assert "Traceback" not in service.log.read_text()


def check_changes(one, other):
    """What one version changes of the series of the other, the other sees, and changes further."""
    mine, theirs = one.post("mine"), other.post("theirs")
    row = {"mjd": [60000.0], "flux": [1.0], "fluxerr": [1.0]}
    one.change("PATCH", theirs, json={"origin": one.name, "altdata": {"by": one.name}})
    other.change("PATCH", theirs, json={"channel": other.name})
    one.change("PATCH", theirs, json={"data": columns(70, seed=2)})
    other.change("POST", f"{theirs}/append", json={"data": row})
    one.change("DELETE", mine)
    seen = [version.get(theirs) for version in (one, other)]
    for found in seen:
        assert (found["origin"], found["channel"], found["num_exp"]) == (one.name, other.name, 71)
        assert found["altdata"] == {"by": one.name}
        assert found["data"]["flux"] == [*columns(70, seed=2)["flux"], 1.0]
    assert seen[0]["mean_flux"] == seen[1]["mean_flux"]
    for version in (one, other):
        assert version.client.get(f"{PATH}/{mine}").status_code == 404
