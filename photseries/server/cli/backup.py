"""The operator's commands for backup and restore."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from photseries.cli.options import json_option
from photseries.errors import StartError
from photseries.server.archive.copy_store import StoreCopier
from photseries.server.archive.store_ownership import Ownership
from photseries.server.catalogue import migrations
from photseries.server.catalogue.blobs import REMOVAL
from photseries.server.catalogue.engine import require_version
from photseries.server.cli.options import configured, jobs_option
from photseries.server.cli.store import print_copies
from photseries.server.disk import synchronize
from photseries.server.postgres import dumping
from photseries.server.services import make_folder, opened_catalogue, opened_store, require_archive, unclaimed_store
from photseries.server.settings import Config
from photseries.server.storage import LocalStore

__all__ = ["COMMANDS"]

#: What a backup consists of: the database, its checksum, and the files of the series.
DUMP, CHECKSUM, FILES = "catalogue.dump", "catalogue.dump.sha256", "store"


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="DIR | -- COMMAND...")
@click.option("--hold", is_flag=True, help="Run COMMAND while no file of the archive is removed.")
@click.option("--trust-sizes", is_flag=True, help="Do not read existing files in DIR that have the right length.")
@jobs_option
@json_option
@configured()
def backup(config: Config, words: tuple[str, ...], *, hold: bool, trust_sizes: bool, jobs: int, as_json: bool) -> None:
    """Back up the database and the stored files.

    Writes a dump of the database to DIR and copies the files of the store that DIR lacks. The service may run
    meanwhile. Existing files in DIR are checked, not copied again, so repeat the command to continue an interrupted
    backup. The earlier dump is replaced last. Exit status 2 if a file could not be copied.

    With --hold, COMMAND makes the backup and determines the exit status.
    """
    require_archive(config)
    with opened_catalogue(config) as catalogue:
        migrations.check(catalogue.engine)
        with catalogue.held(REMOVAL):
            if hold:
                status = _run(words)
            else:
                if len(words) > 1:
                    raise click.UsageError("Give one folder, or --hold -- COMMAND.")
                folder = Path(words[0])
                make_folder(folder, "the folder", 0o700)
                with _failing(f"Cannot write the backup {folder}"):
                    dumping.dump(catalogue.engine.url, require_version(catalogue.engine), folder / f"{DUMP}.partial")
                source, target = opened_store(config, catalogue), LocalStore(folder / FILES)
                failed = print_copies(StoreCopier(catalogue, source, target, trusted=trust_sizes, jobs=jobs), as_json)
                status = 2 if failed else 0
        if not hold:
            with _failing(f"Cannot write the backup {folder}"):
                _replace_dump(folder)
    sys.exit(status)


@contextmanager
def _failing(problem: str) -> Iterator[None]:
    """Raise StartError with a problem, and its reason, instead of an error of the operating system."""
    try:
        yield
    except OSError as error:
        raise StartError(f"{problem}: {error.strerror}.") from error


def _replace_dump(folder: Path) -> None:
    """Replace the earlier dump by the new one, and its checksum, which is absent in between."""
    partial, checksum = folder / f"{DUMP}.partial", folder / f"{CHECKSUM}.partial"
    checksum.write_text(f"{_digest(partial)}  {DUMP}\n")  # the format of sha256sum
    for written in (partial, checksum):
        synchronize(written)
    (folder / CHECKSUM).unlink(missing_ok=True)
    os.replace(partial, folder / DUMP)
    os.replace(checksum, folder / CHECKSUM)
    synchronize(folder)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _require_dump(folder: Path) -> Path:
    """Return the dump of a backup; raise StartError if it is missing or altered. Earlier versions wrote no checksum."""
    dump, checksum = folder / DUMP, folder / CHECKSUM
    if not dump.is_file():
        raise StartError(f"There is no complete backup in {folder}: {DUMP} is missing.")
    if checksum.is_file() and not checksum.read_bytes().startswith(_digest(dump).encode()):
        raise StartError(f"{dump} is damaged: it does not match {CHECKSUM}. Restore another backup.")
    return dump


def _run(words: Sequence[str]) -> int:
    """Run a command; return its exit status, of a signal as shells do."""
    with _failing(f"Cannot run {words[0]}"):
        code = subprocess.run(words, check=False).returncode  # noqa: S603
    return code if code >= 0 else 128 - code


@click.command("restore-backup")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--continue", "again", is_flag=True, help="Complete an interrupted restore: copy the files.")
@jobs_option
@json_option
@configured()
def restore_backup(config: Config, folder: Path, *, again: bool, jobs: int, as_json: bool) -> None:
    """Restore a backup into an empty database and store.

    The target is the database and store of the configuration or of --data; it must be empty. The MD5 of each file is
    checked, and the SHA-256 of the dump. Exit status 2 if a file could not be restored.
    """
    with _failing(f"Cannot read the backup {folder}"):
        dump = _require_dump(folder)
    if again:
        require_archive(config)
    make_folder(config.directory)
    with opened_catalogue(config) as catalogue:
        engine = catalogue.engine
        if again and migrations.is_empty(engine):
            raise StartError("The database is empty: restore the backup without --continue.")
        if not again:
            migrations.require_nothing(engine)
            if next(unclaimed_store(config).scan(), None) is not None:
                raise StartError("The store is not empty. Nothing was changed.")
            dumping.restore(engine.url, require_version(engine), dump)
        migrations.upgrade(engine, config.vo.database_role)
        store = opened_store(config, catalogue)
        copier = StoreCopier(catalogue, LocalStore(folder / FILES), store, trusted=False, jobs=jobs)
        failed = print_copies(copier, as_json)
        Ownership(store, catalogue).require()
    sys.exit(2 if failed else 0)


COMMANDS = (backup, restore_backup)
