"""The operator's command that exports the archive for analysis tools."""

from __future__ import annotations

import dataclasses

import click

from photseries.cli.options import json_option, print_entries
from photseries.cli.progress import progress
from photseries.server.accounts import OPERATOR
from photseries.server.cli.options import configured
from photseries.server.hats import MAX_WEIGHT, Layout, Target
from photseries.server.hats import export as export_
from photseries.server.services import open_services
from photseries.server.settings import Config

__all__ = ["COMMANDS"]

#: A statement of an export may look at every row [s].
STATEMENT_TIMEOUT = 3600.0


@click.group()
def export() -> None:
    """Export the whole archive for other tools."""


@export.command()
@click.argument("target")
@click.option(
    "--rows",
    type=click.Choice(["series", "source"]),
    default="series",
    help="One row per series, or one per source with the measurements of all its series.",
)
@click.option("--column", "columns", multiple=True, metavar="NAME", help="A numeric column to add to the light curves.")
@click.option(
    "--most",
    "max_weight",
    type=click.IntRange(1),
    default=MAX_WEIGHT,
    help="Maximum number of measurements in a partition; larger partitions are split.",
)
@click.option("--scheduler", metavar="ADDRESS", help="A Dask scheduler whose workers write the partitions.")
@click.option("--adopt", is_flag=True, help="Continue the export of another copy of this database.")
@json_option
@configured()
def hats(
    config: Config,
    *,
    target: str,
    rows: str,
    columns: tuple[str, ...],
    max_weight: int,
    scheduler: str | None,
    adopt: bool,
    as_json: bool,
) -> None:
    """Export all series of the archive, including private ones, as a HATS catalogue with nested light curves.

    TARGET is a folder or s3://BUCKET/PREFIX. An existing export is brought up to date.
    """
    layout = Layout(by_source=rows == "source", columns=columns)
    patient = dataclasses.replace(config.database, statement_timeout=STATEMENT_TIMEOUT)
    with open_services(dataclasses.replace(config, database=patient), existing=True) as services:
        to = Target(target, adopted=adopt)
        done = export_(services, OPERATOR, to, layout, max_weight=max_weight, scheduler=scheduler, progress=progress)
    print_entries(dataclasses.asdict(done), as_json)


COMMANDS = (export,)
