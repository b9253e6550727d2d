"""The operator's commands."""

from __future__ import annotations

import sys

import click
import yaml

from photseries import __version__
from photseries import config as settings
from photseries.catalogue import migrations
from photseries.cli.options import configured, json_option, printed
from photseries.cli.registries import GROUPS
from photseries.config import Config
from photseries.http.server import serve as serve_http
from photseries.services import opened, opened_catalogue

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="photseries")
def main() -> None:
    """Store photometric series: metadata in PostgreSQL, tables as HDF5 files, both over HTTP."""


@main.command()
@click.option("--host", help="The address to listen on.")
@click.option("--port", type=int, help="The port; 0: the system picks one.")
@configured(host="server.host", port="server.port")
def serve(config: Config) -> None:
    """Serve HTTP until SIGTERM or Ctrl-C."""
    with opened(config) as services:
        token = services.accounts.bootstrap(services.token_file)
        if token is not None:
            click.echo(
                f"First start: made the user admin. Its token, shown this once and kept in {services.token_file}:\n"
                f"{token}",
                err=True,
            )
        services.sandbox.start()
        serve_http(services, lambda url: click.echo(f"photseries {__version__} ready at {url}"))


@main.command()
@json_option
@configured()
def migrate(config: Config, as_json: bool) -> None:
    """Bring the database's schema to this version's revision."""
    with opened_catalogue(config) as catalogue:
        before, after = migrations.upgrade(catalogue.engine)
    printed({"before": before, "after": after}, as_json)


@main.command("config")
@json_option
@configured()
def show_config(config: Config, as_json: bool) -> None:
    """Print the effective settings, secrets hidden."""
    effective = settings.shown(config)
    if as_json:
        printed(effective, as_json)
    else:
        click.echo(yaml.safe_dump(effective, sort_keys=False, allow_unicode=True), nl=False)


@main.command()
@json_option
@configured()
def sweep(config: Config, as_json: bool) -> None:
    """Remove the files that no series names and that are older than the grace."""
    with opened(config) as services:
        swept = services.upkeep.sweep()
    if swept is None:
        printed({"swept": False, "reason": "another process is sweeping"}, as_json)
    else:
        printed({"seen": swept.seen, "removed": swept.removed, "bytes": swept.size}, as_json)


@main.command()
@json_option
@configured()
def verify(config: Config, as_json: bool) -> None:
    """Read every file that a series names; exit status 1 when one is missing or altered."""
    with opened(config) as services:
        damages = [
            {"id": damage.series_id, "filename": damage.filename, "problem": damage.problem}
            for damage in services.upkeep.verify()
        ]
        total = services.upkeep.totals()[0]
    if as_json:
        printed({"series": total, "damaged": damages}, as_json)
    else:
        printed([*damages, {"series": total, "damaged": len(damages)}], as_json)
    sys.exit(1 if damages else 0)


for group in GROUPS:
    main.add_command(group)
