"""HDF5: one table in the layout of pandas, of astropy, or as a dataset for each column."""

from __future__ import annotations

from photseries.errors import UnreadableFileError
from photseries.formats.options import ReadOptions, chosen, invalid
from photseries.formats.reading import Table
from photseries.hdf5 import frames, plain_hdf5
from photseries.hdf5.limits import Limits
from photseries.hdf5.other_layouts import read_columns, tables_in
from photseries.hdf5.stored_file import encode as write

__all__ = ["read", "write"]

#: What the careful reader says of files in other layouts.
_OTHER = ("Expected 1 table", 'format="fixed"', "was not written by pandas", "its attribute 'pandas_type'")


def read(content: bytes, options: ReadOptions) -> Table:
    """Read a table of a file that pandas, astropy or h5py wrote.

    What pandas wrote as a table is read with the careful reader: it may come from anywhere.
    """
    try:
        raw = plain_hdf5.read(content, Limits(), key=options.table)
        return Table(
            frame=frames.build(raw),
            file_metadata=raw.metadata,
            blob=content if options.table is None else None,
            uses=("table",),
        )
    except UnreadableFileError as error:
        is_other = any(words in error.message for words in _OTHER)  # h5py must not see what is damaged
        keys = tables_in(content) if is_other else []
        frame = read_columns(content, keys[chosen(keys, options)]) if keys else None
        if frame is None:
            raise invalid(error.message) from error
        return Table(frame=frame, uses=("table",))
