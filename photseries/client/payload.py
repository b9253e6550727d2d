"""A table as it is sent: JSON columns where these keep everything, else an HDF5 file in base64."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from photseries.codecs import base64_text, frames, json_columns, plain_hdf5
from photseries.config import Limits
from photseries.readers import Reading
from photseries.series.digest import content_hash
from photseries.series.table import is_text
from photseries.text import is_unicode

__all__ = ["Payload", "payload_of"]

#: Values above which a file is less work for both sides than JSON.
MOST_IN_JSON: Final = 20_000

_KEPT: Final = tuple(np.dtype(code) for code in ("?", "i8", "f8"))


@dataclass(frozen=True)
class Payload:
    """What stands in ``data`` of a request.

    Parameters
    ----------
    json : bytes
        An object of columns, or the text of a file in base64.
    frame : DataFrame, optional
        The table that is sent as columns.
    blob : bytes, optional
        The file.
    """

    json: bytes
    frame: pd.DataFrame | None = None
    blob: bytes | None = None

    def content_hash(self) -> str:
        """Hash the table as the service will."""
        if self.frame is not None:
            return content_hash(self.frame)
        raw = plain_hdf5.read(self.blob or b"", Limits())
        return content_hash(frames.build(raw))


def payload_of(reading: Reading) -> Payload:
    """Write a table for a request.

    Raises
    ------
    InvalidError
        When it holds what can be stored in no file.
    """
    if reading.blob is not None:
        return _file(reading.blob)
    if keeps_json(reading.frame):
        return Payload(json_columns.encode(reading.frame), frame=reading.frame)
    # The writer brings PyTables along, which whoever only reads does not need.
    from photseries.codecs import hdf5

    return _file(hdf5.encode(reading.frame, reading.file_metadata))


def _file(blob: bytes) -> Payload:
    return Payload(b'"' + base64_text.encode(blob) + b'"', blob=blob)


def keeps_json(frame: pd.DataFrame) -> bool:
    """Tell whether JSON columns bring a table back as it is, and are not too many."""
    index = frame.index
    return (
        0 < frame.size <= MOST_IN_JSON
        and isinstance(index, pd.RangeIndex)
        and (index.start, index.step, index.name) == (0, 1, None)
        and frame.columns.is_unique
        and all(isinstance(name, str) and _is_kept(column) for name, column in frame.items())
    )


def _is_kept(column: pd.Series[Any]) -> bool:
    dtype = column.dtype
    if isinstance(dtype, np.dtype) and dtype.newbyteorder("=") in _KEPT:
        return dtype.kind != "f" or not np.isinf(column.to_numpy()).any()
    if not is_text(column):
        return False
    cells = column[column.notna()].tolist()
    # A text column without any text would come back as numbers.
    return set(map(type, cells)) == {str} and "\0" not in (joined := "".join(cells)) and is_unicode(joined)
