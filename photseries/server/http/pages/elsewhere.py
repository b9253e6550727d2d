"""Links to other archives at a position; the service itself sends them no requests."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

__all__ = ["links_of"]

#: The addresses, with ``{at}`` for the position and ``{ra}``, ``{dec}`` for its parts [deg].
_ADDRESSES: Mapping[str, str] = {
    "SIMBAD": "https://simbad.cds.unistra.fr/simbad/sim-coo?Coord={at}&Radius=5&Radius.unit=arcsec",
    "VSX": "https://vsx.aavso.org/index.php?view=results.get&coords={at}&format=d&size=10&unit=3",
    "Gaia": "https://vizier.cds.unistra.fr/viz-bin/VizieR-4?-source=I/355/gaiadr3&-c={at}&-c.rs=5",
    "TNS": "https://www.wis-tns.org/search?ra={ra}&decl={dec}&radius=5&coords_unit=arcsec",
    "MAST": "https://mast.stsci.edu/portal/Mashup/Clients/Mast/Portal.html?searchQuery={at}",
    "Aladin": "https://aladin.cds.unistra.fr/AladinLite/?target={at}&fov=0.1",
    "ESASky": "https://sky.esa.int/?target={at}&fov=0.1&sci=true",
    "Finding chart": "https://alasky.cds.unistra.fr/hips-image-services/hips2fits?hips=CDS/P/DSS2/color"
    "&ra={ra}&dec={dec}&fov=0.1&width=800&height=800&format=jpg",
}


def links_of(ra: float, dec: float) -> dict[str, str]:
    """Return the links about a position [deg, ICRS] by the name of the archive."""
    at = quote(f"{ra:.6f} {dec:+.6f}")
    return {name: address.format(at=at, ra=f"{ra:.6f}", dec=f"{dec:.6f}") for name, address in _ADDRESSES.items()}
