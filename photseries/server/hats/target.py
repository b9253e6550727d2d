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

__all__ = ["FINGERPRINT", "Found", "Target", "Tile"]

#: The file that says whose a folder is.
OWNER = "photseries.json"
#: The file that tells copies of one database apart; see :class:`photseries.server.archive.store_ownership.Ownership`.
MARK = "photseries.mark"
#: How the folders begin that hold a file in the making: on the disk of a local target, otherwise on that of the writer.
PARTIAL = ".photseries-"
#: The entry of a Parquet footer that says what a partition was made from.
FINGERPRINT = b"photseries.fingerprint"
#: Footers that are read at a time: in an object store each takes a while.
READERS = 8


class Tile(NamedTuple):
    """A HEALPix pixel (nested scheme), which is a partition."""

    order: int
    pixel: int


class Found(NamedTuple):
    """A partition that is there: what it was made from, and its rows; None and 0 when it cannot be read."""

    fingerprint: int | None
    rows: int


@dataclass(frozen=True)
class Target:
    """A place for an export.

    Parameters
    ----------
    url : str
        A folder, or anything that fsspec writes to: ``s3://bucket/prefix``. Credentials come from the usual places.
    adopted : bool
        Whether an export that another copy of the database made is continued as this one's.

    Raises
    ------
    StartError
        On first use, when the URL is not one of a place that can be written to.
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

    def claim(self, archive: str, about: Mapping[str, object]) -> None:
        """Make the place that of an archive's export, or see that it is.

        Parameters
        ----------
        archive : str
            What tells the archive from others.
        about : mapping
            What an export and its continuation have in common.

        Raises
        ------
        StartError
            When the place holds anything else; nothing of it has been changed then.
        """
        mine = {"archive": archive, **about}
        with self._reported():
            owner = self.root / OWNER
            if owner.exists():
                self._require_mine(owner.read_bytes(), mine)
            elif self.root.exists() and (not self.root.is_dir() or any(True for _ in self.root.iterdir())):
                raise StartError(
                    f"{self.url} is not empty and not an export of photseries. Nothing was changed; name a new folder."
                )
            else:
                if self._is_local:
                    self.root.mkdir(parents=True, exist_ok=True)
                owner.write_bytes(orjson.dumps(mine, option=orjson.OPT_INDENT_2))
            if self._is_local:
                for folder in self.root.glob(f"{PARTIAL}*"):
                    shutil.rmtree(folder)

    def _require_mine(self, content: bytes, mine: Mapping[str, object]) -> None:
        try:
            found = orjson.loads(content)
            differing = [name for name in mine if found.get(name) != mine[name]]
        except (orjson.JSONDecodeError, AttributeError):
            raise StartError(f"{OWNER} in {self.url} was not written by photseries. Nothing was changed.") from None
        if "archive" in differing:
            raise StartError(f"{self.url} is the export of another archive. Nothing was changed.")
        if differing:
            was = ", ".join(f"{name} {found.get(name)} instead of {mine[name]}" for name in differing)
            raise StartError(f"{self.url} was exported with {was}. Nothing was changed; name a new folder for these.")

    def read_mark(self) -> bytes | None:
        """Return the mark of the place, None when it has none."""
        with self._reported():
            self.root.fs.invalidate_cache()
            mark = self.root / MARK
            return bytes(mark.read_bytes()) if mark.exists() else None

    def swap_mark(self, seen: bytes | None, new: bytes) -> bool:
        """Replace the mark if it is the one that was seen; two exports at the same moment may both believe so."""
        if self.read_mark() != seen:
            return False
        with self.replaced(self.root / MARK) as partial:
            partial.write_bytes(new)
        return True

    def path(self, tile: Tile) -> UPath:
        """Return where the file of a partition is, as a ``UPath``."""
        from hats.io.paths import pixel_catalog_file
        from hats.pixel_math import HealpixPixel

        return pixel_catalog_file(self.root, HealpixPixel(*tile))

    def partitions(self) -> dict[Tile, Found]:
        """Return the partitions that are there."""
        from hats.io.paths import get_healpix_from_path

        with self._reported():
            files = self.root.fs.find((self.root / "dataset").path)
            names = [name for name in files if Path(name).name.startswith("Npix=")]
            with ThreadPoolExecutor(READERS) as readers:
                found = list(readers.map(self._footer, names))
        tiles = [Tile(*get_healpix_from_path(name)) for name in names]
        return dict(zip(tiles, found, strict=True))

    def _footer(self, name: str) -> Found:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with self.root.fs.open(name, "rb") as file:
                footer = pq.read_metadata(file)
            return Found(int(footer.metadata[FINGERPRINT]), footer.num_rows)
        except (pa.ArrowInvalid, KeyError, TypeError):
            return Found(None, 0)

    @contextmanager
    def replaced(self, path: UPath) -> Iterator[Path]:
        """Yield the name of a local file that takes the place of another when the block ends well, and only then."""
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
        """Name the place when it does not work."""
        failures: tuple[type[Exception], ...] = (OSError,)
        if self.root.protocol == "s3":
            from botocore.exceptions import BotoCoreError

            failures += (BotoCoreError,)
        try:
            yield
        except failures as error:
            raise UnavailableError(f"The export cannot use {self.url}: {error}") from error
