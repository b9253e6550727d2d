"""The command line: a way to call the archive and the accounts on the machine where they live.

Every command takes ``--config`` and ``--data`` and talks to the database and the store of that configuration.
"""

from photseries.cli.main import main

__all__ = ["main"]
