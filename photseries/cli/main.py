"""The one entry, and the table of all commands."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click

from photseries import __version__, lean

__all__ = ["main"]

#: The commands by what they are for, and the module that holds each in its ``COMMANDS``.
SECTIONS: Mapping[str, Mapping[str, str]] = {
    "Series, over HTTP": {
        "login": "cli.login",
        "whoami": "cli.login",
        "upload": "cli.upload",
        "find": "cli.find",
        "show": "cli.series",
        "get": "cli.series",
        "download": "cli.download",
        "update": "cli.upload",
        "delete": "cli.series",
    },
    "The service, on its own machine": {
        **dict.fromkeys(("serve", "migrate", "config", "sweep", "verify"), "server.cli.operator"),
        "import": "server.cli.importing",
        "store": "server.cli.store",
        "demo": "server.cli.demo",
        "export": "server.cli.export",
    },
    "Accounts and registries, on the service's machine": dict.fromkeys(
        ("user", "group", "stream", "source", "instrument", "followup-request", "assignment", "token"),
        "server.cli.registries",
    ),
}


class Commands(click.Group):
    """All commands; a module is imported when one of its commands is asked for.

    So the commands that talk HTTP neither need nor pay for what a service is made of.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names, in the order of the help."""
        return [name for section in SECTIONS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        for section in SECTIONS.values():
            if module := section.get(cmd_name):
                if module.startswith("server."):  # they need what a service is made of
                    lean.import_pandas()
                commands: tuple[click.Command, ...] = importlib.import_module(f"photseries.{module}").COMMANDS
                return next(command for command in commands if command.name == cmd_name)
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the help, a section for each purpose."""
        for title, section in SECTIONS.items():
            with formatter.section(title):
                commands = {name: self.get_command(ctx, name) for name in section}
                formatter.write_dl(
                    [(name, command.get_short_help_str(75)) for name, command in commands.items() if command]
                )


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="photseries")
def main() -> None:
    """Store photometric series: metadata in PostgreSQL, tables as HDF5 files, both over HTTP."""
