"""The command line, for operators and for astronomers.

The operator's commands take ``--config`` and ``--data`` and call the archive and the accounts on the machine where
these live. The astronomer's take ``--url`` and talk HTTP through :class:`photseries.Client`, from anywhere.
"""

from photseries.cli.main import main

__all__ = ["main"]
