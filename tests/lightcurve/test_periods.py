"""The period that the service keeps of a series."""

import numpy as np
import pandas as pd
import pytest
from astropy.timeseries import LombScargle

from photseries.errors import InvalidError
from photseries.lightcurve.period_methods import BandCurve, search_bands
from photseries.lightcurve.periods import MIN_POINTS, find_period
from photseries.lightcurve.samples import Samples, samples
from tests.support import macho

LIMITS = {"max_frequencies": 500_000, "seconds": 600}
#: Of MACHO 1.3444.614 [d].
KNOWN = 0.93697


def wave(rows=200, period=0.7312, trend=0.0, noise=0.05, seed=1):
    random = np.random.default_rng(seed)
    mjd = np.sort(random.uniform(59000, 59040, rows))
    value = np.sin(2 * np.pi * mjd / period) + trend * (mjd - 59000) + random.normal(0, noise, rows)
    return Samples("flux", mjd, value, np.full(rows, noise))


@pytest.mark.parametrize("band", "RB")
def test_the_period_of_a_macho_star(band):
    points = samples(pd.DataFrame(macho(band)), "mag")
    found = find_period(points, **LIMITS)
    assert found.period == pytest.approx(KNOWN, rel=1e-5)
    near = np.linspace(0.999, 1.001, 20_001) / KNOWN
    powers = LombScargle(points.mjd, points.value, points.error).power(near)
    assert found.period == pytest.approx(1 / near[powers.argmax()], rel=1e-7)
    assert found.power == pytest.approx(powers.max(), rel=1e-5)


def test_both_bands_of_a_macho_star_together():
    both = [samples(pd.DataFrame(macho(band)), "mag") for band in "RB"]
    search = search_bands([BandCurve(one.mjd, one.value, one.error) for one in both])
    assert search.peaks[0].period == pytest.approx(KNOWN, rel=1e-5)


def test_period_includes_its_search_range():
    found = find_period(wave(), **LIMITS)
    assert found.period == pytest.approx(0.7312, abs=5 * found.error)
    assert (found.method, found.false_alarm < 1e-30, found.power > 0.9) == ("lomb_scargle", True, True)
    assert found.grid["min_period"] < found.period < found.grid["max_period"]
    few = find_period(wave(), max_frequencies=300, seconds=600)
    assert few.grid["num_frequencies"] == 300


def test_trend_is_not_a_period():
    points = wave(trend=5.0, noise=0.01)
    found = find_period(points, **LIMITS)
    assert found is None or found.period < 0.9 * np.ptp(points.mjd)


def test_few_points_have_no_period():
    assert find_period(wave(MIN_POINTS - 1), **LIMITS) is None
    assert find_period(wave(MIN_POINTS), **LIMITS) is not None
    still = wave()
    with pytest.raises(InvalidError, match="does not vary"):
        find_period(Samples("flux", still.mjd, np.ones(200), None), **LIMITS)
