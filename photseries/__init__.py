"""photseries: a store of photometric series.

An Archive takes tables and metadata, keeps bytes in a Store and rows in a Catalogue, and answers Queries for a
Principal. HTTP, the command line and export are ways to call it.
"""

__all__ = ["__version__"]

__version__ = "0.1.0"
