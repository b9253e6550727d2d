"""``photseries download``: every series that matches, in one file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from photseries.cli.connection import connected
from photseries.cli.find import given, options_of
from photseries.cli.options import Failure
from photseries.cli.sections import SectionedCommand
from photseries.parameters import LONG_TABLE, SUMMED_UP
from photseries.parameters.kinds import TEXTS

if TYPE_CHECKING:
    from photseries.client import Client

__all__ = ["COMMANDS"]

EXAMPLES = """\b
photseries download pleiades.parquet --ra 56.75 --dec 24.12 --radius 2
photseries download tess.zip --filter tess::red --min-median-snr 10
"""


@click.command(cls=SectionedCommand, epilog=EXAMPLES)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@options_of(**{"Long table": LONG_TABLE, "Criteria": SUMMED_UP})
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@connected
def download(
    client: Client,
    *,
    file: Path,
    columns: str | None,
    derive: str | None,
    bin: str | None,
    force: bool,
    **criteria: Any,
) -> None:
    """Download all matching series into one file.

    A long table, where the name of FILE ends in .h5 or .parquet; a zip of the stored files, where it ends in .zip.
    """
    if file.exists() and not force:
        raise Failure(f"{file} exists already; --force replaces it.")
    names, more = (None if text is None else TEXTS.read(text) for text in (columns, derive))
    try:
        click.echo(client.export(file, columns=names, derive=more, bin=bin, **given(criteria)))
    except OSError as error:
        raise Failure(f"Cannot write {file}: {error.strerror}.") from error


COMMANDS = (download,)
