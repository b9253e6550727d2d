"""HDF5: one table, in the layout of pandas."""

from __future__ import annotations

from photseries.formats.reading import Reading, ReadOptions
from photseries.formats.roles import canonical
from photseries.hdf5 import frames, plain_hdf5
from photseries.hdf5.limits import Limits
from photseries.hdf5.stored_file import encode as write

__all__ = ["read", "write"]


def read(content: bytes, options: ReadOptions) -> Reading:
    """Read the one table of a file that pandas wrote, with the careful reader: it may come from anywhere."""
    raw = plain_hdf5.read(content, Limits())
    reading = Reading(frames.build(raw), file_metadata=raw.metadata, blob=content)
    return canonical(reading, options)
