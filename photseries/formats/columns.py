"""The columns of a table prepared for writing: native arrays, text with None, and their meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from photseries.fields import FIELDS
from photseries.lightcurve.meaning import Meaning, meaning

__all__ = ["Array", "OutputColumn", "columns_of", "field_meaning", "whole_table"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class OutputColumn:
    """A column to write.

    Attributes
    ----------
    name : str
    values : ndarray, shape (n,)
        In native byte order; only text has dtype object, with None for missing values.
    meaning : Meaning
    index : Index, optional
        The index of the table, if the column is the index.
    """

    name: str
    values: Array
    meaning: Meaning
    index: pd.Index | None = None

    @property
    def is_text(self) -> bool:
        """Whether the values are text."""
        return self.values.dtype.kind == "O"


def whole_table(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with its index as the first column, unless the index is 0..n-1."""
    if isinstance(frame.index, pd.RangeIndex):
        return frame
    name = str(frame.index.name or "index")
    while name in frame.columns:
        name += "_"
    return frame.rename_axis(name).reset_index()


def columns_of(frame: pd.DataFrame, metadata: Mapping[str, object]) -> list[OutputColumn]:
    """Return the columns of a table in order, preceded by the index.

    Parameters
    ----------
    metadata : mapping
        Of its series.
    """
    index = None if isinstance(frame.index, pd.RangeIndex) else frame.index
    columns = []
    for name, column in whole_table(frame).items():
        if isinstance(column.dtype, np.dtype) and column.dtype.kind != "O":
            values = column.to_numpy()
            values = values.astype(values.dtype.newbyteorder("="), copy=False)
        else:
            values = column.to_numpy(dtype=object, copy=True)
            values[column.isna().to_numpy()] = None
        columns.append(OutputColumn(str(name), values, meaning(str(name), metadata), index))
        index = None
    return columns


def field_meaning(name: str) -> Meaning:
    """Return the meaning of a metadata field."""
    field = FIELDS.get(name)
    return Meaning() if field is None else Meaning(field.unit, field.ucd, field.description)
