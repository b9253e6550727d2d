"""The stored file: one pandas 'table' that every pandas since 1.5 reads identically.

h5py's low-level API writes the files, and reads them if :mod:`~photseries.hdf5.own_files` does not know their header.
The tests compare our files with those of pandas and PyTables, the reference for the format. Files from elsewhere are
read only in a worker process.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final, Literal

import pandas as pd

from photseries.errors import InvalidError
from photseries.hdf5 import StoredContent, frames, own_files, plain_hdf5, templates
from photseries.hdf5.limits import Limits
from photseries.hdf5.metadata import plain, to_json, to_pickle
from photseries.hdf5.pandas_table import METADATA, METADATA_JSON
from photseries.hdf5.raw import RawTable
from photseries.lightcurve.table import require_storable

__all__ = ["BLOB_FORMAT", "KEY", "decode", "encode", "encode_table", "read", "sample"]

#: Version of the layout that :func:`encode` writes; a row of the catalogue records its file's.
BLOB_FORMAT: Final = 1

#: The one key of a stored file.
KEY: Final = "phot_series"

_DEFAULTS: Final = Limits()
#: Stored files stay readable when the limits are lowered.
_UNLIMITED: Final = Limits(**{field.name: 2**40 for field in dataclasses.fields(Limits)} | {"depth": 1000})


def encode(
    frame: pd.DataFrame,
    metadata: Mapping[str, object],
    *,
    compression: Literal["none", "deflate"] = "none",
    limits: Limits = _DEFAULTS,
) -> bytes:
    """Write a frame and its metadata as an HDF5 file in memory.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns of integers, floats, booleans, text (with nulls) or datetimes; an index other than 0..n-1 is kept when
        it is one level of numbers, text or datetimes. Times are read in nanoseconds, the unit of all pandas versions.
    metadata : mapping
        Plain values, in the order in which they are to appear.
    compression : {"none", "deflate"}
        The second is shuffle and deflate at level 1.
    limits : Limits

    Returns
    -------
    bytes
        Deterministic.

    Raises
    ------
    InvalidError
        When a part cannot be stored; ``fields`` names the columns (``data.<column>``) and metadata.
    """
    require_storable(frame, limits)
    return encode_table(frames.writable(frame, limits), metadata, compression=compression, limits=limits)


def encode_table(
    table: frames.Writable,
    metadata: Mapping[str, object],
    *,
    compression: Literal["none", "deflate"] = "none",
    limits: Limits = _DEFAULTS,
) -> bytes:
    """Write a table in its canonical form; see :func:`encode`."""
    values = plain(metadata, limits.depth)
    pickled, text = to_pickle(values), to_json(values)
    limit = min(limits.metadata, frames.MAX_ATTRIBUTE)
    size = max(len(pickled), len(text.encode()))
    if size > limit:
        field = "altdata" if "altdata" in values else METADATA
        message = f"The metadata, {field} included, take {size:,} bytes as stored; at most {limit:,} are accepted."
        raise InvalidError.of_field(field, message)
    attributes: dict[str, str | bytes] = {METADATA: pickled, METADATA_JSON: text}
    return templates.write(table, KEY, attributes, deflate=compression == "deflate")


def sample() -> bytes:
    """Write a small file with columns of several kinds."""
    columns = {"mjd": [59000.0, 59000.5], "flux": [1.0, 2.0], "flag": [0, 1], "night": ["a", None]}
    return encode(pd.DataFrame(columns), {"obj_id": "sample", "ra": 0.0})


def decode(blob: bytes | memoryview) -> StoredContent:
    """Read a file that :func:`encode` wrote, in this process: its checksum must have been found right.

    Parameters
    ----------
    blob : bytes or memoryview

    Returns
    -------
    StoredContent

    Raises
    ------
    UnreadableFileError
        When the file is foreign or altered.
    """
    raw = read(blob)
    return StoredContent(frames.build(raw), raw.metadata)


def read(blob: bytes | memoryview, limits: Limits = _UNLIMITED) -> RawTable:
    """Read a file as :func:`decode` does, its columns as plain arrays.

    Raises
    ------
    UnreadableFileError
    """
    own_table = own_files.read(blob, limits)
    if own_table is not None:
        return own_table
    table = plain_hdf5.read(blob, limits, metadata="json")
    own_files.learn(blob, table)
    return table
