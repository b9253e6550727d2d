"""The other searches for periods: injected signals are found, and powers equal least squares written out."""

import numpy as np
import pytest

from photseries.errors import InvalidError, LateError
from photseries.lightcurve.lomb_scargle import Grid, LombScargle
from photseries.lightcurve.period_methods import phase_dispersion, search_by
from photseries.lightcurve.periodogram import SearchOptions

GRID = Grid(0.3, 0.013, 60)


def times(count=400, seed=1, span=30.0):
    return 59000 + np.sort(np.random.default_rng(seed).uniform(0, span, count))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_injected_transits_of_500_ppm_are_found(seed):
    noise = np.random.default_rng(seed)
    period = noise.uniform(1, 9)
    mjd = 59000 + np.arange(0, 27, 10 / 1440)
    inside = (mjd - 59000.3) / period % 1 < 0.12 / period
    flux = 1000 * (1 - 500e-6 * inside) + noise.normal(0, 0.2, len(mjd))
    best = search_by("bls", mjd, flux, np.full(len(mjd), 0.2), SearchOptions(max_peaks=3)).peaks[0]
    assert best.period == pytest.approx(period, rel=1e-3)
    assert best.depth == pytest.approx(0.5, rel=0.25)
    assert 0.05 <= best.duration <= 0.2
    assert best.false_alarm is None


def test_harmonics_are_the_least_squares_fit_of_three_sinusoids():
    mjd = times()
    value = np.random.default_rng(2).normal(0, 1, 400) + np.cos(2 * np.pi * 0.7 * mjd) ** 5
    error = np.random.default_rng(3).uniform(0.5, 2, 400)
    found = LombScargle(mjd, value, error).of_harmonics(GRID, 3)
    weight = 1 / error
    constant = np.average(value, weights=weight**2)
    total = np.sum((weight * (value - constant)) ** 2)
    for frequency, power in zip(GRID.frequencies(), found, strict=True):
        angle = 2 * np.pi * frequency * (mjd - 59015)
        columns = [np.ones(400), *(part(k * angle) for k in (1, 2, 3) for part in (np.cos, np.sin))]
        _, residual, *_ = np.linalg.lstsq(np.array(columns).T * weight[:, None], value * weight, rcond=None)
        assert power == pytest.approx(1 - residual[0] / total, abs=1e-6)


def test_the_window_is_that_of_the_times():
    mjd = times()
    angle = 2 * np.pi * np.outer(GRID.frequencies(), mjd - 59015)
    right = np.abs(np.exp(1j * angle).mean(axis=1)) ** 2
    assert LombScargle(mjd, mjd, None).of_times(GRID) == pytest.approx(right, abs=1e-10)


def test_the_phase_dispersion_is_the_pooled_variance():
    mjd = times()
    value = np.random.default_rng(2).normal(5, 1, 400)
    found = phase_dispersion(mjd, value, GRID)
    for frequency, power in zip(GRID.frequencies(), found, strict=True):
        place = np.floor(frequency * (mjd - mjd[0]) % 1 * 10)
        parts = [value[place == number] for number in set(place)]
        pooled = sum(np.sum((part - part.mean()) ** 2) for part in parts) / (400 - len(parts))
        assert power == pytest.approx(1 - pooled / value.var(ddof=1), abs=1e-10)


@pytest.mark.parametrize(("method", "tolerance"), [("harmonics", 1e-3), ("pdm", 5e-3)])
def test_an_eclipsing_binary_has_its_whole_period(method, tolerance):
    mjd = times(800, 4)
    phase = (mjd - 59000) / 1.3727 % 1
    eclipse = np.exp(-(((phase - 0.25) / 0.05) ** 2)) + 0.4 * np.exp(-(((phase - 0.75) / 0.05) ** 2))
    flux = 100 - 20 * eclipse + np.random.default_rng(5).normal(0, 0.5, 800)
    found = search_by(method, mjd, flux, None, SearchOptions(min_period=0.9, max_period=2.5))
    assert found.peaks[0].period == pytest.approx(1.3727, rel=tolerance)
    assert 0.5 < found.peaks[0].power <= 1


def test_nights_show_in_the_window():
    mjd = times(300, 6, 60)
    nights = mjd[mjd % 1 < 0.3]
    found = search_by("window", nights, np.ones(len(nights)), None, SearchOptions(min_period=0.8, max_period=10))
    assert found.peaks[0].period == pytest.approx(1, rel=1e-2)


@pytest.mark.parametrize("method", ["harmonics", "bls", "pdm"])
def test_a_constant_and_a_deadline_are_refused(method):
    mjd = times()
    with pytest.raises(InvalidError, match="does not vary"):
        search_by(method, mjd, np.ones(400), None)
    with pytest.raises(LateError):
        search_by(method, mjd, np.sin(mjd), None, SearchOptions(seconds=-1))


@pytest.mark.parametrize(("method", "fitted"), [("harmonics", 7), ("pdm", 10)])
def test_points_that_any_period_fits_are_refused(method, fitted):
    """A constant and three sinusoids go through 7 points, and 10 points may each have a part of the period."""
    rng = np.random.default_rng(4)
    mjd, flux = np.sort(rng.uniform(0, 20, fitted + 1)), rng.normal(size=fitted + 1)
    with pytest.raises(InvalidError, match=f"{method} needs at least {fitted + 1} points"):
        search_by(method, mjd[:-1], flux[:-1], None)
    assert search_by(method, mjd, flux, None).peaks
