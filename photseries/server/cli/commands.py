"""The table of the server's commands, which :mod:`photseries.cli.main` finds through an entry point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from photseries.cli.commands import CommandEntry

__all__ = ["SECTIONS"]

_BACKUP, _STORE = "photseries.server.cli.backup", "photseries.server.cli.store"
_OPERATOR, _REGISTRIES = "photseries.server.cli.operator", "photseries.server.cli.registries"

SECTIONS: Final[Mapping[str, Mapping[str, CommandEntry]]] = {
    "The service, on its own machine": {
        "serve": CommandEntry(_OPERATOR, "Serve HTTP until SIGTERM or Ctrl-C."),
        "migrate": CommandEntry(_OPERATOR, "Migrate the database schema to the revision of this version."),
        "config": CommandEntry(_OPERATOR, "Print the effective settings without secrets."),
        "sweep": CommandEntry(_OPERATOR, "Remove unreferenced files that are older than the grace."),
        "verify": CommandEntry(_OPERATOR, "Check every stored file; exit status 1 if a file is missing or altered."),
        "recompute": CommandEntry(_OPERATOR, "Recompute the statistics of series stored by an earlier version."),
        "analyse": CommandEntry(
            _OPERATOR, "Search for the periods of series not yet searched, or searched by an earlier version."
        ),
        "import": CommandEntry("photseries.server.cli.importing", "Import the series of another archive."),
        "store": CommandEntry(_STORE, "Copy the stored files to another store."),
        "adopt-store": CommandEntry(_STORE, "Take over a store that another copy of this database has used."),
        "backup": CommandEntry(_BACKUP, "Back up the database and the stored files."),
        "restore-backup": CommandEntry(_BACKUP, "Restore a backup into an empty database and store."),
        "demo": CommandEntry(
            "photseries.server.cli.demo", "Serve sample light curves from a temporary archive, deleted on exit."
        ),
        "export": CommandEntry("photseries.server.cli.export", "Export the whole archive for other tools."),
    },
    "Accounts and registries, on the service's machine": {
        "user": CommandEntry(_REGISTRIES, "Create, list and remove users."),
        "group": CommandEntry(_REGISTRIES, "Create, list and remove groups."),
        "stream": CommandEntry(_REGISTRIES, "Create, list and remove streams."),
        "source": CommandEntry(_REGISTRIES, "Create, list and remove sources."),
        "instrument": CommandEntry(_REGISTRIES, "Create, list and remove instruments."),
        "followup-request": CommandEntry(_REGISTRIES, "Create, list and remove follow-up requests."),
        "assignment": CommandEntry(_REGISTRIES, "Create, list and remove assignments."),
        "token": CommandEntry(_REGISTRIES, "Create, list and remove tokens."),
        "audit": CommandEntry(_REGISTRIES, "Print changes of accounts, tokens and sharing."),
    },
}
