"""The options of reading, and what was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from photseries.errors import InvalidError

__all__ = ["ReadOptions", "Reading", "Unit", "invalid"]

#: The unit of a column as it is written, None where nothing says.
Unit = str | None


@dataclass(frozen=True)
class ReadOptions:
    """Which columns mean what.

    Parameters
    ----------
    format : str, optional
        The name of a format, instead of the one that the name of the file tells.
    time_col, flux_col, fluxerr_col, mag_col, magerr_col : str, optional
        The columns; default: those with the usual names.
    time_format : str, optional
        One of :data:`photseries.formats.TIME_FORMATS`; default: what the file, or the name of the column, says.
    zero_point : float or str, optional
        The AB magnitude of a source of one unit of the flux column, which is thereby brought to uJy [AB mag], or the
        name of a published one in :data:`photseries.formats.ZERO_POINTS`.
    """

    format: str | None = None
    time_col: str | None = None
    flux_col: str | None = None
    fluxerr_col: str | None = None
    mag_col: str | None = None
    magerr_col: str | None = None
    time_format: str | None = None
    zero_point: float | str | None = None

    @property
    def maps(self) -> bool:
        """Whether any column is to be changed."""
        return any(value is not None for name, value in vars(self).items() if name != "format")


@dataclass(frozen=True)
class Reading:
    """What was read.

    Parameters
    ----------
    frame : DataFrame
        The table, with the names of columns that the service knows.
    fields : dict
        Fields of the series that the data itself tells.
    file_metadata : dict
        Fields that the file carries under the names that the service has for them.
    warnings : tuple of str
        What whoever uploads it should know.
    blob : bytes, optional
        The file, when it can be sent as it is.
    """

    frame: pd.DataFrame
    fields: Mapping[str, Any] = field(default_factory=dict)
    file_metadata: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    blob: bytes | None = None


def invalid(message: str) -> InvalidError:
    """Make the error of data that is not as it should be."""
    return InvalidError(message, fields={"data": [message]})
