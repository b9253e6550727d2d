"""The composition root: build the services of a configuration, and close them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from photseries.errors import StartError, UnavailableError
from photseries.hdf5 import stored_file
from photseries.server.accounts import Accounts
from photseries.server.archive import (
    Analysis,
    Archive,
    BatchUndo,
    BulkUpload,
    Exporter,
    FileUploads,
    Periods,
    Restorer,
    SeriesReader,
    Upkeep,
)
from photseries.server.archive.bulk import request_of
from photseries.server.archive.store_ownership import claim_store
from photseries.server.catalogue import migrations, vo_views
from photseries.server.catalogue.engine import Catalogue, require_version
from photseries.server.postgres.embedded import EmbeddedServer
from photseries.server.sandbox.bulk_pool import BulkSandbox
from photseries.server.sandbox.pool import FileSandbox, Sandbox
from photseries.server.settings import Config, VOSettings
from photseries.server.storage import LocalStore, Store, open_store

__all__ = [
    "Services",
    "make_folder",
    "max_connections",
    "open_services",
    "opened_catalogue",
    "opened_store",
    "require_archive",
    "unclaimed_store",
]

log = logging.getLogger(__name__)

#: Connections besides those of the request threads: two for the locks of the sweep and one for its work, one for
#: metrics, one for the lock of concurrent changes of a series, one per TAP job, and one to end a job.
SPARE_CONNECTIONS = 6 + VOSettings.jobs


def max_connections(config: Config) -> int:
    """Return the number of connections that a process opens at most; each bulk upload has two threads more."""
    return config.server.all_threads + 2 * config.sandbox.workers + SPARE_CONNECTIONS


@dataclass(frozen=True)
class Services:
    """The use cases that HTTP and the commands call, and their dependencies."""

    config: Config
    catalogue: Catalogue
    store: Store
    sandbox: Sandbox
    file_sandbox: FileSandbox
    archive: Archive
    bulk: BulkUpload
    file_uploads: FileUploads
    restorer: Restorer
    batch_undo: BatchUndo
    reader: SeriesReader
    exporter: Exporter
    analysis: Analysis
    periods: Periods
    accounts: Accounts
    upkeep: Upkeep

    @property
    def token_file(self) -> Path:
        """The file to which the first start writes the admin token."""
        return self.config.directory / "admin-token"


@contextmanager
def opened_catalogue(config: Config) -> Iterator[Catalogue]:
    """Connect to the configured server, or start the embedded one; the schema may be of any revision.

    Raises
    ------
    StartError
        When the server cannot be started or is older than PostgreSQL 15.
    """
    with ExitStack() as stack:
        url, revive = config.database.url, None
        if url is None:
            embedded = EmbeddedServer(config.directory)
            stack.callback(embedded.stop)
            url, revive = embedded.start(), embedded.ensure
        catalogue = Catalogue(url, config.database, connections=max_connections(config), revive=revive)
        stack.callback(catalogue.close)
        require_version(catalogue.engine)
        yield catalogue


def opened_store(config: Config, catalogue: Catalogue) -> Store:
    """Open the configured store.

    Raises
    ------
    StartError
        When it cannot be used, or another archive owns it.
    """
    store = unclaimed_store(config)
    if config.store.url is not None:
        claim_store(store, config.store.url, catalogue)
    return store


def unclaimed_store(config: Config) -> Store:
    """Open the configured store without checking its owner; raise StartError if it is unusable."""
    if config.store.url is None:
        return LocalStore(config.directory / "store")
    return open_store(config.store.url, config.store)


def make_folder(directory: Path, name: str = "the data directory", mode: int = 0o750) -> None:
    """Create a folder; the data directory contains at least the admin token and current uploads."""
    try:
        directory.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise StartError(f"Cannot create {name} {directory}: {error.strerror}.") from error


def require_archive(config: Config) -> None:
    """Refuse a data directory without an archive, because opening would create one.

    Raises
    ------
    StartError
        When the database is embedded and does not exist.
    """
    if config.database.url is None and not EmbeddedServer(config.directory).is_there:
        raise StartError(
            f"There is no archive in {config.directory}. Check --data, or create an archive with photseries serve or "
            "photseries migrate."
        )


@contextmanager
def open_services(config: Config, *, existing: bool = False) -> Iterator[Services]:
    """Start all services, and stop them at the end of the block; the schema must be of this version's revision.

    An embedded database without a schema is migrated, because it contains no data.

    Parameters
    ----------
    config : Config
    existing : bool
        Whether the archive must exist; see :func:`require_archive`.

    Raises
    ------
    StartError
        When a part cannot be started, or the schema needs a migration; the message names the command.
    """
    if existing:
        require_archive(config)
    make_folder(config.directory)
    with opened_catalogue(config) as catalogue, ExitStack() as stack:
        if config.database.url is None and migrations.is_empty(catalogue.engine):
            migrations.upgrade(catalogue.engine, config.vo.database_role)
        migrations.check(catalogue.engine)
        vo_views.ensure(catalogue.engine, config.vo.database_role)
        store = opened_store(config, catalogue)
        sandbox = Sandbox(config.sandbox, config.limits, stored_file.sample())
        stack.callback(sandbox.close)
        bulk_sandbox = BulkSandbox(config.sandbox, config.limits, request_of(config.limits, "arrow"))
        stack.callback(bulk_sandbox.close)
        file_sandbox = FileSandbox(config.sandbox, config.limits)
        stack.callback(file_sandbox.close)
        archive, restorer = Archive(catalogue, store, sandbox, config), Restorer(catalogue, store, config)
        try:
            archive.ownership.require()
        except UnavailableError as error:
            log.warning("nothing can be written: %s", error)
        reader = SeriesReader(catalogue, store, config.store.table_memory)
        yield Services(
            config=config,
            catalogue=catalogue,
            store=store,
            sandbox=sandbox,
            file_sandbox=file_sandbox,
            archive=archive,
            bulk=BulkUpload(catalogue, store, bulk_sandbox, archive, config),
            file_uploads=FileUploads(archive, file_sandbox),
            restorer=restorer,
            batch_undo=BatchUndo(catalogue, archive, restorer, config.store.grace),
            reader=reader,
            exporter=Exporter(catalogue, store, reader, config.directory),
            analysis=Analysis(reader, config.periodogram, config.photometry.detection_threshold),
            periods=Periods(catalogue),
            accounts=Accounts(catalogue, config.access.token_lifetime),
            upkeep=Upkeep(catalogue, store, config),
        )
