"""The peaks of a periodogram: the highest of all, wherever it is, with the right error."""

import numpy as np
import pandas as pd
import pytest
from astropy.timeseries import LombScargle as AstropyLombScargle

from photseries.errors import LateError
from photseries.lightcurve.lomb_scargle import LombScargle
from photseries.lightcurve.peaks import find_peaks
from photseries.lightcurve.periodogram import SearchOptions, choose_grid, search_periods
from photseries.lightcurve.samples import samples
from photseries.server.demo import STARS
from photseries.server.demo.stars import tables
from tests.lightcurve.test_lomb_scargle import observed
from tests.support import macho


def macho_points(band):
    points = samples(pd.DataFrame(macho(band)), "mag")
    return points.mjd, points.value, points.error


def highest(mjd, value, error, low, high):
    """Return the frequency and the power of the maximum between two frequencies by astropy, on ever finer grids."""
    astropys = AstropyLombScargle(mjd, value, error)
    for _ in range(6):
        frequencies = np.linspace(low, high, 101)
        power = astropys.power(frequencies, method="slow")
        best = int(power.argmax())
        low, high = frequencies[max(best - 1, 0)], frequencies[min(best + 1, 100)]
    return frequencies[best], power[best]


def test_peaks_are_distinct_and_in_order():
    mjd, value, error = observed(rows=400, noise=0.5)
    found = search_periods(mjd, value, error, SearchOptions(min_period=0.1, samples_per_peak=10, max_peaks=8)).peaks
    assert len(found) == 8
    assert found[0].period == pytest.approx(0.7, rel=1e-3)
    assert [peak.power for peak in found] == sorted((peak.power for peak in found), reverse=True)
    order = np.sort([peak.frequency for peak in found])
    assert np.diff(order).min() >= 1.5 / (mjd[-1] - mjd[0])
    assert found[0].false_alarm < 1e-10 < 1e-3 < found[-1].false_alarm
    assert not any(peak.at_edge for peak in found)


@pytest.mark.parametrize("even", [True, False])
def test_a_period_as_long_as_the_span_is_the_highest_peak_at_the_edge(even):
    random = np.random.default_rng(0)
    mjd = 59000 + (np.linspace(0, 99.7, 400) if even else np.sort(random.uniform(0, 99.7, 400)))
    value = np.sin(2 * np.pi * mjd / 100) + random.normal(0, 0.1, 400)
    found = search_periods(mjd, value, None)
    best = found.peaks[0]
    assert best.at_edge
    assert best.period == pytest.approx(mjd[-1] - mjd[0])
    assert best.power > 0.95
    assert best.power == pytest.approx(AstropyLombScargle(mjd, value).power(best.frequency, method="slow"), abs=1e-9)
    assert best.power == pytest.approx(found.power.max(), abs=1e-9)
    assert best.period_error is None
    assert best.false_alarm < 1e-100


def test_a_peak_at_the_short_end_is_at_the_edge_and_one_inside_is_not():
    mjd, value, error = observed(rows=400)
    cut = search_periods(mjd, value, error, SearchOptions(min_period=0.7004, max_period=2)).peaks[0]
    assert cut.at_edge
    assert cut.period == pytest.approx(0.7004, rel=1e-3)
    assert cut.period >= 0.7004
    whole = search_periods(mjd, value, error, SearchOptions(min_period=0.699, max_period=2)).peaks[0]
    assert not whole.at_edge
    assert abs(whole.period - 0.7) < 4 * whole.period_error < 1e-3
    assert whole.power > cut.power


@pytest.mark.parametrize("band", ["B", "R"])
def test_the_peaks_of_a_star_do_not_depend_on_the_grid(band):
    mjd, value, error = macho_points(band)
    listed = [
        search_periods(mjd, value, error, SearchOptions(min_period=0.1, samples_per_peak=fineness, max_peaks=5)).peaks
        for fineness in (2, 3, 5, 7, 20, 50)
    ]
    for peaks in listed:
        np.testing.assert_allclose([one.power for one in peaks], [one.power for one in listed[-1]], rtol=1e-6)
        for one, other in zip(peaks, listed[-1], strict=True):
            assert one.period == pytest.approx(other.period, abs=0.01 * other.period_error)


@pytest.mark.slow
def test_two_periods_of_nearly_equal_power_are_ranked_alike_on_every_grid():
    random = np.random.default_rng(4)
    mjd = np.sort(random.uniform(0, 1000, 400))
    for first, second in ((0.8825, 0.3186), (0.3186, 0.8825)):
        value = np.sin(2 * np.pi * mjd / first) + 0.97 * np.sin(2 * np.pi * mjd / second) + random.normal(0, 0.2, 400)
        powers = [highest(mjd, value, None, 1 / one - 5e-4, 1 / one + 5e-4)[1] for one in (first, second)]
        truth = (first, second)[int(np.argmax(powers))]
        for fineness in (2, 3, 4, 5, 6, 9, 15):
            best = search_periods(mjd, value, None, SearchOptions(samples_per_peak=fineness)).peaks[0]
            assert best.period == pytest.approx(truth, rel=1e-4)


@pytest.mark.parametrize("fineness", [2, 5, 50])
def test_a_refined_peak_is_the_maximum_of_the_power_by_astropy(fineness):
    mjd, value, error = observed(rows=300, noise=1)
    search = search_periods(mjd, value, error, SearchOptions(samples_per_peak=fineness, max_peaks=6))
    span = mjd[-1] - mjd[0]
    for peak in search.peaks:
        frequency, power = highest(mjd, value, error, peak.frequency - 0.3 / span, peak.frequency + 0.3 / span)
        assert peak.frequency == pytest.approx(frequency, abs=1e-4 / span)
        assert peak.power == pytest.approx(power, abs=1e-8)
    baluevs = LombScargle(mjd, value, error).false_alarm([peak.power for peak in search.peaks], search.grid.last)
    np.testing.assert_allclose([peak.false_alarm for peak in search.peaks], baluevs)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1, 7])
def test_the_error_of_a_period_is_its_scatter(scale):
    rows, period, noise = 150, 1.7, 0.5
    periods, errors = [], []
    for seed in range(250):
        random = np.random.default_rng(seed)
        mjd = np.sort(random.uniform(59000, 59060, rows))
        true = noise * random.uniform(0.5, 1.5, rows)
        value = np.sin(2 * np.pi * mjd / period) + random.normal(0, true)
        peak = search_periods(mjd, value, true * scale, SearchOptions(1, 3, max_peaks=1)).peaks[0]
        periods.append(peak.period)
        errors.append(peak.period_error)
    pulls = (np.array(periods) - period) / np.array(errors)
    assert abs(pulls.mean()) < 4 / np.sqrt(250)
    assert 0.85 < pulls.std() < 1.15  # 0.045 is the standard deviation of this


def test_the_error_of_a_period_is_that_of_montgomery_and_odonoghue():
    rows, span, noise, period = 20_001, 100, 0.1, 0.5
    mjd = 59000 + np.linspace(0, span, rows)
    value = 2 * np.sin(2 * np.pi * mjd / period) + np.random.default_rng(3).normal(0, noise, rows)
    peak = search_periods(mjd, value, None, SearchOptions(min_period=0.3, max_period=1)).peaks[0]
    error = np.sqrt(6 / rows) * noise / (np.pi * span * 2) * period**2
    assert peak.period_error == pytest.approx(error, rel=0.02)
    assert peak.period == pytest.approx(period, abs=4 * error)


@pytest.mark.parametrize("rows", [8, 12, 40])
def test_the_error_of_a_period_of_few_points_is_that_of_a_least_squares_fit(rows):
    random = np.random.default_rng(rows)
    period = 0.7
    mjd = np.sort(random.uniform(0, 10, rows))
    value = 3 + 2 * np.sin(2 * np.pi * mjd / period) + random.normal(0, 0.01, rows)
    peak = search_periods(mjd, value, None, SearchOptions(min_period=0.65, max_period=0.75)).peaks[0]
    phase = 2 * np.pi * mjd * peak.frequency
    fit = np.stack([np.ones(rows), np.cos(phase), np.sin(phase)], axis=1)
    (mean, cosine, sine), _, _, _ = np.linalg.lstsq(fit, value, rcond=None)
    slope = 2 * np.pi * mjd * (sine * np.cos(phase) - cosine * np.sin(phase))  # by the frequency
    scatter = np.sum((value - fit @ [mean, cosine, sine]) ** 2) / (rows - 4)
    jacobian = np.column_stack([fit, slope])
    error = np.sqrt(scatter * np.linalg.inv(jacobian.T @ jacobian)[3, 3]) * peak.period**2
    assert peak.period_error == pytest.approx(error, rel=0.02)


def test_noise_alone_alarms_as_rarely_as_is_said():
    alarms = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        mjd, value = np.sort(random.uniform(0, 30, 60)), random.normal(0, 1, 60)
        alarms += search_periods(mjd, value, None, SearchOptions(0.2, max_peaks=1)).peaks[0].false_alarm < 0.2
    assert 4 <= alarms <= 20


@pytest.mark.parametrize(("star", "cycles"), [("Demo RR Lyrae", 1), ("Demo eclipsing binary", 2)])
def test_the_period_of_a_demo_star_is_its_highest_peak(star, cycles):
    (star,) = (one for one in STARS if one.obj_id == star)
    for _, columns in tables(star):
        points = samples(pd.DataFrame(columns), "mag", quality="quality")
        best = search_periods(points.mjd, points.value, points.error, SearchOptions(max_peaks=1)).peaks[0]
        assert best.period * cycles == pytest.approx(star.truth["period"], rel=1e-4)


def test_the_deadline_holds_while_peaks_are_refined():
    mjd, value, error = observed()
    grid, _ = choose_grid(mjd, SearchOptions(0.1, None, 5, 10_000))
    power = LombScargle(mjd, value, error).on_grid(grid)
    with pytest.raises(LateError, match="fewer peaks"):
        find_peaks(LombScargle(mjd, value, error, seconds=-1), grid, power, 5)
