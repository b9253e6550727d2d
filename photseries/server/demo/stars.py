"""The table of the demo: the stars, their variability and their observations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from photseries.lightcurve.photometry import FloatArray, mag_to_flux
from photseries.server.demo.cadences import GroundSurvey, SpaceMission
from photseries.server.demo.shapes import eclipses, flares, pulsation, supernova, transit

__all__ = ["INSTRUMENTS", "STARS", "Star", "StarBand", "tables"]

#: The instruments by their id, with their filters.
INSTRUMENTS: Mapping[int, tuple[str, tuple[str, ...]]] = {
    1: ("Demo space photometer", ("tess",)),
    2: ("Demo survey camera", ("ztfg", "ztfr", "ztfi")),
}


@dataclass(frozen=True)
class StarBand:
    """A star in one filter: magnitude [AB mag], variability, magnitude in the reference image."""

    mag: float
    shape: Callable[[FloatArray], FloatArray]
    magref: float | None = None


@dataclass(frozen=True)
class Star:
    """A star of the demo.

    Parameters
    ----------
    obj_id : str
    what : str
        A short description.
    ra, dec : float
        [deg, ICRS]
    instrument_id : int
    cadence : SpaceMission or GroundSurvey
    bands : mapping
        By filter.
    truth : mapping
        The parameters of the formula, for users who want to recover them.
    """

    obj_id: str
    what: str
    ra: float
    dec: float
    instrument_id: int
    cadence: SpaceMission | GroundSurvey
    bands: Mapping[str, StarBand]
    truth: Mapping[str, Any] = field(default_factory=dict)


def _bands(mags: Mapping[str, float], shape: Callable[..., FloatArray], **numbers: object) -> dict[str, StarBand]:
    return {name: StarBand(mag, partial(shape, **numbers)) for name, mag in mags.items()}


_TRANSIT = {"period": 3.4852, "epoch": 59002.61, "depth": 0.0125, "duration": 0.135}
_PULSATION: Mapping[str, Any] = {"period": 0.5493217, "epoch": 59000.27}
_ECLIPSES = {"period": 1.8327415, "epoch": 59001.83, "depths": (0.42, 0.13), "width": 0.028, "ellipsoidal": 0.025}
_SUPERNOVA: Mapping[str, Any] = {"epoch": 59420.0, "rise": 3.2, "fall": 24.0}
_FLARES = [(59103.17, 0.004, 0.9), (59105.02, 0.011, 0.35), (59106.61, 0.003, 0.18), (59109.44, 0.006, 2.4),
           (59109.49, 0.005, 0.5), (59112.80, 0.002, 0.3), (59116.23, 0.015, 0.6)]  # fmt: skip


def _spotted(mjd: FloatArray) -> FloatArray:
    """Return the light of a star with flares, and a spot with a rotation period of 1.27 days."""
    return np.asarray(flares(mjd, _FLARES) * (1 + 0.012 * np.sin(2 * np.pi * mjd / 1.27)))


_SURVEY = GroundSurvey(begin=59000, days=900, every=4, visits=2, depth=20.6)

STARS: tuple[Star, ...] = (
    Star(
        "Demo transit", "transits of a hot Jupiter, a point every 2 minutes for 27 days", 120.4712, 41.2035,
        1, SpaceMission(begin=59000.3, days=27, exp_time=120, precision=0.0011),
        _bands({"tess": 10.4}, transit, **_TRANSIT), _TRANSIT,
    ),
    Star(
        "Demo RR Lyrae", "a pulsating star in three filters, three seasons", 211.7353, 12.6127, 2, _SURVEY,
        {
            "ztfg": StarBand(15.9, partial(pulsation, amplitude=1.15, **_PULSATION)),
            "ztfr": StarBand(15.7, partial(pulsation, amplitude=0.82, **_PULSATION)),
            "ztfi": StarBand(15.65, partial(pulsation, amplitude=0.62, **_PULSATION)),
        },
        _PULSATION,
    ),
    Star(
        "Demo eclipsing binary", "two stars that eclipse one another, in two filters", 291.0518, 37.8841, 2, _SURVEY,
        _bands({"ztfg": 16.8, "ztfr": 16.2}, eclipses, **_ECLIPSES), _ECLIPSES,
    ),
    Star(
        "Demo supernova", "a supernova in two filters, after a year of non-detections", 35.2264, -4.9172,
        2, GroundSurvey(begin=59340, days=230, every=2, visits=1, depth=20.6),
        {
            "ztfg": StarBand(18.0, partial(supernova, **{**_SUPERNOVA, "fall": 17.0}), magref=19.84),
            "ztfr": StarBand(17.8, partial(supernova, **_SUPERNOVA), magref=19.21),
        },
        _SUPERNOVA,
    ),
    Star(
        "Demo flare star", "flares of a red dwarf, a point every 20 seconds: more than 70,000 rows", 76.9911, -21.4570,
        1, SpaceMission(begin=59100.1, days=18, exp_time=20, precision=0.004),
        {"tess": StarBand(12.1, _spotted)}, {"rotation": 1.27, "flares": [time for time, *_ in _FLARES]},
    ),
    Star(
        "Demo constant star", "a star of constant brightness", 10.6250, 41.1133, 2, _SURVEY,
        _bands({"ztfr": 17.4}, np.ones_like), {},
    ),
)  # fmt: skip


def tables(star: Star) -> Iterator[tuple[str, dict[str, Sequence[float | None]]]]:
    """Return the light curves of a star, deterministically.

    Yields
    ------
    str, dict of str to list
        A filter and the columns of its table, as in a JSON body.
    """
    for number, (name, band) in enumerate(star.bands.items()):
        noise = np.random.default_rng([STARS.index(star), number])
        mjd = star.cadence.times(noise)
        seen = star.cadence.see(mjd, float(mag_to_flux(band.mag)) * band.shape(mjd), noise)
        columns = {"mjd": seen.mjd, "flux": seen.flux, "fluxerr": seen.fluxerr, "background": seen.background}
        listed: dict[str, list[float | None]] = {
            column: [None if value != value else value for value in np.round(values, 7).tolist()]
            for column, values in columns.items()
        }
        yield name, {**listed, "quality": seen.quality.tolist()}
