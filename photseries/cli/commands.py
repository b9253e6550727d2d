"""The table of the astronomers' commands: module and help line of each, so that the help imports no command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

__all__ = ["SECTIONS", "CommandEntry"]


class CommandEntry(NamedTuple):
    """A command: the module that holds it in its ``COMMANDS``, and its line in the help."""

    module: str
    help: str


_LOGIN, _SERIES, _UPLOAD = "photseries.cli.login", "photseries.cli.series", "photseries.cli.upload"

#: The commands of this wing by purpose; others come from the entry points ``photseries.commands``.
SECTIONS: Final[Mapping[str, Mapping[str, CommandEntry]]] = {
    "Series, over HTTP": {
        "login": CommandEntry(_LOGIN, "Check and save the URL of a service and a token for the other commands."),
        "whoami": CommandEntry(_LOGIN, "Print the user and the permissions of the token."),
        "doctor": CommandEntry(
            "photseries.cli.doctor", "Print the facts for a bug report: versions, the service, the user."
        ),
        "usage": CommandEntry(
            _LOGIN, "Print the series, bytes and quotas (0: none) of the user; with System admin, of all users."
        ),
        "inspect": CommandEntry(
            "photseries.cli.inspect", "Print how each file is read and the command that uploads it; send nothing."
        ),
        "upload": CommandEntry(_UPLOAD, "Upload files as series, many at a time."),
        "find": CommandEntry("photseries.cli.find", "Find series and print them."),
        "show": CommandEntry(_SERIES, "Draw the light curve and print the metadata and statistics."),
        "open": CommandEntry(_SERIES, "Open the page of a series in a browser, or print its URL."),
        "get": CommandEntry(_SERIES, "Download a series into a file; -o - is standard output."),
        "download": CommandEntry(
            "photseries.cli.download", "Download all matching series, or those of a list, into one file."
        ),
        "update": CommandEntry(_UPLOAD, "Change fields or the table of a series; --set FIELD=null clears a field."),
        "delete": CommandEntry(_SERIES, "Delete a series after confirmation."),
        "purge": CommandEntry(
            _SERIES, "Permanently remove the earlier revisions of a series, even a deleted one, after confirmation."
        ),
        "undo": CommandEntry(_SERIES, "Undo an upload batch: delete what it created, restore what it changed."),
        "periods": CommandEntry(
            _SERIES, "List the periods of a series, the preferred one first; store a period, or remove your own."
        ),
        "restore": CommandEntry(_SERIES, "Restore a deleted series, or an earlier revision of a series."),
    },
}
