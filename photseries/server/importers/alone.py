"""One import into an archive at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from photseries.errors import StartError
from photseries.server.catalogue.engine import Catalogue

__all__ = ["IMPORT", "alone"]

#: The advisory lock of imports.
IMPORT = 7_302_004


@contextmanager
def alone(catalogue: Catalogue) -> Iterator[None]:
    """Keep other imports out: two would take the same series, and the slower one would stumble over the other's.

    Raises
    ------
    StartError
        When another import runs.
    """
    with catalogue.elected(IMPORT) as won:
        if not won:
            raise StartError("Another import into this archive is running.")
        yield
