"""Fixtures of all tests.

Session
    ``object_server``: an S3 server. ``server``: an embedded PostgreSQL. ``template``: the name of a database in it
    with the schema and an admin.
Module
    ``database_url``: a clone of the template. ``directory``: a data directory with its token. ``service``: a running
    ``photseries serve`` on them. ``admin``: an HTTP client with the admin's token. ``world``: users, groups, streams,
    sources and instruments to post to.
Test
    ``archive_url``, ``services``: a clone of its own and the services on it, in this process.
"""

import contextlib
import itertools
import os
import shutil
import signal
import tempfile
from pathlib import Path

import certifi
import psycopg2
import pytest
from hypothesis import HealthCheck
from hypothesis import settings as property_tests

from photseries.server import settings
from photseries.server.accounts import OPERATOR
from photseries.server.catalogue import migrations
from photseries.server.catalogue.engine import Catalogue
from photseries.server.postgres.embedded import EmbeddedServer
from photseries.server.services import open_services
from tests.forked import ForkedService
from tests.objects import ObjectServer
from tests.support import PATIENCE, drop
from tests.world import World

# A busy machine must not fail a property.
property_tests.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
property_tests.load_profile("patient")

_numbers = itertools.count()
MEMORY = Path("/dev/shm")


@pytest.fixture(autouse=True, scope="session")
def _no_settings_from_outside(tmp_path_factory):
    """Isolate the tests from the settings of the user.

    With one root certificate in place of all, an HTTP client is made in 0.5 ms, not in 30 ms.
    """
    for name in list(os.environ):
        if name.startswith(("PHOTSERIES_", "SSL_CERT_")):
            del os.environ[name]
    first, end, _ = Path(certifi.where()).read_text("utf-8").partition("-----END CERTIFICATE-----\n")
    certificate = tmp_path_factory.mktemp("certificates") / "first.pem"
    certificate.write_text(first + end, "utf-8")
    os.environ["SSL_CERT_FILE"] = str(certificate)


@pytest.fixture(scope="session")
def server():
    """Keep the server in memory, without fsync: no test crashes the machine, and each new database is 300 files."""
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 2**32
    with (
        tempfile.TemporaryDirectory(prefix="photseries-tests-", dir=MEMORY if has_room else None) as folder,
        EmbeddedServer(Path(folder)) as embedded,
    ):
        url, data = embedded.start(), embedded._folder.data
        with (data / "postgresql.conf").open("a") as configuration:
            configuration.write("fsync = off\nfull_page_writes = off\nmax_wal_size = 64MB\nmin_wal_size = 32MB\n")
        os.kill(int((data / "postmaster.pid").read_text().split()[0]), signal.SIGHUP)
        yield url


@pytest.fixture(scope="session")
def object_server(tmp_path_factory):
    with ObjectServer(tmp_path_factory.mktemp("objects") / "server") as running:
        yield running


@contextlib.contextmanager
def database(server, template=None):
    """A new database on the server, dropped in the end."""
    name = f"test_{next(_numbers)}"
    connection = psycopg2.connect(server.replace("+psycopg2", ""))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}" + (f" TEMPLATE {template} STRATEGY FILE_COPY" if template else ""))
        try:
            yield server.replace("/photseries?", f"/{name}?")
        finally:
            drop(cursor, name)
    connection.close()


@pytest.fixture(scope="session")
def template(server):
    with database(server) as url:
        catalogue = Catalogue(url, settings.DatabaseSettings())
        migrations.upgrade(catalogue.engine)
        catalogue.close()
        yield url.split("?")[0].rsplit("/", 1)[1]


@pytest.fixture(scope="module")
def database_url(server, template):
    with database(server, template) as url:
        yield url


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    return tmp_path_factory.mktemp("service") / "data"


@pytest.fixture(scope="module")
def store_settings():
    """Where the files of ``service`` and ``services`` are: in the data directory, unless a module says otherwise."""
    return {}


@pytest.fixture(scope="module")
def service(database_url, directory, store_settings):
    directory.mkdir()
    with ForkedService(directory, database__url=database_url, **store_settings) as running:
        yield running


@pytest.fixture(scope="module")
def admin(service):
    with service.client() as client:
        yield client


@pytest.fixture(scope="module")
def world(admin):
    return World(admin)


@pytest.fixture
def archive_url(server, template):
    with database(server, template) as url:
        yield url


@pytest.fixture
def services(archive_url, tmp_path, store_settings):
    store = {name.replace("__", "."): value for name, value in store_settings.items()}
    named = {"database.url": archive_url, "data.directory": str(tmp_path / "data"), "periodogram.deadline": PATIENCE}
    config = settings.load(None, {}, {**named, **store})
    (tmp_path / "data").mkdir()
    with open_services(config) as everything:
        everything.sandbox._started = True  # the first file starts its fork server, which takes 0.4 s
        everything.accounts.bootstrap(everything.token_file)
        for kind, body in (
            ("sources", {"id": "star", "ra": 10, "dec": -20}),
            ("instrument", {"name": "TESS", "id": 7}),
        ):
            everything.accounts.create(OPERATOR, kind, body)
        yield everything


@pytest.fixture
def principal(services):
    return services.accounts.authenticate(services.token_file.read_text().strip())
