"""The astronomers' commands by name: where each is, and its line in the help, so that the help imports none of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

__all__ = ["SECTIONS", "Entry"]


class Entry(NamedTuple):
    """A command: the module that holds it in its ``COMMANDS``, and its line in the help."""

    module: str
    help: str


#: The commands of this wing by what they are for; others come from the entry points ``photseries.commands``.
SECTIONS: Final[Mapping[str, Mapping[str, Entry]]] = {
    "Series, over HTTP": {
        "login": Entry(
            "photseries.cli.login", "Check a service and a token, and remember them for the other commands."
        ),
        "whoami": Entry("photseries.cli.login", "Print the user and the permissions of the token."),
        "doctor": Entry(
            "photseries.cli.doctor", "Print what a report of a problem needs: versions, the service, the user."
        ),
        "usage": Entry(
            "photseries.cli.login",
            "Print the series and bytes of the user, for System admin of every user, and the quotas (0: none).",
        ),
        "inspect": Entry(
            "photseries.cli.inspect",
            "Print what files are taken for, and the command that uploads each; nothing is sent.",
        ),
        "upload": Entry("photseries.cli.upload", "Upload files as series, many at a time."),
        "find": Entry("photseries.cli.find", "Find series and print them."),
        "show": Entry("photseries.cli.series", "Draw the light curve, and print the metadata and the statistics."),
        "open": Entry("photseries.cli.series", "Open the page of a series in a browser, or print its address."),
        "get": Entry("photseries.cli.series", "Download a series into a file; - is standard output."),
        "download": Entry(
            "photseries.cli.download", "Download all matching series, or those of a list, into one file."
        ),
        "update": Entry(
            "photseries.cli.upload", "Change fields of a series, or its table; --set FIELD=null clears a field."
        ),
        "delete": Entry("photseries.cli.series", "Delete a series, after asking."),
        "purge": Entry(
            "photseries.cli.series",
            "Remove the earlier revisions of a series, also of a deleted one, for good, after asking.",
        ),
        "undo": Entry(
            "photseries.cli.series", "Undo an upload batch: delete what it created, restore what it changed."
        ),
        "periods": Entry(
            "photseries.cli.series",
            "List the periods of a series, store one, or remove your own; the preferred one comes first.",
        ),
        "restore": Entry("photseries.cli.series", "Bring back a deleted series, or an earlier revision of a series."),
    },
}
