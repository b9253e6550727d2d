"""The embedded server, with real servers, real processes and real kills."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from photseries.errors import StartError, UnavailableError
from photseries.server.catalogue.engine import Catalogue, require_version
from photseries.server.postgres import dumping, embedded
from photseries.server.postgres.embedded import EmbeddedServer
from photseries.server.postgres.keeper.folder import EXCLUSIVE, Folder, Lock
from photseries.server.settings import DatabaseSettings

pytestmark = pytest.mark.slow

# A service: prints the URL, or why there is none, and stops in an orderly way when its input ends.
SERVICE = """
import sys
from pathlib import Path
from photseries.server.postgres.embedded import EmbeddedServer
from photseries.errors import StartError
try:
    with EmbeddedServer(Path(sys.argv[1])) as server:
        print(server.ensure(), flush=True)
        sys.stdin.read()
except StartError as error:
    print("refused:", error, flush=True)
"""
DEBIAN_PROGRAMS = [path.parent for path in sorted(Path("/usr/lib/postgresql").glob("1[5-9]/bin/initdb"))]
CAN_UNSHARE = (
    subprocess.run(["unshare", "--user", "--map-user=65534", "true"], capture_output=True, check=False).returncode == 0
)


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    """A data directory whose cluster the tests share; each starts and ends the server itself.

    Everybody may enter it, so root becomes another account here; below ``tmp_path``, which is private, it cannot.
    """
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def folder(directory: Path) -> Folder:
    return Folder(directory / "postgres")


@pytest.fixture
def server(directory: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(directory) as server:
        yield server


def connect(url: str, **changes: Any) -> psycopg2.extensions.connection:
    return psycopg2.connect(url.replace("+psycopg2", ""), **changes)


def ask(url: str, sql: str) -> object:
    connection = connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()[0] if cursor.description else None
    finally:
        connection.close()


def ask_again(server: EmbeddedServer, sql: str) -> object:
    """Ask as a service does whose connections break."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return ask(server.ensure(), sql)
        except psycopg2.OperationalError:
            assert time.monotonic() < deadline


def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        time.sleep(0.01)


def nothing_runs(folder: Folder) -> bool:
    """Whether no keeper and no process of any server of this folder is left."""
    locks = [Lock(folder.keeper_lock), Lock(folder.server_lock)]
    try:
        return all(lock.acquire(EXCLUSIVE) for lock in locks)
    finally:
        for lock in locks:
            lock.close()


def postmaster(folder: Folder) -> int:
    return int((folder.data / "postmaster.pid").read_text().split()[0])


def status(pid: int, name: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split(maxsplit=1)[1] for line in lines if line.startswith(f"{name}:"))


def kill_keeper(folder: Folder) -> int:
    pid = keeper(folder)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    return pid


def keeper(folder: Folder) -> int | None:
    """The process that runs the keeper's program for this folder, if there is one."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(folder.root) in words and b"-c" in words and b"keeper.main" in words[words.index(b"-c") + 1]:
            return int(process.name)
    return None


class Service:
    """A process that uses the embedded server."""

    def __init__(self, directory: Path, *prefix: str, limit: int | None = None) -> None:
        def limited() -> None:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", SERVICE, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=limited,
        )

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def stop(self) -> None:
        self.process.communicate(timeout=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()


StartService = Callable[..., Service]


@pytest.fixture
def start_service(directory: Path) -> Iterator[StartService]:
    """Start processes that use the embedded server of the shared (or another) directory; none outlives the test."""
    services = []

    def start(place: Path = directory, *prefix: str, limit: int | None = None) -> Service:
        services.append(Service(place, *prefix, limit=limit))
        return services[-1]

    yield start
    for service in services:
        service.kill()


def test_an_empty_directory_becomes_a_database(server: EmbeddedServer, folder: Folder) -> None:
    url = server.ensure()
    assert ask(url, "SHOW server_encoding") == "UTF8"
    assert int(str(ask(url, "SHOW server_version_num"))) >= 150000
    ask(url, "CREATE EXTENSION IF NOT EXISTS pg_trgm")
    assert ask(url, "SELECT 'größe' % 'größer'") is True
    assert ask(url, "SELECT lower('ÄÖ')") == "äö"


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes", "data_checksums"])
def test_commits_are_durable(server: EmbeddedServer, setting: str) -> None:
    assert ask(server.ensure(), f"SHOW {setting}") == "on"


def test_variables_of_another_server_do_not_matter(
    directory: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in {"PGHOST": "192.0.2.1", "PGPORT": "1", "PGUSER": "a", "PGDATABASE": "b"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PGOPTIONS", "-c no_such_setting=1")
    with EmbeddedServer(directory) as server:
        catalogue = Catalogue(server.start(5), DatabaseSettings())
        catalogue.ping()
        monkeypatch.delenv("PGOPTIONS")  # pg_dump has no option for them
        dumping.dump(catalogue.engine.url, require_version(catalogue.engine), tmp_path / "dump")
        catalogue.close()


def test_rows_survive_a_killed_server(server: EmbeddedServer, folder: Folder) -> None:
    url = server.ensure()
    ask(url, "CREATE TABLE after_server AS SELECT 42 AS value")
    old = postmaster(folder)
    os.kill(old, signal.SIGKILL)
    assert ask_again(server, "SELECT value FROM after_server") == 42
    assert postmaster(folder) != old


def test_rows_survive_a_killed_keeper(server: EmbeddedServer, folder: Folder) -> None:
    ask(server.ensure(), "CREATE TABLE after_keeper AS SELECT 42 AS value")
    old = kill_keeper(folder)
    assert ask_again(server, "SELECT value FROM after_keeper") == 42
    until(lambda: keeper(folder) not in {None, old})
    assert ask_again(server, "SELECT value FROM after_keeper") == 42


def test_rows_survive_when_all_are_killed(directory: Path, folder: Folder, start_service: StartService) -> None:
    service = start_service()
    ask(service.answer(), "CREATE TABLE after_all AS SELECT 42 AS value")
    pid = postmaster(folder)
    kill_keeper(folder)
    os.kill(pid, signal.SIGKILL)
    service.kill()
    with EmbeddedServer(directory) as server:
        assert ask(server.ensure(), "SELECT value FROM after_all") == 42


def test_a_killed_service_leaves_nothing(start_service: StartService, folder: Folder) -> None:
    service = start_service()
    assert service.answer().startswith("postgresql")
    service.kill()
    until(lambda: nothing_runs(folder))
    assert not folder.socket_pointer.exists()


def test_a_killed_keeper_takes_its_server_along(start_service: StartService, folder: Folder) -> None:
    service = start_service()
    assert service.answer().startswith("postgresql")
    kill_keeper(folder)
    until(lambda: nothing_runs(folder))
    service.stop()


def test_services_share_one_server(directory: Path, folder: Folder, start_service: StartService) -> None:
    first, second = start_service(), start_service()
    assert first.answer() == second.answer()
    pid = postmaster(folder)
    first.stop()
    with EmbeddedServer(directory) as server:
        second.stop()
        assert ask(server.ensure(), "SELECT 1") == 1
        assert postmaster(folder) == pid
    assert nothing_runs(folder)


def test_services_that_start_at_once_get_one_server(tmp_path: Path, start_service: StartService) -> None:
    services = [start_service(tmp_path) for _ in range(4)]
    answers = {service.answer() for service in services}
    for service in services:
        service.stop()
    assert len(answers) == 1
    assert answers.pop().startswith("postgresql")
    assert nothing_runs(Folder(tmp_path / "postgres"))


def test_stopping_and_starting_again_can_overlap(directory: Path) -> None:
    for _ in range(3):
        with EmbeddedServer(directory):
            pass
        with EmbeddedServer(directory) as server:
            assert ask(server.ensure(), "SELECT 1") == 1


def test_a_second_stop_does_nothing(directory: Path) -> None:
    server = EmbeddedServer(directory)
    server.start()
    server.stop()
    server.stop()
    with pytest.raises(UnavailableError):
        server.ensure()


@pytest.mark.parametrize("name", ['a b, c\'s "d" ö %20 $HOME', "x" * 200 + " y"])
def test_any_path_is_accepted(tmp_path: Path, name: str) -> None:
    directory = tmp_path / name
    with EmbeddedServer(directory) as server:
        assert ask(server.start(), "SELECT 1") == 1
        socket = Folder(directory / "postgres").socket_folder()
        assert socket is not None
        assert socket.is_dir()
    assert not socket.exists()


def test_the_socket_is_private(server: EmbeddedServer, folder: Folder) -> None:
    socket = folder.socket_folder()
    assert socket is not None
    assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.password.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.log.stat().st_mode) == 0o600


def test_a_removed_socket_comes_back(server: EmbeddedServer, folder: Folder) -> None:
    socket = folder.socket_folder()
    assert socket is not None
    shutil.rmtree(socket)
    assert ask(server.ensure(30), "SELECT 1") == 1


def test_a_log_that_cannot_be_copied_is_cut(server: EmbeddedServer, folder: Folder) -> None:
    """Its copy fails as on a full disk; the keeper, and with it the server, must not end."""
    pid, copy = keeper(folder), folder.log.with_suffix(".log.1")
    copy.unlink(missing_ok=True)
    copy.mkdir()
    os.truncate(folder.log, 5 * 1024 * 1024)
    until(lambda: folder.log.stat().st_size < 1024 * 1024, 10)
    copy.rmdir()
    assert ask(server.ensure(), "SELECT 1") == 1
    assert keeper(folder) == pid


def test_there_is_no_tcp_port(server: EmbeddedServer, folder: Folder) -> None:
    assert ask(server.ensure(), "SHOW listen_addresses") == ""
    links = [os.readlink(link) for link in Path(f"/proc/{postmaster(folder)}/fd").iterdir()]
    sockets = {link.removeprefix("socket:[").rstrip("]") for link in links if link.startswith("socket:")}
    assert sockets
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if Path(table).exists():
            assert not sockets & {line.split()[9] for line in Path(table).read_text().splitlines()[1:]}


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"user": "postgres"}, {"user": "postgres", "password": ""}])
def test_connection_requires_the_password(server: EmbeddedServer, changes: dict[str, str]) -> None:
    with pytest.raises(psycopg2.OperationalError, match=r"authentication failed|rejects connection"):
        connect(server.ensure(), **changes)


def test_service_role_is_not_superuser(server: EmbeddedServer) -> None:
    assert ask(server.ensure(), "SHOW is_superuser") == "off"
    assert ask(server.ensure(), "SELECT has_parameter_privilege('temp_file_limit', 'SET')") is True


def test_an_interrupted_first_start_is_begun_again(tmp_path: Path, start_service: StartService) -> None:
    folder = Folder(tmp_path / "postgres")
    service = start_service(tmp_path)
    until((folder.unfinished / "data").exists)
    service.kill()
    kill_keeper(folder)
    assert not folder.cluster.exists()
    with EmbeddedServer(tmp_path) as server:
        assert ask(server.ensure(), "SELECT 1") == 1
    assert not folder.unfinished.exists()


def test_a_failing_first_start_says_why_and_is_begun_again(tmp_path: Path, start_service: StartService) -> None:
    service = start_service(tmp_path, limit=4 * 1024 * 1024)  # stands for a full disk
    answer, _ = service.process.communicate(timeout=60)
    assert answer.startswith("refused: The embedded PostgreSQL cluster could not be initialised")
    assert "File too large" in answer
    with EmbeddedServer(tmp_path) as server:
        assert ask(server.ensure(), "SELECT 1") == 1


def test_a_server_that_does_not_start_says_why(directory: Path, folder: Folder) -> None:
    settings = folder.data / "postgresql.auto.conf"
    with EmbeddedServer(directory):
        before = settings.read_text()
    settings.write_text("nonsense = 1\n")
    with pytest.raises(StartError, match='unrecognized configuration parameter "nonsense"'):
        EmbeddedServer(directory).start()
    settings.write_text(before)
    with EmbeddedServer(directory):
        assert nothing_runs(folder) is False


def test_a_cluster_of_another_version_is_refused(tmp_path: Path) -> None:
    version = Folder(tmp_path / "postgres").version
    version.parent.mkdir(parents=True)
    version.write_text("9\n")
    with pytest.raises(StartError, match="made by PostgreSQL 9, which is not installed"):
        EmbeddedServer(tmp_path).start()


@pytest.mark.skipif(not DEBIAN_PROGRAMS, reason="no PostgreSQL of the system")
def test_a_cluster_stays_with_its_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = DEBIAN_PROGRAMS[0]
    with monkeypatch.context() as patch:
        patch.setattr(embedded, "find_programs", lambda version: installed)
        with EmbeddedServer(tmp_path) as server:
            ask(server.ensure(), "CREATE TABLE kept AS SELECT 42 AS value")
            version = ask(server.ensure(), "SHOW server_version")
    with EmbeddedServer(tmp_path) as server:
        assert ask(server.ensure(), "SHOW server_version") == version
        assert ask(server.ensure(), "SELECT value FROM kept") == 42


def test_the_server_has_no_privilege(server: EmbeddedServer, folder: Folder) -> None:
    assert int(status(postmaster(folder), "CapEff"), 16) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_root_becomes_an_ordinary_account_or_hides_in_a_namespace() -> None:
    directory = Path(tempfile.mkdtemp())
    directory.chmod(0o755)
    folder = Folder(directory / "postgres")
    try:
        with EmbeddedServer(directory) as server:
            ask(server.ensure(), "CREATE TABLE kept AS SELECT 42 AS value")
            assert int(status(postmaster(folder), "CapEff"), 16) == 0
        directory.chmod(0o700)
        with EmbeddedServer(directory) as server:
            assert ask(server.ensure(), "SELECT value FROM kept") == 42
            assert status(postmaster(folder), "Uid").split()[0] == "0"  # as seen from outside of its namespace
            assert int(status(postmaster(folder), "CapEff"), 16) == 0
    finally:
        shutil.rmtree(directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "postgres"
    root.mkdir()
    os.chown(root, 12345, 12345)
    with pytest.raises(StartError, match="belongs to the user with id 12345, and this process runs as root"):
        EmbeddedServer(tmp_path).start()


@pytest.mark.skipif(not CAN_UNSHARE, reason="this system has no user namespaces")
@pytest.mark.parametrize("uid", ["65534", "54321"], ids=["with a name", "without a name"])
def test_an_ordinary_user_has_a_server(tmp_path: Path, uid: str, start_service: StartService) -> None:
    service = start_service(tmp_path, "unshare", "--user", f"--map-user={uid}", f"--map-group={uid}")
    assert service.answer().startswith("postgresql")
    service.stop()
    assert nothing_runs(Folder(tmp_path / "postgres"))


@pytest.mark.skipif(not CAN_UNSHARE, reason="this system has no user namespaces")
def test_the_root_of_a_container_has_a_server(tmp_path: Path, start_service: StartService) -> None:
    service = start_service(tmp_path, "unshare", "--user", "--map-root-user")
    assert service.answer().startswith("postgresql")
    service.stop()
    assert nothing_runs(Folder(tmp_path / "postgres"))


@pytest.mark.skipif(not CAN_UNSHARE, reason="this system has no user namespaces")
def test_a_root_that_cannot_be_anybody_else_is_told_what_to_do(tmp_path: Path, start_service: StartService) -> None:
    no_more = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"'
    service = start_service(tmp_path, "unshare", "--user", "--map-root-user", "sh", "-c", no_more, "sh")
    assert service.answer().startswith("refused: PostgreSQL does not run as root")
    service.stop()


def test_a_server_that_does_not_come_back_is_unavailable(
    folder: Folder, server: EmbeddedServer, caplog: pytest.LogCaptureFixture
) -> None:
    settings = folder.data / "postgresql.auto.conf"
    before = settings.read_text()
    settings.write_text("nonsense = 1\n")
    os.kill(postmaster(folder), signal.SIGKILL)
    until(lambda: "nonsense" in folder.log.read_text())
    with pytest.raises(UnavailableError) as caught:
        server.ensure(0.2)
    assert str(folder.root) not in caught.value.message
    assert "the database is not available" in caplog.text
    settings.write_text(before)
    assert ask(server.ensure(30), "SELECT 1") == 1


def test_a_place_that_cannot_hold_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(StartError, match="folder of the embedded database cannot be used"):
        EmbeddedServer(tmp_path / "data").start()
