"""photseries: a store of photometric series.

An Archive takes tables and metadata, keeps bytes in a Store and rows in a Catalogue, and answers Queries for a
Principal. HTTP, the command line and export are ways to call it; :class:`Client` calls it from Python over HTTP.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from photseries.client import Client

__all__ = ["Client", "__version__"]

__version__ = "0.2.0"


def __getattr__(name: str) -> Any:
    """Import the client on first use: the service does not need it."""
    if name == "Client":
        return importlib.import_module("photseries.client").Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), "Client"]
