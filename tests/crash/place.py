"""A data directory and its database as an inspector sees them, beside the services that work there."""

import os
import subprocess
import sys

from photseries import config as settings
from photseries.archive import Upkeep
from photseries.catalogue import blobs
from photseries.catalogue.engine import Catalogue
from photseries.storage import LocalStore
from tests.support import PATIENCE


class Place:
    """What is stored where, whether the invariant holds, and what a sweep leaves when everything is old."""

    def __init__(self, directory, url, **overrides):
        self.directory = directory
        self.url = url
        self.root = directory / "store"
        self.config = settings.load(None, {}, {"database.url": url, "data.directory": str(directory), **overrides})
        self.catalogue = Catalogue(url, self.config.database)
        self.store = LocalStore(self.root)
        self.upkeep = Upkeep(self.catalogue, self.store, self.config)

    def close(self):
        self.catalogue.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def files(self):
        """Every file in the store, left-overs too."""
        return {path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if path.is_file()}

    def named(self):
        """The files that rows name."""
        with self.catalogue.reading() as connection:
            return {blob.filename for blob in blobs.blobs(connection)}

    def noted(self):
        """The files that are noted as unlinked."""
        with self.catalogue.reading() as connection:
            return set(blobs.unlinked(connection, older=0))

    def orphans(self):
        """The files that neither a row nor a note explains."""
        return self.files() - self.named() - self.noted()

    def check_invariant(self):
        """Every committed row has its blob, complete and matching its hash."""
        assert list(self.upkeep.verify()) == []

    def age(self):
        """Move everything that was written or unlinked two days into the past."""
        for name in self.files():
            past = (self.root / name).stat().st_mtime - 2 * 86400
            os.utime(self.root / name, (past, past))
        with self.catalogue.transaction() as connection:
            connection.exec_driver_sql("UPDATE unlinked_blobs SET unlinked_at = unlinked_at - interval '2 days'")

    def check_swept(self):
        """When all is old, a sweep leaves exactly the committed blobs."""
        self.age()
        assert self.upkeep.sweep() is not None
        assert self.files() == self.named()
        assert self.noted() == set()
        self.check_invariant()

    def command(self, *words, **more):
        """Run a command of ``photseries`` here, as a process of its own; ``more`` are settings."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PHOTSERIES_")}
        environment |= {f"PHOTSERIES_{name.upper()}": str(value) for name, value in more.items()}
        environment["PHOTSERIES_DATABASE__URL"] = self.url
        command = [sys.executable, "-m", "photseries", *words, "--data", str(self.directory)]
        return subprocess.run(
            command, env=environment, cwd=self.directory.parent, capture_output=True, text=True, timeout=PATIENCE
        )
