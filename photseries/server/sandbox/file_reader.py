"""The fork server for all file formats, and the child that reads one file with the client's readers.

Only this module of the service imports a reader, and only in its own process: it preloads pandas, astropy and pyarrow,
reads some trusted files once to warm up, and then forks a child for each upload, which cannot import modules.
"""

from __future__ import annotations

import codecs
import importlib
import json
import pkgutil
import sys
import zoneinfo
from collections.abc import Mapping
from functools import partial
from typing import Final, TypedDict

import orjson
import pandas as pd

from photseries import formats
from photseries.extras import is_installed
from photseries.formats import READERS, WRITERS, Reading, ReadOptions, json_columns, read_bytes
from photseries.formats.inspection import describe, inspect, selecting
from photseries.formats.options import invalid
from photseries.formats.selection import filter_hint
from photseries.hdf5 import stored_file
from photseries.hdf5.limits import Limits
from photseries.lightcurve.calibration import calibration_of
from photseries.lightcurve.samples import unit_of
from photseries.lightcurve.select import curve_to_show
from photseries.server.sandbox import confine, worker
from photseries.server.sandbox.wire import FileContent

__all__ = ["main", "read"]

#: The reader of workbooks is not preloaded.
_FORMATS: Final = {name: one for name, one in READERS.items() if name != "excel"}

#: Maximum number of described series of a file.
MAX_SERIES: Final = 100

#: Modules that the readers import on demand.
_PRELOADED: Final = (
    "astropy.io.ascii", "astropy.io.fits", "astropy.io.misc.hdf5", "astropy.io.misc.yaml",
    "astropy.io.votable", "astropy.table", "astropy.time", "astropy.timeseries", "astropy.units", "pyarrow.ipc",
    "pyarrow.parquet", "tsdownsample",
)  # fmt: skip

#: Texts that warm up parsers which the service's own files do not use.
_TEXTS: Final = (
    b"mjd,mag,magerr,filter\n60000.5,18.1,>0.1,zg\n60001.5,18,1D-1,zg\n",
    b"|mjd    |mag |\n|double |real|\n|d      |mag |\n|null   |null|\n 60000.5 18.1\n 60001.5 18.2\n",
    b"#time flux\n2023-01-01T00:00:00 1.0\n2023-01-02T00:00:00 1.1\n",
)


def read(image: memoryview, limits: Limits) -> FileContent:
    """Describe the series of a file, or convert its only series to HDF5.

    Parameters
    ----------
    image : memoryview
        The length of a request (8 bytes), the request as JSON (``name`` of the file, read ``options``, ``fields``
        that the user gives, ``points`` of the light curve of a description, None to read), and the file.
    limits : Limits

    Returns
    -------
    FileContent
        ``series`` and ``more`` (how many are not described), or ``fields`` (with those given), ``hint`` (at its
        filter), ``warnings`` and the file.

    Raises
    ------
    InvalidError
        When it cannot be read with these options, or has several series to read.
    StartError
        When a package is not installed.
    """
    begin = 8 + int.from_bytes(image[:8], "little")
    request: _Request = json.loads(bytes(image[8:begin]))
    options = ReadOptions.of_texts(request["options"])
    get = partial(read_bytes, bytes(image[begin:]), request["name"], most_inflated=limits.table, formats=_FORMATS)
    points = request["points"]
    if points is None:
        return _convert(_only_series(get(options=options), options), request["fields"], limits)
    readings, needed = inspect(lambda those: get(options=those), options)
    series = [
        _describe(reading, selecting(reading, needed), request["fields"], points) for reading in readings[:MAX_SERIES]
    ]
    return FileContent(_plain_json({"series": series, "more": len(readings) - len(series)}))


class _Request(TypedDict):
    name: str
    options: dict[str, object]
    fields: dict[str, object]
    points: int | None


def _only_series(readings: tuple[Reading, ...], options: ReadOptions) -> Reading:
    if len(readings) > 1:
        column = options.split_by
        raise invalid(
            f"split_by makes {len(readings)} series, and a request stores one: select the rows of one instead, "
            f"for example by where={column}={readings[0].part}."
        )
    return readings[0]


def _convert(reading: Reading, overrides: Mapping[str, object], limits: Limits) -> FileContent:
    blob = reading.blob or stored_file.encode(reading.frame, reading.file_metadata, limits=limits)
    hint = None if reading.filter is None else filter_hint(reading.filter)
    about = {"fields": reading.merged(overrides), "hint": hint, "warnings": reading.warnings}
    return FileContent(_plain_json(about), blob)


def _describe(
    reading: Reading, options: ReadOptions, overrides: Mapping[str, object], points: int
) -> dict[str, object]:
    metadata = {**reading.file_metadata, **reading.merged(overrides)}
    calibration = calibration_of(metadata)
    needed = {name: getattr(options, name) for name in options.given(*options.__dataclass_fields__)}
    return {
        **describe(reading, overrides),
        "options": needed,
        **calibration.describe(unit_of(reading.frame, calibration)),
        "light_curve": orjson.Fragment(json_columns.encode(curve_to_show(reading.frame, metadata, points))),
    }


def _plain_json(values: Mapping[str, object]) -> dict[str, object]:
    plain: dict[str, object] = orjson.loads(orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY, default=str))
    return plain


def _warm_up() -> None:
    """Run the readers, so that they import their modules while files can still be opened."""
    for name in ("utf-16", "utf-8-sig"):
        codecs.lookup(name)
    zoneinfo.ZoneInfo("UTC")
    for name in (*_PRELOADED, *(f"{formats.__name__}.{item.name}" for item in pkgutil.iter_modules(formats.__path__))):
        try:
            importlib.import_module(name)
        except ImportError:  # the package is not installed: files that need it are refused
            continue
    if is_installed("astropy"):
        from astropy.units import Unit

        for form in ("generic", "fits", "vounit", "cds", "ogip"):  # each builds its parser at first use
            Unit("m / s", format=form, parse_strict="silent")
    frame = pd.DataFrame({"mjd": [60000.5, 60001.5], "flux": [1.0, 2.0], "filter": ["g", None], "quality": [0, 1]})
    metadata = {"time_scale": "utc", "time_refpos": "geocenter", "flux_unit": "mJy"}
    files = [item.writer.write(frame, metadata) for item in WRITERS.values() if item.writer and item.name in _FORMATS]
    for content in (*files, *_TEXTS):
        request = json.dumps({"name": "own", "options": {}, "fields": {}, "points": 4}).encode()
        try:
            read(memoryview(len(request).to_bytes(8, "little") + request + content), Limits())
        except Exception:  # noqa: S112  it is run for its imports
            continue


def main(arguments: dict[str, object]) -> None:
    """Run the fork server; see :func:`photseries.server.sandbox.worker.main`."""
    _warm_up()
    worker.main(arguments, read=_read_alone, layers=confine.PARSING)


def _read_alone(image: memoryview, limits: Limits) -> FileContent:
    sys.meta_path.clear()  # further imports fail; opening a module would kill the child
    return read(image, limits)
