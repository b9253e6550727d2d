"""The operator's commands, which use the database and the store of a configuration directly."""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import shlex
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from itertools import chain

import click
import yaml

from photseries import __version__
from photseries.cli.options import json_option, print_entries
from photseries.cli.progress import progress, tracked
from photseries.server import settings
from photseries.server.accounts import OPERATOR
from photseries.server.archive.period_search import PeriodSearcher
from photseries.server.archive.recompute import ChangeTally, Recomputer
from photseries.server.archive.upkeep import VERIFIED
from photseries.server.catalogue import migrations
from photseries.server.cli.options import configured, jobs_option
from photseries.server.http.processes import supervise
from photseries.server.http.server import listen, url_of
from photseries.server.http.server import serve as serve_http
from photseries.server.services import Services, open_services, opened_catalogue, require_archive
from photseries.server.settings import Config

__all__ = ["COMMANDS", "announce_at", "serve_on"]

#: How long the link of the first start signs in [s].
_LINK_LIFETIME = 3600.0

log = logging.getLogger(__name__)

_Row = dict[str, object]


@click.command()
@click.option("--host", help="The address to listen on.")
@click.option("--port", type=int, help="The port; 0: chosen by the system.")
@click.option("--processes", type=int, help="Number of processes that serve the port.")
@click.option("--listening", type=int, multiple=True, hidden=True, help="A socket that is inherited.")
@configured(host="server.host", port="server.port", processes="server.processes")
def serve(config: Config, listening: tuple[int, ...]) -> None:
    """Serve HTTP until SIGTERM or Ctrl-C."""
    sockets = [socket.socket(fileno=number) for number in listening] or listen(config.server)
    announce = functools.partial(announce_at, url_of(sockets))
    if config.server.processes == 1:
        serve_on(config, sockets, announce, orphaned=sys.stdin.fileno() if listening else None)
    else:
        command = _like_this([listener.fileno() for listener in sockets])
        supervise(command, config.server.processes, sockets, announce, config.server.stop_timeout)


def _like_this(listening: list[int]) -> list[str]:
    """Return the command of one process of several."""
    context = click.get_current_context()
    parameters = {"config": context.params["file"], "data": context.params["directory"], "processes": 1}
    options = [word for name, value in parameters.items() if value is not None for word in (f"--{name}", str(value))]
    inherited = [word for number in listening for word in ("--listening", str(number))]
    return [sys.executable, "-m", "photseries", "serve", *options, *inherited]


def announce_at(url: str) -> None:
    """Print the line that announces that the service answers."""
    click.echo(f"photseries {__version__} ready at {url}")


def serve_on(
    config: Config,
    sockets: list[socket.socket],
    announce: Callable[[], None],
    *,
    orphaned: int | None = None,
    prepare: Callable[[Services], None] = lambda _: None,
) -> None:
    """Serve from this process; at the first start make an admin user, and print its token if stderr is a terminal.

    Parameters
    ----------
    config : Config
    sockets : list of socket
        That listen.
    announce : callable
        Called once the service answers.
    orphaned : int, optional
        A descriptor at whose end the service stops, too.
    prepare : callable
        Called before with the services.
    """
    with open_services(config) as services:
        token = services.accounts.bootstrap(services.token_file)
        if token is not None:
            path = shlex.quote(str(services.token_file.absolute()))
            log.warning("First start: created the user admin. To read its token: cat %s", path)
            if sys.stderr.isatty():  # others may read journals and the logs of containers
                click.echo(token, err=True)
        services.sandbox.start()
        prepare(services)

        def ready() -> None:
            announce()
            if token is not None:
                once = services.accounts.make_sign_in_link(token, _LINK_LIFETIME)
                log.warning("Sign in, once and within an hour: %s/sign-in?once=%s", url_of(sockets), once)

        ended = serve_http(services, sockets, ready, orphaned)
    if not ended:
        log.warning("a computation is abandoned: it took longer than server.stop_timeout")
        logging.shutdown()
        os._exit(0)  # the interpreter would wait for its thread


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; exit status 1 if a migration is pending.")
@json_option
@configured()
def migrate(config: Config, check: bool, as_json: bool) -> None:
    """Migrate the database schema to the revision of this version.

    Make a backup first: there is no downgrade. Indexes of large tables are built while the service keeps running.
    Repeat the command to continue an interrupted migration.
    """
    if check:
        require_archive(config)
    with opened_catalogue(config) as catalogue:
        if check:
            state = migrations.difference(catalogue.engine)
            print_entries({"current": state is None, "reason": state}, as_json)
            sys.exit(0 if state is None else 1)
        before, after = migrations.upgrade(catalogue.engine, config.vo.database_role)
    if before is None:
        line = f"Created the schema of revision {after}."
    elif before == after:
        line = f"The schema is already at revision {after}."
    else:
        line = f"Migrated the schema from revision {before} to {after}."
    print_entries({"before": before, "after": after}, as_json, [line])


@click.command("config")
@json_option
@configured()
def show_config(config: Config, as_json: bool) -> None:
    """Print the effective settings without secrets."""
    effective = settings.public_settings(config)
    if as_json:
        print_entries(effective, as_json)
    else:
        click.echo(yaml.safe_dump(effective, sort_keys=False, allow_unicode=True), nl=False)


@click.command()
@jobs_option
@json_option
@configured()
def sweep(config: Config, jobs: int, as_json: bool) -> None:
    """Remove unreferenced files that are older than the grace."""
    with open_services(config, existing=True) as services, _progress(services) as advance:
        swept = services.upkeep.sweep(jobs, advance)
    if swept is None:
        print_entries({"swept": False, "reason": "another sweep or a backup is running"}, as_json)
    else:
        print_entries({"seen": swept.seen, "removed": swept.removed, "bytes": swept.size}, as_json)


@click.command()
@jobs_option
@json_option
@configured()
def verify(config: Config, jobs: int, as_json: bool) -> None:
    """Check every stored file; exit status 1 if a file is missing or altered."""
    damages = []
    with open_services(config, existing=True) as services:
        with _progress(services) as advance:
            for damage in services.upkeep.verify(jobs, advance):
                damages.append({"id": damage.series_id, "filename": damage.filename, "problem": damage.problem})
                if not as_json:
                    print_entries(damages[-1], as_json)
        total = services.upkeep.totals()[0]
    outcome = {"verify_timestamp_seconds": time.time(), "verify_damaged_files": len(damages)}
    with contextlib.suppress(OSError):  # only the metrics would miss it
        (config.directory / VERIFIED).write_text(json.dumps(outcome))
    print_entries({"series": total, "damaged": damages if as_json else len(damages)}, as_json)
    sys.exit(1 if damages else 0)


def _progress(services: Services) -> AbstractContextManager[Callable[[], None]]:
    """Show a bar for all files of the archive, when standard error is a terminal."""
    return progress(services.upkeep.kept_count() if sys.stderr.isatty() else None)


@click.command()
@click.option("--dry-run", is_flag=True, help="Print what would change, without writing.")
@json_option
@configured()
def recompute(config: Config, dry_run: bool, as_json: bool) -> None:
    """Recompute the statistics of series stored by an earlier version.

    Repeat the command to continue after an interruption. The service may run meanwhile. Exit status 2 if the statistics
    of a series could not be computed.
    """
    tally, total, revised = ChangeTally(), 0, 0
    failures: list[_Row] = []
    with open_services(config, existing=True) as services:
        threshold = config.photometry.detection_threshold
        recomputer = Recomputer(services.catalogue, services.store, services.archive, OPERATOR, threshold)
        for recomputed in tracked(recomputer.run(dry_run=dry_run), services.upkeep.number_behind):
            total += 1
            tally.add(recomputed)
            revised += recomputed.is_revised
            if recomputed.problem is not None:
                failures.append({"id": recomputed.series_id, "problem": recomputed.problem})
    _print_and_exit({"series": total, "revised": revised}, failures, as_json, changes=tally.rows())


@click.command()
@json_option
@configured()
def analyse(config: Config, as_json: bool) -> None:
    """Search for the periods of series not yet searched, or searched by an earlier version.

    The service itself searches new series; this command searches all others, and repeats failed searches. Repeat the
    command to continue after an interruption. Exit status 2 if a search failed.
    """
    outcomes: Counter[str] = Counter()
    failures: list[_Row] = []
    with open_services(config, existing=True) as services:
        searcher = PeriodSearcher(services.catalogue, services.store, config.analysis)
        for searched in tracked(searcher.run_all(), searcher.total):
            outcomes[searched.outcome] += 1
            if searched.problem is not None:
                failures.append({"id": searched.series_id, "problem": searched.problem})
    _print_and_exit({"series": outcomes.total(), "periods": outcomes["period"]}, failures, as_json)


def _print_and_exit(counts: Mapping[str, int], failures: list[_Row], as_json: bool, **lists: list[_Row]) -> None:
    """Print the counts and lists of a command, and exit with status 2 if it failed for a series."""
    summary, lists = {**counts, "failed": len(failures)}, {**lists, "failures": failures}
    print_entries({**summary, **lists} if as_json else [*chain(*lists.values()), summary], as_json)
    sys.exit(2 if failures else 0)


COMMANDS = (serve, migrate, show_config, sweep, verify, recompute, analyse)
