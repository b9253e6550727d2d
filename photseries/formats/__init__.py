"""The file formats: one module reads and writes each format, and one table lists all.

A series is read from a file, or from a table of pandas or astropy, before it is uploaded; what a column means is
decided for all formats in :mod:`~photseries.formats.series`. The service writes series in these formats and does not
use the readers. pyarrow and astropy are imported when a format needs them, and not before.
"""

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
    "one_of",
    "read",
    "read_bytes",
]
