"""The target of an export, a folder or an object store prefix: its owner and its files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson

from photseries.errors import StartError, UnavailableError

if TYPE_CHECKING:
    from upath import UPath

__all__ = ["FINGERPRINT", "ExistingPartition", "Target", "Tile"]

#: The file with the owner of a folder.
OWNER = "photseries.json"
#: The file that distinguishes copies of one database; see :class:`photseries.server.archive.store_ownership.Ownership`.
MARK = "photseries.mark"
#: Prefix of the folders of partial files: on the disk of a local target, otherwise on the writer's disk.
PARTIAL = ".photseries-"
#: The entry of a Parquet footer with the fingerprint of a partition.
FINGERPRINT = b"photseries.fingerprint"
#: Number of footers to read concurrently, because reads from an object store are slow.
READERS = 8


class Tile(NamedTuple):
    """A HEALPix pixel (nested scheme) of a partition."""

    order: int
    pixel: int


class ExistingPartition(NamedTuple):
    """An existing partition: its fingerprint and number of rows; None and 0 if it cannot be read."""

    fingerprint: int | None
    rows: int


@dataclass(frozen=True)
class Target:
    """A place for an export.

    Parameters
    ----------
    url : str
        A folder, or anything that fsspec writes to: ``s3://bucket/prefix``. Credentials are those of fsspec.
    adopted : bool
        Whether to take over an export of another copy of the database.

    Raises
    ------
    StartError
        On first use, when the URL is not writable.
    """

    url: str
    adopted: bool = False

    @cached_property
    def root(self) -> UPath:
        """The place as a ``UPath``."""
        from upath import UPath

        try:
            root = UPath(self.url)
            root.fs.invalidate_cache()
        except (ValueError, ImportError) as error:
            raise StartError(f"An export cannot go to {self.url}: {error}") from error
        return root

    @property
    def _is_local(self) -> bool:
        return isinstance(self.root, Path)

    def claim(self, archive: str, signature: Mapping[str, object]) -> None:
        """Claim the place for an archive's export, or check that it belongs to it.

        Parameters
        ----------
        archive : str
            The identity of the archive.
        signature : mapping
            The values that an export and its continuation share.

        Raises
        ------
        StartError
            When the place contains anything else; it is unchanged then.
        """
        expected = {"archive": archive, **signature}
        with self._reported():
            owner = self.root / OWNER
            if owner.exists():
                self._require_owner(owner.read_bytes(), expected)
            elif self.root.exists() and (not self.root.is_dir() or any(True for _ in self.root.iterdir())):
                raise StartError(
                    f"{self.url} is not empty and not an export of photseries. Nothing was changed; name a new folder."
                )
            else:
                if self._is_local:
                    self.root.mkdir(parents=True, exist_ok=True)
                owner.write_bytes(orjson.dumps(expected, option=orjson.OPT_INDENT_2))
            if self._is_local:
                for folder in self.root.glob(f"{PARTIAL}*"):
                    shutil.rmtree(folder)

    def _require_owner(self, content: bytes, expected: Mapping[str, object]) -> None:
        try:
            stated = orjson.loads(content)
            differing = [name for name in expected if stated.get(name) != expected[name]]
        except (orjson.JSONDecodeError, AttributeError):
            raise StartError(f"{OWNER} in {self.url} was not written by photseries. Nothing was changed.") from None
        if "archive" in differing:
            raise StartError(f"{self.url} is the export of another archive. Nothing was changed.")
        if differing:
            was = ", ".join(f"{name} {stated.get(name)} instead of {expected[name]}" for name in differing)
            raise StartError(f"{self.url} was exported with {was}. Nothing was changed; name a new folder for these.")

    def read_mark(self) -> bytes | None:
        """Return the mark of the place, None when it has none."""
        with self._reported():
            self.root.fs.invalidate_cache()
            mark = self.root / MARK
            return bytes(mark.read_bytes()) if mark.exists() else None

    def swap_mark(self, expected: bytes | None, new: bytes) -> bool:
        """Replace the mark if it is unchanged; not atomic: two concurrent exports may both succeed."""
        if self.read_mark() != expected:
            return False
        with self.replaced(self.root / MARK) as partial:
            partial.write_bytes(new)
        return True

    def path(self, tile: Tile) -> UPath:
        """Return the path of the file of a partition, as a ``UPath``."""
        from hats.io.paths import pixel_catalog_file
        from hats.pixel_math import HealpixPixel

        return pixel_catalog_file(self.root, HealpixPixel(*tile))

    def partitions(self) -> dict[Tile, ExistingPartition]:
        """Return the existing partitions."""
        from hats.io.paths import get_healpix_from_path

        with self._reported():
            files = self.root.fs.find((self.root / "dataset").path)
            names = [name for name in files if Path(name).name.startswith("Npix=")]
            with ThreadPoolExecutor(READERS) as readers:
                footers = list(readers.map(self._footer, names))
        tiles = [Tile(*get_healpix_from_path(name)) for name in names]
        return dict(zip(tiles, footers, strict=True))

    def _footer(self, name: str) -> ExistingPartition:
        import pyarrow.parquet as pq

        try:
            with self.root.fs.open(name, "rb") as file:
                footer = pq.read_metadata(file)
            return ExistingPartition(int(footer.metadata[FINGERPRINT]), footer.num_rows)
        except (KeyError, TypeError, ValueError):
            return ExistingPartition(None, 0)
        except OSError as error:
            if error.errno is not None:  # the place failed; pyarrow's errors about a damaged footer have no number
                raise
            return ExistingPartition(None, 0)

    @contextmanager
    def replaced(self, path: UPath) -> Iterator[Path]:
        """Yield the name of a local file that replaces another if the block succeeds."""
        with (
            self._reported(),
            tempfile.TemporaryDirectory(prefix=PARTIAL, dir=self.root if self._is_local else None) as folder,
        ):
            partial = Path(folder, path.name)
            yield partial
            if self._is_local:
                path.parent.mkdir(parents=True, exist_ok=True)
                os.replace(partial, path)
            else:
                self.root.fs.put_file(str(partial), path.path)

    def remove(self, tile: Tile) -> None:
        """Remove the file of a partition."""
        with self._reported():
            self.path(tile).unlink(missing_ok=True)

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Translate failures of the place to an error that names it."""
        failures: tuple[type[Exception], ...] = (OSError,)
        if self.root.protocol == "s3":
            from botocore.exceptions import BotoCoreError

            failures += (BotoCoreError,)
        try:
            yield
        except failures as error:
            raise UnavailableError(f"The export cannot use {self.url}: {error}") from error
