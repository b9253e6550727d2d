"""``photseries import skyportal | directory``: import other archives on the service's machine."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import click

from photseries.cli.options import failure, json_option, print_entries, safe
from photseries.cli.progress import progress
from photseries.cli.table import table_lines
from photseries.errors import QuotaExceededError, UnavailableError
from photseries.server.cli.options import configured
from photseries.server.importers import (
    DirectoryImport,
    ImportOutcome,
    Report,
    SkyPortalImport,
    Status,
    import_lock,
    load_mapping,
)
from photseries.server.importers.report import KEPT
from photseries.server.importers.skyportal_schema import SkyPortal
from photseries.server.schemas.metadata import MetadataSchema
from photseries.server.services import open_services
from photseries.server.settings import Config

__all__ = ["COMMANDS"]

#: Interval of progress lines where no terminal shows a bar [s].
INTERVAL = 10.0

_CALLED = {
    Status.TAKEN: "imported",
    Status.THERE: "already in the archive",
    Status.CHANGED: "already in the archive with different data; left unchanged",
    Status.EXCLUDED: "excluded",
    Status.MISSING: "failed: the file is missing",
    Status.UNREADABLE: "failed: the file cannot be read",
    Status.REFUSED: "failed: the metadata or the table is not valid",
}

_dry_run = click.option("--dry-run", is_flag=True, help="Read, check and compare everything, but store nothing.")
_report = click.option(
    "--report",
    "stem",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("photseries-import"),
    help="Name of the report, written with .json and .csv.",
)


@click.group("import")
def group() -> None:
    """Import the series of another archive."""


@group.command("skyportal")
@click.option(
    "--files",
    "folder",
    type=click.Path(path_type=Path),
    required=True,
    help="SkyPortal's photometric_series_folder, or a copy of it.",
)
@click.option(
    "--database",
    "url",
    required=True,
    metavar="URL",
    help="SkyPortal's database, postgresql://...; put the password in ~/.pgpass.",
)
@click.option(
    "--position-unc-unit",
    "unit",
    type=click.Choice(("deg", "arcsec")),
    default="deg",
    help="Unit of SkyPortal's ra_unc and dec_unc.",
)
@click.option("--root", help="Path of the folder in the database's file names. Default: derived from them.")
@click.option("--exclude", "excluded", type=int, multiple=True, metavar="ID", help="A series to leave out.")
@_report
@_dry_run
@json_option
@configured()
def skyportal(
    config: Config,
    *,
    folder: Path,
    url: str,
    unit: str,
    root: str | None,
    excluded: tuple[int, ...],
    stem: Path,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Import the photometric series of a SkyPortal and everything they refer to; all ids are kept.

    Files are read like uploads, and every statistic is recomputed; the report lists the differences and their reasons.
    Series that were imported earlier are left unchanged, so repeat the command to continue an interrupted import.

    Exit status: 0 if all series are stored, 1 if some could not be imported, 2 if the import did not run or finish.
    """
    with (
        open_services(config) as services,
        import_lock(services.catalogue) as require_lock,
        closing(SkyPortal(url, config.database)) as source,
    ):
        services.sandbox.start()
        work = SkyPortalImport(services, source, folder, root, unit, frozenset(excluded), keep=not dry_run)
        with Report(stem) as report:
            checked = work.check()
            _follow(work.series(), require_lock, report, checked.series)
            summary = report.finish({"dry_run": dry_run, "registries": checked.entries}, checked.notes)
    _print_and_exit(report, summary, as_json)


@group.command("directory")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--mapping",
    "mapping_file",
    type=click.Path(path_type=Path),
    required=True,
    help="YAML: owner, and files, path, fields, create_sources; see docs/import.md.",
)
@_report
@_dry_run
@json_option
@configured()
def directory(config: Config, *, folder: Path, mapping_file: Path, stem: Path, dry_run: bool, as_json: bool) -> None:
    """Import a directory tree of HDF5 files in the layout of SkyPortal's how-to, one series per file.

    The mapping names the owner and the fields that paths and files lack. Existing series are left unchanged, so repeat
    the command to continue an interrupted import.

    Exit status: 0 if all series are stored, 1 if some could not be imported, 2 if the import did not run or finish.
    """
    with open_services(config) as services, import_lock(services.catalogue) as require_lock:
        services.sandbox.start()
        mapping = load_mapping(mapping_file, MetadataSchema(services.archive.filters, config.limits.depth))
        work = DirectoryImport(services, folder, mapping, keep=not dry_run)
        with Report(stem) as report:
            total = work.check()
            _follow(work.series(), require_lock, report, total)
            summary = report.finish({"dry_run": dry_run, "registries": {}}, ())
    _print_and_exit(report, summary, as_json)


def _follow(
    outcomes: Generator[ImportOutcome, None, None], require_lock: Callable[[], object], report: Report, total: int
) -> None:
    """Write the outcomes into the report, and print the progress; end the import of series with an error."""
    try:
        with closing(outcomes), _steps(total) as step:
            for outcome in outcomes:
                require_lock()
                report.add(outcome)
                step()
    except (UnavailableError, QuotaExceededError) as error:
        done = sum(report.statuses.values())
        left = f"{done:,} of {total:,} series are done. Repeat the command to continue."
        raise failure(error, left) from error


@contextmanager
def _steps(total: int) -> Iterator[Callable[[], None]]:
    """Yield the function to call for each series: it moves a bar on a terminal, else prints a line now and then."""
    if sys.stderr.isatty():
        with progress(total) as advance:
            yield advance
        return
    began = reported = time.monotonic()
    done = 0

    def step() -> None:
        nonlocal done, reported
        done += 1
        now = time.monotonic()
        if now - reported >= INTERVAL:
            reported = now
            rate = done / (now - began)
            left = (total - done) / rate / 60
            click.echo(f"{done:,} of {total:,} series, {rate:.1f}/s, {left:,.0f} min left", err=True)

    yield step


def _print_and_exit(report: Report, summary: Mapping[str, object], as_json: bool) -> None:
    """Print the counts, and exit with status 0 if all series were imported."""
    paths = [str(path) for path in report.paths]
    print_entries({**summary, "report": paths}, as_json, map(safe, _lines(report, summary)))
    sys.exit(1 if report.failed else 0)


def _lines(report: Report, summary: Mapping[str, Any]) -> Iterator[str]:
    if summary["dry_run"]:
        yield "Dry run: nothing was stored."
    entries = [
        {"registry": kind, "new": counts["new"], "existing": counts["there"]}
        for kind, counts in summary["registries"].items()
    ]
    if entries:
        yield from table_lines(entries, ("registry", "new", "existing"), None)
        yield ""
    counts = [{"series": report.statuses[status], "": called} for status, called in _CALLED.items()]
    yield from table_lines([count for count in counts if count["series"]], ("series", ""), None)
    if report.reasons:
        yield ""
        differing = [{"series": count, "difference": reason} for reason, count in report.reasons.most_common(KEPT)]
        yield from table_lines(differing, ("series", "difference"), None)
    for outcome in report.failures:
        name = outcome.filename if outcome.id is None else f"series {outcome.id}, {outcome.filename}"
        yield f"{outcome.status.value}: {name}: {outcome.message}"
    if report.failed > KEPT:
        yield f"... and {report.failed - KEPT:,} more failures"
    yield from summary["notes"]
    yield f"Report: {report.paths[0]}, {report.paths[1]}"


COMMANDS = (group,)
