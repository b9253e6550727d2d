"""The periodogram against astropy's, its peaks against the truth, and what it refuses."""

import math

import numpy as np
import pandas as pd
import pytest
from astropy.timeseries import LombScargle

from photseries.errors import InvalidError, LateError, NotInstalledError
from photseries.lightcurve import periodogram as module
from photseries.lightcurve.peaks import false_alarm, peaks
from photseries.lightcurve.periodogram import Grid, grid, periodogram
from photseries.lightcurve.samples import Samples, samples
from photseries.server.demo import STARS
from photseries.server.demo.stars import tables


def observed(rows=200, period=0.7, noise=0.3, seed=1, error=True):
    random = np.random.default_rng(seed)
    mjd = np.sort(random.uniform(59000, 59050, rows))
    errors = random.uniform(0.5, 1.5, rows) * noise
    value = 100 + np.sin(2 * np.pi * mjd / period) + random.normal(0, errors)
    return Samples("flux", mjd, value, errors if error else None)


@pytest.mark.parametrize("error", [True, False])
def test_the_power_is_that_of_astropy(error, monkeypatch):
    monkeypatch.setattr(module, "_PIECE", 97)  # rows and frequencies in pieces that do not divide them
    points = observed(error=error)
    frequencies = Grid(0.013, 0.011, 1000)
    truth = LombScargle(points.mjd, points.value, points.error).power(frequencies.frequencies(), method="slow")
    np.testing.assert_allclose(periodogram(points, frequencies), truth, atol=1e-9)


def test_a_regular_cadence_up_to_the_frequency_where_the_sine_vanishes():
    mjd = 59000 + np.arange(500) / 10
    points = Samples("flux", mjd, np.cos(2 * np.pi * mjd / 0.5) + 3, None)
    frequencies = Grid(0.02, 0.02, 250)  # to 5 per day, half the cadence
    power = periodogram(points, frequencies)
    assert frequencies.frequencies()[power.argmax()] == pytest.approx(2)
    assert power.max() == pytest.approx(1)
    assert power[-1] < 1e-6


@pytest.mark.parametrize("scale", [1e-200, 1e250])
def test_any_scale_and_offset_of_the_brightness_will_do(scale):
    points = observed()
    scaled = Samples("flux", points.mjd, points.value * scale, points.error * scale)
    frequencies = Grid(0.02, 0.01, 300)
    np.testing.assert_allclose(periodogram(scaled, frequencies), periodogram(points, frequencies), atol=1e-9)


def test_the_false_alarm_probability_is_baluevs():
    points = observed()
    truth = [1, 0.999998901, 0.0924307529, 3.38096480e-12, 8.87029148e-95]  # astropy 8.0 with scipy, method="baluev"
    last = LombScargle(points.mjd, points.value, points.error).autofrequency(maximum_frequency=20)[-1]
    np.testing.assert_allclose(false_alarm([0.01, 0.05, 0.1, 0.3, 0.9], points, last), truth, rtol=1e-8)


def test_noise_alone_alarms_as_rarely_as_is_said():
    alarms = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        points = Samples("mag", np.sort(random.uniform(0, 30, 60)), random.normal(0, 1, 60), None)
        frequencies = grid(points, 0.2, None, 5, 10_000)
        alarms += peaks(periodogram(points, frequencies), frequencies, points, 1)[0].false_alarm < 0.2
    assert 4 <= alarms <= 20


def test_peaks_are_distinct_and_in_order():
    points = observed(rows=400, noise=0.5)
    frequencies = grid(points, 0.1, None, 10, 10_000)
    found = peaks(periodogram(points, frequencies), frequencies, points, 8)
    assert len(found) == 8
    assert found[0].period == pytest.approx(0.7, rel=1e-3)
    assert [peak.power for peak in found] == sorted((peak.power for peak in found), reverse=True)
    order = np.sort([peak.frequency for peak in found])
    assert np.diff(order).min() > 1.4 / points.span
    assert found[0].false_alarm < 1e-10 < 1e-3 < found[-1].false_alarm


@pytest.mark.parametrize(("star", "cycles"), [("Demo RR Lyrae", 1), ("Demo eclipsing binary", 2)])
def test_the_period_of_a_demo_star_is_its_highest_peak(star, cycles):
    (star,) = (one for one in STARS if one.obj_id == star)
    for _, columns in tables(star):
        points = samples(pd.DataFrame(columns), "mag", quality="quality")
        frequencies = grid(points, None, None, 5, 1_000_000)
        best = peaks(periodogram(points, frequencies), frequencies, points, 1)[0]
        assert best.period * cycles == pytest.approx(star.truth["period"], rel=1e-4)


def test_a_deadline_is_held():
    with pytest.raises(LateError, match="took too long"):
        periodogram(observed(), Grid(0.01, 0.01, 1000), seconds=-1)


def test_without_finufft_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "finufft", None)
    with pytest.raises(NotInstalledError, match=r"pip install 'photseries\[periodogram\]'"):
        periodogram(observed(), Grid(0.01, 0.01, 1000))


@pytest.mark.parametrize(
    ("mjd", "value", "message"),
    [
        ([1, 2, 3, 4], [1, 2, 3, 4], "at least 5 points"),
        ([1] * 9, range(9), "more than one time"),
        (range(9), [7.7] * 9, "does not vary"),
    ],
)
def test_what_has_no_periodogram(mjd, value, message):
    points = Samples("mag", np.array(mjd, float), np.array(value, float), None)
    with pytest.raises(InvalidError, match=message):
        periodogram(points, grid(points, 0.5, None, 5, 1000))


def test_one_point_with_all_the_weight():
    points = observed(rows=10)
    points.error[3] = 1e-200
    with pytest.raises(InvalidError, match="all the weight"):
        periodogram(points, Grid(0.02, 0.02, 100))


def test_the_grid():
    points = observed()
    chosen = grid(points, 0.5, None, 5, 10_000)
    assert chosen.first == pytest.approx(1 / points.span)
    assert chosen.step == pytest.approx(0.2 / points.span)
    assert 2 - chosen.step < chosen.last <= 2
    assert grid(points, None, 2, 5, 300).count == 300, "what is not asked for is what is allowed"
    with pytest.raises(InvalidError, match="frequencies, and 300 are allowed"):
        grid(points, 0.5, None, 5, 300)
    with pytest.raises(InvalidError, match="minPeriod must be below"):
        grid(points, 3, 2, 5, 300)
    with pytest.raises(InvalidError, match="frequencies, and"):
        grid(points, 1e-9, None, 50, 2_000_000)


def test_the_samples_of_a_table():
    frame = pd.DataFrame(
        {
            "mjd": [3.0, 1.0, 2.0, math.nan, 5.0, 4.0],
            "flux": [10.0, 30.0, math.nan, 1.0, 7.0, -5.0],
            "fluxerr": [1.0, math.nan, 1.0, 1.0, 3.0, 1.0],
            "quality": [0, 0, 0, 0, 4, 0],
            "night": list("abcdef"),
        }
    )
    points = samples(frame, "flux")
    assert points.mjd.tolist() == [1, 3, 4, 5]
    assert points.value.tolist() == [30, 10, -5, 7]
    assert points.error.tolist() == [1, 1, 1, 3], "an error that is missing is the median one"
    assert samples(frame, "flux", quality="quality", mjd_min=2).mjd.tolist() == [3, 4]
    assert samples(frame, "mag").mjd.tolist() == [1, 3, 5], "a negative flux has no magnitude"
    assert samples(frame[["mjd", "flux"]], "flux").error is None
    for column in ("night", "qualities"):
        with pytest.raises(InvalidError, match="no column of numbers"):
            samples(frame, "flux", quality=column)
    with pytest.raises(InvalidError, match="No row of this series"):
        samples(frame, "flux", mjd_min=6)
