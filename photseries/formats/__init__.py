"""The formats in which a series is given back: one table, from which routes, negotiation and documents are made.

pyarrow and astropy are imported when somebody asks for a format that needs them, and not before.
"""

from photseries.formats.registry import FORMATS, HDF5, Format

__all__ = ["FORMATS", "HDF5", "Format"]
