"""The wavelengths that filters transmit, where a publication states them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["WAVELENGTHS"]

#: From where to where a filter transmits [nm], with the source of each line; others are not known here.
WAVELENGTHS: Final[Mapping[str, tuple[float, float]]] = {
    "kepler": (423.0, 897.0),  # Koch et al. 2010, ApJ 713, L79: 5 % of the peak
    "tess": (600.0, 1000.0),  # Ricker et al. 2015, JATIS 1, 014003
    "tess::red": (600.0, 1000.0),  # the same
}
