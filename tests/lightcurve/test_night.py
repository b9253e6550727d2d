"""A simulated night of 2,000 stars: which of the variable ones do cuts in two features find?"""

import numpy as np
import pytest

from photseries.lightcurve.curve import LightCurve
from photseries.lightcurve.features import features

STARS, VARIABLE, ROWS = 2000, 100, 240
NOISE_FLOOR = 0.003


def night(seed):
    """The light curves of a night of 8 h at 2 min, and the amplitude of each star over its noise; 0 if constant.

    Stars have magnitudes from 11 to 17 with the noise of photons over a floor, errors that a pipeline gets wrong by
    10 % (1 sigma), and the same slow trend of 1 mmag. Of the variables a half are sinusoids, a third eclipses, the
    others flares; their amplitudes are from 5 mmag to 0.5 mag.
    """
    random = np.random.default_rng(seed)
    mjd = 60000 + np.arange(ROWS) * 2 / 1440
    trend = 0.001 * np.sin(np.pi * np.linspace(0, 1, ROWS))
    for star in range(STARS):
        mag = random.uniform(11, 17)
        noise = np.hypot(NOISE_FLOOR, 0.05 * 10 ** (0.2 * (mag - 16.5)))
        signal, amplitude = np.zeros(ROWS), 0.0
        if star < VARIABLE:
            amplitude = 10 ** random.uniform(np.log10(0.005), np.log10(0.5))
            phase = (mjd - mjd[0]) / 10 ** random.uniform(-1.3, -0.3) + random.uniform()
            if star % 6 < 3:
                signal = amplitude / 2 * np.sin(2 * np.pi * phase)
            elif star % 6 < 5:
                signal = amplitude * np.exp(-0.5 * ((phase % 1 - 0.5) / 0.08) ** 2)
            else:
                since = mjd - random.choice(mjd[: ROWS // 2])
                signal = -amplitude * np.where(since >= 0, np.exp(-np.maximum(since, 0) / 0.02), 0)
        value = mag + trend + signal + random.normal(0, noise, ROWS)
        error = np.full(ROWS, noise * np.exp(random.normal(0, 0.1)))
        absent = np.full(ROWS, np.nan)
        yield LightCurve(mjd=mjd, flux=absent, fluxerr=absent, mag=value, magerr=error), amplitude / noise


#: The cuts that docs/variability.md compares.
CUTS = {
    "both": lambda von_neumann, chi2, amplitude: (von_neumann < 1.7) & (chi2 > 1.3),
    "strict": lambda von_neumann, chi2, amplitude: (von_neumann < 1.5) & (chi2 > 1.5),
    "von Neumann": lambda von_neumann, chi2, amplitude: von_neumann < 1.7,
    "chi2": lambda von_neumann, chi2, amplitude: chi2 > 1.3,
    "amplitude": lambda von_neumann, chi2, amplitude: amplitude >= np.sort(amplitude)[-VARIABLE],
}


def outcomes(seed):
    """The number of stars that each cut chooses, its precision, its recall, and that above 3 times the noise."""
    stars = [(features(curve), strength) for curve, strength in night(seed)]
    strength = np.array([strength for _, strength in stars])
    values = [np.array([found[name] for found, _ in stars]) for name in ("von_neumann", "chi2_dof", "amplitude")]
    chosen = {name: cut(*values) for name, cut in CUTS.items()}
    return {
        name: (one.sum(), one[strength > 0].sum() / one.sum(), one[strength > 0].mean(), one[strength > 3].mean())
        for name, one in chosen.items()
    }


@pytest.mark.parametrize("seed", [1, 2])
def test_cuts_find_the_variables_of_a_night(seed):
    found = outcomes(seed)
    _, precision, recall, of_strong = found["both"]
    assert precision > 0.9
    assert recall > 0.55
    assert of_strong > 0.95
    assert found["strict"][1] == 1
    for alone in ("von Neumann", "chi2", "amplitude"):
        assert found[alone][1] < precision, alone
