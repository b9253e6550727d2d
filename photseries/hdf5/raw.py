"""A table between file and pandas frame: plain numpy arrays that cross process boundaries without pickling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["RawColumn", "RawTable", "cell_size"]

#: Overhead of a text in a frame: a reference and the header of a str [bytes].
TEXT_OVERHEAD: Final = 57


def cell_size(dtype: np.dtype[np.generic]) -> int:
    """Return the memory of one value in a frame [bytes]; a short text takes far more than in the file."""
    return dtype.itemsize + (TEXT_OVERHEAD if dtype.kind == "S" else 0)


@dataclass(frozen=True)
class RawColumn:
    """One column, or the index.

    Parameters
    ----------
    name : str
        The column's name; that of the index may be empty.
    values : numpy.ndarray, shape (n,)
        Contiguous and of native byte order: bool, int, uint, float, datetime64, timedelta64, or bytes (``S``) for text.
    null : str or None
        The text that means null, if any.
    encoding : str
        Of the text.
    """

    name: str
    values: npt.NDArray[np.generic]
    null: str | None = None
    encoding: str = "utf-8"


@dataclass(frozen=True)
class RawTable:
    """The one table of a file.

    Parameters
    ----------
    key : str
        Path of the table in the file.
    columns : tuple of RawColumn
        In the order of the frame.
    index : RawColumn or None
        None when it is 0..n-1.
    metadata : dict
        Plain Python values.
    """

    key: str
    columns: tuple[RawColumn, ...]
    index: RawColumn | None
    metadata: dict[str, object]
