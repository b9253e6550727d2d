"""The client and the one-line errors that all HTTP commands share."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Concatenate

import click

import photseries
from photseries.cli.options import reported

if TYPE_CHECKING:
    from photseries.client import Client

__all__ = ["connected", "url_option"]

url_option = click.option(
    "--url", help="URL of the service. Default: PHOTSERIES_URL, or the URL saved by `photseries login`."
)


def connected(command: Callable[Concatenate[Client, ...], None]) -> Callable[..., None]:
    """Add the options ``--url`` and ``--retries`` to a command, and pass it a client as first argument.

    There is no option for the token: every user of the machine can read the arguments of a process.
    """

    @url_option
    @click.option("--retries", type=click.IntRange(0, 20), default=6, help="Maximum number of retries.")
    @functools.wraps(command)
    def run(url: str | None, retries: int, **options: object) -> None:
        with reported(), warnings.catch_warnings(), photseries.Client(url, retries=retries) as client:
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = lambda message, *_: click.echo(f"Warning: {message}", err=True)
            command(client, **options)

    return run
