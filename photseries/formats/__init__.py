"""The file formats: one module reads and writes each format, and one table lists all.

A series is read from a file, or from a pandas or astropy table, before it is uploaded;
:mod:`~photseries.formats.series` determines the meaning of columns for all formats. The service writes series in these
formats and does not use the readers. pyarrow and astropy are imported on first use.
"""

from photseries.formats.astropy_tables import is_astropy
from photseries.formats.files import collect, format_of, one_of, read, read_bytes
from photseries.formats.options import ReadOptions
from photseries.formats.reading import Reading, Role
from photseries.formats.registry import EXPORTS, FORMATS, HDF5, READERS, WRITERS, Format
from photseries.formats.times import TIME_FORMATS
from photseries.formats.zero_points import ZERO_POINTS

__all__ = [
    "EXPORTS",
    "FORMATS",
    "HDF5",
    "READERS",
    "TIME_FORMATS",
    "WRITERS",
    "ZERO_POINTS",
    "Format",
    "ReadOptions",
    "Reading",
    "Role",
    "collect",
    "format_of",
    "is_astropy",
    "one_of",
    "read",
    "read_bytes",
]
