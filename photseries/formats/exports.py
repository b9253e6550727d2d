"""The formats in which many series come at once: one table, from which the route and the documents are made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from photseries.extras import require
from photseries.formats.registry import FORMATS

__all__ = ["EXPORTS", "ExportFormat"]


@dataclass(frozen=True, kw_only=True)
class ExportFormat:
    """A format in which many series are given.

    Parameters
    ----------
    name : str
        The value of the parameter ``format``.
    extension : str
        Of a file's name.
    media_type : str
        As it is sent.
    package : str, optional
        What has to be installed.
    holds, readers : str
        For the documentation.
    """

    name: str
    extension: str
    media_type: str
    package: str | None = None
    holds: str
    readers: str

    def require_package(self) -> None:
        """Refuse a format that this service cannot write; see :func:`photseries.extras.require`."""
        require(self.package, self.name)


#: By name, the default first.
EXPORTS: Final[Mapping[str, ExportFormat]] = {
    one.name: one
    for one in (
        ExportFormat(
            name="hdf5",
            extension="h5",
            media_type=FORMATS["hdf5"].media_type,
            holds="one long table, `light_curves`",
            readers='`pandas.read_hdf(path, "light_curves")`, h5py, PyTables, of HDF5 1.10 and later',
        ),
        ExportFormat(
            name="parquet",
            extension="parquet",
            media_type=FORMATS["parquet"].media_type,
            package=FORMATS["parquet"].package,
            holds="one long table, in groups of at most 65,536 rows, zstd",
            readers="pandas, pyarrow, polars, DuckDB, Spark, R, Julia",
        ),
        ExportFormat(
            name="zip",
            extension="zip",
            media_type="application/zip",
            holds="a file for each series, as it is stored; at the end `series.jsonl`, the fields of each, a line each",
            readers="whatever opens a zip, and [each file](#reading-them)",
        ),
    )
}
