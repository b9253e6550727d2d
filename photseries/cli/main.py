"""The entry point, which finds commands by name in tables without importing them."""

from __future__ import annotations

import errno
import importlib
import itertools
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import entry_points
from io import TextIOWrapper
from typing import Final, TextIO

import click

from photseries import __version__, pandas_without_pyarrow
from photseries.cli.commands import SECTIONS, CommandEntry
from photseries.cli.options import Failure
from photseries.text import suggestion

__all__ = ["main"]

#: The group of entry points; each is a table like :data:`photseries.cli.commands.SECTIONS`.
GROUP = "photseries.commands"

#: The server's commands need the dependencies of the server, and represent text like it.
SERVER = "photseries.server."

#: The exit statuses of a program that a signal ended, as shells report them.
SIGINT_STATUS: Final = 130
SIGPIPE_STATUS: Final = 141


class Commands(click.Group):
    """All commands; a module is imported when one of its commands is requested.

    So the HTTP commands and the help do not import the dependencies of the server.
    """

    def sections(self) -> Mapping[str, Mapping[str, CommandEntry]]:
        """Return the tables of commands by purpose."""
        server_sections = (point.load() for point in sorted(entry_points(group=GROUP), key=lambda point: point.name))
        return dict(itertools.chain(SECTIONS.items(), *(table.items() for table in server_sections)))

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names, in the order of the help."""
        return [name for section in self.sections().values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command.

        Raises
        ------
        Failure
            When it is one of the server's, which is not installed.
        """
        entry = next((section[cmd_name] for section in self.sections().values() if cmd_name in section), None)
        if entry is None:
            return None
        if entry.module.startswith(SERVER):
            pandas_without_pyarrow.import_pandas()
        try:
            commands: tuple[click.Command, ...] = importlib.import_module(entry.module).COMMANDS
        except ModuleNotFoundError as error:
            if not entry.module.startswith(SERVER):
                raise
            raise Failure(
                f"'{cmd_name}' needs the server (no {error.name}): pip install 'photseries[server]'"
            ) from error
        return next(command for command in commands if command.name == cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names; suggest one for an unknown name."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if close := suggestion(args[0], self.list_commands(ctx)):
                raise click.UsageError(f"{error.message}{close}", ctx) from None
            raise

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments; ``--help`` prints."""
        _prepare_streams()
        with _reported_ends(ctx):
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run a command."""
        with _reported_ends(ctx):
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help, a section for each purpose."""
        for title, section in self.sections().items():
            with formatter.section(title):
                formatter.write_dl([(name, entry.help) for name, entry in section.items()])


def _prepare_streams() -> None:
    """Replace standard streams that the caller has closed, which are None; escape what an encoding cannot express.

    The next file or socket would get the descriptor of a closed stream, on which children then print.
    """
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: SIM115  until the end, as the others
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")


@contextmanager
def _reported_ends(ctx: click.Context) -> Iterator[None]:
    """Report a full disk, end without a message when the reader of a pipe has closed it, and with Ctrl-C's status."""
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt:
        click.echo("Interrupted.", err=True)
        ctx.exit(SIGINT_STATUS)
    except OSError as error:
        if not isinstance(error, BrokenPipeError) and error.errno != errno.ENOSPC:
            raise
        sys.stdout = _nowhere()  # written to at exit, too
        if error.errno == errno.ENOSPC:
            raise Failure(f"Cannot write the output: {error.strerror}.") from error
        ctx.exit(SIGPIPE_STATUS)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110, "show_default": True},
)
@click.version_option(__version__, prog_name="photseries")
def main() -> None:
    """Store photometric series: metadata in PostgreSQL, tables in HDF5 files, access over HTTP."""
