"""The table of the server's commands, which :mod:`photseries.cli.main` finds through an entry point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from photseries.cli.commands import Entry

__all__ = ["SECTIONS"]

SECTIONS: Final[Mapping[str, Mapping[str, Entry]]] = {
    "The service, on its own machine": {
        "serve": Entry("photseries.server.cli.operator", "Serve HTTP until SIGTERM or Ctrl-C."),
        "migrate": Entry(
            "photseries.server.cli.operator", "Migrate the database schema to the revision of this version."
        ),
        "config": Entry("photseries.server.cli.operator", "Print the effective settings without secrets."),
        "sweep": Entry("photseries.server.cli.operator", "Remove unreferenced files that are older than the grace."),
        "verify": Entry(
            "photseries.server.cli.operator", "Check every stored file; exit status 1 if a file is missing or altered."
        ),
        "recompute": Entry(
            "photseries.server.cli.operator", "Recompute the statistics of series stored by an earlier version."
        ),
        "analyse": Entry(
            "photseries.server.cli.operator",
            "Search for periods of series that were never searched, or by an earlier version.",
        ),
        "import": Entry("photseries.server.cli.importing", "Import the series of another archive."),
        "store": Entry("photseries.server.cli.store", "Copy the stored files to another store."),
        "adopt-store": Entry(
            "photseries.server.cli.store", "Take over a store that another copy of this database has used."
        ),
        "backup": Entry("photseries.server.cli.backup", "Back up the database and the stored files."),
        "restore-backup": Entry("photseries.server.cli.backup", "Restore a backup into an empty database and store."),
        "demo": Entry(
            "photseries.server.cli.demo", "Serve sample light curves from a temporary archive, deleted on exit."
        ),
        "export": Entry("photseries.server.cli.export", "Export the whole archive for other tools."),
    },
    "Accounts and registries, on the service's machine": {
        "user": Entry("photseries.server.cli.registries", "Create, list and remove users."),
        "group": Entry("photseries.server.cli.registries", "Create, list and remove groups."),
        "stream": Entry("photseries.server.cli.registries", "Create, list and remove streams."),
        "source": Entry("photseries.server.cli.registries", "Create, list and remove sources."),
        "instrument": Entry("photseries.server.cli.registries", "Create, list and remove instruments."),
        "followup-request": Entry("photseries.server.cli.registries", "Create, list and remove follow-up requests."),
        "assignment": Entry("photseries.server.cli.registries", "Create, list and remove assignments."),
        "token": Entry("photseries.server.cli.registries", "Create, list and remove tokens."),
        "audit": Entry("photseries.server.cli.registries", "Print changes of accounts, tokens and sharing."),
    },
}
