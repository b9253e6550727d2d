"""``photseries download``: save all matching series in one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from photseries.cli.connection import connected
from photseries.cli.find import given_options, options_of
from photseries.cli.options import Failure, force_option
from photseries.cli.sections import SectionedCommand
from photseries.parameters import LISTS, LONG_TABLE, SUMMARY_CRITERIA

if TYPE_CHECKING:
    from photseries.client import Client

__all__ = ["COMMANDS"]

EXAMPLES = """\b
photseries download night.parquet --list names.txt --by series_obj_ids
photseries download pleiades.parquet --ra 56.75 --dec 24.12 --radius 2
photseries download tess.zip --filter tess::red --min-median-snr 10
"""


@click.command(cls=SectionedCommand, epilog=EXAMPLES)
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@options_of(**{"Long table": LONG_TABLE, "Criteria": SUMMARY_CRITERIA})
@click.option(
    "--list",
    "file_of_list",
    type=click.File("r", encoding="utf-8-sig"),  # without the byte order mark that some editors write
    help="A file with a list, one entry per line; -: standard input.",
)
@click.option("--by", type=click.Choice([*LISTS]), default="obj_ids", help="Type of the entries.")
@force_option
@connected
def download(
    client: Client,
    *,
    file: Path,
    columns: Sequence[str] | None,
    derive: Sequence[str] | None,
    bin: str | None,
    file_of_list: TextIO | None,
    by: str,
    force: bool,
    **criteria: object,
) -> None:
    """Download all matching series, or those of a list, into one file.

    FILE becomes a long table if its name ends in .h5, .parquet, .arrows or .ndjson, and a zip of the stored files if it
    ends in .zip.
    """
    if file.exists() and not force:
        raise Failure(f"{file} exists already. Replace it with --force.")
    try:
        lists: dict[str, Any] = {} if file_of_list is None else {by: _entries(file_of_list, by)}
        click.echo(client.export(file, columns=columns, derive=derive, bin=bin, **lists, **given_options(criteria)))
    except OSError as error:
        raise Failure(f"Cannot write {file}: {error.strerror}.") from error


def _entries(file: TextIO, by: str) -> list[object]:
    """Read a list; ids are numbers."""
    try:
        texts = [line.strip() for line in file if line.strip()]
    except UnicodeDecodeError as error:
        raise Failure(f"The list is not text in UTF-8: {error}.") from error
    if by != "ids":
        return list(texts)
    if wrong := next((text for text in texts if not (text.isascii() and text.isdigit())), None):
        raise Failure(f"{wrong!r:.60} in the list is not the id of a series.")
    return [int(text) for text in texts]


COMMANDS = (download,)
