"""The workers that read files of every format: started on demand, and as confined as the others."""

import io
import subprocess
import sys

import psutil
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from astropy import units as u
from astropy.table import QTable
from astropy.time import Time

from photseries.errors import InvalidError
from photseries.server.sandbox import confine
from photseries.server.sandbox.pool import FileSandbox
from tests.hdf5.support import LIMITS
from tests.server.sandbox.test_sandbox import SETTINGS
from tests.support import until

DESCRIBE = {"name": "a.csv", "options": {}, "fields": {}, "points": 10}
TABLE = b"mjd,mag\n60000,15\n60001,16\n"

SCRIPT = """
import os, signal, socket
from photseries.server import settings
from photseries.server.sandbox import confine
confine.lock_down(settings.SandboxSettings(), [layer for layer in confine.PARSING if layer[0] in {layers}])
try:
    {attempt}
except OSError as error:
    os.write(1, b"refused")
else:
    os.write(1, b"done")
os._exit(0)
"""


@pytest.fixture
def sandbox():
    sandbox = FileSandbox(SETTINGS, LIMITS)
    yield sandbox
    sandbox.close()


def test_file_sandbox_starts_with_the_first_file(sandbox):
    def processes():
        """Those that this process started: neither the workers that fork servers fork nor those of a database."""
        return {one.pid for one in psutil.Process().children()}

    before = processes()
    assert sandbox._fork_server is None
    assert sandbox.read_file(TABLE, DESCRIBE).about["series"][0]["rows"] == 2
    (started,) = processes() - before
    assert sandbox.read_file(TABLE, DESCRIBE).about["series"][0]["rows"] == 2
    assert processes() - before == {started}
    until(lambda: not psutil.Process(started).children())  # a worker has answered before it ends
    with pytest.raises(InvalidError, match="no line names its columns"):
        sandbox.read_file(b"60000 15\n", DESCRIBE)
    assert sandbox.outcomes["read"] == 2
    assert sandbox.outcomes["refused"] == 1


@pytest.mark.parametrize("write", [pyarrow.parquet.write_table, pyarrow.feather.write_feather])
@pytest.mark.parametrize(
    "quality", [pa.array([0, None]), pa.array([0, 1], pa.uint64()), pa.array([0, 1]).dictionary_encode()]
)
def test_integers_of_64_bits_are_read_where_nothing_can_be_imported(sandbox, write, quality):
    table = pa.table({"mjd": [60000.0, 60001.0], "mag": [15.0, 16.0], "quality": quality})
    file = io.BytesIO()
    write(table, file)
    (series,) = sandbox.read_file(file.getvalue(), DESCRIBE | {"name": "a"}).about["series"]
    assert series["rows"] == 2


def test_file_fork_server_has_one_thread(sandbox):
    """A fork copies only the thread that forks: locks that others hold would stay locked."""
    sandbox.read_file(TABLE, DESCRIBE)
    assert sandbox._fork_server is not None
    assert psutil.Process(sandbox._fork_server.pid).num_threads() == 1


@pytest.mark.parametrize("attempt", ["open('/etc/hostname')", "os.listdir('/')", "os.stat('/etc/hostname')"])
def test_looking_for_files_fails_under_seccomp_alone(attempt):
    done = attempted(attempt, ["no_new_privs", "seccomp"])
    assert (done.returncode, done.stdout) == (0, "refused")


@pytest.mark.parametrize("attempt", ["os.fork()", "socket.socket()", "os.unlink('/tmp/x')", "os.kill(os.getppid(), 0)"])
def test_forbidden_acts_end_the_worker(attempt):
    assert attempted(attempt, [name for name, _ in confine.PARSING]).returncode == -31  # SIGSYS


def attempted(attempt, layers):
    script = SCRIPT.format(attempt=attempt, layers=layers)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("form", ["h5", "parquet"])
def test_tables_that_astropy_wrote_are_read_in_it(sandbox, tmp_path, form):
    """Their headers are YAML, and their times two columns: what reads them is imported before a worker is confined."""
    times = Time([2459000.5, 2459001.5], format="jd", scale="tdb")
    path = tmp_path / f"curve.{form}"
    QTable({"time": times, "flux": [1.5, 2.5] * u.mJy}).write(
        path, **({"path": "curve", "serialize_meta": True} if form == "h5" else {})
    )
    (series,) = sandbox.read_file(path.read_bytes(), DESCRIBE).about["series"]
    assert [one["column"] for one in series["columns"]] == ["time", "flux"]
    assert (series["fields"]["time_scale"], series["warnings"]) == ("tdb", [])
