"""Simulated observations: times with gaps, noise, bad rows. Deterministic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from photseries.lightcurve.photometry import FloatArray, mag_to_flux

__all__ = ["GroundSurvey", "ObservedRows", "SpaceMission"]

#: Bits of the column ``quality``.
SCATTERED_LIGHT, THRUSTERS = 1, 32


@dataclass(frozen=True, eq=False)
class ObservedRows:
    """The rows of a light curve, of shape (n,): times [d], fluxes and their errors [uJy], background [uJy], bits."""

    mjd: FloatArray
    flux: FloatArray
    fluxerr: FloatArray
    background: FloatArray
    quality: np.ndarray[tuple[int], np.dtype[np.int64]]


@dataclass(frozen=True)
class SpaceMission:
    """A satellite that observes one field, with a gap for the downlink and momentum dumps every few days.

    Parameters
    ----------
    begin, days : float
        [d]
    exp_time : float
        [s], without gaps between exposures.
    precision : float
        Relative noise of one exposure.
    """

    begin: float
    days: float
    exp_time: float
    precision: float
    frame: ClassVar[Mapping[str, str]] = {"time_scale": "tdb", "time_refpos": "barycenter"}

    def times(self, _noise: np.random.Generator) -> FloatArray:
        """Return the times of the exposures [d]."""
        mjd = self.begin + np.arange(0, self.days, self.exp_time / 86400)
        away = np.abs(mjd - self.begin - self.days / 2) < 0.6
        return np.asarray(mjd[~away])

    def see(self, mjd: FloatArray, flux: FloatArray, noise: np.random.Generator) -> ObservedRows:
        """Return measured fluxes [uJy] at the times."""
        since = mjd - self.begin
        scattered = np.exp(-0.5 * ((since % (self.days / 2) - self.days / 2 + 0.3) / 0.25) ** 2)
        background = flux * (0.02 + 0.3 * scattered) * noise.normal(1, 0.02, len(mjd))
        error = self.precision * np.sqrt(flux * np.median(flux)) * (1 + scattered)
        quality = np.where(scattered > 0.6, SCATTERED_LIGHT, 0)
        quality[since % 3.1 < 2.5 * self.exp_time / 86400] |= THRUSTERS
        seen = flux + noise.normal(0, error)
        bad = quality > 0
        seen[bad] *= 1 + noise.normal(0, 12 * self.precision, bad.sum())
        seen[noise.random(len(mjd)) < 0.001] = np.nan
        return ObservedRows(mjd, seen, error, background, quality)


@dataclass(frozen=True)
class GroundSurvey:
    """A ground-based survey: some clear nights, while the star is up.

    Parameters
    ----------
    begin, days : float
        [d]
    every : float
        From one night of the star's field to the next, on average [d].
    visits : int
        In a night.
    depth : float
        The limiting magnitude of one exposure, 5 sigma, in a typical night [AB mag].
    """

    begin: float
    days: float
    every: float
    visits: int
    depth: float
    exp_time: float = 30.0
    frame: ClassVar[Mapping[str, str]] = {"time_scale": "utc", "time_refpos": "topocenter"}

    def times(self, noise: np.random.Generator) -> FloatArray:
        """Return the times of the exposures [d]."""
        nights = np.arange(self.days)
        up = np.cos(2 * np.pi * (nights - 100) / 365.25) > -0.5
        used = nights[up & (noise.random(len(nights)) < 1 / self.every)]
        starts = self.begin + used + noise.uniform(0.15, 0.40, len(used))
        pauses = noise.uniform(0.01, 0.05, (len(starts), self.visits)).cumsum(axis=1)
        return np.asarray((starts[:, None] + pauses).ravel())

    def see(self, mjd: FloatArray, flux: FloatArray, noise: np.random.Generator) -> ObservedRows:
        """Return measured fluxes [uJy] at the times: noise that increases with the Moon, calibration errors of 1 %."""
        sky = float(mag_to_flux(self.depth)) / 5 * (1 + 0.6 * np.cos(2 * np.pi * mjd / 29.53) ** 8)
        sky *= noise.lognormal(0, 0.15, len(mjd))
        error = np.hypot(sky, 0.01 * flux)
        seen = flux + noise.normal(0, error)
        bad = noise.random(len(mjd)) < 0.015
        seen[bad] += noise.normal(0, 15 * error[bad])
        return ObservedRows(mjd, seen, error, sky, np.where(bad, SCATTERED_LIGHT, 0))
