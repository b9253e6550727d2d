"""`photseries backup` and `restore-backup`: what is damaged, missing or unfinished is named, and nothing is lost."""

import hashlib
import os
import signal
import subprocess
import sys

import pytest

from photseries.server.catalogue.blobs import REMOVAL
from photseries.server.cli import backup
from tests.conftest import database
from tests.server.archive.test_order import body
from tests.server.http.test_restore import execute
from tests.support import PATIENCE, command, until

pytestmark = pytest.mark.slow


@pytest.fixture
def target(server, tmp_path):
    """An empty database and a folder."""
    with database(server) as url:
        yield tmp_path / "restored", url


def run(directory, url, *words, status=0):
    outcome = command(*words, "--data", str(directory), PHOTSERIES_DATABASE__URL=url)
    assert outcome.exit_code == status, outcome.output
    return outcome


@pytest.fixture
def archive(services, principal, archive_url, tmp_path):
    """An archive of one series, and its backup."""
    services.archive.create(principal, body())
    run(services.config.directory, archive_url, "backup", str(tmp_path / "backup"))
    return services.config.directory, archive_url, tmp_path / "backup"


def test_the_dump_has_a_checksum_that_sha256sum_reads(archive):
    *_, folder = archive
    (line,) = (folder / "catalogue.dump.sha256").read_text().splitlines()
    assert line == f"{hashlib.sha256((folder / 'catalogue.dump').read_bytes()).hexdigest()}  catalogue.dump"


def test_a_damaged_dump_is_refused_before_anything_is_changed(archive, target):
    *_, folder = archive
    dump = folder / "catalogue.dump"
    content = dump.read_bytes()
    before, _, after = content.partition(b"nullif")  # a name in a policy, where pg_restore would not notice
    dump.write_bytes(before + b"ntllif" + after)
    outcome = run(*target, "restore-backup", str(folder), status=2)
    assert f"{dump} is damaged" in outcome.stderr
    assert not target[0].exists()
    dump.write_bytes(content)
    run(*target, "restore-backup", str(folder))


def test_the_backup_of_an_earlier_version_has_no_checksum(archive, target):
    *_, folder = archive
    (folder / "catalogue.dump.sha256").unlink()
    run(*target, "restore-backup", str(folder))


@pytest.mark.parametrize("step", ["unlink", "replace"])
def test_an_interrupted_exchange_of_the_dump_leaves_no_wrong_checksum(archive, monkeypatch, step):
    *_, folder = archive
    (folder / "catalogue.dump.partial").write_bytes(b"a newer dump")
    calls = []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == (1 if step == "unlink" else 2):
            raise KeyboardInterrupt
        os.rename(*arguments)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        backup._replace_dump(folder)
    assert not (folder / "catalogue.dump.sha256").exists()
    assert ((folder / "catalogue.dump").read_bytes() == b"a newer dump") == (step == "replace")


@pytest.mark.parametrize("name", ["catalogue.dump.partial", "catalogue.dump"])
def test_a_folder_in_which_nothing_can_be_written_is_named(archive, name):
    directory, url, folder = archive
    (folder / name).unlink(missing_ok=True)
    (folder / name).mkdir()
    outcome = run(directory, url, "backup", str(folder), status=2)
    assert outcome.stderr.splitlines()[-1] == f"photseries: Cannot write the backup {folder}: Is a directory."


def test_continue_brings_the_schema_up_to_date(archive, target):
    """The restore of an old dump was killed before the migration."""
    *_, folder = archive
    directory, url = target
    words = ("restore-backup", str(folder), "--data", str(directory))
    environment = {**os.environ, "PHOTSERIES_DATABASE__URL": url, "PHOTSERIES_FAULT": "kill@migrate: locked"}
    killed = subprocess.run([sys.executable, "-m", "photseries", *words], env=environment, timeout=PATIENCE)
    assert killed.returncode == -signal.SIGKILL
    execute(url, "ALTER TABLE vo_jobs DROP COLUMN as_admin")  # the schema before the last migration
    execute(url, "UPDATE alembic_version SET version_num = '0015'")
    assert "add --continue" in run(directory, url, *words[:2], status=2).stderr
    run(directory, url, *words[:2], "--continue")
    run(directory, url, "migrate", "--check")
    run(directory, url, "verify")


def test_continue_needs_a_restored_database(archive, target, tmp_path):
    *_, folder = archive
    words = ("restore-backup", str(folder), "--continue")
    assert "The database is empty" in run(*target, *words, status=2).stderr
    outcome = command(*words, "--data", str(tmp_path / "typo"))
    assert (outcome.exit_code, f"There is no archive in {tmp_path / 'typo'}" in outcome.stderr) == (2, True)
    assert not (tmp_path / "typo").exists()


def test_ctrl_c_ends_a_backup_that_waits_for_another(services, archive):
    directory, url, folder = archive
    with services.catalogue.held(REMOVAL):
        # A test that runs in the background of a shell ignores SIGINT.
        program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        program += f"from photseries.cli import main; main(['backup', {str(folder)!r}, '--data', {str(directory)!r}])"
        environment = {**os.environ, "PHOTSERIES_DATABASE__URL": url}
        process = subprocess.Popen([sys.executable, "-c", program], env=environment)
        until(lambda: waits_for_removals(services))
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE) == 128 + signal.SIGINT


def waits_for_removals(services):
    waiting = f"SELECT EXISTS (SELECT FROM pg_locks WHERE objid = {REMOVAL} AND NOT granted)"
    with services.catalogue.reading() as connection:
        return connection.exec_driver_sql(waiting).scalar_one()
