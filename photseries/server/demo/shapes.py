"""Light curve shapes: formulas for relative brightness over time, with 1 as the quiescent level."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from photseries.lightcurve.photometry import FloatArray

__all__ = ["eclipses", "flares", "pulsation", "supernova", "transit"]

#: A Fourier series of an RR Lyrae star of type ab: amplitude [mag] and phase [rad] of each harmonic of sines.
_RRAB = ((0.360, 0.00), (0.173, 2.40), (0.122, 5.05), (0.080, 1.50), (0.045, 4.20), (0.028, 0.60))

#: The rise of a flare: the coefficients of a polynomial, the highest power first.
_FLARE_RISE = (-1.125, -2.246, -0.175, 1.941, 1.0)


def transit(mjd: FloatArray, *, period: float, epoch: float, depth: float, duration: float) -> FloatArray:
    """Return the light of a star with central transits of a small planet.

    Parameters
    ----------
    mjd : ndarray of float64, shape (n,)
        [d]
    period, epoch, duration : float
        Period, the middle of a transit, and the time from first to last contact [d].
    depth : float
        The ratio of the areas of planet and star.

    Notes
    -----
    The lost light is the planet's area times the brightness of the disk behind it, darkened towards the limb as
    1 - u1 (1 - mu) - u2 (1 - mu)^2: the limit of a small planet in Mandel & Agol (2002, ApJ 580, L171). Ingress and
    egress are as long as the planet is wide.
    """
    u1, u2 = 0.40, 0.25
    radius = math.sqrt(depth)
    since = (mjd - epoch + period / 2) % period - period / 2
    distance = np.abs(since) / (duration / 2) * (1 + radius)  # separation of the centres, in stellar radii
    mu = np.sqrt(np.clip(1 - distance**2, 0, 1))
    surface = (1 - u1 * (1 - mu) - u2 * (1 - mu) ** 2) / (1 - u1 / 3 - u2 / 6)
    covered = np.clip((1 + radius - distance) / (2 * radius), 0, 1)
    return np.asarray(1 - depth * surface * covered)


def pulsation(mjd: FloatArray, *, period: float, epoch: float, amplitude: float) -> FloatArray:
    """Return the light of an RR Lyrae star: a steep rise and a slow decline.

    Parameters
    ----------
    mjd : ndarray of float64, shape (n,)
        [d]
    period, epoch : float
        [d]
    amplitude : float
        Factor of the series, whose full amplitude is about 1.1 mag as in V.

    Notes
    -----
    A Fourier series in magnitude, with ratios as in Simon & Teays (1982, ApJ 261, 586) for type ab.
    """
    angle = 2 * np.pi * (mjd - epoch) / period
    magnitude = sum(size * np.sin(k * angle + shift) for k, (size, shift) in enumerate(_RRAB, start=1))
    return np.asarray(10 ** (-0.4 * amplitude * magnitude))


def eclipses(
    mjd: FloatArray, *, period: float, epoch: float, depths: tuple[float, float], width: float, ellipsoidal: float
) -> FloatArray:
    """Return the light of an eclipsing binary with ellipsoidal variation.

    Parameters
    ----------
    mjd : ndarray of float64, shape (n,)
        [d]
    period, epoch : float
        Period and the middle of a primary eclipse [d].
    depths : (float, float)
        Of the primary and of the secondary eclipse.
    width : float
        Of both [cycles].
    ellipsoidal : float
        Half the amplitude of the wave between the eclipses.

    Notes
    -----
    Eclipses of the form 1 - (1 - exp(1 - cosh(phase / width)))^2, after Mikulasek (2015, A&A 584, A8).
    """
    phase = (mjd - epoch) / period
    light = 1 - ellipsoidal * np.cos(4 * np.pi * phase)
    for depth, centre in zip(depths, (0.0, 0.5), strict=True):
        apart = (phase - centre + 0.5) % 1 - 0.5
        light -= depth * (1 - (1 - np.exp(1 - np.cosh(np.clip(apart / width, -20, 20)))) ** 2)
    return np.asarray(light)


def supernova(mjd: FloatArray, *, epoch: float, rise: float, fall: float) -> FloatArray:
    """Return the light of a supernova, 1 at its brightest.

    Parameters
    ----------
    mjd : ndarray of float64, shape (n,)
        [d]
    epoch, rise, fall : float
        [d]

    Notes
    -----
    exp(-t / fall) / (1 + exp(-t / rise)), after Bazin et al. (2009, A&A 499, 653).
    """
    since = np.clip(mjd - epoch, -50 * rise, None)
    brightest = rise * math.log(fall / rise - 1)

    def light(time: FloatArray) -> FloatArray:
        return np.asarray(np.exp(-time / fall) / (1 + np.exp(-time / rise)))

    return light(since) / light(np.array(brightest))


def flares(mjd: FloatArray, events: Sequence[tuple[float, float, float]]) -> FloatArray:
    """Return the light of a star with flares.

    Parameters
    ----------
    mjd : ndarray of float64, shape (n,)
        [d]
    events : sequence of (float, float, float)
        Time of the peak [d], full width at half of it [d], and its height.

    Notes
    -----
    The template of Davenport et al. (2014, ApJ 797, 122), equations 1 and 4.
    """
    light = np.ones_like(mjd)
    for peak, width, height in events:
        time = (mjd - peak) / width
        rises, falls = (time > -1) & (time <= 0), (time > 0) & (time < 25)
        light[rises] += height * np.polyval(_FLARE_RISE, time[rises])
        light[falls] += height * (0.6890 * np.exp(-1.600 * time[falls]) + 0.3030 * np.exp(-0.2783 * time[falls]))
    return light
