"""THE TABLE of formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
import pandas as pd

from photseries.extras import is_installed, require
from photseries.formats import arrow, json_columns, text
from photseries.formats.fits import fits
from photseries.formats.votable import votable
from photseries.hdf5 import stored_file

__all__ = ["FORMATS", "HDF5", "Format"]


@dataclass(frozen=True, kw_only=True)
class Format:
    """A format in which a series can be given back.

    Parameters
    ----------
    name : str
        The value of the parameter ``format``.
    extension : str
        Of a file's name, and of the route.
    media_type : str
        As it is sent.
    encode : callable
        Writes a table and the metadata of its series as bytes.
    package : str, optional
        What has to be installed.
    types, metadata, loses : str
        For the documentation: what of the columns' types and units, and of the metadata, is kept; what is lost.
    """

    name: str
    extension: str
    media_type: str
    encode: Callable[[pd.DataFrame, Mapping[str, Any]], bytes]
    package: str | None = None
    types: str
    units: str
    metadata: str
    loses: str

    @property
    def is_stored(self) -> bool:
        """Whether a whole series is given as it is stored."""
        return self.encode is stored_file.encode

    @property
    def is_installed(self) -> bool:
        """Whether this service can write it."""
        return self.package is None or is_installed(self.package)

    def write(self, frame: pd.DataFrame, metadata: Mapping[str, Any]) -> bytes:
        """Write a series.

        Parameters
        ----------
        frame : DataFrame
            Its table, or a part of it.
        metadata : mapping
            What the stored file carries.

        Raises
        ------
        NotInstalledError
            When the package for it is not there.
        """
        require(self.package, self.name)
        return self.encode(frame, metadata)

    @property
    def plain_type(self) -> str:
        """The media type without parameters."""
        return self.media_type.partition(";")[0]


def _json(frame: pd.DataFrame, metadata: Mapping[str, Any]) -> bytes:
    """Write a series as the body of a POST would be: fields, and the columns as ``data``."""
    return orjson.dumps({**metadata, "data": orjson.Fragment(json_columns.encode(frame))})


HDF5: Final = Format(
    name="hdf5",
    extension="h5",
    media_type="application/x-hdf5",
    encode=stored_file.encode,
    types="all",
    units="no",
    metadata="as a dict, and as JSON",
    loses="nothing that was stored",
)

#: By name, the default first.
FORMATS: Final[Mapping[str, Format]] = {
    one.name: one
    for one in (
        HDF5,
        Format(
            name="json",
            extension="json",
            media_type="application/json",
            encode=_json,
            types="number, text, true and false",
            units="no",
            metadata="as members beside `data`",
            loses="widths of numbers; NaN and infinities are null; datetimes are text, durations seconds; the index",
        ),
        Format(
            name="csv",
            extension="csv",
            media_type="text/csv; charset=utf-8; header=present",
            encode=text.csv,
            types="no",
            units="no",
            metadata="no",
            loses="all types (readers guess); datetimes are text, durations seconds; many readers take empty text "
            "for missing text",
        ),
        Format(
            name="ecsv",
            extension="ecsv",
            media_type="text/x-ecsv; charset=utf-8",
            encode=text.ecsv,
            types="all but datetimes and durations",
            units="yes",
            metadata="as `meta`",
            loses="datetimes are text, durations seconds [s]; empty text is missing text; in text CR is LF, and "
            "empty lines and spaces at its ends go; all other ends of lines, those before #, and those in names are "
            "U+FFFD",
        ),
        Format(
            name="parquet",
            extension="parquet",
            media_type="application/vnd.apache.parquet",
            encode=arrow.parquet,
            package="pyarrow",
            types="all but float16",
            units="yes",
            metadata="as JSON in `photseries`, as PARAMs of the VOTable in it",
            loses="float16 becomes float32; durations are integers unless a reader knows Arrow's schema in it",
        ),
        Format(
            name="arrow",
            extension="arrows",
            media_type="application/vnd.apache.arrow.stream",
            encode=arrow.arrow_stream,
            package="pyarrow",
            types="all but float16",
            units="yes",
            metadata="as JSON in `photseries`",
            loses="float16 becomes float32",
        ),
        Format(
            name="votable",
            extension="vot",
            media_type="application/x-votable+xml",
            encode=votable,
            types="most",
            units="yes",
            metadata="as PARAMs, TIMESYS, COOSYS, photometric calibration",
            loses="int8, uint16 and uint32 widen; uint64 above 2⁶³ becomes float64, float16 float32; datetimes are "
            "text, durations seconds [s]; control characters of names and metadata",
        ),
        Format(
            name="fits",
            extension="fits",
            media_type="application/fits",
            encode=fits,
            package="astropy",
            types="all but int8, float16, datetimes and durations",
            units="yes",
            metadata="as standard keywords, and as JSON in `PHOTSER`",
            loses="text that is missing is empty, spaces at its end go, characters beyond ASCII are written \\u00e9; "
            "int8 becomes int16, float16 float32; datetimes are text, durations seconds [s]",
        ),
    )
}
