"""The demo: serve an archive of simulated stars."""

from __future__ import annotations

import functools
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from photseries.cli.options import reported
from photseries.errors import StartError
from photseries.server import settings
from photseries.server.cli.operator import announce_at, serve_on
from photseries.server.cli.options import log_to_stderr
from photseries.server.demo import STARS, fill
from photseries.server.http.server import listen, url_of
from photseries.server.services import Services

__all__ = ["COMMANDS"]


@click.command()
@click.option(
    "--data",
    "directory",
    type=click.Path(path_type=Path),
    help="The data directory, new or empty; it is kept. Default: a temporary directory, deleted on exit.",
)
@click.option("--host", default=settings.ServerSettings.host, help="The address to listen on.")
@click.option("--port", type=int, default=settings.ServerSettings.port, help="The port; 0: chosen by the system.")
def demo(directory: Path | None, host: str, port: int) -> None:
    """Serve sample light curves from a temporary archive, deleted on exit.

    The demo reads no configuration and uses no existing archive: config.yaml and ./data stay unchanged.
    """
    with reported(), ExitStack() as stack:
        if directory is None:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="photseries-demo-"))
        else:
            folder = str(_empty(directory))
        config = settings.load(None, {}, {"data.directory": folder, "server.host": host, "server.port": port})
        log_to_stderr(settings.LogSettings(level="warning"))
        sockets = listen(config.server)
        serve_on(config, sockets, functools.partial(_announce, url_of(sockets)), prepare=_fill)


def _empty(directory: Path) -> Path:
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise StartError(
            f"The demo needs an empty data directory, and {directory} is not empty. "
            f"Choose another one, or serve the existing archive: photseries serve --data {directory}"
        )
    return directory


def _fill(services: Services) -> None:
    principal = services.accounts.authenticate(services.token_file.read_text().strip())
    click.echo(f"Created {fill(services, principal)} light curves.", err=True)


def _announce(url: str) -> None:
    announce_at(url)
    stars = "".join(f"  {star.obj_id:<22} {star.what}\n" for star in STARS)
    click.echo(
        f"\n{stars}\nOpen {url} and sign in with the token, or open the link below. Ctrl-C ends the demo.", err=True
    )


COMMANDS = (demo,)
