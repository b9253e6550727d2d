"""The Python client of a photseries service.

It talks HTTP and shares with the service what both must agree on: the exceptions, the table of query parameters, the
reader of HDF5 files. It needs neither a database nor Tornado, and never opens with PyTables what a service sent.
"""

from photseries.client.client import Client
from photseries.client.series import Series
from photseries.client.uploads import Outcome, Uploaded
from photseries.formats import ReadOptions

__all__ = ["Client", "Outcome", "ReadOptions", "Series", "Uploaded"]
