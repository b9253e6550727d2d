"""The Python client of a photseries service.

It uses HTTP and shares with the service the exceptions, the table of query parameters and the HDF5 reader. It needs
neither a database nor Tornado, and never opens a download with PyTables.
"""

from photseries.client.client import Client
from photseries.client.series import Series
from photseries.client.uploads import Outcome, Uploaded
from photseries.formats import ReadOptions

__all__ = ["Client", "Outcome", "ReadOptions", "Series", "Uploaded"]
