"""Readers of HDF5, Parquet and VOTable."""

from __future__ import annotations

import io

import pandas as pd

from photseries.hdf5 import frames, plain_hdf5
from photseries.hdf5.limits import Limits
from photseries.hdf5.metadata import from_json
from photseries.readers.columns import canonical
from photseries.readers.reading import Reading, ReadOptions, needs, quiet

__all__ = ["read_hdf5", "read_parquet", "read_votable"]


def read_hdf5(content: bytes, options: ReadOptions) -> Reading:
    """Read the one table of a file that pandas wrote, with the careful reader: it may come from anywhere."""
    raw = plain_hdf5.read(content, Limits())
    reading = Reading(frames.build(raw), file_metadata=raw.metadata, blob=content)
    return canonical(reading, options)


def read_parquet(content: bytes, options: ReadOptions) -> Reading:
    """Read Apache Parquet; of the service's own files the fields of the series, too."""
    needs("pyarrow")
    import pyarrow.parquet

    # Not through pandas, whose versions before 3 refuse newer ones of pyarrow.
    long = {pyarrow.int64(): pd.Int64Dtype(), pyarrow.uint64(): pd.UInt64Dtype()}  # null would make them float64
    table = pyarrow.parquet.read_table(io.BytesIO(content))
    frame: pd.DataFrame = table.to_pandas(types_mapper=long.get)
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    own = (table.schema.metadata or {}).get(b"photseries")
    return canonical(Reading(frame, file_metadata={} if own is None else from_json(own, Limits())), options)


def read_votable(content: bytes, options: ReadOptions) -> Reading:
    """Read the first table of a VOTable."""
    needs("astropy")
    from astropy.io.votable import parse_single_table
    from astropy.io.votable.exceptions import VOWarning

    from photseries.readers.astronomy import from_table

    # Most VOTables break some rule of the standard that does not matter here.
    with quiet(VOWarning):
        table = parse_single_table(io.BytesIO(content)).to_table(use_names_over_ids=True)
    return from_table(table, options)
