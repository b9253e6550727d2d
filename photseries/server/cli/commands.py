"""The table of the server's commands, which :mod:`photseries.cli.main` finds through an entry point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from photseries.cli.commands import Entry

__all__ = ["SECTIONS"]

_BACKUP, _STORE = "photseries.server.cli.backup", "photseries.server.cli.store"
_OPERATOR, _REGISTRIES = "photseries.server.cli.operator", "photseries.server.cli.registries"

SECTIONS: Final[Mapping[str, Mapping[str, Entry]]] = {
    "The service, on its own machine": {
        "serve": Entry(_OPERATOR, "Serve HTTP until SIGTERM or Ctrl-C."),
        "migrate": Entry(_OPERATOR, "Migrate the database schema to the revision of this version."),
        "config": Entry(_OPERATOR, "Print the effective settings without secrets."),
        "sweep": Entry(_OPERATOR, "Remove unreferenced files that are older than the grace."),
        "verify": Entry(_OPERATOR, "Check every stored file; exit status 1 if a file is missing or altered."),
        "recompute": Entry(_OPERATOR, "Recompute the statistics of series stored by an earlier version."),
        "analyse": Entry(_OPERATOR, "Search for periods of series that were never searched, or by an earlier version."),
        "import": Entry("photseries.server.cli.importing", "Import the series of another archive."),
        "store": Entry(_STORE, "Copy the stored files to another store."),
        "adopt-store": Entry(_STORE, "Take over a store that another copy of this database has used."),
        "backup": Entry(_BACKUP, "Back up the database and the stored files."),
        "restore-backup": Entry(_BACKUP, "Restore a backup into an empty database and store."),
        "demo": Entry(
            "photseries.server.cli.demo", "Serve sample light curves from a temporary archive, deleted on exit."
        ),
        "export": Entry("photseries.server.cli.export", "Export the whole archive for other tools."),
    },
    "Accounts and registries, on the service's machine": {
        "user": Entry(_REGISTRIES, "Create, list and remove users."),
        "group": Entry(_REGISTRIES, "Create, list and remove groups."),
        "stream": Entry(_REGISTRIES, "Create, list and remove streams."),
        "source": Entry(_REGISTRIES, "Create, list and remove sources."),
        "instrument": Entry(_REGISTRIES, "Create, list and remove instruments."),
        "followup-request": Entry(_REGISTRIES, "Create, list and remove follow-up requests."),
        "assignment": Entry(_REGISTRIES, "Create, list and remove assignments."),
        "token": Entry(_REGISTRIES, "Create, list and remove tokens."),
        "audit": Entry(_REGISTRIES, "Print changes of accounts, tokens and sharing."),
    },
}
