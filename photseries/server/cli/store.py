"""The operator's commands about stores."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import click

from photseries.cli.options import json_option, printed
from photseries.cli.progress import progress
from photseries.errors import StartError
from photseries.server.archive.copy_store import CopyStatus, StoreCopier
from photseries.server.archive.store_ownership import claim_store
from photseries.server.catalogue import migrations
from photseries.server.cli.options import configured
from photseries.server.services import opened_catalogue, require_archive
from photseries.server.settings import Config
from photseries.server.storage import open_store

__all__ = ["COMMANDS"]


@click.group()
def store() -> None:
    """Copy the stored files to another store."""


@store.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
@click.option(
    "--trust-sizes", is_flag=True, help="Do not read again what is in TO already, when its length is the right one."
)
@json_option
@configured()
def copy(config: Config, source: str, target: str, trust_sizes: bool, as_json: bool) -> None:
    """Copy the files of the archive from one store to another, and check each.

    FROM and TO are addresses as in store.url: s3://BUCKET/PREFIX or file:///FOLDER. Nothing in TO is replaced; a copy
    that was broken off goes on when the command is given again. The service may run meanwhile. Exit status 2 when a
    file could not be copied.
    """
    _require_apart(source, target)
    require_archive(config)
    with opened_catalogue(config) as catalogue:
        migrations.check(catalogue.engine)
        from_store = open_store(source, config.store, only_read=True)
        to_store = open_store(target, config.store)
        claim_store(to_store, target, catalogue)
        copier = StoreCopier(catalogue, from_store, to_store, trusted=trust_sizes)
        statuses: Counter[CopyStatus] = Counter()
        size, failures = 0, []
        with progress(copier.total() if sys.stderr.isatty() else None) as advance:
            for copied in copier.run():
                statuses[copied.status] += 1
                size += copied.blob.size if copied.status is CopyStatus.COPIED else 0
                if copied.problem is not None:
                    blob = copied.blob
                    failures.append({"id": blob.series_id, "file": blob.filename, "problem": copied.problem})
                advance()
    summary = {**{status.value: statuses[status] for status in CopyStatus}, "bytes": size}
    printed({**summary, "failures": failures} if as_json else [*failures, summary], as_json)
    sys.exit(2 if failures else 0)


def _require_apart(source: str, target: str) -> None:
    """Refuse two places of which one lies in the other: a sweep of the outer one would empty the inner one."""
    one, other = _place(source), _place(target)
    if one.startswith(other) or other.startswith(one):
        raise StartError(f"{source} and {target} are one place, or one lies in the other.")


def _place(url: str) -> str:
    """Give the address of a store with a slash at its end; of a folder the real one, whatever links lead there."""
    parts = urlsplit(url)
    path = str(Path(parts.path).resolve()) if parts.scheme == "file" else parts.path
    return parts._replace(path=f"{path.rstrip('/')}/").geturl()


COMMANDS = (store,)
