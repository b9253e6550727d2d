"""Files and tables as they come, made into the frame and the fields of a series.

A reader knows a format; :mod:`~photseries.readers.columns` knows, for all of them, which column means what and in which
format times are written. Nothing here talks to a service.
"""

from photseries.readers.collecting import READERS, Reader, collect, read
from photseries.readers.columns import TIME_FORMATS
from photseries.readers.reading import Reading, ReadOptions
from photseries.readers.zero_points import ZERO_POINTS

__all__ = ["READERS", "TIME_FORMATS", "ZERO_POINTS", "ReadOptions", "Reader", "Reading", "collect", "read"]
