"""The formats of files that come down, and the endings of names that mean them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from photseries.errors import InvalidError

__all__ = ["OF_MANY", "OF_ONE", "format_of"]

Endings = Mapping[str, tuple[str, ...]]

#: Of one series; the usual ending first.
OF_ONE: Final[Endings] = {
    "hdf5": (".h5", ".hdf5", ".hdf"),
    "json": (".json",),
    "csv": (".csv",),
    "ecsv": (".ecsv",),
    "parquet": (".parquet", ".pq"),
    "arrow": (".arrows",),
    "votable": (".vot", ".votable", ".xml"),
    "fits": (".fits", ".fit", ".fts"),
}

#: Of many.
OF_MANY: Final[Endings] = {"hdf5": OF_ONE["hdf5"], "parquet": OF_ONE["parquet"], "zip": (".zip",)}


def format_of(path: Path, endings: Endings) -> str:
    """Tell the format from the name of a file.

    Raises
    ------
    InvalidError
        When it ends in none of these.
    """
    for name, known in endings.items():
        if path.suffix.lower() in known:
            return name
    usual = ", ".join(known[0] for known in endings.values())
    raise InvalidError(
        f"The name {path.name!r:.80} does not say which format is meant: end it in one of {usual}, or name a format."
    )
