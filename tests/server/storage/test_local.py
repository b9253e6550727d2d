"""The local store: the contract, and what can happen to a disk and to the processes that write to it."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from photseries.errors import StartError, UnavailableError
from photseries.server import disk
from photseries.server.storage import LocalStore
from tests.server.storage.contract import StoreContract, StoreMachine

BLOB = b"blob" * 250_000

# Writes one blob, and is killed at one call of one function of the operating system.
DOOMED = """
import os, signal, sys
from pathlib import Path
from photseries.server.storage import LocalStore
root, name, number, moment = sys.argv[1:]
store, calls, original = LocalStore(Path(root)), 0, getattr(os, name)
def fatal(*arguments, **options):
    global calls
    calls += 1
    if calls == int(number) and moment == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = original(*arguments, **options)
    if calls == int(number):
        os.kill(os.getpid(), signal.SIGKILL)
    return result
setattr(os, name, fatal)
store.create("a/b/c.h5", b"blob" * 250_000)
print("done")
"""

# Races for a list of keys, and prints those that it won.
RACER = """
import sys
from pathlib import Path
from photseries.server.storage import LocalStore
root, number = sys.argv[1:]
store = LocalStore(Path(root))
sys.stdin.readline()
for key in (f"race/{step}.h5" for step in range(200)):
    try:
        store.create(key, number.encode() * 10_000)
    except FileExistsError:
        continue
    print(key)
"""

# Writes blobs until it is killed.
WRITER = """
import sys
from pathlib import Path
from photseries.server.storage import LocalStore
store = LocalStore(Path(sys.argv[1]))
print("ready", flush=True)
for step in range(1_000_000):
    store.create(f"folder{step % 7}/{sys.argv[2]}_{step}.h5", str(step).encode() * 20_000)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(root: Path) -> LocalStore:
    return LocalStore(root)


class TestLocalStore(StoreContract):
    """The contract."""


class LocalStoreMachine(StoreMachine):
    def make_store(self) -> LocalStore:
        self.root = Path(tempfile.mkdtemp())
        return LocalStore(self.root)

    def teardown(self) -> None:
        shutil.rmtree(self.root)


TestLocalStoreMachine = LocalStoreMachine.TestCase
TestLocalStoreMachine.settings = settings(max_examples=30, stateful_step_count=20)


def files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir())


def test_two_processes_that_race_never_both_win(root: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(root), number],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in ("1", "2")
    ]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.write("go\n")
        racer.stdin.flush()
    won = [racer.communicate(timeout=60)[0].split() for racer in racers]
    assert sorted(won[0] + won[1]) == sorted(f"race/{step}.h5" for step in range(200))
    store = LocalStore(root)
    for number, keys in zip((b"1", b"2"), won, strict=True):
        assert all(store.read(key) == number * 10_000 for key in keys)
    assert len(list(store.scan())) == 200


CALLS = [("fsync", 1), ("link", 1), ("fsync", 2), ("fsync", 4), ("unlink", 1)]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("name", "number"), CALLS, ids=[f"{name} {number}" for name, number in CALLS])
def test_a_killed_writer_leaves_nothing_or_everything(root: Path, name: str, number: int, moment: str) -> None:
    command = [sys.executable, "-c", DOOMED, str(root), name, str(number), moment]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (-signal.SIGKILL, ""), result.stderr
    store = LocalStore(root)
    linked = (name, number, moment) not in {("fsync", 1, "before"), ("fsync", 1, "after"), ("link", 1, "before")}
    assert store.read("a/b/c.h5") == (BLOB if linked else None)
    for blob in store.scan():
        if blob.key != "a/b/c.h5":
            store.delete(blob.key)
    assert files(root) == (["a/b/c.h5"] if linked else [])


def test_writers_killed_at_any_time_leave_whole_blobs(root: Path) -> None:
    for run in range(6):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(root), f"run{run}"], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(0.01 * run)
        writer.kill()
        writer.communicate()
    store = LocalStore(root)
    for blob in store.scan():
        if blob.key.startswith(".partial/"):
            store.delete(blob.key)
        else:
            step = blob.key.removesuffix(".h5").rpartition("_")[2]
            assert store.read(blob.key) == step.encode() * 20_000
    assert not any(name.startswith(".partial") for name in files(root))


@pytest.fixture
def durable(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What becomes durable, by its path from the root, and each link between, in order."""
    events: list[str] = []
    fsync, link = os.fsync, os.link

    def note(descriptor: int) -> None:
        events.append(os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), root))
        fsync(descriptor)

    def note_link(*arguments: str, **options: Any) -> None:
        events.append("link")
        link(*arguments, **options)

    def note_syncfs(descriptor: int) -> int:
        note(descriptor)
        return 0

    monkeypatch.setattr(os, "fsync", note)
    monkeypatch.setattr(os, "link", note_link)
    monkeypatch.setattr(disk, "_syncfs", note_syncfs)
    return events


def test_a_blob_is_durable_before_create_returns(store: LocalStore, durable: list[str]) -> None:
    durable.clear()
    store.create("a/b/c.h5", b"blob")
    partial, *rest = durable
    assert partial.startswith(".partial/")
    assert rest == ["link", "a/b", "a", "."]


@pytest.mark.parametrize("has_syncfs", [True, False])
def test_many_blobs_are_durable_before_create_many_returns(
    store: LocalStore, durable: list[str], monkeypatch: pytest.MonkeyPatch, has_syncfs: bool
) -> None:
    if not has_syncfs:
        monkeypatch.setattr(disk, "_syncfs", None)
    durable.clear()
    store.create_many({"a/b.h5": b"1", "a/c.h5": b"2", "d.h5": b"3"})
    contents = durable[: 1 if has_syncfs else 3]
    assert contents == [".partial"] if has_syncfs else {os.path.dirname(name) for name in contents} == {".partial"}
    assert durable[len(contents) :] == ["link", "link", "a", ".", "link", "."]


def test_a_mark_is_durable_before_swap_mark_returns(store: LocalStore, durable: list[str]) -> None:
    durable.clear()
    assert store.swap_mark(None, b"mark")
    assert durable == [".photseries-mark", "."]


def test_many_blobs_that_cannot_be_made_durable_are_not_stored(
    root: Path, store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> int:
        ctypes.set_errno(errno.ENOSPC)
        return -1

    monkeypatch.setattr(disk, "_syncfs", fail)
    with pytest.raises(UnavailableError, match="is full"):
        store.create_many({"a/b.h5": b"1", "c.h5": b"2"})
    assert files(root) == []


def test_a_new_root_is_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synchronized: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synchronized.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    LocalStore(tmp_path / "data" / "store")
    assert set(synchronized) == {str(tmp_path), str(tmp_path / "data")}


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "is full"),
        (errno.EDQUOT, "is full"),
        (errno.EROFS, "was denied"),
        (errno.EACCES, "was denied"),
        (errno.EIO, "store failed"),
    ],
)
@pytest.mark.parametrize("call", ["open", "mkdir", "link", "fsync"])
def test_a_failing_disk_is_unavailable_and_nothing_stays(
    root: Path, store: LocalStore, monkeypatch: pytest.MonkeyPatch, call: str, number: int, message: str
) -> None:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number), str(root))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(UnavailableError, match=message) as caught:
        store.create("a/b.h5", b"blob")
    assert str(root) not in caught.value.message
    with pytest.raises(UnavailableError, match=message):
        store.check()
    monkeypatch.undo()
    assert files(root) == []
    store.create("a/b.h5", b"blob")


@pytest.mark.parametrize("fatal", [2, 3, 4])
def test_a_folder_that_cannot_be_made_durable_takes_the_blob_along(
    root: Path, store: LocalStore, monkeypatch: pytest.MonkeyPatch, fatal: int
) -> None:
    calls, fsync = iter(range(1, 100)), os.fsync

    def fail(descriptor: int) -> None:
        if next(calls) == fatal:
            raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UnavailableError, match="store failed"):
        store.create("a/b/c.h5", b"blob")
    assert files(root) == []


def test_full_disk_is_reported(root: Path) -> None:
    """A limit on the size of files fails a write half-way, as a full disk does."""
    program = f"""
import resource
from pathlib import Path
from photseries.errors import UnavailableError
from photseries.server.storage import LocalStore
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    LocalStore(Path({str(root)!r})).create("a/b.h5", bytes(1_000_000))
except UnavailableError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("The store is full")
    assert files(root) == []


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.h5").write_bytes(b"secret")
    return folder


@pytest.fixture
def planted(root: Path, store: LocalStore, outside: Path) -> Iterator[list[str]]:
    """Links inside the store that lead out of it: to a folder, and to a file."""
    (root / "folder").symlink_to(outside)
    (root / "file.h5").symlink_to(outside / "secret.h5")
    yield ["folder/secret.h5", "file.h5"]
    assert files(outside) == ["secret.h5"]
    assert (outside / "secret.h5").read_bytes() == b"secret"


def test_links_are_not_read(store: LocalStore, planted: list[str]) -> None:
    for key in planted:
        with pytest.raises(UnavailableError):
            store.read(key)


def test_links_are_not_written_through(store: LocalStore, planted: list[str]) -> None:
    with pytest.raises(UnavailableError):
        store.create("folder/new.h5", b"blob")
    with pytest.raises(FileExistsError):
        store.create("file.h5", b"blob")


def test_links_are_not_deleted_through(store: LocalStore, planted: list[str]) -> None:
    with pytest.raises(UnavailableError):
        store.delete("folder/secret.h5")
    store.delete("file.h5")


def test_links_and_foreign_files_are_not_listed(root: Path, store: LocalStore, planted: list[str]) -> None:
    (root / "README").touch()
    (root / ".partial").mkdir()
    (root / ".partial" / "mine").touch()
    store.create("a/b.h5", b"blob")
    assert [blob.key for blob in store.scan()] == ["a/b.h5"]


def test_a_root_that_is_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "store").symlink_to(tmp_path / "disk")
    store = LocalStore(tmp_path / "store")
    store.create("a/b.h5", b"blob")
    assert [blob.key for blob in store.scan()] == ["a/b.h5"]
    assert files(tmp_path / "disk") == ["a/b.h5"]


def test_missing_root_is_not_an_empty_store(root: Path, store: LocalStore) -> None:
    store.create("a/b.h5", b"blob")
    root.rename(root.with_name("unmounted"))
    uses: list[Callable[[], object]] = [
        lambda: store.read("a/b.h5"),
        lambda: store.size("a/b.h5"),
        lambda: store.delete("a/b.h5"),
        lambda: store.create("a/c.h5", b"blob"),
        lambda: list(store.scan()),
        store.check,
    ]
    for use in uses:
        with pytest.raises(UnavailableError, match="is not available"):
            use()
    assert not root.exists()


def test_a_root_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        StartError, match=rf"^Cannot create the folder of the store {tmp_path}/file/store: Not a directory\.$"
    ):
        LocalStore(tmp_path / "file" / "store")


def test_empty_folders_are_removed(root: Path, store: LocalStore) -> None:
    for key in ("a/b/c/d.h5", "a/e.h5"):
        store.create(key, b"blob")
    store.delete("a/b/c/d.h5")
    assert [path.name for path in (root / "a").iterdir()] == ["e.h5"]
    store.delete("a/e.h5")
    assert not (root / "a").exists()


def test_a_folder_that_cannot_be_listed_is_reported(store: LocalStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.create("a/b.h5", b"blob")
    original = os.open

    def fail(path: str | Path, *arguments: Any, **options: Any) -> int:
        if path == "a":
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        return original(path, *arguments, **options)

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(UnavailableError, match="was denied"):
        list(store.scan())


def test_no_descriptor_stays_open(root: Path, store: LocalStore) -> None:
    store.create("a/b/c.h5", b"blob")
    with pytest.raises(FileExistsError):
        store.create("a/b/c.h5", b"blob")
    store.create_many({"a/d.h5": b"blob", "e.h5": b"blob"})
    for name in ("a/b/c.h5", "a/b/missing.h5"):
        store.read(name)
        store.size(name)
        list(store.chunks(name) or ())
        store.delete(name)
    list(store.scan())
    store.swap_mark(store.read_mark(), b"mark")
    store.check()
    opened = map(os.path.realpath, Path("/proc/self/fd").iterdir())
    assert [path for path in opened if path.startswith(os.path.realpath(root))] == []


def test_the_folder_of_partial_files_stays(root: Path, store: LocalStore) -> None:
    """A writer may have opened it to make the next one."""
    left_over = f".partial/{'0' * 32}"
    store.check()
    (root / left_over).touch()
    store.delete(left_over)
    assert list((root / ".partial").iterdir()) == []


def test_nobody_else_can_read_the_files(root: Path, store: LocalStore) -> None:
    before = os.umask(0)
    try:
        store.create("a/b.h5", b"blob")
    finally:
        os.umask(before)
    assert (root / "a" / "b.h5").stat().st_mode & 0o007 == 0
    assert (root / "a").stat().st_mode & 0o007 == 0
