"""``photseries upload | update``: upload files as series, or change a series."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from photseries.cli.connection import connected
from photseries.cli.fields import field_options, given_fields, name_template
from photseries.cli.options import failure, if_match_option, json_option, safe, series_argument
from photseries.cli.progress import progress
from photseries.cli.reading import found_files, given_reading, in_options, reading_options
from photseries.cli.sections import SectionedCommand
from photseries.cli.tally import UploadTally
from photseries.errors import (
    ForbiddenError,
    InvalidError,
    PhotseriesError,
    QuotaExceededError,
    TooManyRequestsError,
    UnavailableError,
)
from photseries.fields.texts import Template
from photseries.permissions import ADMIN, UPLOAD
from photseries.text import new_batch

if TYPE_CHECKING:
    from photseries.client import Client, Outcome

__all__ = ["COMMANDS"]

EXAMPLES = """\b
photseries upload tess*.fits --obj-id "TIC 114807149" --instrument-id 1
photseries upload night1/ --from-name '{series_obj_id}_{filter}.csv' --series-name night1 --time-format bjd
"""

#: After one of these, which the client has waited for, other files fare no better.
HOPELESS = (UnavailableError, TooManyRequestsError, QuotaExceededError)


@click.command(cls=SectionedCommand, epilog=EXAMPLES)
@click.argument("paths", metavar="FILES...", nargs=-1, required=True)
@field_options
@reading_options
@click.option(
    "--from-name", metavar="TEMPLATE", help="Read fields from file names, as in '{series_obj_id}_{filter}.csv'."
)
@click.option(
    "--if-exists",
    type=click.Choice(("error", "skip", "replace")),
    default="skip",
    help="What to do with an existing series.",
)
@click.option("--dry-run", is_flag=True, help="Check everything, store nothing.")
@click.option("--bulk", is_flag=True, help="Send many small files, or all series of a file, in one request.")
@click.option("--by", metavar="COLUMNS", help="With --bulk: the columns that identify the series in each file.")
@click.option("--jobs", type=click.IntRange(1, 64), default=8, help="Number of simultaneous uploads.")
@json_option
@connected
def upload(
    client: Client,
    *,
    paths: tuple[str, ...],
    from_name: str | None,
    if_exists: Literal["error", "skip", "replace"],
    dry_run: bool,
    bulk: bool,
    by: str | None,
    jobs: int,
    as_json: bool,
    **options: object,
) -> None:
    """Upload files as series, many at a time.

    FILES are files, quoted patterns, and folders of light curves. Existing series are skipped, so repeat the command to
    continue an interrupted upload. Options override metadata in files.

    Exit status: 0 if every file is stored, 1 if some failed, 2 if all failed or the command could not run.
    """
    if by and not bulk:
        raise click.UsageError("--by requires --bulk.")
    reading, fields = given_reading(options), {"batch": new_batch(), **given_fields(options)}
    template = name_template(from_name) if from_name else None
    files = found_files(paths, any_ending=reading.format is not None)
    if not {UPLOAD, ADMIN} & set(client.whoami()["permissions"]):  # before reading thousands of files
        raise ForbiddenError(f"This token may not upload: it lacks the permission {UPLOAD!r}.")
    bar = len(files) > 1 and sys.stderr.isatty()
    tally = UploadTally(
        len(files), "json" if as_json else "none" if bar and sys.stdout.isatty() else "text", fields["batch"]
    )
    items = list(_items(files, template, tally))
    try:
        with progress(len(items) if bar else None) as advance:
            more = {"if_exists": if_exists, "dry_run": dry_run, "options": reading, **fields}
            for outcome in _outcomes(client, items, bulk=bulk, by=by, jobs=jobs, **more):
                if isinstance(outcome.error, HOPELESS):
                    tally.count_incomplete(outcome.item[0])
                    raise outcome.error
                if tally.count(outcome):
                    advance()
    except PhotseriesError as error:
        left = f"{tally.done:,} of {len(files):,} files are done. Repeat the command to continue."
        raise failure(error, left) from error
    finally:
        tally.report()
    if tally.failed:
        sys.exit(1 if tally.succeeded else 2)


@click.command(cls=SectionedCommand)
@series_argument
@field_options
@reading_options
@click.option("--data", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A file with the new table.")
@if_match_option
@connected
def update(client: Client, *, series_id: int, data: Path | None, if_match: int | None, **options: object) -> None:
    """Change fields or the table of a series; --set FIELD=null clears a field."""
    reading, fields = given_reading(options, reads=data is not None), given_fields(options)
    if not fields and data is None:
        raise click.UsageError("Nothing to change: give a field, or --data.")
    for warning in client.update(series_id, data, if_match=if_match, options=reading, **fields):
        click.echo(f"warning: {in_options(safe(warning))}", err=True)


def _outcomes(
    client: Client, items: Sequence[tuple[Path, dict[str, str]]], *, bulk: bool, by: str | None, jobs: int, **more: Any
) -> Iterator[Outcome]:
    """Upload files; a bulk upload sends Arrow and Parquet files one by one, each with all its series."""
    from photseries.client.bulk_bodies import is_body

    columns = by.split(",") if by else None
    other_items = []
    for file, own in items:
        if not (bulk and is_body(file)):
            other_items.append((file, own))
            continue
        for outcome in client.upload_many(file, by=columns, **{**more, **own}):
            yield replace(outcome, item=(file, own))
    if other_items:
        yield from client.upload_many(other_items, by=columns, bulk=bulk, in_flight=jobs, **more)


def _items(files: list[Path], template: Template | None, tally: UploadTally) -> Iterator[tuple[Path, dict[str, str]]]:
    """Yield the files with the fields of their names; those whose names do not fit have failed."""
    for file in files:
        try:
            yield file, template.fields(file.name) if template else {}
        except InvalidError as error:
            tally.count_failure(file, error)


COMMANDS = (upload, update)
