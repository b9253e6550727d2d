"""A dry run: the result of an upload, without storing it."""

from __future__ import annotations

import orjson

from photseries.fields import COMPUTED
from photseries.formats import json_columns
from photseries.lightcurve.calibration import calibration_of
from photseries.lightcurve.samples import unit_of
from photseries.lightcurve.select import curve_to_show
from photseries.server.archive.uploads import NewSeries
from photseries.server.catalogue import series_queries
from photseries.server.catalogue.engine import Connection
from photseries.server.principal import Principal

__all__ = ["preview"]


def preview(
    connection: Connection, principal: Principal, new: NewSeries, points: int | None = None
) -> dict[str, object]:
    """Return a preview of a new series.

    Parameters
    ----------
    connection : Connection
    principal : Principal
    new : NewSeries
    points : int, optional
        Maximum number of rows of the light curve.

    Returns
    -------
    dict
        ``metadata``, ``sources`` (of each field that is given: inferred, file or body), ``columns`` (the dtype of
        each), ``statistics``, ``content_hash``, ``warnings``, and the id of the series that has the key as ``exists``;
        ``light_curve`` (mjd, mag, magerr, flux, fluxerr; null what cannot be derived) if ``points`` is given; and the
        description of its brightness, see :meth:`~photseries.lightcurve.calibration.Calibration.describe`.
    """
    metadata = new.checked.metadata
    calibration = calibration_of(metadata)
    holder = series_queries.holder_of(connection, principal, new.values)
    exists = () if holder is None else (f"A series with this key exists already: {holder}. This one would be refused.",)
    shown = None if points is None else curve_to_show(new.frame, metadata, points)
    return {
        "metadata": metadata,
        "sources": {name: layer for name, layer in new.sources.items() if name in metadata},
        "columns": {str(name): str(dtype) for name, dtype in new.frame.dtypes.items()},
        "statistics": {name: new.values[name] for name in COMPUTED},
        "content_hash": new.values["content_hash"],
        "warnings": [*new.warnings, *exists],
        "exists": holder,
        **calibration.describe(unit_of(new.frame, calibration)),
        **({} if shown is None else {"light_curve": orjson.Fragment(json_columns.encode(shown))}),
    }
