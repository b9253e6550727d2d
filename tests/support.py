"""What tests share that is not a fixture: a running service, the how-to's recipe, tables to post."""

import base64
import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
from click.testing import CliRunner

from photseries.cli import main

#: The top of the checkout.
TOP = Path(__file__).resolve().parent.parent
DATA = TOP / "tests/data"
TESS = DATA / "TESS_photometric_series1.h5"

#: How long a service may take to start or to stop on a machine that is busy with much else [s].
PATIENCE = 240


class RunningService:
    """`photseries serve`, or another command that serves, in a separate process."""

    def __init__(self, directory, port=0, verb="serve", **settings):
        self.directory = Path(directory)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PHOTSERIES_")}
        settings = {
            "analysis__worker": "false",  # a process less for each service that needs none
            "periodogram__deadline": PATIENCE,
            **settings,
        }
        environment |= {f"PHOTSERIES_{name.upper()}": str(value) for name, value in settings.items()}
        self.log = self.directory.parent / f"{self.directory.name}-{id(self)}.log"
        with self.log.open("w") as log:
            self.process = self.start([verb, "--port", str(port), "--data", str(self.directory)], environment, log)
        line = self.process.stdout.readline()
        if " ready at " not in line:
            self.process.wait(PATIENCE)
            raise AssertionError(f"the service did not start: {line!r}\n{self.log.read_text()}")
        self.ready_line = line
        self.url = line.split()[-1]

    def start(self, words, environment, log):
        """Start the process."""
        return subprocess.Popen(
            [sys.executable, "-m", "photseries", *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=self.directory.parent,
            text=True,
        )

    @property
    def token(self):
        return (self.directory / "admin-token").read_text().strip()

    def client(self, token=None, **options):
        """An HTTP client with a token; the admin's when none is given."""
        headers = {"Authorization": f"token {self.token if token is None else token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE, **options)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        return code

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE)
        self.process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.stop()
        self.process.stdout.close()


class OldService(RunningService):
    """A service of the code in another folder, with the packages of this environment."""

    def __init__(self, code, directory, **settings):
        self.code = code
        super().__init__(directory, **settings)

    def start(self, words, environment, log):
        environment = {**environment, "PYTHONPATH": str(self.code)}
        del environment["PHOTSERIES_ANALYSIS__WORKER"]  # a setting that release 0.2.0 does not have
        return super().start(words, environment, log)


def until(condition):
    """Wait until a condition holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it does not come to pass"
        time.sleep(0.02)


def data(answer):
    """Return what a successful answer of the API has."""
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def command(*words, cwd=".", stdin=None, **environment):
    """Run a command of photseries in this process, without new imports; return click's result.

    Parameters
    ----------
    words : str
    cwd : Path
    stdin : str, optional
    environment : str
        Beside the variables that there are.
    """
    with contextlib.chdir(cwd):
        return CliRunner(catch_exceptions=False).invoke(main, list(words), input=stdin, env=environment)


def recipe_write(frame, metadata, key="phot_series"):
    """Make an HDF5 file in memory exactly as the how-to tells pipelines to."""
    with pd.HDFStore("written.h5", mode="w", driver="H5FD_CORE", driver_core_backing_store=0) as store:
        store.put(key, frame, format="table", index=None, track_times=False)
        store.get_storer(key).attrs.metadata = metadata
        return store._handle.get_file_image()


def recipe_read(content):
    """Read an HDF5 file exactly as the how-to tells astronomers to; for files that we wrote."""
    with pd.HDFStore(
        "data.h5", mode="r", driver="H5FD_CORE", driver_core_backing_store=0, driver_core_image=content
    ) as store:
        keys = store.keys()
        if len(keys) != 1:
            raise ValueError(f"Expected 1 table in HDF5 file, got {len(keys)}. ")
        data = store[keys[0]]
        attributes = store.get_storer(keys[0]).attrs
        if "metadata" in attributes and isinstance(attributes["metadata"], dict):
            metadata = attributes["metadata"]
        else:
            metadata = {}
    return data, metadata


def recipe_base64(frame, metadata, key="phot_series"):
    return base64.b64encode(recipe_write(frame, metadata, key)).decode()


def macho(band):
    """A MACHO light curve as JSON columns: instrumental magnitudes, irregular times."""
    table = np.loadtxt(DATA / f"macho_1.3444.614.{band}.mjd")
    return {"mjd": table[:, 0].tolist(), "mag": table[:, 1].tolist(), "magerr": table[:, 2].tolist()}


def columns(rows=10, brightness=100.0, seed=0):
    """A small table as JSON columns."""
    noise = np.random.default_rng(seed)
    return {
        "mjd": (59000 + np.arange(rows) / 24).tolist(),
        "flux": (brightness + noise.normal(0, 1, rows)).tolist(),
        "fluxerr": np.full(rows, 1.0).tolist(),
    }


def drop(cursor, name):
    """Drop a database that others, and autovacuum, may be at work in.

    ``WITH (FORCE)`` is refused while autovacuum is, which only a superuser may end; without it, the server ends
    autovacuum by itself.
    """
    cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    cursor.execute(
        "SELECT pg_terminate_backend(pid, %s) FROM pg_stat_activity WHERE datname = %s AND usename = current_user",
        [PATIENCE * 1000, name],
    )
    cursor.execute(f"DROP DATABASE {name}")


def wait_for_locks(services, count):
    """Wait until as many sessions of the database wait for a lock."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    deadline = time.monotonic() + PATIENCE
    with services.catalogue.reading() as connection:
        while connection.exec_driver_sql(waiting).scalar_one() < count:
            assert time.monotonic() < deadline


def release_lock(services, task):
    """End the session that holds the advisory lock of a task, as a restart of the database does."""
    holder = (
        f"FROM pg_locks WHERE locktype = 'advisory' AND objid = {task} "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with services.catalogue.reading() as connection:
        assert connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid, 60000) {holder}").all() == [(True,)]
