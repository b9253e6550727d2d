"""The operator's commands for stores."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import click

from photseries.cli.options import json_option, print_entries, yes_option
from photseries.cli.progress import tracked
from photseries.errors import StartError
from photseries.server.archive.copy_store import CopyStatus, StoreCopier
from photseries.server.archive.store_ownership import Ownership, claim_store
from photseries.server.catalogue import migrations
from photseries.server.cli.options import configured, jobs_option
from photseries.server.services import open_services, opened_catalogue, require_archive
from photseries.server.settings import Config
from photseries.server.storage import open_store

__all__ = ["COMMANDS", "print_copies"]


@click.group()
def store() -> None:
    """Copy the stored files to another store."""


@store.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option("--trust-sizes", is_flag=True, help="Do not read existing files in TO that have the right length.")
@jobs_option
@json_option
@configured()
def copy(config: Config, source: str, target: str, trust_sizes: bool, jobs: int, as_json: bool) -> None:
    """Copy the files of the archive from one store to another, and check each file.

    FROM and TO are addresses as in store.url: s3://BUCKET/PREFIX or file:///FOLDER. Nothing in TO is replaced. Repeat
    the command to continue an interrupted copy. The service may run meanwhile. Exit status 2 if a file could not be
    copied.
    """
    _require_apart(source, target)
    require_archive(config)
    with opened_catalogue(config) as catalogue:
        migrations.check(catalogue.engine)
        from_store = open_store(source, config.store, only_read=True)
        to_store = open_store(target, config.store)
        claim_store(to_store, target, catalogue)
        Ownership(to_store, catalogue).require()
        copier = StoreCopier(catalogue, from_store, to_store, trusted=trust_sizes, jobs=jobs)
        failed = print_copies(copier, as_json)
    sys.exit(2 if failed else 0)


def print_copies(copier: StoreCopier, as_json: bool) -> bool:
    """Copy files, print every failure when it happens and a summary; return whether a copy failed."""
    statuses: Counter[CopyStatus] = Counter()
    size, failures = 0, []
    for copied in tracked(copier.run(), copier.total):
        statuses[copied.status] += 1
        size += copied.blob.size if copied.status is CopyStatus.COPIED else 0
        if copied.problem is not None:
            blob = copied.blob
            failures.append({"id": blob.series_id, "file": blob.filename, "problem": copied.problem})
            if not as_json:
                print_entries(failures[-1], as_json)
    summary = {**{status.value: statuses[status] for status in CopyStatus}, "bytes": size}
    print_entries({**summary, "failures": failures} if as_json else summary, as_json)
    return bool(failures)


@click.command("adopt-store")
@yes_option
@json_option
@configured()
def adopt_store(config: Config, yes: bool, as_json: bool) -> None:
    """Take over a store that another copy of this database has used.

    Use this after the database was restored from a dump, a snapshot or a base backup, or moved by pg_upgrade. The mark
    in the store then still names the original database, and a sweep by one copy removes files that only the other copy
    refers to. Stop the original permanently, adopt the store, and run `photseries verify`, which lists the series whose
    files the original removed.
    """
    with open_services(config, existing=True) as services:
        if not yes:
            click.echo("Only one copy of a database may use a store: the others stop writing and sweeping.", err=True)
            click.confirm("Are all other copies permanently stopped?", abort=True, err=True)
        mark = services.archive.ownership.adopt()
    print_entries({"database": mark.database, "epoch": mark.epoch}, as_json)


def _require_apart(source: str, target: str) -> None:
    """Refuse two places where one lies in the other: a sweep of the outer one would empty the inner one."""
    first, other = _normalise_url(source), _normalise_url(target)
    if first.startswith(other) or other.startswith(first):
        raise StartError(f"{source} and {target} are the same place, or one contains the other.")


def _normalise_url(url: str) -> str:
    """Return the address of a store with a slash at its end; symbolic links to a folder are resolved."""
    parts = urlsplit(url)
    path = str(Path(parts.path).resolve()) if parts.scheme == "file" else parts.path
    return parts._replace(path=f"{path.rstrip('/')}/").geturl()


COMMANDS = (store, adopt_store)
