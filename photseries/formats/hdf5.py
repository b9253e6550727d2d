"""HDF5: one table in the layout of pandas or astropy, or with one dataset per column."""

from __future__ import annotations

from photseries.errors import UnreadableFileError
from photseries.extras import needs
from photseries.formats.astropy_tables import table_of
from photseries.formats.options import ReadOptions, invalid, list_names, table_index
from photseries.formats.reading import Table
from photseries.hdf5 import frames, plain_hdf5
from photseries.hdf5.limits import Limits
from photseries.hdf5.other_layouts import described_by_astropy, open_file, read_columns, tables_in
from photseries.hdf5.stored_file import encode as write

__all__ = ["read", "write"]

#: The messages of the safe reader about other layouts.
_OTHER = ("Expected 1 table", 'format="fixed"', "was not written by pandas", "its attribute 'pandas_type'")


def read(content: bytes, options: ReadOptions) -> Table:
    """Read a table of a file that pandas, astropy or h5py wrote.

    A table in pandas' layout is read with the safe reader, because the file may come from anywhere.
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
        is_other = any(words in error.message for words in _OTHER)  # h5py must not open damaged files
        table = _in_other_layout(content, options) if is_other else None
        if table is None:
            raise invalid(error.message) from error
        return table


def _in_other_layout(content: bytes, options: ReadOptions) -> Table | None:
    """Read a table in another layout; None if there is none."""
    keys = tables_in(content)
    key = keys[table_index(keys, options)] if keys else None
    if key is not None and described_by_astropy(content, key):
        return _read_with_astropy(content, key)
    layout = None if key is None else read_columns(content, key)
    if layout is None:
        return None
    frame, units, left_out = layout
    if left_out:
        raise invalid(
            f"Its columns {list_names(left_out)} contain pickled text, which is not read: write the file with "
            "to_hdf(format='table'), or without them."
        )
    return Table(frame=frame, units=units, uses=("table",))


def _read_with_astropy(content: bytes, key: str) -> Table:
    """Read a table with astropy's header: units, and times in two columns."""
    needs("astropy")
    from astropy.io.misc.hdf5 import read_table_hdf5

    with open_file(content) as file:
        return table_of(read_table_hdf5(file, key), uses=("table",))
