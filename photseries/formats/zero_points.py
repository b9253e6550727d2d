"""Convert fluxes to uJy by an AB zero point, given as a number or as the name of a published one.

A published zero point is used only at the uploader's request.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from photseries.formats.options import Unit, invalid
from photseries.lightcurve.photometry import AB_ZERO_POINT

__all__ = ["ZERO_POINTS", "ZeroPoint", "zero_point_of"]


@dataclass(frozen=True)
class ZeroPoint:
    """A published zero point: the magnitude of one unit of flux, and the flux of magnitude 0, in the same system.

    Parameters
    ----------
    magnitude, error : float
        The magnitude of one ``unit`` of flux in the mission's own system [mag].
    jansky : float
        The flux density of magnitude 0 in that system [Jy].
    unit : str
        The required unit of the fluxes, if known.
    filter : str
        The bandpass of the zero point.
    source : str
        The reference of both.
    """

    magnitude: float
    error: float
    jansky: float
    unit: str
    filter: str
    source: str

    @property
    def ab(self) -> float:
        """The AB magnitude of one unit of flux [AB mag]."""
        return self.magnitude + AB_ZERO_POINT - 2.5 * math.log10(self.jansky * 1e6)


#: The published zero points by name.
ZERO_POINTS: Final[Mapping[str, ZeroPoint]] = {
    "tess": ZeroPoint(
        magnitude=20.44,
        error=0.05,
        jansky=2416.0,
        unit="electron/s",
        filter="tess::red",
        source=(
            "Tmag = 20.44 - 2.5 log10(e-/s) (TESS Instrument Handbook); 2416 Jy 10^(-0.4 Tmag), the zero of Cousins I, "
            "which Tmag is defined to match (README of the TESS Transients, MIT; Fausnaugh et al. 2021, ApJ 908, 51)"
        ),
    ),
}


def zero_point_of(requested: float | str, unit: Unit, bandpass: object) -> tuple[float, dict[str, object]]:
    """Return the requested AB zero point, and its record for altdata.

    Parameters
    ----------
    requested : float or str
        An AB magnitude, or one of the names in :data:`ZERO_POINTS`.
    unit : str or None
        The unit of the fluxes; None if unknown.
    bandpass : str or None
        The filter of the series; None if unknown.

    Raises
    ------
    InvalidError
        When the zero point is unknown, or does not apply to the fluxes.
    """
    if not isinstance(requested, str):
        if not math.isfinite(requested):
            raise invalid("The zero point must be finite.")
        return float(requested), {"flux_zero_point": float(requested)}
    zero_point = ZERO_POINTS.get(requested)
    if zero_point is None:
        raise invalid(f"There is no zero point {requested!r:.40}; give a number, or one of {', '.join(ZERO_POINTS)}.")
    is_its_unit = unit is None or unit.replace(" ", "") == zero_point.unit  # astropy writes units with spaces
    if not is_its_unit or bandpass not in (None, zero_point.filter):
        actual = unit if not is_its_unit else bandpass
        raise invalid(
            f"The zero point {requested} is for {zero_point.unit} in the filter {zero_point.filter}, not for {actual}."
        )
    return zero_point.ab, {
        "flux_zero_point": zero_point.ab,
        "flux_zero_point_error": zero_point.error,
        "flux_zero_point_source": zero_point.source,
    }
