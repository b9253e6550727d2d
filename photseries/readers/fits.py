"""Light curves in FITS.

The fluxes of TESS and Kepler are electrons per second. They are brought to uJy only by a zero point that the caller
asks for: an AB magnitude, or TESS's published one (:mod:`photseries.readers.zero_points`). The 20.44 mag of the TESS
Instrument Handbook alone is none: the zero of the TESS system is Vega's. Kepler publishes none. Without one they are
kept, flagged in altdata, and warned about.
"""

from __future__ import annotations

import io
from typing import Any, Final

import numpy as np
import pandas as pd

from photseries.readers.columns import canonical
from photseries.readers.missions import Mission, mission_of, suggestions
from photseries.readers.plain import plain_column
from photseries.readers.reading import Reading, ReadOptions, invalid, needs, quiet

__all__ = ["read_fits"]

#: The columns of fluxes, the better one first: corrected for what the spacecraft does, and as measured.
_FLUXES: Final = ("PDCSAP_FLUX", "SAP_FLUX")

_UNITS: Final = {"e-/s": "electron/s"}


def read_fits(content: bytes, options: ReadOptions) -> Reading:
    """Read the first table of a FITS file.

    Parameters
    ----------
    content : bytes
    options : ReadOptions
        For light curves of TESS, Kepler and K2, ``flux_col`` chooses the flux: by default ``PDCSAP_FLUX``, or
        ``SAP_FLUX`` where there is none.

    Returns
    -------
    Reading
        Of those missions with ``mjd`` = TIME + BJDREFI + BJDREFF - 2400000.5 (TDB, at the barycenter), ``flux``,
        ``fluxerr``, ``quality``, and the other columns as they are.

    Raises
    ------
    InvalidError
        When there is no table, or no such column in it.
    """
    needs("astropy")
    from astropy.io import fits
    from astropy.utils.exceptions import AstropyWarning

    with quiet(AstropyWarning), fits.open(io.BytesIO(content), memmap=False) as hdus:
        table = next((hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU)), None)
        if table is None:
            raise invalid("there is no table in it")
        header = {**hdus[0].header, **table.header}
        mission = mission_of(header)
        if mission is not None and "TIME" in table.columns.names:
            return _light_curve(table, header, mission, options)
        from astropy.table import Table

        from photseries.readers.astronomy import from_table

        # Only astropy writes times as pairs of numbers; what other files call times need not be what it takes for them.
        pairs = any(column.coord_type and column.dim for column in table.columns)
        return from_table(Table.read(table, character_as_bytes=False, astropy_native=pairs), options)


def _light_curve(table: Any, header: dict[str, Any], mission: Mission, options: ReadOptions) -> Reading:
    flux = options.flux_col or next((name for name in _FLUXES if _has_values(table, name)), None)
    there = table.columns.names
    if flux is None or flux not in there:
        raise invalid(f"There is no column {flux or ' or '.join(_FLUXES)} (flux_col); there are {', '.join(there)}.")
    error = options.fluxerr_col or f"{flux}_ERR"
    known = {"TIME": "mjd", flux: "flux", mission.quality: "quality", error: "fluxerr"}
    plain = [name for name in there if table.data[name].ndim == 1]
    frame = pd.DataFrame({known.get(name, name): plain_column(table.data[name]) for name in plain})
    # Two parts, so that the sum is as exact as the header.
    frame["mjd"] = frame["mjd"] + (_reference(header, mission)[0] - 2_400_000) + (_reference(header, mission)[1] - 0.5)
    fields = suggestions(header)
    fields["time_scale"] = str(header.get("TIMESYS", "TDB")).strip().lower()
    fields["time_refpos"] = "barycenter"
    fields["altdata"] = {**fields.get("altdata", {}), "flux_column": flux}
    unit = str(table.columns[flux].unit or "unknown units")
    reading = Reading(frame, fields)
    return canonical(reading, ReadOptions(zero_point=options.zero_point), _UNITS.get(unit, unit))


def _has_values(table: Any, name: str) -> bool:
    return name in table.columns.names and bool(np.isfinite(table.data[name]).any())


def _reference(header: dict[str, Any], mission: Mission) -> tuple[float, float]:
    whole, rest = header.get("BJDREFI", mission.reference), header.get("BJDREFF", 0.0)
    if not isinstance(whole, int | float) or not isinstance(rest, int | float):
        raise invalid("BJDREFI and BJDREFF of its header are no numbers.")
    return float(whole), float(rest)
