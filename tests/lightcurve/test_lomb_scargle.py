"""The Lomb-Scargle power against astropy's and against least squares, with and without finufft."""

import sys

import numpy as np
import pytest
from astropy.timeseries import LombScargle as AstropyLombScargle
from hypothesis import given, settings
from hypothesis import strategies as st

from photseries.errors import InvalidError, LateError
from photseries.lightcurve import lomb_scargle as module
from photseries.lightcurve.lomb_scargle import Grid, LombScargle
from photseries.lightcurve.periodogram import SearchOptions, search_periods


def observed(rows=200, period=0.7, noise=0.3, seed=1):
    random = np.random.default_rng(seed)
    mjd = np.sort(random.uniform(59000, 59050, rows))
    error = random.uniform(0.5, 1.5, rows) * noise
    return mjd, 100 + np.sin(2 * np.pi * mjd / period) + random.normal(0, error), error


def astropys(mjd, value, error, frequencies):
    return AstropyLombScargle(mjd, value, error).power(frequencies, method="slow")


def fitted(mjd, value, error, frequencies):
    """Return the part of chi squared that a sinusoid takes away, by least squares on scaled columns."""
    weight = error**-2 / np.sum(error**-2)
    value = value - weight @ value
    root = np.sqrt(weight)
    powers = []
    for frequency in frequencies:
        half = np.pi * frequency * (mjd - mjd.mean())
        columns = np.array([np.ones_like(half), np.sin(2 * half), 2 * np.sin(half) ** 2])
        columns = (columns / np.abs(columns).max(axis=1, keepdims=True) * root).T
        rest = root * value - columns @ np.linalg.lstsq(columns, root * value)[0]
        powers.append(1 - rest @ rest / (weight @ value**2))
    return np.array(powers)


@pytest.fixture(params=["finufft", "numpy"])
def library(request, monkeypatch):
    if request.param == "numpy":
        monkeypatch.setitem(sys.modules, "finufft", None)
    for name in ("_FFT_BLOCK", "_MATRIX_BLOCK"):
        monkeypatch.setattr(module, name, (67, 97))  # blocks that do not divide the rows and frequencies
    monkeypatch.setattr(module, "_EXACT_BLOCK", 1001)


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("weighted", [True, False])
def test_the_power_is_that_of_astropy(weighted):
    mjd, value, error = observed()
    error = error if weighted else None
    grid = Grid(0.013, 0.011, 1000)
    truth = astropys(mjd, value, error, grid.frequencies())
    curve = LombScargle(mjd, value, error)
    np.testing.assert_allclose(curve.on_grid(grid), truth, atol=1e-9)
    np.testing.assert_allclose(curve.at(grid.frequencies()), truth, atol=1e-9)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=st.integers(5, 60),
    span=st.floats(0.5, 3000),
    night=st.one_of(st.none(), st.floats(0.05, 0.5)),
    start=st.sampled_from([0.0, 59000.0]),
    errors=st.one_of(st.none(), st.floats(0.01, 1)),
)
def test_the_power_of_random_series_is_that_of_astropy(seed, rows, span, night, start, errors):
    random = np.random.default_rng(seed)
    mjd = random.uniform(0, span, rows)
    mjd = np.sort(start + (mjd if night is None else np.floor(mjd) + random.uniform(0, night, rows)))
    value = random.normal(0, 1, rows) + random.uniform(0, 3) * np.sin(mjd * random.uniform(0.01, 10))
    error = None if errors is None else random.uniform(errors, 1, rows)
    length = mjd[-1] - mjd[0]
    grid = Grid(1 / length, 1 / (5 * length), 400)
    truth = astropys(mjd - start, value, error, grid.frequencies())  # which rounds the phases of late times
    np.testing.assert_allclose(LombScargle(mjd, value, error).on_grid(grid), truth, atol=1e-8)


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("spans", [1, 10, 100, 1e3, 1e5])
def test_the_power_of_periods_of_many_spans(spans):
    mjd, value, error = observed(rows=100)
    value = value + 5 * ((mjd - 59000) / 50) ** 2  # the power of a slow trend depends on the smallest denominators
    grid = Grid(1 / (50 * spans), 1 / (50 * spans), 40)
    power = LombScargle(mjd, value, error).on_grid(grid)
    np.testing.assert_allclose(power, fitted(mjd, value, error, grid.frequencies()), atol=1e-9)
    if spans <= 100:  # the sums of astropy cancel, too, and more so from there on
        np.testing.assert_allclose(power, astropys(mjd, value, error, grid.frequencies()), atol=1e-7)


def test_beyond_the_limit_of_exact_work_a_term_that_cancels_counts_as_nothing(monkeypatch):
    monkeypatch.setattr(module, "_EXACT_WORK", 0)
    mjd, value, error = observed(rows=100)
    grid = Grid(1e-7, 1e-7, 40)
    power = LombScargle(mjd, value, error).on_grid(grid)
    truth = fitted(mjd, value, error, grid.frequencies())
    assert power[0] == pytest.approx(truth[0], abs=1e-9), "one frequency is always exact"
    assert np.all(power[1:] < truth[1:])


@pytest.mark.usefixtures("library")
def test_a_regular_cadence_up_to_the_frequency_where_the_sine_vanishes():
    mjd = 59000 + np.arange(500) / 10
    grid = Grid(0.02, 0.02, 250)  # to 5 per day, half the cadence
    power = LombScargle(mjd, np.cos(2 * np.pi * mjd / 0.5) + 3, None).on_grid(grid)
    assert grid.frequencies()[power.argmax()] == pytest.approx(2)
    assert power.max() == pytest.approx(1)
    assert power[-1] < 1e-6


@pytest.mark.parametrize("cadence", [1e-9, 1e-8])
def test_the_exact_power_of_times_whose_steps_are_near_their_rounding(cadence):
    """At MJD 60000 a float64 resolves 7e-12 d; steps of 1e-9 d still tell periods of a few steps."""
    random = np.random.default_rng(5)
    mjd = 60000 + np.arange(2000) * cadence
    value = 100 + 10 * np.sin(2 * np.pi * (mjd - 60000) / (2.5 * cadence)) + random.normal(0, 1, 2000)
    frequencies = np.linspace(0.01, 0.49, 97) / cadence
    power = LombScargle(mjd, value, None).at(frequencies)
    np.testing.assert_allclose(power, astropys(mjd - 60000, value, np.ones(2000), frequencies), atol=1e-6)
    assert power.max() > 0.9
    peak = search_periods(mjd, value, None, SearchOptions(max_peaks=1)).peaks[0]
    assert peak.period == pytest.approx(2.5 * cadence, rel=1e-4)
    assert peak.power > 0.9
    assert peak.false_alarm < 1e-9


@pytest.mark.parametrize("scale", [1e-200, 1e250])
def test_power_is_independent_of_scale_and_offset(scale):
    mjd, value, error = observed()
    grid = Grid(0.02, 0.01, 300)
    scaled = LombScargle(mjd, value * scale, error * scale).on_grid(grid)
    np.testing.assert_allclose(scaled, LombScargle(mjd, value, error).on_grid(grid), atol=1e-9)


def test_the_false_alarm_probability_is_baluevs():
    mjd, value, error = observed()
    truth = [1, 0.999998901, 0.0924307529, 3.38096480e-12, 8.87029148e-95]  # astropy 8.0 with scipy, method="baluev"
    last = AstropyLombScargle(mjd, value, error).autofrequency(maximum_frequency=20)[-1]
    chances = LombScargle(mjd, value, error).false_alarm([0.01, 0.05, 0.1, 0.3, 0.9], last)
    np.testing.assert_allclose(chances, truth, rtol=1e-8)


@pytest.mark.usefixtures("library")
def test_search_stops_at_its_deadline():
    mjd, value, error = observed()
    curve = LombScargle(mjd, value, error, seconds=-1)
    with pytest.raises(LateError, match="took too long"):
        curve.on_grid(Grid(0.01, 0.01, 1000))
    with pytest.raises(LateError, match="took too long"):
        curve.at(np.array([1.0]))


def test_single_dominant_weight_is_refused():
    mjd, value, error = observed(rows=10)
    error[3] = 1e-200
    with pytest.raises(InvalidError, match="all the weight"):
        LombScargle(mjd, value, error)
