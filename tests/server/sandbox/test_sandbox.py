"""Workers: a failure in one affects one upload and nothing else."""

import contextlib
import dataclasses
import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from photseries.errors import StartError, UnavailableError, UnreadableFileError
from photseries.server import settings
from photseries.server.archive.bulk import request_of
from photseries.server.sandbox.bulk_pool import BulkSandbox
from photseries.server.sandbox.pool import Sandbox
from tests.hdf5.support import LIMITS, TESS, recipe_read, recipe_write, some_frame
from tests.server.sandbox import evil_worker

SETTINGS = settings.SandboxSettings(deadline=20.0, cpu=10)


class EvilSandbox(Sandbox):
    worker = "tests.server.sandbox.evil_worker"


@pytest.fixture(scope="module")
def sandbox():
    sandbox = Sandbox(SETTINGS, LIMITS)
    sandbox.start()
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="module")
def evil():
    sandbox = EvilSandbox(SETTINGS, LIMITS)
    sandbox.start()
    yield sandbox
    sandbox.close()


def test_a_bulk_answer_without_a_number_of_series_is_refused(monkeypatch):
    """As of a child that a hostile body has taken over: an end, and nothing before it."""
    request = request_of(settings.LimitSettings(), "arrow")
    readers = BulkSandbox(SETTINGS, LIMITS, request)
    monkeypatch.setattr(readers, "_frames", lambda *given: iter(()))
    with pytest.raises(UnreadableFileError, match="damaged"), readers.series(0, request):
        pass


def open_files():
    """What is open, and how often: what another test left behind may close at any time, so compare with ``<=``."""
    links = Counter()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the listing itself
            links[os.readlink(f"/proc/self/fd/{number}")] += 1
    return links


def ended(pid):
    """Tell whether a process is gone, or waits only for init to bury it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def children():
    """Give the processes that this one has, and their state."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except (FileNotFoundError, ProcessLookupError):
                continue
            if int(parent) == os.getpid():
                found[int(entry.name)] = state
    return found


def test_an_upload_is_read(sandbox):
    original, metadata = recipe_read(TESS.read_bytes())
    decoded = sandbox.decode(TESS.read_bytes())
    assert decoded.frame.equals(original)
    assert list(decoded.frame) == list(original)
    assert decoded.metadata == metadata


def test_a_refusal_names_the_reason(sandbox):
    with pytest.raises(UnreadableFileError, match='format="table"'):
        sandbox.decode(recipe_write(some_frame(), format="fixed"))
    with pytest.raises(UnreadableFileError, match="damaged"):
        sandbox.decode(b"")


def test_every_truncation_is_a_refusal(sandbox):
    blob = recipe_write(some_frame(), {"ra": 1.0})
    for size in [*range(0, 4000, 500), *range(4000, len(blob), len(blob) // 15), len(blob) - 1]:
        with pytest.raises(UnreadableFileError):
            sandbox.read(blob[:size])


def test_flipped_bits_cost_one_request(sandbox):
    """Some of these end libhdf5 by a signal."""
    blob = recipe_write(some_frame(), {"ra": 1.0})
    generator = np.random.default_rng(5)
    refused = 0
    for place in generator.integers(0, 12_000, 60).tolist():
        damaged = bytearray(blob)
        damaged[place] ^= 1 << int(generator.integers(8))
        try:
            sandbox.decode(bytes(damaged))
        except UnreadableFileError:
            refused += 1
    assert 0 < refused < 60
    assert sandbox.decode(blob).frame.equals(some_frame())


def test_uploads_at_once_do_not_mix(sandbox):
    def read(number):
        frame = pd.DataFrame({"mjd": np.arange(300.0) + number, "name": [str(number)] * 300})
        decoded = sandbox.decode(blobs[number])
        return decoded.frame.equals(frame) and decoded.metadata == {"number": number}

    blobs = [
        recipe_write(pd.DataFrame({"mjd": np.arange(300.0) + number, "name": [str(number)] * 300}), {"number": number})
        for number in range(12)
    ]
    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(read, list(range(12)) * 5))


CRASHES = ["segv", "abort", "garbage", "half", "exit", "error"]


@pytest.mark.parametrize("act", CRASHES)
def test_a_crash_costs_one_request(evil, act):
    before = evil.outcomes["crashed"]
    with pytest.raises(UnreadableFileError, match="damaged in a way that ended its reader"):
        evil.read(act.encode())
    assert evil.outcomes["crashed"] == before + 1
    assert evil.read(TESS.read_bytes()).key == "/photometry"


def test_memory_is_bounded():
    sandbox = EvilSandbox(dataclasses.replace(SETTINGS, memory=500_000_000), LIMITS)
    sandbox.start()
    try:
        with pytest.raises(UnreadableFileError, match="more than 500,000,000 bytes of memory"):
            sandbox.read(b"memory")
        assert sandbox.read(TESS.read_bytes()).key == "/photometry"
    finally:
        sandbox.close()


def test_the_deadline_is_kept():
    sandbox = EvilSandbox(dataclasses.replace(SETTINGS, deadline=1.0), LIMITS)
    sandbox.start()
    try:
        with pytest.raises(UnreadableFileError, match=r"longer than 1 s"):
            sandbox.read(b"hang")
        assert sandbox.read(TESS.read_bytes()).key == "/photometry"
    finally:
        sandbox.close()


def test_processor_time_is_bounded():
    sandbox = EvilSandbox(dataclasses.replace(SETTINGS, cpu=1), LIMITS)
    sandbox.start()
    try:
        with pytest.raises(UnreadableFileError, match="more than 1 s of processor time"):
            sandbox.read(b"processor")
    finally:
        sandbox.close()


def test_an_act_that_is_allowed_is_reported(evil):
    with pytest.raises(UnreadableFileError, match="survived"):
        evil.read(b"harmless")


@pytest.mark.parametrize("act", evil_worker.FORBIDDEN, ids=lambda act: act.decode())
def test_forbidden_acts_end_the_reader(evil, act):
    assert evil.missing == ()
    with pytest.raises(UnreadableFileError, match="damaged in a way that ended its reader"):
        evil.read(act)


def test_busy_sandbox_is_reported(monkeypatch):
    monkeypatch.setattr("photseries.server.sandbox.pool.QUEUE", 0.5)
    sandbox = EvilSandbox(dataclasses.replace(SETTINGS, deadline=3.0, workers=1), LIMITS)
    sandbox.start()
    try:
        with ThreadPoolExecutor(3) as pool:
            jobs = [pool.submit(sandbox.read, b"hang") for _ in range(3)]
            wait_for(lambda: sum(job.done() for job in jobs) == 2)  # long before the deadline of the third
            refusals = [job.exception() for job in jobs if job.done()]
            assert [type(refusal) for refusal in refusals] == [UnavailableError] * 2
            busy = [refusal for refusal in refusals if isinstance(refusal, UnavailableError)]
            assert all("busy" in refusal.message and refusal.retry_after for refusal in busy)
        assert sandbox.read(TESS.read_bytes()).key == "/photometry"
    finally:
        sandbox.close()


def test_killers_do_not_starve_honest_uploads():
    """Killers come without a pause, more than there are readers; an honest client that tries again is served."""
    sandbox = EvilSandbox(dataclasses.replace(SETTINGS, deadline=1.0, workers=2), LIMITS)
    sandbox.start()
    stop = threading.Event()

    def kill(number):
        acts = itertools.cycle((b"segv", b"hang", b"garbage", b"half"))
        while not stop.is_set():
            with contextlib.suppress(UnreadableFileError, UnavailableError):
                sandbox.read(next(acts))

    def honest(number):
        for _ in range(100):
            try:
                return sandbox.read(TESS.read_bytes()).key
            except UnavailableError:
                time.sleep(0.02)
        return None

    try:
        with ThreadPoolExecutor(8) as pool:
            killers = [pool.submit(kill, number) for number in range(4)]
            try:
                assert list(pool.map(honest, range(6))) == ["/photometry"] * 6
            finally:
                stop.set()
            assert [killer.exception() for killer in killers] == [None] * 4
    finally:
        sandbox.close()


def fork_server(sandbox):
    return sandbox._fork_server.pid


def test_a_killed_fork_server_is_replaced(sandbox):
    before = fork_server(sandbox)
    os.kill(before, signal.SIGKILL)
    assert sandbox.read(TESS.read_bytes()).key == "/photometry"
    assert fork_server(sandbox) != before


def test_a_fork_server_killed_at_work_is_replaced():
    """The upload is tried again, once; here it ends the second fork_server too."""
    sandbox = EvilSandbox(SETTINGS, LIMITS)
    sandbox.start()
    wait_for(lambda: not workers(fork_server(sandbox)))  # the one that tried the layers
    try:
        with ThreadPoolExecutor(1) as pool:
            job = pool.submit(sandbox.read, b"hang")
            for _ in range(2):
                victim = fork_server(sandbox)
                wait_for(lambda victim=victim: workers(victim))
                orphans = workers(victim)
                os.kill(victim, signal.SIGKILL)
                wait_for(lambda orphans=orphans: all(map(ended, orphans)))
                wait_for(lambda victim=victim: job.done() or fork_server(sandbox) != victim)
            assert isinstance(job.exception(), UnavailableError)
        assert sandbox.read(TESS.read_bytes()).key == "/photometry"
    finally:
        sandbox.close()


def workers(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def wait_for(condition):
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.01)
    raise TimeoutError


def test_closed_sandbox_leaves_no_process():
    before, known = open_files(), set(children())
    sandbox = EvilSandbox(dataclasses.replace(SETTINGS, deadline=1.0), LIMITS)
    sandbox.start()
    for _ in range(3):
        for act in ("segv", "garbage", "hang", "half"):
            with pytest.raises(UnreadableFileError):
                sandbox.read(act.encode())
        assert sandbox.read(TESS.read_bytes()).key == "/photometry"
        os.kill(fork_server(sandbox), signal.SIGKILL)
    assert sandbox.read(TESS.read_bytes()).key == "/photometry"
    wait_for(lambda: not workers(fork_server(sandbox)))
    open_in_fork_server = len(os.listdir(f"/proc/{fork_server(sandbox)}/fd"))
    sandbox.read(TESS.read_bytes())
    wait_for(lambda: not workers(fork_server(sandbox)))
    assert len(os.listdir(f"/proc/{fork_server(sandbox)}/fd")) == open_in_fork_server
    assert "Z" not in children().values()
    sandbox.close()
    assert open_files() <= before
    assert set(children()) <= known


def table(number, rows=300):
    return recipe_write(pd.DataFrame({"mjd": np.arange(float(rows)) + number}), {"number": number})


def test_files_of_one_owner_share_a_child():
    before = open_files()
    sandbox = Sandbox(SETTINGS, LIMITS)
    sandbox.start()
    wait_for(lambda: not workers(fork_server(sandbox)))
    for number, rows in enumerate((3000, 1, 300)):  # what a longer file left behind is not read
        decoded = sandbox.decode(table(number, rows), owner=1)
        assert decoded.frame["mjd"].tolist() == list(range(number, number + rows))
        assert decoded.metadata == {"number": number}
        assert len(set(workers(fork_server(sandbox)))) == 1
    first = workers(fork_server(sandbox))
    assert sandbox.decode(table(4), owner=1).metadata == {"number": 4}
    assert workers(fork_server(sandbox)) == first
    assert sandbox.decode(table(5), owner=2).metadata == {"number": 5}
    assert len(workers(fork_server(sandbox))) == 2
    sandbox.decode(table(6))  # nobody's child ends at once
    wait_for(lambda: len(workers(fork_server(sandbox))) == 2)
    for owner in range(10, 20):
        sandbox.decode(table(owner), owner=owner)
    wait_for(lambda: len(workers(fork_server(sandbox))) == SETTINGS.workers)
    server = fork_server(sandbox)
    sandbox.close()
    assert ended(server)
    assert open_files() <= before


def test_without_reuse_every_file_gets_a_new_child():
    sandbox = Sandbox(dataclasses.replace(SETTINGS, reuse=False), LIMITS)
    sandbox.start()
    try:
        for number in range(2):
            assert sandbox.decode(table(number), owner=1).metadata == {"number": number}
            wait_for(lambda: not workers(fork_server(sandbox)))
    finally:
        sandbox.close()


def test_a_file_too_large_for_a_waiting_child_gets_a_new_one(sandbox):
    sandbox.decode(table(0), owner=1)
    first = workers(fork_server(sandbox))
    assert sandbox.decode(table(1, rows=100_000), owner=1).frame["mjd"].tolist() == list(range(1, 100_001))
    wait_for(lambda: len(workers(fork_server(sandbox))) == 1)
    assert workers(fork_server(sandbox)) != first


@pytest.mark.parametrize("act", CRASHES)
def test_crash_of_a_reused_child_is_repeated_in_a_new_child(evil, act):
    assert evil.read(TESS.read_bytes(), owner=1).key == "/photometry"
    wait_for(lambda: len(workers(fork_server(evil))) == 1)  # the child of the test before may still end
    before, (first,) = evil.outcomes["crashed"], workers(fork_server(evil))
    with pytest.raises(UnreadableFileError, match="damaged in a way that ended its reader"):
        evil.read(act.encode(), owner=1)
    assert evil.outcomes["crashed"] == before + 1
    wait_for(lambda: first not in workers(fork_server(evil)))
    assert evil.read(TESS.read_bytes(), owner=1).key == "/photometry"


def test_a_waiting_child_ends_at_its_deadline():
    sandbox = Sandbox(dataclasses.replace(SETTINGS, deadline=1.0), LIMITS)
    sandbox.start()
    try:
        wait_for(lambda: not workers(fork_server(sandbox)))
        before = open_files()
        sandbox.decode(table(0), owner=1)
        wait_for(lambda: not workers(fork_server(sandbox)))
        wait_for(lambda: open_files() <= before)
        assert sandbox.decode(table(1), owner=1).metadata == {"number": 1}
    finally:
        sandbox.close()


def test_a_closed_sandbox_reads_nothing():
    sandbox = Sandbox(SETTINGS, LIMITS)
    sandbox.start()
    sandbox.close()
    with pytest.raises(UnavailableError):
        sandbox.read(b"")


def test_required_layers():
    sandbox = Sandbox(dataclasses.replace(SETTINGS, require=("user", "limits")), LIMITS)
    sandbox.start()
    sandbox.close()
    with pytest.raises(StartError, match="lists moat, which this system lacks"):
        Sandbox(dataclasses.replace(SETTINGS, require=("limits", "moat")), LIMITS).start()


SERVICE = """
import sys
from photseries.server import settings
from photseries.server.sandbox.pool import Sandbox
sandbox = Sandbox(settings.SandboxSettings(), settings.LimitSettings())
sandbox.start()
print(sandbox._fork_server.pid, flush=True)
sys.stdin.read()
"""


def test_the_fork_server_ends_with_the_service():
    with subprocess.Popen([sys.executable, "-c", SERVICE], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as service:
        pid = int(service.stdout.readline())
        assert not ended(pid)
        service.kill()
    wait_for(lambda: ended(pid))


def test_the_fork_server_is_small_and_has_one_thread(sandbox):
    sandbox.read(TESS.read_bytes())
    assert len(os.listdir(f"/proc/{fork_server(sandbox)}/task")) == 1
    script = "import sys; import photseries.server.sandbox.worker; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    assert "h5py" in loaded
    assert not {"pandas", "tables", "tornado", "sqlalchemy", "psycopg2"} & set(loaded)


def test_a_child_imports_nothing(tmp_path):
    """A child may no longer be allowed to open the files of modules."""
    files = {
        "tess": TESS.read_bytes(),
        "plain": recipe_write(some_frame(), {"x": np.float64(1), "s": np.str_("é")}),
        "zlib": recipe_write(some_frame(), {}, complib="zlib", complevel=1, fletcher32=True),
        "bzip2": recipe_write(some_frame(), {}, complib="bzip2", complevel=1),
        "blosc": recipe_write(some_frame(), {}, complib="blosc", complevel=1),
        "latin-1": recipe_write(some_frame()[["mjd", "quality"]], {}, encoding="latin-1"),
        "fixed": recipe_write(some_frame(), format="fixed"),
        "garbage": b"x" * 1000,
    }
    for name, blob in files.items():
        (tmp_path / name).write_bytes(blob)
    script = f"""
import codecs, pathlib, sys
from photseries.hdf5 import plain_hdf5, raw
from photseries.hdf5.limits import Limits
from photseries.server.sandbox import wire, worker
from photseries.errors import UnreadableFileError
blobs = [path.read_bytes() for path in pathlib.Path({str(tmp_path)!r}).iterdir()]
limits = Limits()
for name in worker._CODECS:
    codecs.lookup(name)
before = set(sys.modules)
for blob in blobs:
    try:
        table = plain_hdf5.read(memoryview(blob), limits)
        buffers = list(wire.pack(wire.WorkerResponse(table, None, ())))
    except UnreadableFileError:
        pass
print(*set(sys.modules) - before)
"""
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_a_pickle_in_an_upload_runs_nothing(sandbox, tmp_path):
    marker = tmp_path / "marker"

    class Attack:
        def __reduce__(self):
            return (os.mkdir, (str(marker),))

    blob = recipe_write(some_frame(), {"ra": Attack()})
    with pytest.raises(UnreadableFileError, match=r"mkdir"):
        sandbox.decode(blob)
    assert not marker.exists()
    recipe_read(blob)  # the attack itself works
    assert marker.exists()
