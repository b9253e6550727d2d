"""The command line as an operator uses it: one data directory, a service beside."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest
from alembic.script import ScriptDirectory

from photseries.server.postgres.embedded import EmbeddedServer
from tests.forked import ForkedService
from tests.server.http.test_restore import execute
from tests.support import PATIENCE, TOP, RunningService, columns, command


def run(directory, *words, status=0, **environment):
    outcome = command(*words, "--data", str(directory), cwd=directory.parent, **environment)
    assert outcome.exit_code == status, outcome.stderr
    return outcome


def refused(directory, *words, **environment):
    """Run a command in a separate process; return its message when it exits with status 2."""
    outcome = subprocess.run(
        [sys.executable, "-m", "photseries", *words, "--data", str(directory)],
        capture_output=True, text=True, timeout=PATIENCE, cwd=directory.parent, env=environment or None,
    )  # fmt: skip
    assert outcome.returncode == 2
    return outcome.stderr


def made(directory, *words):
    return json.loads(run(directory, *words, "--json").stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cli") / "data"


@pytest.fixture(scope="module")
def running(folder):
    with ForkedService(folder) as service:
        yield service


def test_ready_line_announces_the_service(running):
    words = running.ready_line.split()
    assert words[:1] + words[2:4] == ["photseries", "ready", "at"]
    assert running.url.startswith("http://127.0.0.1:")


def test_the_first_start_names_the_file_of_the_token_in_a_log(running):
    log = running.log.read_text()
    assert running.token not in log
    assert log.count(f"To read its token: cat {running.directory / 'admin-token'}\n") == 1
    assert (running.directory / "admin-token").stat().st_mode & 0o777 == 0o600


class ServiceOnTerminal(RunningService):
    """A service whose standard error is a terminal."""

    def start(self, words, environment, log):
        self.screen, terminal = pty.openpty()
        with open(terminal, "w") as errors:
            return super().start(words, environment, errors)

    def seen(self):
        with open(self.screen, "rb", buffering=0) as screen:
            return screen.read(65536).decode()


def test_the_first_start_shows_the_token_on_a_terminal(archive_url, tmp_path):
    with ServiceOnTerminal(tmp_path / "data", database__url=archive_url) as service:
        assert service.stop() == 0
        lines = service.seen().splitlines()
    assert lines[0].endswith(f"To read its token: cat {tmp_path / 'data/admin-token'}")
    assert lines[1:].count(service.token) == 1


def test_entries_of_every_kind(running, folder):
    user = made(folder, "user", "create", "carla", "--id", "500")
    assert user["id"] == 500
    assert made(folder, "group", "create", "team", "--user", "carla")["id"]
    assert made(folder, "stream", "create", "alerts", "--user", "500")["id"]
    assert made(folder, "source", "create", "WASP-12 b", "--ra", "97.6", "--dec=29.7")["id"] == "WASP-12 b"
    assert made(
        folder, "instrument", "create", "HiPERCAM", "--telescope", "GTC", "--filter", "sdssu", "--filter", "sdssg"
    )["id"]
    assert made(folder, "followup-request", "create", "--obj-id", "WASP-12 b")["id"]
    assert made(folder, "assignment", "create")["id"]
    token = made(folder, "token", "create", "carla", "--permission", "Upload data", "--expires", "2100-01-01")["token"]
    with running.client(token) as client:
        assert client.get("/api/instrument").json()["data"]["instrument"][-1]["filters"] == ["sdssu", "sdssg"]
        assert [group["name"] for group in client.get("/api/groups").json()["data"]["groups"]] == [
            "Sitewide Group", "carla", "team",
        ]  # fmt: skip
    assert [user["username"] for user in made(folder, "user", "list")] == ["admin", "carla"]
    run(folder, "stream", "delete", "1")
    assert made(folder, "stream", "list") == []


def test_members_users_and_series_can_be_corrected(running, folder):
    ids = [made(folder, "user", "create", name)["id"] for name in ("dora", "emil")]
    made(folder, "group", "create", "night", "--user", "dora")
    changed = made(folder, "group", "members", "night", "--add", "emil", "--remove", "dora")
    assert changed["user_ids"] == ids[1:]
    made(folder, "stream", "create", "sky")
    assert made(folder, "stream", "members", "sky", "--add", str(ids[0]))["user_ids"] == ids[:1]
    run(folder, "user", "delete", str(ids[0]))
    assert "deactivated" in run(folder, "token", "create", "dora", status=2).stderr
    run(folder, "user", "reactivate", "dora")
    assert made(folder, "token", "create", "dora")["token"]
    assert made(folder, "user", "hand-over", "dora", "emil") == {"series": 0}
    assert "another user" in run(folder, "user", "hand-over", "dora", "dora", status=2).stderr
    events = made(folder, "audit", "--last", "4")
    assert [(event["action"], event["kind"], event["username"]) for event in events] == [
        ("hand over", "users", "operator"),
        ("create", "tokens", "operator"),
        ("change", "users", "operator"),
        ("remove", "users", "operator"),
    ]
    printed = run(folder, "audit", "--last", "1").stdout
    assert f"at={events[0]['at'][:19]}Z  " in printed


def test_an_automatic_id_comes_after_an_explicit_one(running, folder):
    made(folder, "user", "create", "explicit", "--id", "9000")
    assert made(folder, "user", "create", "automatic")["id"] == 9001


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["user", "create", "admin"], "already taken"),
        (["token", "create", "nobody"], "No user is called 'nobody'"),
        (["token", "create", "admin", "--permission", "everything"], "permissions"),
        (["source", "create", "x", "--ra", "500", "--dec", "0"], "ra: Must be in"),
        (["token", "create", "admin", "--expires", "2020-01-01"], "expires_at: Must be in the future."),
        (["source", "delete", "nothing"], "No source with ID nothing"),
        (["backup", "/proc/nowhere"], "Cannot create the folder /proc/nowhere: No such file or directory."),
    ],
)
def test_mistakes_give_one_line_and_status_2(running, folder, words, message):
    outcome = run(folder, *words, status=2)
    assert message in outcome.stderr
    assert outcome.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["sh", "-c", "exit 5"], 5, ""),
        (["sh", "-c", "kill -KILL $$"], 128 + 9, ""),
        (["/nowhere/command"], 2, "Cannot run /nowhere/command: No such file or directory."),
    ],
)
def test_a_backup_with_a_command_ends_like_the_command(running, folder, words, status, message):
    outcome = command("backup", "--data", str(folder), "--hold", "--", *words)
    assert outcome.exit_code == status
    assert message in outcome.stderr


def test_names_of_earlier_versions_cannot_control_the_terminal(running, folder):
    user = made(folder, "user", "create", "mallory")["id"]
    made(folder, "source", "create", "two lines", "--ra", "1", "--dec", "1")
    with EmbeddedServer(folder) as server:
        url = server.start()
        execute(url, "UPDATE users SET username = %s WHERE id = %s", "mallory\x1b]0;pwned\x07\x1b[2J", user)
        execute(url, "UPDATE sources SET id = %s WHERE id = 'two lines'", "two\nlines")
    for kind in ("user", "source"):
        seen = run(folder, kind, "list").stdout
        assert all(line.isprintable() for line in seen.splitlines())
        assert len(seen.splitlines()) == len(made(folder, kind, "list"))


@pytest.mark.parametrize(
    "words",
    [
        ["verify"],
        ["sweep"],
        ["user", "list"],
        ["source", "create", "x", "--ra", "1", "--dec", "2"],
        ["source", "delete", "x"],
        ["export", "hats", "catalogue"],
        ["store", "copy", "file:///nowhere/a", "file:///nowhere/b"],
    ],
    ids=" ".join,
)
def test_only_serve_and_migrate_make_an_archive(tmp_path, words):
    outcome = run(tmp_path / "typo", *words, status=2)
    assert f"There is no archive in {tmp_path / 'typo'}. Check --data" in outcome.stderr
    assert not (tmp_path / "typo").exists()


def test_a_file_is_no_archive(tmp_path):
    (tmp_path / "file").write_text("")
    outcome = run(tmp_path / "file", "sweep", status=2)
    assert f"There is no archive in {tmp_path / 'file'}. Check --data" in outcome.stderr


def test_process_prints_the_same_error(running, folder):
    assert refused(folder, "user", "create", "admin") == run(folder, "user", "create", "admin", status=2).stderr


def test_sweep_and_verify_report_their_results(running, folder):
    with running.client() as admin:
        admin.post("/api/sources", json={"id": "star", "ra": 1, "dec": 1})
        admin.post("/api/instrument", json={"id": 7, "name": "TESS"})
        body = {
            "obj_id": "star", "instrument_id": 7, "series_name": "a", "series_obj_id": 1, "ra": 1, "dec": 1,
            "exp_time": 1, "filter": "ztfg", "data": columns(),
        }  # fmt: skip
        answer = admin.post("/api/photometric_series", json=body)
        filename = admin.get(f"/api/photometric_series/{answer.json()['data']['id']}").json()["data"]["filename"]
    assert made(folder, "sweep") == {"seen": 1, "removed": 0, "bytes": 0}
    assert made(folder, "verify") == {"series": 1, "damaged": []}
    (folder / "store" / filename).unlink()
    outcome = run(folder, "verify", "--json", status=1)
    assert json.loads(outcome.stdout)["damaged"] == [{"id": 1, "filename": filename, "problem": "is missing"}]
    assert "is missing" in run(folder, "verify", status=1).stdout


@pytest.mark.parametrize("verb", ["sweep", "verify"])
def test_a_terminal_shows_a_bar_beside_the_results(running, folder, verb):
    terminal, end = pty.openpty()
    command = [sys.executable, "-m", "photseries", verb, "--jobs", "2", "--data", str(folder)]
    with os.fdopen(terminal, "rb", buffering=0) as shown:
        outcome = subprocess.run(command, stdout=subprocess.PIPE, stderr=end, text=True, cwd=folder, timeout=PATIENCE)
        os.close(end)
        bar = shown.read(100_000)
    assert ("seen=" if verb == "sweep" else "series=") in outcome.stdout
    assert re.search(rb"\d+/\d+", bar), bar


def test_config_shows_what_is_in_force(folder):
    environment = {"PHOTSERIES_STORE__GRACE": "7200", "PHOTSERIES_DATABASE__URL": "postgresql://a:hunter2@b/c"}
    outcome = run(folder, "config", **environment)
    assert "grace: 7200.0" in outcome.stdout
    assert str(folder) in outcome.stdout
    assert "hunter2" not in outcome.stdout
    assert "Did you mean" in run(folder, "config", status=2, PHOTSERIES_STORE__GRASE="1").stderr


def test_occupied_port_is_reported(running, folder):
    port = running.url.rsplit(":", 1)[1]
    message = refused(folder, "serve", "--port", port)
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use. Choose another --host or --port." in message


def test_a_database_without_a_schema_is_refused_with_the_command(folder, server, tmp_path):
    from tests.conftest import database

    with database(server) as url:
        environment = {"PHOTSERIES_DATABASE__URL": url}
        assert "run `photseries migrate`" in refused(tmp_path / "data", "serve", "--port", "0", **environment)
        newest = ScriptDirectory(TOP / "migrations").get_current_head()
        outcome = run(tmp_path / "data", "migrate", **environment)
        assert outcome.stdout == f"Created the schema of revision {newest}.\n"
        outcome = run(tmp_path / "data", "migrate", **environment)
        assert outcome.stdout == f"The schema is already at revision {newest}.\n"
        outcome = run(tmp_path / "data", "migrate", "--json", **environment)
        assert json.loads(outcome.stdout) == {"before": newest, "after": newest}
        execute(url, "ALTER TABLE vo_jobs DROP COLUMN as_admin")  # the schema before the revision 0016
        execute(url, "UPDATE alembic_version SET version_num = '0015'")
        outcome = run(tmp_path / "data", "migrate", **environment)
        assert outcome.stdout == f"Migrated the schema from revision 0015 to {newest}.\n"
        assert run(tmp_path / "data", "user", "list", "--json", **environment).stdout.strip() == "[]"


@pytest.mark.parametrize("url", ["mysql://a/b", "nonsense", "postgresql://nobody@127.0.0.1:1/x"])
def test_invalid_database_url_is_reported(tmp_path, url):
    outcome = run(tmp_path / "data", "migrate", status=2, PHOTSERIES_DATABASE__URL=url)
    assert outcome.stderr.startswith("photseries: ")
