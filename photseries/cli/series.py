"""``photseries get | show | open | delete | purge | restore | undo``: commands on a series or a batch."""

from __future__ import annotations

import shutil
import sys
import tempfile
import webbrowser
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from photseries.cli.connection import connected
from photseries.cli.options import (
    Failure,
    force_option,
    format_moment,
    if_match_option,
    json_option,
    print_entries,
    series_argument,
    yes_option,
)
from photseries.cli.table import format_field, table_lines
from photseries.fields import FIELDS, PER_COLUMN
from photseries.formats import WRITERS, format_of
from photseries.lightcurve.calibration import unit_in
from photseries.lightcurve.meaning import meaning
from photseries.text import file_name

if TYPE_CHECKING:
    from photseries.client import Client, Series

__all__ = ["COMMANDS"]

_STDOUT = Path("-")


@click.command()
@series_argument
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, allow_dash=True),
    help="A file, or a folder for one named after the source, the filter and the series. Default: the current folder.",
)
@click.option(
    "--format", "form", type=click.Choice(list(WRITERS)), help="Default: the format of the file's extension, or hdf5."
)
@click.option("--revision", type=click.IntRange(1), help="Default: the current revision.")
@force_option
@connected
def get(
    client: Client, series_id: int, output: Path | None, form: str | None, revision: int | None, force: bool
) -> None:
    """Download a series into a file; -o - is standard output."""
    path = output or Path()
    if form is None:
        form = "hdf5" if path == _STDOUT or path.is_dir() else format_of(path, WRITERS)
    if path.is_dir():
        path /= file_name(client.get(series_id).metadata, WRITERS[form].suffixes[0])
    if path != _STDOUT and path.exists() and not force:
        raise Failure(f"{path} exists already. Replace it with --force, or name another file with -o.")
    try:
        _save(client, series_id, path, form, revision)
    except BrokenPipeError:
        raise  # the reader of standard output has gone, as `head` does
    except OSError as error:
        raise Failure(f"Cannot write {path}: {error.strerror}.") from error


def _save(client: Client, series_id: int, path: Path, form: str, revision: int | None) -> None:
    if path != _STDOUT:
        click.echo(client.save(series_id, path, format=form, revision=revision))
        return
    with tempfile.TemporaryDirectory() as folder:
        part = client.save(series_id, Path(folder) / "part", format=form, revision=revision)
        with part.open("rb") as content:
            shutil.copyfileobj(content, sys.stdout.buffer)


@click.command()
@series_argument
@click.option("--no-plot", is_flag=True, help="Do not draw the light curve.")
@click.option("--flux/--mag", default=None, help="Draw fluxes or magnitudes. Default: as in the table.")
@click.option("--height", type=click.IntRange(5, 200), default=20, help="Height of the light curve in lines.")
@json_option
@connected
def show(client: Client, series_id: int, no_plot: bool, flux: bool | None, height: int, as_json: bool) -> None:
    """Draw the light curve and print the metadata and statistics."""
    series = client.get(series_id)
    picture = () if no_plot else _picture(series, flux, height)
    print_entries(series.metadata, as_json, chain(picture, _facts(series.metadata)))


@click.command("open")
@series_argument
@click.option("--print", "only_print", is_flag=True, help="Print the URL without opening it.")
@connected
def open_page(client: Client, series_id: int, only_print: bool) -> None:
    """Open the page of a series in a browser, or print its URL."""
    client.get(series_id)  # refuses a series that the token cannot see
    address = f"{client.url}/series/{series_id}"
    if only_print or not webbrowser.open(address):
        click.echo(address)


@click.command()
@series_argument
@yes_option
@if_match_option
@connected
def delete(client: Client, series_id: int, yes: bool, if_match: int | None) -> None:
    """Delete a series after confirmation."""
    if not yes:
        _require_terminal()
        metadata = client.get(series_id).metadata
        label = ", ".join(format_field(metadata[name]) for name in ("obj_id", "filter", "series_name", "series_obj_id"))
        click.confirm(f"Delete series {series_id} ({label})?", abort=True)
    client.delete(series_id, if_match=if_match)


@click.command()
@series_argument
@click.option("--history", is_flag=True, required=True, help="Remove the values and files of earlier revisions.")
@yes_option
@if_match_option
@connected
def purge(client: Client, series_id: int, history: bool, yes: bool, if_match: int | None) -> None:
    """Permanently remove the earlier revisions of a series, even a deleted one, after confirmation."""
    if not yes:
        _require_terminal()
        click.confirm(f"Remove the earlier revisions of series {series_id} permanently?", abort=True)
    client.purge_history(series_id, if_match=if_match)


def _require_terminal() -> None:
    if not sys.stdin.isatty():
        raise click.UsageError(
            "Standard input is not a terminal, so the command cannot ask. Use --yes to remove without asking."
        )


@click.command()
@series_argument
@click.option("--revision", type=click.IntRange(1), help="Default: the last revision of a deleted series.")
@if_match_option
@connected
def restore(client: Client, series_id: int, revision: int | None, if_match: int | None) -> None:
    """Restore a deleted series, or an earlier revision of a series."""
    number = client.restore(series_id, revision, if_match=if_match)
    click.echo(f"Series {series_id} is at revision {number}.")


@click.command()
@click.argument("batch")
@click.option("--dry-run", is_flag=True, help="Print what would be done.")
@json_option
@connected
def undo(client: Client, batch: str, dry_run: bool, as_json: bool) -> None:
    """Undo an upload batch: delete what it created, restore what it changed."""
    undone = client.undo(batch, dry_run=dry_run)
    lines = (f"{outcome} ({len(ids):,}): {' '.join(map(str, ids))}" for outcome, ids in undone.items() if ids)
    print_entries(undone, as_json, lines)


@click.command()
@series_argument
@click.option("--put", "period", metavar="DAYS", type=float, help="Store this period as yours; needs --method.")
@click.option("--method", help="Name of the method that found the period; with --delete, remove only this period.")
@click.option("--preferred", is_flag=True, help="With --put: prefer it to the service's period.")
@click.option("--delete", is_flag=True, help="Remove your own periods.")
@json_option
@connected
def periods(
    client: Client,
    series_id: int,
    period: float | None,
    method: str | None,
    preferred: bool,
    delete: bool,
    as_json: bool,
) -> None:
    """List the periods of a series, the preferred one first; store a period, or remove your own."""
    if period is not None:
        if method is None or delete:
            raise click.UsageError("--put requires --method and cannot be combined with --delete.")
        client.put_period(series_id, period, method, preferred=preferred)
    elif delete:
        client.delete_periods(series_id, method)
    result = client.periods(series_id)
    columns = ("period", "method", "preferred", "power", "false_alarm", "error", "who", "when")
    rows = [{**row, "when": format_moment(row["when"])} for row in result]
    units = {"period": FIELDS["period"].unit, "error": FIELDS["period_error"].unit}
    print_entries(result, as_json, table_lines(rows, columns, None, units))


def _picture(series: Series, flux: bool | None, height: int) -> Iterator[str]:
    """Draw the light curve as wide as the terminal, and an empty line below."""
    # Here, because they bring pandas, which the other commands and every --help do without.
    from photseries.cli.plot import drawn
    from photseries.client.curves import curve_of

    curve = curve_of(series.data, series.metadata, None if flux is None else "flux" if flux else "mag")
    yield curve.label
    width = shutil.get_terminal_size().columns
    yield from drawn(curve.mjd, curve.value, curve.error, width=width, height=height, reverse=curve.is_mag)
    yield curve.time_label.center(width).rstrip()
    yield ""


#: Statistics of every column, and the heads of their columns.
_OF_COLUMNS = {name: FIELDS[name].label.lower() for name in PER_COLUMN}


def _facts(metadata: Mapping[str, Any]) -> Iterator[str]:
    """Write the fields that are not null, a line each, and the statistics of the columns as a table."""
    plain = {name: value for name, value in metadata.items() if value not in (None, [], {}) and name not in _OF_COLUMNS}
    wide = max(map(len, plain))
    for name, value in plain.items():
        unit = unit_in(FIELDS[name], metadata) if name in FIELDS else None
        yield f"{name:<{wide}}  {format_field(value, name)}{f' {unit}' if unit else ''}"
    columns = metadata.get("medians") or {}
    rows = [
        {"column": column, "unit": meaning(column, metadata).unit}
        | {title: (metadata.get(name) or {}).get(column) for name, title in _OF_COLUMNS.items()}
        for column in columns
    ]
    if rows:
        yield ""
        yield from table_lines(rows, ["column", "unit", *_OF_COLUMNS.values()], None)


COMMANDS = (get, show, open_page, delete, purge, restore, undo, periods)
