"""The periodogram of several light curves against astropy's multi-band one."""

import numpy as np
import pytest
from astropy.timeseries import LombScargleMultiband

from photseries.errors import InvalidError
from photseries.lightcurve.period_methods import BandCurve, search_bands
from photseries.lightcurve.periodogram import SearchOptions

PERIOD = 0.6173
LEVELS = {"g": (15.0, 0.5), "r": (14.5, 0.3), "i": (14.2, 0.2)}


def bands(rows=12, seed=3, noise=0.05):
    """Few points through each filter: no band alone tells the period."""
    random = np.random.default_rng(seed)
    made = {}
    for shift, (name, (level, amplitude)) in enumerate(LEVELS.items()):
        mjd = np.sort(random.uniform(59000, 59030, rows))
        error = random.uniform(0.5, 1.5, rows) * noise
        value = level + amplitude * np.sin(2 * np.pi * mjd / PERIOD + 0.1 * shift) + random.normal(0, error)
        made[name] = BandCurve(mjd, value, error)
    return made


def test_the_power_is_astropys():
    made = bands(rows=30)
    search = search_bands(list(made.values()), SearchOptions(min_period=0.5, max_period=2, samples_per_peak=3))
    t, y, dy = (np.concatenate([getattr(band, name) for band in made.values()]) for name in ("mjd", "value", "error"))
    names = np.repeat(list(made), 30)
    astropys = LombScargleMultiband(t, y, names, dy, nterms_base=0, nterms_band=1, reg_base=None, reg_band=0)
    right = astropys.power(search.grid.frequencies(), method="flexible")
    np.testing.assert_allclose(search.power, right, atol=1e-8)


def test_combined_bands_find_a_period_that_single_bands_miss():
    found = search_bands(list(bands().values()), SearchOptions(0.1, 5)).peaks[0]
    assert found.period == pytest.approx(PERIOD, rel=1e-3)
    assert found.power > 0.9


def test_bands_without_errors_and_of_other_units_count():
    made = bands(rows=40)
    fluxes = [BandCurve(band.mjd, 10 ** (-0.4 * (band.value - 20)), None) for band in made.values()]
    assert search_bands(fluxes, SearchOptions(0.1, 5)).peaks[0].period == pytest.approx(PERIOD, rel=1e-3)


def test_bands_without_information_are_skipped():
    made = bands(rows=40)
    time = np.arange(59000.0, 59040)
    rounded = np.where(np.arange(40) % 2, 0.3, 0.1 + 0.2)  # these differ in the last bit
    nothing = [
        BandCurve(time, np.ones(40), np.ones(40)),
        BandCurve(time, rounded, None),
        BandCurve(time[:3], time[:3], None),
        BandCurve(time[:0], time[:0], None),
    ]
    whole = search_bands(list(made.values()), SearchOptions(min_period=0.5, max_period=2))
    more = search_bands([*made.values(), *nothing], SearchOptions(min_period=0.5, max_period=2))
    np.testing.assert_array_equal(whole.power, more.power)
    with pytest.raises(InvalidError, match="at least 5 points"):
        search_bands(nothing)


def test_the_shortest_period_is_that_of_a_band():
    """The steps between bands do not count: they would make the search long."""
    mjd = np.arange(59000.0, 59100)
    value = np.sin(2 * np.pi * mjd / 7.7)
    search = search_bands([BandCurve(mjd, value, None), BandCurve(mjd + 0.001, value, None)])
    assert 1 / search.grid.last == pytest.approx(2, rel=1e-6)
    assert search.peaks[0].period == pytest.approx(7.7, rel=1e-2)
