"""The parts of a table that a request can select: rows, columns, and derived columns.

Importing this module loads neither numpy nor pandas, so that the help of a command stays fast.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from photseries.errors import InvalidError

__all__ = ["DERIVED", "Bin", "NoRowsError", "Selection"]

Bin = float | Literal["night"]

#: The derived columns with their descriptions; :mod:`photseries.lightcurve.select` computes them.
DERIVED: Mapping[str, str] = {
    "mag": "magnitude, in magsys",
    "magerr": "its error",
    "flux": "flux [uJy], or in flux_unit if that is not a flux density",
    "fluxerr": "its error",
    "snr": "signal-to-noise ratio, as in the statistics",
    "magtot": "AB magnitude with ref_flux added",
    "e_magtot": "its error, with that of the reference",
    "mjd_mid": "MJD of the middle of the exposure",
    "bjd_tdb": "mjd at the barycentre of the solar system, in TDB",
    "hjd_utc": "mjd at the Sun, in UTC",
    "mjd_tdb": "mjd in TDB",
}


class NoRowsError(InvalidError):
    """No row of a table matches a selection."""

    def __init__(self) -> None:
        super().__init__("No row of this series matches the requested times and rows.")


@dataclass(frozen=True)
class Selection:
    """A selection of rows and columns; None and empty mean everything.

    Parameters
    ----------
    columns : tuple of str, optional
        These columns in this order; derived columns follow.
    mjd_min, mjd_max : float, optional
        Rows between these times [d], both included; rows without a time are left out.
    row_min, row_max : int, optional
        Rows between these numbers, from 0, both included.
    max_points : int, optional
        Maximum number of rows, for plots: sorted by time, the first, the last, and the minimum and maximum brightness
        of each run of equal length. Rows without a time or a brightness, and flagged ones, are left out.
    derive : tuple of str
        Of :data:`DERIVED`.
    bin : float or "night", optional
        Means in bins of this width [d], or per night, instead of rows; other parameters apply to the bins.
    detrend : float, optional
        Two additional columns: the running median in a window of this width [d], and the brightness minus it.
    clip : float, optional
        An additional column ``clipped``, which marks rows this many standard deviations from the median.
    """

    columns: tuple[str, ...] | None = None
    mjd_min: float | None = None
    mjd_max: float | None = None
    row_min: int | None = None
    row_max: int | None = None
    max_points: int | None = None
    derive: tuple[str, ...] = ()
    bin: Bin | None = None
    detrend: float | None = None
    clip: float | None = None

    @property
    def is_whole(self) -> bool:
        """Whether this selects the unchanged table."""
        return self == Selection()
