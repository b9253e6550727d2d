"""Upload the demo stars to an archive as a client."""

from __future__ import annotations

from photseries.server.demo.stars import INSTRUMENTS, STARS, Star, tables
from photseries.server.principal import Principal
from photseries.server.services import Services

__all__ = ["fill"]


def fill(services: Services, principal: Principal) -> int:
    """Create the instruments, the sources and the series of the demo.

    Parameters
    ----------
    services : Services
        Of a fresh archive.
    principal : Principal
        An admin; becomes the owner.

    Returns
    -------
    int
        The number of series.

    Raises
    ------
    DuplicateError
        When some of them already exist.
    """
    for identity, (name, filters) in INSTRUMENTS.items():
        body = {"id": identity, "name": name, "telescope": "imagined", "filters": list(filters)}
        services.accounts.create(principal, "instrument", body)
    return sum(_create(services, principal, number, star) for number, star in enumerate(STARS, start=1))


def _create(services: Services, principal: Principal, number: int, star: Star) -> int:
    services.accounts.create(principal, "sources", {"id": star.obj_id, "ra": star.ra, "dec": star.dec})
    shared = {
        "obj_id": star.obj_id,
        "instrument_id": star.instrument_id,
        "series_name": f"demo/{star.obj_id.removeprefix('Demo ').replace(' ', '-')}",
        "series_obj_id": number,
        "ra": star.ra,
        "dec": star.dec,
        "exp_time": star.cadence.exp_time,
        "origin": "photseries demo",
        "group_ids": "all",
        **star.cadence.frame,
        "altdata": {"made by": "a formula", **star.truth},
    }
    for name, columns in tables(star):
        magref = star.bands[name].magref
        reference = {} if magref is None else {"magref": magref, "e_magref": 0.02}
        flagged = {"flag_column": "quality"} if "quality" in columns else {}
        services.archive.create(principal, {**shared, **reference, **flagged, "filter": name, "data": columns})
    return len(star.bands)
