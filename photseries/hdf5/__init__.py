"""Convert between bytes and a table with its metadata: HDF5 files and JSON columns.

Importing this package loads neither pandas nor h5py: the process that forks the readers of uploads must stay small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["StoredContent"]


@dataclass(frozen=True)
class StoredContent:
    """The content of a file.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table as ``HDFStore`` of the installed pandas would give it, index included; byte order is native, times are
        in nanoseconds.
    metadata : dict
        Plain Python values; empty when the file carries none.
    """

    frame: pd.DataFrame
    metadata: dict[str, object]
