"""``photseries login | whoami | usage``: the service, the user, and the stored amounts."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

import photseries
from photseries.cli.connection import connected
from photseries.cli.options import json_option, print_entries, reported, safe
from photseries.cli.table import format_field
from photseries.errors import StartError

if TYPE_CHECKING:
    from photseries.client import Client

__all__ = ["COMMANDS"]


@click.command()
@click.argument("url", required=False)
@click.option("--token-stdin", is_flag=True, help="Read the token from standard input.")
def login(url: str | None, token_stdin: bool) -> None:
    """Check and save the URL of a service and a token for the other commands.

    The command prompts for the token, without echo, and for the URL unless it is given. It saves both in
    ~/.config/photseries/config.yaml, which nobody else can read.
    """
    # Imported here, because --help does not need the client.
    from photseries.client.settings import Settings, config_file, save

    if url is None:
        if token_stdin:
            raise click.UsageError("--token-stdin requires the URL as an argument.")
        url = click.prompt("URL of the service")
    token = sys.stdin.readline() if token_stdin else click.prompt("Token", hide_input=True)
    with reported():
        settings = Settings(url, token)
        with photseries.Client(settings.url, settings.token) as client:
            me = client.whoami()
        try:
            file = save(settings)
        except OSError as error:
            raise StartError(f"Cannot write {config_file()}: {error.strerror}.") from error
    click.echo(f"{safe(me['username'])} at {settings.url}, saved in {file}.")


@click.command()
@json_option
@connected
def whoami(client: Client, as_json: bool) -> None:
    """Print the user and the permissions of the token."""
    me = {**client.whoami(), "url": client.url, "version": client.check()}
    print_entries(me, as_json, (f"{name:<12} {format_field(value)}" for name, value in me.items()))


@click.command()
@json_option
@connected
def usage(client: Client, as_json: bool) -> None:
    """Print the series, bytes and quotas (0: none) of the user; with System admin, of all users."""
    result = client.usage()
    limits = {f"quota_{name}": limit for name, limit in result["limits"].items()}
    print_entries(result if as_json else [{**used, **limits} for used in result["usage"]], as_json)


COMMANDS = (login, whoami, usage)
