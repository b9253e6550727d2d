"""A data directory and its database as an inspector sees them, beside the services that work there."""

import dataclasses
import os
import signal
import subprocess
import sys
import time

from photseries.server import settings
from photseries.server.archive import Upkeep
from photseries.server.archive.store_ownership import OWNER_KEY
from photseries.server.catalogue import blobs
from photseries.server.catalogue.engine import Catalogue
from photseries.server.storage import LocalStore, open_store
from photseries.server.storage.objects import ObjectStore
from tests.support import PATIENCE, command

TWO_DAYS = 2 * 86400  # [s]


class Place:
    """What is stored where, whether the invariant holds, and what a sweep leaves when everything is old."""

    def __init__(self, directory, url, **store_settings):
        self.directory = directory
        self.url = url
        self.store_settings = store_settings
        self.root = directory / "store"
        overrides = {name.replace("__", "."): value for name, value in store_settings.items()}
        self.config = settings.load(None, {}, {"database.url": url, "data.directory": str(directory), **overrides})
        self.catalogue = Catalogue(url, self.config.database)
        self.store = self.opened_store()
        self.upkeep = Upkeep(self.catalogue, self.store, self.config)

    def opened_store(self):
        return LocalStore(self.root)

    def close(self):
        self.catalogue.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def files(self):
        """Every file in the store, left-overs too."""
        return {path.relative_to(self.root).as_posix() for path in self.root.rglob("[!.]*") if path.is_file()}

    def named(self):
        """The files that rows name."""
        with self.catalogue.reading() as connection:
            return {blob.filename for blob in blobs.blobs(connection)}

    def noted(self):
        """The files that are noted as unlinked."""
        with self.catalogue.reading() as connection:
            return set(connection.scalars(blobs.due(settings.StoreSettings(grace=0))))

    def orphans(self):
        """The files that neither a row nor a note explains."""
        return self.files() - self.named() - self.noted()

    def check_invariant(self):
        """Every committed row has its blob, complete and matching its hash."""
        assert list(self.upkeep.verify()) == []

    def age(self):
        """Move everything that was written or unlinked two days into the past."""
        self.age_files()
        self.unlink_earlier(TWO_DAYS)

    def unlink_earlier(self, seconds):
        """Move the time at which files were unlinked into the past."""
        with self.catalogue.transaction() as connection:
            earlier = f"unlinked_at - interval '{seconds} seconds'"
            connection.exec_driver_sql(f"UPDATE unlinked_blobs SET unlinked_at = {earlier}")

    def age_files(self):
        for name in self.files():
            past = (self.root / name).stat().st_mtime - TWO_DAYS
            os.utime(self.root / name, (past, past))

    def check_swept(self):
        """When all is old, a sweep leaves exactly the committed blobs."""
        self.age()
        assert self.upkeep.sweep() is not None
        assert self.files() == self.named()
        assert self.noted() == set()
        self.check_invariant()

    def command(self, *words):
        """Run a command of ``photseries`` here; see :func:`tests.support.command`."""
        return command(*words, "--data", str(self.directory), cwd=self.directory.parent, **self._environment())

    def killed(self, *words, **more):
        """Run one in a separate process to be killed; ``more`` are settings. Return whether it was killed."""
        outcome = subprocess.run(
            [sys.executable, "-m", "photseries", *words, "--data", str(self.directory)],
            env={**os.environ, **self._environment(**more)},
            cwd=self.directory.parent,
            capture_output=True,
            timeout=PATIENCE,
        )
        return outcome.returncode == -signal.SIGKILL

    def _environment(self, **more):
        given = {"database__url": self.url, **self.store_settings, **more}
        return {f"PHOTSERIES_{name.upper()}": str(value) for name, value in given.items()}


class Shifted(ObjectStore):
    """A store whose blobs appear older, because the times in object storage cannot be changed."""

    passed = 0.0  # [s]

    def scan(self):
        for blob in super().scan():
            yield dataclasses.replace(blob, age=blob.age + self.passed)


class ObjectPlace(Place):
    """The same with the files in object storage."""

    def opened_store(self):
        store = open_store(self.config.store.url, self.config.store)
        assert isinstance(store, ObjectStore)
        return Shifted(store._backend)

    def files(self):
        return {blob.key for blob in self.store.scan()} - {OWNER_KEY}

    def age_files(self):
        self.store.passed = TWO_DAYS

    def check_swept(self):
        """What a service gave up waiting for, the storage may do late: then the next sweep removes it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return super().check_swept()
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
