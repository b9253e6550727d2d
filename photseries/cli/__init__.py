"""The command line, for operators and for astronomers.

The operator's commands take ``--config`` and ``--data`` and use the archive and the accounts on the service's machine.
The astronomers' commands take ``--url`` and use HTTP through :class:`photseries.Client`, from any machine.
"""

from photseries.cli.main import main

__all__ = ["main"]
