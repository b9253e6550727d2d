"""``photseries doctor``: the facts for a bug report, without secrets."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import click

import photseries
from photseries.cli.connection import url_option
from photseries.cli.options import json_option, print_entries, safe
from photseries.errors import PhotseriesError

__all__ = ["COMMANDS"]

#: Packages whose version matters: those that are always there, and those of extras.
PACKAGES = (
    "numpy",
    "pandas",
    "h5py",
    "httpx",
    "astropy",
    "pyarrow",
    "matplotlib",
    "lightkurve",
    "tornado",
    "sqlalchemy",
)


@click.command()
@url_option
@json_option
def doctor(url: str | None, as_json: bool) -> None:
    """Print the facts for a bug report: versions, the service, the user.

    It never prints the token. The exit status is always 0.
    """
    report = {name: safe(value) for name, value in _facts(url)}
    print_entries(report, as_json, (f"{name:<12} {value}" for name, value in report.items()))


def _facts(url: str | None) -> Iterator[tuple[str, str]]:
    """Yield the lines of the report."""
    yield "photseries", photseries.__version__
    yield "Python", f"{platform.python_version()} at {sys.executable}"
    yield "system", platform.platform()
    for package in PACKAGES:
        yield package, _installed(package)
    yield from _service(url)


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _service(url: str | None) -> Iterator[tuple[str, str]]:
    """Yield the facts about the service; report a problem as a line."""
    # Imported here, because --help does not need the client.
    from photseries.client.settings import TOKEN, URL, config_file

    names = [name for name in (URL, TOKEN) if os.environ.get(name)]
    yield "settings", ", ".join([*names, *([str(config_file())] if config_file().exists() else [])]) or "none"
    try:
        with photseries.Client(url, retries=0, timeout=10) as client:
            yield "URL", client.url
            yield "service", f"photseries {client.check()}"
            me = client.whoami()
            yield "user", f"{me['username']}, {', '.join(me['permissions']) or 'no permissions'}"
    except PhotseriesError as error:
        yield "problem", error.message


COMMANDS = (doctor,)
